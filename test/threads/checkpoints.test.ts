/** Checkpoints under the real stages, while threads die. */

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ArchiveBoard } from '../../src/archive/board.js';
import { listSegments } from '../../src/archive/segment-name.js';
import { listCheckpoints } from '../../src/checkpoint/checkpoint-files.js';
import { writeCheckpoint } from '../../src/checkpoint/checkpoint-writer.js';
import { TableCopies, WISH_NONE, WISH_NOW } from '../../src/checkpoint/table-copies.js';
import { doublesOf } from '../../src/model/memory.js';
import { Bell } from '../../src/ring/bell.js';
import { differences, Folded } from '../fold/replaying.js';
import { Pipeline } from './pipeline.js';

const event = (n: number) =>
  JSON.stringify({
    type: 'task.end',
    n,
    workflow: `w${n % 7}`,
    task: `t${n}`,
    agent: 'a',
    status: 'completed',
  });

async function makeCopy(pipeline: Pipeline, copies: TableCopies): Promise<void> {
  copies.setWish(WISH_NOW);
  new Bell(pipeline.memory.foldBell).ring();
  await pipeline.until(() => copies.wish === WISH_NONE, 'the copy');
}

/** Of what is folded now, as the daemon does. */
async function takeCheckpoint(pipeline: Pipeline): Promise<void> {
  const copies = new TableCopies(pipeline.memory.copies);
  await makeCopy(pipeline, copies);
  const board = new ArchiveBoard(pipeline.memory.archiveBoard);
  const directory = join(pipeline.directory, 'checkpoint');
  mkdirSync(directory, { recursive: true });
  await writeCheckpoint(pipeline.memory.copies.copy, {
    directory,
    copiedUs: copies.copiedUs,
    whenDurable: (line) => pipeline.until(() => board.durableLine >= line, 'durability'),
  });
}

test('a fold that died inside a line is rebuilt from the newest checkpoint, and the lines after it', async () => {
  const fold = [
    { at: 'after', n: 250, how: 'throw' },
    { at: 'after', n: 350, how: 'exit' },
  ] as const;
  const pipeline = new Pipeline({ fold, segmentBytes: 1024, syncIntervalMs: 60_000 });
  const folded = new Folded();
  const send = async (from: number, to: number) => {
    for (let n = from; n < to; n += 5) {
      const lines = Array.from({ length: 5 }, (_, i) => event(n + i));
      folded.record(lines, await pipeline.send(1, lines));
    }
    await pipeline.until(() => pipeline.isFolded, 'the fold');
  };
  await send(0, 100);
  await takeCheckpoint(pipeline);
  await send(100, 200);
  await takeCheckpoint(pipeline);
  // Without what the checkpoint holds there is no way back to these lines.
  const [first] = listSegments(pipeline.directory);
  await send(200, 300);
  expect(pipeline.deaths('fold')).toEqual([1, 0]);
  rmSync(first!.path);
  await send(300, 400);
  expect(pipeline.deaths('fold')).toEqual([1, 1]);
  await pipeline.drain();
  expect(listCheckpoints(join(pipeline.directory, 'checkpoint')).map(({ line }) => line)).toEqual([200, 100]);
  expect(differences(pipeline.memory.tables, folded.memory)).toEqual({});
});

test('copies are made between records while lines come, and each is the state of its lines', async () => {
  const pipeline = new Pipeline({ syncIntervalMs: 60_000 });
  const copies = new TableCopies(pipeline.memory.copies);
  const records: { lines: string[]; arrivedUs: number }[] = [];
  for (let n = 0; n < 600; n += 3) {
    const lines = [event(n), event(n + 1), event(n + 2)];
    records.push({ lines, arrivedUs: await pipeline.send(1, lines) });
    if (n % 60 !== 0) continue;
    await makeCopy(pipeline, copies);
    const folded = new Folded();
    const { copy } = pipeline.memory.copies;
    const line = doublesOf(copy.board)[0]!;
    expect(line % 3).toBe(0);
    for (const { lines, arrivedUs } of records.slice(0, line / 3)) folded.record(lines, arrivedUs);
    for (const [name, bytes] of Object.entries(folded.tables.usedRanges())) {
      // Indexes also tell how often their entries moved, or they were cleared.
      if (name.endsWith('Index')) continue;
      const own = Buffer.from(copy[name as 'names'].subarray(0, bytes));
      expect(own.equals(Buffer.from(folded.memory[name as 'names'].subarray(0, bytes))), name).toBe(true);
    }
    expect(copies.pauseMs).toBeGreaterThan(0);
  }
  await pipeline.drain();
});
