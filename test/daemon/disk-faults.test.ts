/** A daemon on a disk that refuses, or takes its time: it says so, waits, goes on by itself, and has told nobody anything untrue. */

import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { testDaemon } from '../support/daemon.js';
import { CALLS, type Orders } from '../support/moody-system.js';
import { numberedLines } from '../support/numbered-lines.js';
import { seededRandom } from '../support/seeded-random.js';
import type { ErrorCode } from '../support/system-error.js';

const event = (n: number | string) => `{"type":"sample","name":"m","value":1,"n":"${n}"}`;

test.each([
  ['ENOSPC', 'writevSync', /^disk_full: .*\(ENOSPC\)/],
  ['EROFS', 'openSync', /^archive_write_failed: .*\(EROFS\)/],
  ['EMFILE', 'openSync', /^archive_write_failed: .*\(EMFILE\)/],
  ['EIO', 'fdatasyncSync', /^archive_sync_failed: .*\(EIO\)/],
] as const)(
  'while %s is what %s gets, nothing is acknowledged, questions are answered, and within a second of its end all goes on',
  async (code, call, reason) => {
    const daemon = await testDaemon({}, { isMoody: true });
    daemon.order({ refuse: { [call]: code } });
    const client = await daemon.connect();
    await client.send(...Array.from({ length: 50 }, (_, n) => event(n)));
    let isAnswered = false;
    const synced = client.sync().then((answer) => {
      isAnswered = true;
      return { answer, atMs: performance.now() };
    });
    const held = await daemon.statusWhere(({ degraded }) => reason.test(degraded[0] ?? ''));
    expect(held.degraded).toEqual([expect.stringMatching(reason)]);
    expect(held).toMatchObject({
      ready: true,
      ingest: { accepted: 50, in_flight: 0 },
      archive: { durable_seq: 0 },
    });
    expect((await daemon.groups('m'))[0]).toMatchObject({ count: 50 });
    await sleep(800); // as long as it may be between two attempts, and more
    expect(isAnswered).toBe(false);
    daemon.order({});
    const freeMs = performance.now();
    const { answer, atMs } = await synced;
    expect(answer).toMatchObject({ accepted: 50, rejected: 0 });
    expect(atMs - freeMs).toBeLessThan(1000);
    const { degraded, archive, threads } = await daemon.status();
    expect(degraded).toEqual([]);
    expect(archive.durable_seq).toBe(50);
    expect(threads.map(({ restarts }: { restarts: number }) => restarts)).toEqual([0, 0, 0, 0, 0]);
    expect(await daemon.archiveLines()).toHaveLength(50);
    expect(await daemon.stop()).toBe(0);
    expect(await daemon.archiveLines()).toHaveLength(50);
  },
);

test('SIGTERM on a disk that takes nothing ends within some seconds, says what is not on it, and exits 74', async () => {
  const daemon = await testDaemon({}, { isMoody: true });
  await daemon.send(...Array.from({ length: 20 }, (_, n) => event(n)));
  daemon.order({ refuse: { writevSync: 'ENOSPC' } });
  const client = await daemon.connect();
  await client.send(...Array.from({ length: 30 }, (_, n) => event(20 + n)));
  client.sync().catch(() => {}); // nobody answers
  await daemon.statusWhere(({ degraded }) => degraded.length > 0);
  const startedMs = performance.now();
  expect(await daemon.stop()).toBe(74);
  expect(performance.now() - startedMs).toBeLessThan(20_000);
  const said = JSON.parse(daemon.complaints.at(-1)!);
  expect(said).toMatchObject({ level: 'fatal', durable_seq: 20, accepted: 30, in_flight: 0 });
  expect(said.msg).toMatch(/^stopping with 30 lines that are not on the disk/);
  daemon.order({});
  await daemon.restart();
  expect(await daemon.archiveLines()).toHaveLength(20);
  expect(readdirSync(daemon.runtimeDir).sort()).toEqual(['control.sock', 'ingest.sock']);
});

test('SIGTERM on a disk that is full for a moment waits for it, and loses nothing', async () => {
  const daemon = await testDaemon({}, { isMoody: true });
  daemon.order({ refuse: { writevSync: 'ENOSPC' } });
  const client = await daemon.connect();
  await client.send(...Array.from({ length: 30 }, (_, n) => event(n)));
  const synced = client.sync();
  await daemon.statusWhere(({ degraded }) => degraded.length > 0);
  const ended = daemon.stop();
  await sleep(1000);
  daemon.order({});
  expect(await ended).toBe(0);
  expect(await synced).toMatchObject({ accepted: 30 });
  expect(await daemon.archiveLines()).toHaveLength(30);
});

test('a slow disk holds up nothing but acknowledgements, as long as there is room in the ring', async () => {
  const daemon = await testDaemon({ 'ring.bytes': '4MiB' }, { isMoody: true });
  await daemon.send(event(0));
  daemon.order({ delayMs: { fdatasyncSync: 2000 } });
  const client = await daemon.connect();
  await client.send(event(1));
  const synced = client.sync();
  // Much more than the ring holds, while the sync takes its time.
  const other = await daemon.connect();
  const lines = numberedLines('other', 0, 60_000);
  expect(lines.length).toBeGreaterThan(5 * 1024 * 1024);
  await other.write(lines);
  const during = await daemon.statusWhere(
    ({ archive, ingest }) => archive.last_sync_ms > 1000 && ingest.accepted > 60_000,
  );
  expect(during.archive.last_sync_ms).toBeGreaterThan(1000);
  expect(during).toMatchObject({ degraded: [], ingest: { accepted: 60_002 } });
  expect(during.archive.durable_seq).toBeLessThan(60_002);
  daemon.order({});
  await synced;
  expect(await other.sync()).toMatchObject({ accepted: 60_000 });
  expect(await daemon.stop()).toBe(0);
  expect(await daemon.archiveLines()).toHaveLength(60_002);
});

