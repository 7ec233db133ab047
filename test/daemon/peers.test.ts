/** Who is at the other end of a connection, and who may be. */

import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { readExposition } from '../query/exposition-reader.js';
import { Child } from '../support/children.js';
import { Client } from '../support/client.js';
import { PROGRAM, testDaemon } from '../support/daemon.js';

const EVENT = { type: 'sample', name: 'm', value: 1 };
const OWN = { uid: process.getuid!(), gid: process.getgid!() };
const OTHER_UID = OWN.uid + 1;

test('the status has process, user and group of each connection', async () => {
  const daemon = await testDaemon();
  const client = await daemon.connect();
  await client.send(EVENT);
  await client.sync();
  const { connections } = (await daemon.get('/v1/status?connections=1')).body;
  expect(connections).toMatchObject([{ pid: process.pid, ...OWN }]);
  const { stdout } = await daemon.command('status', '--connections');
  expect(stdout).toMatch(/id +client +uid +pid +state/);
  expect(stdout).toMatch(new RegExp(`^ *1 +- +${OWN.uid} +${process.pid} +open `, 'm'));
});

test('users that are not named are refused before a line of theirs is read, counted, and named in the log', async () => {
  const daemon = await testDaemon({ 'ingest.allow_uids': `${OTHER_UID}` });
  for (let i = 0; i < 3; i++) {
    const client = await Client.connect(daemon.ingestPath);
    client.send(EVENT).catch(() => {}); // whether the kernel still takes it is a race
    await client.closed;
  }
  const { ingest } = await daemon.status();
  expect(ingest).toMatchObject({
    connections: 0,
    lines: 0,
    connections_taken: 0,
    connections_refused: { allow_uids: 3, max_connections: 0 },
  });
  const said = daemon.complaints.map((line) => JSON.parse(line));
  // At a limited rate.
  expect(said).toMatchObject([
    {
      reason: 'allow_uids',
      pid: process.pid,
      ...OWN,
      msg: `refused a connection: ingest.allow_uids does not name user ${OWN.uid}`,
    },
  ]);
  const families = readExposition((await daemon.get('/metrics')).text);
  expect(families.get('tallyd_ingest_connections_refused_total')?.samples).toContainEqual({
    name: 'tallyd_ingest_connections_refused_total',
    labels: { reason: 'allow_uids' },
    value: 3,
  });
  expect((await daemon.command('status')).stdout).toMatch(/refused +allow_uids 3/);
});

test('users that are named may send', async () => {
  const daemon = await testDaemon({ 'ingest.allow_uids': `${OTHER_UID}, ${OWN.uid}` });
  expect(await daemon.send(EVENT)).toMatchObject({ accepted: 1 });
});

test('more connections than may be are refused, and counted by that reason', async () => {
  const daemon = await testDaemon({ 'ingest.max_connections': 2 });
  const clients = [await daemon.connect(), await daemon.connect()];
  for (const client of clients) await client.sync();
  const third = await Client.connect(daemon.ingestPath);
  await third.closed;
  const { ingest } = await daemon.statusWhere(
    (status) => status.ingest.connections_refused.max_connections > 0,
  );
  expect(ingest).toMatchObject({
    connections_taken: 2,
    connections_refused: { max_connections: 1, allow_uids: 0 },
  });
});

test('a reload changes who may send, and how many', async () => {
  const daemon = await testDaemon();
  const file = `${daemon.stateDir}/../tallyd.toml`;
  await daemon.stop();
  const write = (text: string) => execFileSync('sh', ['-c', `printf '%s' "$1" > "$2"`, 'sh', text, file]);
  write('[ingest]\nmax_connections = 1\n');
  const folders = ['--state-dir', daemon.stateDir, '--runtime-dir', daemon.runtimeDir];
  const process_ = new Child(PROGRAM, ['run', '--config', file, ...folders]);
  const reload = async (text: string) => {
    const before = process_.stderr.length;
    write(text);
    process_.signal('SIGHUP');
    while (!process_.stderr.slice(before).includes('took the configuration')) await sleep(10);
  };
  while (!process_.stderr.includes('listening')) await sleep(10);
  const first = await daemon.connect();
  await first.sync();
  await reload('[ingest]\nmax_connections = 5000\n');
  // More than there was room for at the start.
  const more = await Promise.all(Array.from({ length: 50 }, () => daemon.connect()));
  for (const client of more) await client.sync();
  await reload(`[ingest]\nmax_connections = 5000\nallow_uids = "${OTHER_UID}"\n`);
  const refused = await Client.connect(daemon.ingestPath);
  await refused.closed;
  // Who is connected stays so.
  await first.send(EVENT);
  expect(await first.sync()).toMatchObject({ accepted: 1 });
  await process_.kill();
});
