import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { indexPathOf, listSegments } from '../../src/archive/segment-name.js';
import { type TestDaemon, testDaemon } from '../support/daemon.js';
import { seededRandom } from '../support/seeded-random.js';

const QUICK = { 'archive.segment_bytes': '4KiB', 'checkpoint.interval': '100ms' };

/** A batch is a segment: 8 KiB that compress badly. */
function batch(serial: number): string[] {
  const random = seededRandom(serial);
  return Array.from({ length: 8 }, (_, n) => {
    const output = Array.from({ length: 130 }, () => random().toString(36).slice(2, 10)).join('');
    return JSON.stringify({
      type: 'task.end',
      task: `${serial}/${n}`,
      agent: 'a',
      status: 'completed',
      output,
    });
  });
}

async function sendBatches(daemon: TestDaemon, from: number, count: number): Promise<void> {
  const client = await daemon.connect();
  for (let serial = from; serial < from + count; serial++) {
    await client.send(...batch(serial));
    await client.sync();
  }
  client.end();
  await client.closed;
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  let does = await holds();
  while (!does && performance.now() < deadline) {
    await sleep(50);
    does = await holds();
  }
  expect(does).toBe(true);
}

function bytesOf(daemon: TestDaemon): Promise<number> {
  return daemon.status().then(({ archive }) => archive.bytes_compressed);
}

test('segments leave by size while lines come, no line that a start needs is lost, and the status follows', async () => {
  const settings = { ...QUICK, 'archive.max_bytes': '48KiB' };
  const daemon = await testDaemon(settings);
  let sent = 0;
  // What a start may need stays over the limit, so that lines have to come while checkpoints do.
  await until(async () => {
    await sendBatches(daemon, sent, 5);
    sent += 5;
    return listSegments(daemon.archiveDir)[0]!.firstLine > 1;
  });
  // The last checkpoint but one is of about now: all that is over the limit may go.
  await until(async () => {
    await sendBatches(daemon, sent++, 1);
    return (await bytesOf(daemon)) < 64 * 1024;
  });
  const segments = listSegments(daemon.archiveDir);
  const { archive } = await daemon.statusWhere(
    ({ archive }) => archive.segments === listSegments(daemon.archiveDir).length,
  );
  const listed = JSON.parse((await daemon.command('archive', 'ls', '--json')).stdout);
  expect(archive).toMatchObject({
    segments: listed.segments.length,
    bytes_compressed: listed.bytes_compressed,
    bytes_raw: listed.bytes_raw,
    oldest_ts: listed.segments[0].first_ts,
  });
  const firstLine = segments[0]!.firstLine;
  expect(await daemon.archiveLines()).toEqual(
    Array.from({ length: sent }, (_, serial) => batch(serial))
      .flat()
      .slice(firstLine - 1),
  );
  // A start goes on with fewer segments, and replay says from where on it can check.
  expect(archive.durable_seq).toBe(sent * 8);
  await daemon.kill();
  await daemon.restart(settings);
  expect((await daemon.status()).archive).toMatchObject({ durable_seq: sent * 8 });
  expect(await daemon.command('replay')).toMatchObject({ code: 0 });
  expect(daemon.complaints).toEqual([]);
});

test('segments leave by age, but for the active one', async () => {
  const daemon = await testDaemon({ ...QUICK, 'archive.max_age': '1s' });
  await sendBatches(daemon, 0, 4);
  await until(async () => {
    // One checkpoint more is what the older ones wait for.
    await daemon.send('{"type":"note"}');
    return listSegments(daemon.archiveDir)[0]!.firstLine > 32;
  });
  // With nothing more to come the last segment grows old, and stays.
  await sleep(2500);
  expect((await daemon.archiveLines()).at(-1)).toBe('{"type":"note"}');
  expect(daemon.stderr).toContain('removed a segment of the archive');
  expect(daemon.complaints).toEqual([]);
});

test('archive prune beside the daemon removes what nobody needs, and the status follows', async () => {
  const daemon = await testDaemon(QUICK);
  await sendBatches(daemon, 0, 6);
  const before = (await daemon.status()).archive.segments;
  expect(before).toBe(6);
  let removed = 0;
  await until(async () => {
    await daemon.send('{"type":"note"}');
    const { stdout, code } = await daemon.command('archive', 'prune', '--max-bytes', '1B', '--json');
    expect(code).toBe(0);
    removed += JSON.parse(stdout).removed.length;
    return removed >= 5;
  });
  const left = listSegments(daemon.archiveDir);
  const { archive } = await daemon.statusWhere(({ archive }) => archive.segments === left.length);
  expect(archive.segments).toBe(left.length);
  expect(archive.oldest_ts).toBeGreaterThan(0);
  await daemon.send('{"type":"note"}');
  expect((await daemon.archiveLines()).at(-1)).toBe('{"type":"note"}');
  expect(daemon.complaints).toEqual([]);
});

