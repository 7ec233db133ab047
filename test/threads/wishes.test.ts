/** When the archive closes a frame: for a wish, for room, at the end of the interval; and for nothing else. */

import { describe, expect, test } from 'vitest';
import { ArchiveBoard } from '../../src/archive/board.js';
import { CURSOR_ASKED, CURSOR_WANTED } from '../../src/ring/layout.js';
import { STAGE_FOLD, STAGE_RUNNING } from '../../src/ring/vitals.js';
import { readLog } from '../archive/log-fixture.js';
import { Pipeline } from './pipeline.js';

const event = (n: number) => JSON.stringify({ type: 'sample', name: 'm', value: n });
const refused = 'x'.repeat(200);

async function framesOf(pipeline: Pipeline): Promise<number> {
  return (await readLog(pipeline.directory)).frames.length;
}

test('lines for which nobody waits share a frame until the interval is over', async () => {
  const pipeline = new Pipeline({ syncIntervalMs: 60_000 });
  for (let n = 0; n < 50; n++) {
    await pipeline.send(1, [event(n)]);
    await pipeline.until(() => pipeline.isFolded, 'the fold');
  }
  await pipeline.drain();
  expect(await framesOf(pipeline)).toBe(1);
});

describe.each([
  ['wanted', CURSOR_WANTED],
  ['asked', CURSOR_ASKED],
])('a wish that was last %s', (_, cursor) => {
  test.each([2 ** 31 - 8, 2 ** 31 + 8, 2 ** 32 - 2048])(
    '%d bytes ago is no wish for what comes now',
    async (bytesAgo) => {
      const origin = 5 * 2 ** 32;
      const pipeline = new Pipeline({ origin, syncIntervalMs: 60_000 });
      await pipeline.until(() => pipeline.vitals.state(STAGE_FOLD) === STAGE_RUNNING, 'the fold to run');
      Atomics.store(new Int32Array(pipeline.memory.ring.cursors), cursor, (origin - bytesAgo) | 0);
      for (let n = 0; n < 50; n++) {
        await pipeline.send(1, [event(n)]);
        await pipeline.until(() => pipeline.isFolded, 'the fold');
      }
      await pipeline.drain();
      // A wish that looks like a new one may cost a frame, once.
      expect(await framesOf(pipeline)).toBeLessThanOrEqual(2);
    },
  );
});

test('refused lines alone never keep the ring full until the interval is over', async () => {
  const pipeline = new Pipeline({ syncIntervalMs: 60_000 });
  const started = performance.now();
  for (let n = 0; n < 2000; n++)
    await pipeline.send(1, [refused, refused, n % 100 === 0 ? event(n) : refused]);
  await pipeline.until(() => pipeline.isFolded, 'the fold');
  expect(performance.now() - started).toBeLessThan(10_000);
  await pipeline.drain();
  expect(pipeline.ledger.totals()).toMatchObject({ accepted: 20, rejected: 5980, inFlight: 0 });
});

test('everything is durable at the end, though no client has waited for it', async () => {
  for (let round = 0; round < 5; round++) {
    const pipeline = new Pipeline({ syncIntervalMs: 60_000 });
    await pipeline.send(1, [event(round)]);
    if (round % 2 === 0) await pipeline.until(() => pipeline.isFolded, 'the fold');
    await pipeline.drain();
    const board = new ArchiveBoard(pipeline.memory.archiveBoard);
    expect([board.written().line, board.durableLine]).toEqual([1, 1]);
  }
});