test('refused lines that the disk does not take cost themselves alone', async () => {
  const daemon = await testDaemon({}, { isMoody: true });
  daemon.order({ refuse: { writeSync: 'ENOSPC' } });
  expect(await daemon.send(event(1), 'no event', event(2))).toMatchObject({ accepted: 2, rejected: 1 });
  expect(await daemon.status()).toMatchObject({
    degraded: [expect.stringMatching(/^rejects_failed: /)],
    rejects: { written: 0, failed: 1 },
    archive: { durable_seq: 2 },
  });
  expect(await daemon.stop()).toBe(0);
  expect(await daemon.archiveLines()).toHaveLength(2);
});

test('a checkpoint that the disk does not take is said, and holds up nothing', async () => {
  const daemon = await testDaemon({ 'checkpoint.interval': '1s' }, { isMoody: true });
  daemon.order({ path: '/checkpoint/', refuse: { writevSync: 'ENOSPC', writeSync: 'ENOSPC' } });
  await daemon.send(event(1));
  const failed = await daemon.statusWhere(({ degraded }) => degraded.length > 0);
  expect(failed.degraded).toEqual([expect.stringMatching(/^checkpoint_failed: /)]);
  expect(await daemon.send(event(2))).toMatchObject({ accepted: 1 });
  daemon.order({});
  const mended = await daemon.statusWhere(({ degraded }) => degraded.length === 0);
  expect(mended).toMatchObject({ degraded: [], checkpoint: { line: 2 }, archive: { durable_seq: 2 } });
});

/** Every call that changes a file. */
function refuseAll(code: ErrorCode): NonNullable<Orders['refuse']> {
  return Object.fromEntries(CALLS.map((call) => [call, code]));
}

/** Of its own each time, and more than a segment of it. */
function linesOf(serial: number): string[] {
  const random = seededRandom(serial);
  return Array.from({ length: 40 }, (_, n) => {
    const text = Array.from({ length: 20 }, () => random().toString(36).slice(2)).join('');
    return JSON.stringify({ type: 'sample', name: 'm', value: 1, n: `${serial}/${n}`, text });
  });
}

test('whatever write the system refuses, and for whatever reason, it is said, no stage dies, and each line is there once', async () => {
  const settings = { 'archive.segment_bytes': '4KiB', 'checkpoint.interval': '100ms' };
  const daemon = await testDaemon(settings, { isMoody: true });
  const all: string[] = [];
  const faults: [path: string, code: ErrorCode, reason: RegExp | null][] = [
    ['/archive/0', 'EIO', /^archive_/],
    ['/archive', 'EROFS', /^archive_write_failed: .*\(EROFS\)/],
    ['.ndjson.lz4', 'EDQUOT', /^disk_full: .*\(EDQUOT\)/],
    ['.index', 'ENOSPC', /^index_failed: /],
    ['/checkpoint/', 'EACCES', /^checkpoint_failed: /],
    ['/rejects', 'EIO', /^rejects_failed: /],
    ['/durable', 'EIO', null],
    ['', 'EMFILE', /^archive_write_failed: .*\(EMFILE\)/],
    ['', 'ENOSPC', /^disk_full: /],
  ];
  const client = await daemon.connect();
  for (const [serial, [path, code, reason]] of faults.entries()) {
    daemon.order({ path, refuse: refuseAll(code) });
    const lines = linesOf(serial);
    all.push(...lines);
    await client.send(...lines, 'refused');
    const synced = client.sync();
    if (reason === null) await synced;
    const said = ({ degraded }: { degraded: string[] }) => degraded.some((text) => reason?.test(text));
    if (reason !== null) {
      const { degraded } = await daemon.statusWhere(said, 20_000);
      expect(degraded).toContainEqual(expect.stringMatching(reason));
    }
    daemon.order({});
    const count = (serial + 1) * lines.length;
    expect(await synced).toMatchObject({ accepted: count, rejected: serial + 1 });
    if (reason === null || reason.source.startsWith('^rejects')) continue;
    const mended = await daemon.statusWhere((status) => !said(status), 20_000);
    expect(mended.degraded).not.toContainEqual(expect.stringMatching(reason));
  }
  const { threads } = await daemon.status();
  expect(threads.map(({ restarts }: { restarts: number }) => restarts)).toEqual([0, 0, 0, 0, 0]);
  expect(await daemon.archiveLines()).toEqual(all);
  expect((await daemon.groups('m'))[0]).toMatchObject({ count: all.length });
  expect(await daemon.command('archive', 'verify')).toMatchObject({ code: 0 });
  expect(await daemon.command('replay')).toMatchObject({ code: 0 });
  await daemon.kill();
  await daemon.restart(settings);
  expect(await daemon.archiveLines()).toEqual(all);
  expect((await daemon.groups('m'))[0]).toMatchObject({ count: all.length });
});
