import { Piscina } from 'piscina';
import { expect, onTestFinished, test } from 'vitest';
import { ArchiveBoard, allocateArchiveBoard } from '../../src/archive/board.js';
import { writtenOf } from './board-writer.js';

test('what the archive says to have written is read whole, however fast it writes', async () => {
  const filename = new URL('../../dist/test/threads/board-writer.js', import.meta.url).href;
  const pool = new Piscina({ filename, maxThreads: 1 });
  onTestFinished(() => pool.destroy());
  const memory = allocateArchiveBoard(writtenOf(0));
  const board = new ArchiveBoard(memory);
  const count = 1_000_000;
  const writing = pool.run({ board: memory, count });
  let torn = 0;
  let last = 0;
  for (let reads = 0; last < count; reads++) {
    const { position, line, oldestUs } = board.written();
    if (position !== line || line !== oldestUs || position < last) torn++;
    last = position;
    // The end of the writer is heard of on the event loop only.
    if (reads % 1_000_000 === 999_999) await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
  expect(torn).toBe(0);
});
