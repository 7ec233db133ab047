/** The client and `tallyd send --client` with the real daemon; what dies at random is the torture's. */

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type Client, connect } from '../../src/client/client.js';
import { Child } from '../support/children.js';
import { PROGRAM, type TestDaemon, testDaemon } from '../support/daemon.js';
import { createFolder } from '../support/folder.js';

const QUICK = { syncDelayMs: 20, reconnectMinMs: 2, reconnectMaxMs: 50 };

function clientOf(daemon: TestDaemon, name: string): Client {
  const client = connect({ path: daemon.ingestPath, client: name, ...QUICK });
  onTestFinished(async () => {
    await client.close({ timeoutMs: 0 });
  });
  return client;
}

const lineOf = (n: number) => `{"type":"note","n":${n}}`;
const linesOf = (count: number, first = 1) => Array.from({ length: count }, (_, i) => lineOf(first + i));

test('typed events become what the daemon answers', async () => {
  const daemon = await testDaemon();
  const client = clientOf(daemon, 'c');
  client.send({ type: 'workflow.start', workflow: 'w', name: 'nightly', project: 'p' });
  client.send({ type: 'workflow.phase', workflow: 'w', phase: 'load' });
  client.send({ type: 'workflow.status', workflow: 'w', status: 'paused' });
  client.send({ type: 'task.start', workflow: 'w', task: 't', agent: 'a', kind: 'k', parallel: true });
  client.send({ type: 'task.end', workflow: 'w', task: 't', agent: 'a', status: 'completed', duration: 2 });
  client.send({ type: 'group', workflow: 'w', tasks: ['t', 'u'], duration: 3 });
  client.send({ type: 'sample', name: 's', value: 1.5, tags: { host: 'h' } });
  client.send({ type: 'workflow.end', workflow: 'w', status: 'failed', error: 'why' });
  await client.flush();
  expect(client.stats).toMatchObject({ durable: 8, accepted: 8, rejected: 0 });
  const { body } = await daemon.workflow('w');
  expect(body).toMatchObject({ status: 'failed', phase: 'load', project: 'p', error: 'why' });
  expect(body.tasks).toMatchObject([{ task: 't', agent: 'a', kind: 'k', status: 'completed', duration: 2 }]);
  expect(await daemon.groups('s')).toMatchObject([{ labels: { host: 'h' }, count: 1, sum: 1.5 }]);
});

test('a daemon that stands still makes nobody but flush wait, and loses nothing', async () => {
  const daemon = await testDaemon();
  const client = clientOf(daemon, 'c');
  await client.ready();
  daemon.signal('SIGSTOP');
  for (const line of linesOf(20_000)) expect(client.trySend(line)).toBe(true);
  const flushed = client.flush();
  expect(await Promise.race([flushed, sleep(200, 'waits')])).toBe('waits');
  daemon.signal('SIGCONT');
  await flushed;
  expect(await daemon.archiveLines()).toEqual(linesOf(20_000));
});

test('a client goes on over a wiped state directory, and is told what is lost', async () => {
  const daemon = await testDaemon();
  const client = clientOf(daemon, 'c');
  const gaps: number[] = [];
  client.on('gap', (lines) => gaps.push(lines));
  for (const line of linesOf(10)) client.trySend(line);
  await client.flush();
  await daemon.kill();
  rmSync(daemon.stateDir, { recursive: true });
  for (const line of linesOf(5, 11)) client.trySend(line);
  await daemon.restart();
  await client.flush();
  expect(await daemon.archiveLines()).toEqual(linesOf(5, 11));
  expect(gaps).toEqual([10]);
  client.trySend(lineOf(16));
  await client.flush();
  await daemon.kill();
  await daemon.restart();
  client.trySend(lineOf(17));
  await client.flush();
  expect(await daemon.archiveLines()).toEqual(linesOf(7, 11));
  expect(client.stats).toMatchObject({ taken: 17, durable: 17, queued: 0, gap: 10 });
});

test('two clients of one name do not mix their lines: one of them gives up', async () => {
  const daemon = await testDaemon();
  const one = clientOf(daemon, 'same');
  const other = clientOf(daemon, 'same');
  const failed = new Promise<Client>((resolve) => {
    for (const client of [one, other]) client.once('failed', () => resolve(client));
  });
  for (let n = 1; ; n++) {
    if (one.trySend(lineOf(n)) !== true || other.trySend(lineOf(n)) !== true) break;
    await sleep(1);
  }
  const loser = await failed;
  const winner = loser === one ? other : one;
  winner.trySend(lineOf(0));
  await winner.flush();
  expect((await daemon.archiveLines()).at(-1)).toBe(lineOf(0));
});

test('tallyd send --client brings each line of a file once, though it and the daemon are killed', async () => {
  const daemon = await testDaemon({ 'archive.sync_interval': '5ms' });
  const folder = createFolder();
  onTestFinished(() => folder.remove());
  const file = join(folder.path, 'events.ndjson');
  const lines = linesOf(400_000);
  writeFileSync(file, `${lines.join('\n')}\n`);
  const start = () =>
    new Child(PROGRAM, ['send', file, '--client', 'c', '--json', '--runtime-dir', daemon.runtimeDir]);
  let sender = start();
  onTestFinished(() => sender.kill());
  await daemon.statusWhere(({ archive }) => archive.durable_seq > 5000);
  await sender.kill();
  // All that the first one wrote is durable, so what comes then is of the second.
  const { archive, ingest } = await daemon.statusWhere((status) => {
    return status.ingest.in_flight === 0 && status.archive.durable_seq === status.ingest.lines;
  });
  expect(ingest.lines).toBeLessThan(lines.length);
  sender = start();
  await daemon.statusWhere(({ archive: now }) => now.durable_seq > archive.durable_seq + 5000);
  await daemon.kill();
  await daemon.restart({ 'archive.sync_interval': '5ms' });
  const { code, stdout, stderr } = await sender.ended;
  expect(code, stderr).toBe(0);
  const { lines: sent, skipped, lost } = JSON.parse(stdout);
  expect(sent + skipped).toBe(lines.length);
  expect(skipped).toBeGreaterThan(5000);
  expect(lost).toBe(0);
  const found = await daemon.archiveLines();
  expect(found.length).toBe(lines.length);
  expect(found.every((line, i) => line === lines[i])).toBe(true);
});
