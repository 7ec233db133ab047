/** When the archive closes a frame: for a wish, for room, at the end of the interval; and for nothing else. */

import { expect, test } from 'vitest';
import { ArchiveBoard } from '../../src/archive/board.js';
import { readLog } from '../archive/log-fixture.js';
import { Pipeline } from './pipeline.js';

const event = (n: number) => JSON.stringify({ type: 'sample', name: 'm', value: n });

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
