/** Who may run beside whom, and what a daemon knows after the one before it died. */

import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Child } from '../support/children.js';
import { TestDaemon, testDaemon } from '../support/daemon.js';
import { executionLines, stateOf } from '../support/executions.js';
import { createFolder } from '../support/folder.js';
import { areInSequence, NUMBERED_LINE_BYTES, numbersBySender } from '../support/numbered-lines.js';
import { seededRandom } from '../support/seeded-random.js';

test('a second daemon on the same state directory exits 73 and names it, and the first goes on', async () => {
  const daemon = await testDaemon();
  const other = createFolder();
  onTestFinished(() => other.remove());
  const second = daemon.spawn({}, { runtimeDir: join(other.path, 'r') });
  onTestFinished(() => second.kill());
  const { code, stderr } = await second.ended;
  expect(code).toBe(73);
  expect(stderr).toMatch(/ERR_TAKEN/);
  expect(stderr).toContain(daemon.stateDir);
  expect(await daemon.send({ type: 'note' })).toMatchObject({ accepted: 1 });
});

test('a second daemon on the same runtime directory exits 73 and names the socket, and the first goes on', async () => {
  const daemon = await testDaemon();
  const other = createFolder();
  onTestFinished(() => other.remove());
  const second = daemon.spawn({}, { stateDir: join(other.path, 's') });
  onTestFinished(() => second.kill());
  const { code, stderr } = await second.ended;
  expect(code).toBe(73);
  expect(stderr).toContain(daemon.ingestPath);
  expect(await daemon.send({ type: 'note' })).toMatchObject({ accepted: 1 });
  expect((await daemon.get('/readyz')).status).toBe(200);
});

test('the sockets of a killed daemon are taken over, and so is its lock', async () => {
  const daemon = await testDaemon();
  await daemon.send({ type: 'note', n: 1 });
  await daemon.kill();
  expect(statSync(daemon.ingestPath).isSocket()).toBe(true);
  await daemon.restart();
  expect(await daemon.send({ type: 'note', n: 2 })).toMatchObject({ accepted: 1 });
  expect(await daemon.archiveLines()).toEqual(['{"type":"note","n":1}', '{"type":"note","n":2}']);
});

test('what is no socket is not removed to make room for one', async () => {
  const daemon = await testDaemon();
  expect(await daemon.stop()).toBe(0);
  writeFileSync(daemon.ingestPath, 'precious');
  const second = daemon.spawn();
  const { code, stderr } = await second.ended;
  expect(code).toBe(74);
  expect(stderr).toContain(`${daemon.ingestPath} is not a socket`);
});

test('after a stop and a start the state is the same, to the last bit, and the numbers of the lines go on', async () => {
  const daemon = await testDaemon({ 'archive.segment_bytes': '64KiB' });
  await daemon.send(...executionLines(20_000, 1));
  const before = await stateOf(daemon);
  expect(await daemon.stop()).toBe(0);
  await daemon.restart();
  expect(await stateOf(daemon)).toEqual(before);
  await daemon.send({ type: 'note' });
  expect((await daemon.status()).archive.durable_seq).toBe(20_001);
});

test('after kills in full work the state is that of all archived lines, each once', async () => {
  const daemon = await testDaemon({ 'archive.sync_interval': '20ms', 'archive.segment_bytes': '64KiB' });
  const random = seededRandom(3);
  for (let round = 0; round < 3; round++) {
    const clients = await Promise.all([daemon.connect(), daemon.connect(), daemon.connect()]);
    const { accepted } = (await daemon.status()).ingest;
    for (const [i, client] of clients.entries()) {
      const lines = executionLines(20_000, 10 * round + i);
      for (let at = 0; at < lines.length; at += 500)
        client.send(...lines.slice(at, at + 500)).catch(() => {});
    }
    await daemon.statusWhere((status) => status.ingest.accepted > accepted + 2000 * random());
    await sleep(random() * 60);
    await daemon.kill();
    await daemon.restart();
    const lines = await daemon.archiveLines();
    const { archive, ingest } = await daemon.status();
    expect(archive.durable_seq).toBe(lines.length);
    expect(ingest.lines).toBe(0);
    const fresh = await TestDaemon.start();
    try {
      await fresh.send(...lines);
      expect(await stateOf(daemon)).toEqual(await stateOf(fresh));
    } finally {
      await fresh.remove();
    }
  }
});

test('a kill costs only what was not durable: the archive has a beginning of what each client wrote', async () => {
  const daemon = await testDaemon({ 'archive.sync_interval': '10ms' });
  const senders = ['a', 'b'].map((name) => {
    return { name, child: new Child('test/support/full-speed-sender.js', [daemon.ingestPath, name]) };
  });
  onTestFinished(async () => {
    await Promise.all(senders.map(({ child }) => child.kill()));
  });
  const { archive } = await daemon.statusWhere((status) => status.archive.durable_seq > 100_000);
  await daemon.kill();
  await daemon.restart();
  const lines = await daemon.archiveLines();
  expect(lines.length).toBeGreaterThanOrEqual(archive.durable_seq);
  const numbers = numbersBySender(lines);
  for (const { name, child } of senders) {
    const written = Number((await child.ended).stdout);
    // One that was late has none.
    const kept = numbers.get(name) ?? [];
    expect(kept.length).toBeLessThanOrEqual(written / NUMBERED_LINE_BYTES);
    expect(areInSequence(kept)).toBe(true);
  }
});

test('a wrong configuration ends the start with 78, and all that is wrong is named at once', async () => {
  const folder = createFolder();
  onTestFinished(() => folder.remove());
  const file = join(folder.path, 'tallyd.toml');
  writeFileSync(file, '[ring]\nbytes = 100000\nbyts = 1\n');
  const flags = ['--state-dir', join(folder.path, 's'), '--runtime-dir', join(folder.path, 'r')];
  const started = new Child('src/cli/main.js', [
    'run',
    '--config',
    file,
    '--set',
    'log.level=loud',
    ...flags,
  ]);
  onTestFinished(() => started.kill());
  const { code, stdout, stderr } = await started.ended;
  expect(code).toBe(78);
  expect(stdout).toBe('');
  for (const named of ['ring.bytes', 'ring.byts', 'log.level', file]) expect(stderr).toContain(named);
  expect(readdirSync(folder.path)).toEqual(['tallyd.toml']);
});

test('a runtime directory whose sockets have no room in a socket address ends the start, and says so', async () => {
  const folder = createFolder();
  onTestFinished(() => folder.remove());
  const runtimeDir = join(folder.path, 'x'.repeat(110));
  const started = new Child('src/cli/main.js', [
    'run',
    '--state-dir',
    join(folder.path, 's'),
    '--runtime-dir',
    runtimeDir,
  ]);
  onTestFinished(() => started.kill());
  const { code, stderr } = await started.ended;
  expect(code).toBe(78);
  expect(stderr).toMatch(/^ERR_CONFIG_INVALID/);
  expect(stderr).toMatch(/runtime directory +must be at most \d+ bytes/);
});
