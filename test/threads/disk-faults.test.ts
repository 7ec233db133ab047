/**
 * Disks that refuse: nothing dies of it, nothing is lost, nothing counts twice, and nothing is acknowledged that is not on
 * the disk. The real stages under the real supervisor; the file system refuses on order (faults.ts).
 */

import { describe, expect, test } from 'vitest';
import { ArchiveBoard } from '../../src/archive/board.js';
import { STAGE_ARCHIVE, STAGE_SYNC } from '../../src/ring/vitals.js';
import type { ErrorCode } from '../support/system-error.js';
import type { FileFault } from './faults.js';
import { Pipeline, type PipelineOptions } from './pipeline.js';
import { openFilesIn, runAndCompare, workload } from './workload.js';

const SEED = Number(process.env.TALLYD_SEED ?? 20250612);
const CODES: ErrorCode[] = ['ENOSPC', 'EDQUOT', 'EIO'];

/** Positions pass 2^32 on the way, and segments come and go. */
const OPTIONS = { segmentBytes: 12 * 1024, syncIntervalMs: 20, origin: 2 ** 32 - 100_000 };

function refused(
  operation: FileFault['operation'],
  call: number,
  how: FileFault['how'] = 'EIO',
  times = 1,
  when: FileFault['when'] = 'before',
): FileFault {
  return { operation, call, how, times, when };
}

interface Outcome {
  readonly refusals: number;
  readonly syncFailures: number;
  readonly restarts: number[];
  readonly segments: number;
}

/** Where syncs fail each is answered before the next record is sent: so there are enough of them. */
async function run(options: PipelineOptions): Promise<Outcome> {
  // Beside the segments it syncs its mark.
  const sync = options.sync?.map((fault) => ({ path: '.lz4', ...fault })) ?? [];
  const pipeline = new Pipeline({ ...OPTIONS, ...options, sync });
  const inStep = options.sync !== undefined;
  await runAndCompare(pipeline, workload(inStep ? 900 : 2500, SEED), { inStep });
  const board = new ArchiveBoard(pipeline.memory.archiveBoard);
  expect(board.durable()).toMatchObject({
    position: board.written().position,
    line: board.written().line,
    frameBytes: board.written().frameBytes,
  });
  expect([board.holdsFor, board.syncError, board.waitsForSync]).toEqual([0, 0, false]);
  expect(openFilesIn(pipeline.directory)).toEqual([]);
  for (const [stage, faults] of [
    ['archive', options.archive ?? []],
    ['sync', options.sync ?? []],
  ] as const) {
    expect(pipeline.deaths(stage)).toEqual(faults.map(({ times = 1 }) => times));
  }
  return {
    refusals: board.refusals,
    syncFailures: board.syncFailures,
    restarts: [STAGE_ARCHIVE, STAGE_SYNC].map((stage) => pipeline.vitals.restarts(stage)),
    segments: board.written().segments,
  };
}

describe('an archive that is refused', () => {
  test.each(CODES)('a write with %s holds, and goes on when it is not any more', async (code) => {
    const { refusals, restarts } = await run({
      archive: [refused('writevSync', 1, code, 3), refused('writevSync', 7, code, 2, 'half')],
    });
    expect(refusals).toBe(5);
    expect(restarts).toEqual([0, 0]);
  });

  test.each([
    ['a new segment', [refused('openSync', 0, 'EMFILE', 2), refused('openSync', 6, 'EACCES', 2)]],
    ['the name of a new segment', [refused('fsyncSync', 0, 'EIO', 2), refused('fsyncSync', 4, 'EIO', 2)]],
    ['the list of segments', [refused('readdirSync', 0, 'ENFILE', 3)]],
    [
      'the cut of a half frame',
      [refused('writevSync', 2, 'ENOSPC', 1, 'half'), refused('ftruncateSync', 0, 'EIO', 3)],
    ],
  ] as const)('%s holds, and goes on when it is not any more', async (_, archive) => {
    const { refusals, restarts } = await run({ archive });
    expect(refusals).toBeGreaterThan(0);
    expect(restarts).toEqual([0, 0]);
  });

  test('the close of a segment has said nothing that matters', async () => {
    const { restarts } = await run({ archive: [refused('closeSync', 1, 'EIO', 1, 'after')] });
    expect(restarts).toEqual([0, 0]);
  });
});

describe('a sync that fails', () => {
  test.each(CODES)('with %s has everything since the last good one written again', async (code) => {
    const { syncFailures, restarts } = await run({
      sync: [refused('fdatasyncSync', 0, code), refused('fdatasyncSync', 4, code)],
    });
    expect(syncFailures).toBe(2);
    expect(restarts).toEqual([0, 0]);
  });

  test('again and again, also in what was written again, loses nothing', async () => {
    const { syncFailures, restarts } = await run({
      sync: [refused('fdatasyncSync', 0, 'EIO', 3), refused('fdatasyncSync', 6, 'EIO', 3)],
    });
    expect(syncFailures).toBe(6);
    expect(restarts).toEqual([0, 0]);
  });

  test('and a disk that refuses the second writing for a while lose nothing', async () => {
    const { refusals, restarts } = await run({
      segmentBytes: 1024 * 1024,
      sync: [refused('fdatasyncSync', 1, 'ENOSPC')],
      archive: [refused('ftruncateSync', 0, 'EIO', 2), refused('openSync', 4, 'EMFILE', 2)],
    });
    expect(refusals).toBe(4);
    expect(restarts).toEqual([0, 0]);
  });

  test('to open the segment tries again', async () => {
    const { syncFailures, restarts } = await run({ sync: [refused('openSync', 0, 'EMFILE', 3)] });
    expect(syncFailures).toBe(0);
    expect(restarts).toEqual([0, 0]);
  });

  // Without a change of segments these calls are those of writing again.
  test.each([
    ['opens the segment', refused('openSync', 2, 'exit', 1, 'after')],
    ['cuts it', refused('ftruncateSync', 0, 'throw')],
    ['has cut it', refused('ftruncateSync', 0, 'exit', 1, 'after')],
  ])('and an archive that dies when it %s lose nothing', async (_, fault) => {
    const { syncFailures, restarts } = await run({
      segmentBytes: 1024 * 1024,
      sync: [refused('fdatasyncSync', 1)],
      archive: [fault],
    });
    expect(syncFailures).toBe(1);
    expect(restarts).toEqual([1, 0]);
  });

  test.each([
    ['before', 'throw'],
    ['after', 'exit'],
  ] as const)(
    'is what one has done whose thread died %s it, by %s: all that it was for is written again',
    async (when, how) => {
      const { syncFailures, restarts } = await run({ sync: [refused('fdatasyncSync', 1, how, 1, when)] });
      expect(syncFailures).toBe(1);
      expect(restarts).toEqual([0, 1]);
    },
  );
});

test('refusals and deaths at once lose nothing', async () => {
  const { restarts } = await run({
    archive: [
      refused('writevSync', 2, 'ENOSPC', 2, 'half'),
      refused('writevSync', 6, 'exit', 1, 'half'),
      refused('openSync', 5, 'EMFILE', 2),
      refused('fsyncSync', 1, 'throw'),
    ],
    sync: [
      refused('fdatasyncSync', 1),
      refused('fdatasyncSync', 3, 'exit'),
      refused('openSync', 3, 'ENFILE', 2),
    ],
  });
  expect(restarts).toEqual([2, 1]);
});