test('without checkpoints nothing leaves', async () => {
  const daemon = await testDaemon({ ...QUICK, 'checkpoint.interval': '1d', 'archive.max_bytes': '4KiB' });
  await sendBatches(daemon, 0, 4);
  await sleep(2500);
  expect(listSegments(daemon.archiveDir)).toHaveLength(4);
  const { stdout } = await daemon.command('archive', 'prune', '--max-bytes', '4KiB');
  expect(stdout).toContain('a start of the daemon may need it');
});

test('the index of a segment leaves with it', async () => {
  const daemon = await testDaemon(QUICK);
  await sendBatches(daemon, 0, 3);
  const [first] = listSegments(daemon.archiveDir);
  await until(() => existsSync(indexPathOf(first!.path)));
  rmSync(first!.path);
  await sendBatches(daemon, 3, 1);
  await until(() => !existsSync(indexPathOf(first!.path)));
});

test('SIGUSR2 closes the active segment: the next line begins another, and none is lost', async () => {
  const daemon = await testDaemon();
  await daemon.send('{"type":"before"}');
  for (let i = 0; i < 2; i++) {
    daemon.signal('SIGUSR2');
    await until(() => daemon.stderr.split('begins a new segment').length > i + 1);
  }
  await daemon.send('{"type":"after"}');
  const segments = listSegments(daemon.archiveDir);
  expect(segments.map(({ firstLine }) => firstLine)).toEqual([1, 2]);
  await daemon.send('{"type":"later"}');
  expect(listSegments(daemon.archiveDir)).toHaveLength(2);
  expect(await daemon.archiveLines()).toEqual(['{"type":"before"}', '{"type":"after"}', '{"type":"later"}']);
  expect((await daemon.status()).archive.segments).toBe(2);
  expect(existsSync(join(daemon.archiveDir, '00000000000000000001.ndjson.lz4'))).toBe(true);
  expect(await daemon.stop()).toBe(0);
});

test('with on_full = "prune" a full disk costs the oldest segments that no start needs, and with "block" none', async () => {
  const daemon = await testDaemon({ ...QUICK, 'archive.on_full': 'prune' }, { isMoody: true });
  await sendBatches(daemon, 0, 6);
  // Two checkpoints behind most of it.
  await until(async () => {
    await daemon.send('{"type":"note"}');
    return ((await daemon.status()).checkpoint?.first_line_needed ?? 0) > 6 * 8;
  });
  const before = listSegments(daemon.archiveDir);
  daemon.order({ path: '.ndjson.lz4', refuse: { writevSync: 'ENOSPC' } });
  const client = await daemon.connect();
  await client.send('{"type":"late"}');
  const synced = client.sync();
  await daemon.statusWhere(({ degraded }) => /^disk_full/.test(degraded[0] ?? ''));
  await until(() => listSegments(daemon.archiveDir).length < before.length);
  daemon.order({});
  await synced;
  const after = listSegments(daemon.archiveDir);
  expect(after[0]!.firstLine).toBeGreaterThan(before[0]!.firstLine);
  expect((await daemon.archiveLines()).at(-1)).toBe('{"type":"late"}');
  const { archive } = await daemon.statusWhere(({ archive }) => archive.segments === after.length);
  expect(archive.segments).toBe(after.length);
  expect(await daemon.stop()).toBe(0);

  await daemon.restart({ ...QUICK, 'archive.on_full': 'block' });
  daemon.order({ path: '.ndjson.lz4', refuse: { writevSync: 'ENOSPC' } });
  const again = await daemon.connect();
  await again.send('{"type":"later"}');
  const held = again.sync();
  await daemon.statusWhere(({ degraded }) => /^disk_full/.test(degraded[0] ?? ''));
  await sleep(500);
  expect(listSegments(daemon.archiveDir).map(({ path }) => path)).toEqual(after.map(({ path }) => path));
  daemon.order({});
  await held;
});
