import { expect, onTestFinished, test } from 'vitest';
import { testDaemon } from '../support/daemon.js';
import {
  areInSequence,
  NUMBERED_LINE_BYTES,
  numberedLines,
  numbersBySender,
} from '../support/numbered-lines.js';

const MIB = 1024 * 1024;
const TOTAL_BYTES = 100 * MIB;
const CONNECTIONS = 5;
const LINES_PER_WRITE = 5000;
const WRITES = Math.ceil(TOTAL_BYTES / CONNECTIONS / LINES_PER_WRITE / NUMBERED_LINE_BYTES);

test('100 MiB through a ring of 1 MiB, as fast as they go: senders wait, nothing is lost, memory does not grow', async () => {
  const daemon = await testDaemon({ 'ring.bytes': '1MiB' });
  const warm = await daemon.connect();
  await warm.write(numberedLines('warm', 0, 50_000));
  await warm.sync();
  const rssBefore = (await daemon.status()).memory.rss_bytes;
  let rssMax = 0;
  let ringMax = 0;
  const watch = setInterval(async () => {
    const { memory, ring } = await daemon.status();
    rssMax = Math.max(rssMax, memory.rss_bytes);
    ringMax = Math.max(ringMax, ring.used_bytes);
  }, 100);
  onTestFinished(() => clearInterval(watch));
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async (_, c) => {
      const client = await daemon.connect();
      for (let i = 0; i < WRITES; i++) {
        await client.write(numberedLines(`c${c}`, i * LINES_PER_WRITE, LINES_PER_WRITE));
      }
      expect(await client.sync()).toMatchObject({ accepted: WRITES * LINES_PER_WRITE, rejected: 0 });
    }),
  );
  clearInterval(watch);
  const { ingest, ring, archive, memory } = await daemon.status();
  const lines = 50_000 + CONNECTIONS * WRITES * LINES_PER_WRITE;
  expect(ingest).toMatchObject({ lines, accepted: lines, rejected: 0, dropped: 0, in_flight: 0 });
  expect(archive.durable_seq).toBe(lines);
  expect(ring.stalls).toBeGreaterThan(0);
  expect(ringMax).toBeLessThanOrEqual(MIB);
  expect(Math.max(rssMax, memory.rss_bytes) - rssBefore).toBeLessThan(48 * MIB);
  const numbers = numbersBySender(await daemon.archiveLines());
  for (let c = 0; c < CONNECTIONS; c++) {
    expect(numbers.get(`c${c}`)).toHaveLength(WRITES * LINES_PER_WRITE);
    expect(areInSequence(numbers.get(`c${c}`)!)).toBe(true);
  }
});

test('a client that reads no answers is not read from any more, and costs bounded memory', async () => {
  const daemon = await testDaemon();
  await daemon.send(...numberedLines('warm', 0, 50_000).trimEnd().split('\n'));
  const rssBefore = (await daemon.status()).memory.rss_bytes;
  const deaf = await daemon.connect();
  deaf.socket.pause();
  const syncs = `{"type":"sync","id":"${'x'.repeat(230)}"}\n`.repeat(4000);
  const writing = (async () => {
    for (let i = 0; i < 64; i++) await deaf.write(syncs); // 64 MB of questions
  })();
  writing.catch(() => {});
  const other = await daemon.connect();
  for (let i = 0; i < 200; i++) {
    await other.send(`{"type":"note","n":${i}}`);
    await other.sync();
  }
  const { memory, ingest } = await daemon.status();
  expect(memory.rss_bytes - rssBefore).toBeLessThan(96 * MIB);
  expect(ingest.accepted).toBe(50_200);
  deaf.socket.resume();
  await writing;
  await deaf.sync('at last');
  expect(deaf.replies).toHaveLength(64 * 4000);
});
