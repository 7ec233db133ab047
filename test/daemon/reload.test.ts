/** SIGHUP: the daemon reads its configuration again. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { listSegments } from '../../src/archive/segment-name.js';
import { Child } from '../support/children.js';
import { Client } from '../support/client.js';
import { PROGRAM } from '../support/daemon.js';
import { createFolder } from '../support/folder.js';

const EVENT = { type: 'sample', name: 'm', value: 1 };

/** A daemon with a file of its own. */
async function daemonWithFile(text: string) {
  const folder = createFolder();
  const file = join(folder.path, 'tallyd.toml');
  writeFileSync(file, text);
  const folders = ['--state-dir', join(folder.path, 's'), '--runtime-dir', folder.path];
  const daemon = new Child(PROGRAM, ['run', '--config', file, ...folders]);
  onTestFinished(async () => {
    await daemon.kill();
    folder.remove();
  });
  await until(() => daemon.stderr.includes('listening'));
  const client = await Client.connect(join(folder.path, 'ingest.sock'));
  onTestFinished(() => client.destroy());
  const logged = (text: string | RegExp) =>
    daemon.stderr.split('\n').filter((line) => line.match(text)).length;
  const reload = async (changed: string, says: string | RegExp) => {
    const before = logged(says);
    writeFileSync(file, changed);
    daemon.signal('SIGHUP');
    await until(() => logged(says) > before);
  };
  const segments = () => listSegments(join(folder.path, 's/archive')).length;
  return { daemon, client, reload, segments, logged, path: folder.path };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!holds() && performance.now() < deadline) await sleep(10);
  expect(holds()).toBe(true);
}

test('options that a running daemon takes hold from then on, and the others are named', async () => {
  const { client, reload, segments, daemon, logged } = await daemonWithFile(
    '[archive]\nsync_interval = "1h"\n',
  );
  for (let i = 0; i < 3; i++) {
    await client.send(EVENT);
    await client.sync();
  }
  expect(segments()).toBe(1);
  await reload(
    '[archive]\nsync_interval = "20ms"\nsegment_age = "100ms"\n[ring]\nbytes = "64MiB"\n[log]\nlevel = "debug"\n',
    'took the configuration',
  );
  expect(logged('archive.sync_interval: \\\\"1h\\\\" to \\\\"20ms\\\\"')).toBe(1);
  expect(daemon.stderr).toMatch(
    /"changed":\["ring.bytes: \\"32MiB\\" to \\"64MiB\\""\],"msg":"these need a restart/,
  );
  // Nobody asks for a sync any more: the interval alone brings lines to the disk, and the age closes segments.
  await client.send(EVENT);
  await client.sync();
  const before = segments();
  await sleep(150);
  await client.send(EVENT);
  await until(() => segments() > before);
});

test('a wrong file changes nothing, and the log says all that is wrong with it', async () => {
  const { client, reload, daemon } = await daemonWithFile('[log]\nlevel = "info"\n');
  await reload('[log]\nlevel = "loud"\n[ring]\nbyts = 1\n', 'nothing has changed, as the configuration');
  expect(daemon.stderr).toMatch(/ERR_CONFIG_INVALID.*2 problems in .*tallyd\.toml/);
  await client.send(EVENT);
  expect(await client.sync()).toMatchObject({ accepted: 1 });
  await reload('[log]\nlevel = "info"\n', '"msg":"nothing has changed"');
  daemon.signal('SIGTERM');
  expect((await daemon.ended).code).toBe(0);
});

test('how often the state is written down, and how long a silent client is known, follow the configuration', async () => {
  const { client, reload, path } = await daemonWithFile('[checkpoint]\ninterval = "1d"\n');
  const hello = async () => {
    const numbered = await Client.connect(join(path, 'ingest.sock'));
    await numbered.send({ type: 'hello', client: 'c' });
    const welcome = await numbered.reply((reply) => reply.type === 'welcome');
    await numbered.send(EVENT);
    await numbered.sync();
    numbered.end();
    await numbered.closed;
    return welcome;
  };
  const checkpoints = () => {
    const folder = join(path, 's/checkpoint');
    return existsSync(folder) ? readdirSync(folder).length : 0;
  };
  expect(await hello()).toMatchObject({ known: false, seq: 0 });
  expect(await hello()).toMatchObject({ known: true, seq: 1 });
  expect(checkpoints()).toBe(0);
  await reload(
    '[checkpoint]\ninterval = "100ms"\n[ingest]\nclient_memory = "1s"\n',
    'took the configuration',
  );
  await sleep(1100);
  expect(await hello()).toMatchObject({ known: false, seq: 0 });
  await client.send(EVENT);
  await until(() => checkpoints() > 0);
});

test('the level of the log follows the configuration', async () => {
  const { reload, daemon, logged } = await daemonWithFile('');
  await reload('[ring]\nbytes = "64MiB"\n[log]\nlevel = "warn"\n', 'these need a restart');
  expect(logged('took the configuration')).toBe(0);
  await reload('[log]\nlevel = "info"\n', 'took the configuration');
  daemon.signal('SIGTERM');
  expect((await daemon.ended).stderr).toContain('drained');
});

test('roll-ups leave by the age that holds now', async () => {
  const { client, reload, path } = await daemonWithFile('[stats]\nrollup_age = "36500d"\n');
  const rollups = join(path, 's/rollups');
  mkdirSync(rollups);
  const old = join(rollups, '2020-01-01.rollups.lz4');
  writeFileSync(old, '');
  await client.send(EVENT);
  await client.sync();
  await sleep(2500); // as long as two looks
  expect(existsSync(old)).toBe(true);
  await reload('[stats]\nrollup_age = "400d"\n', 'took the configuration');
  await until(() => !existsSync(old));
});
