import { existsSync, readdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NODE_FILES } from '../../src/archive/archive-files.js';
import { LogIndex } from '../../src/archive/log-index.js';
import { endOfLog } from '../../src/archive/log-reader.js';
import { applyRetention, type RetentionTask } from '../../src/archive/retention.js';
import { indexPathOf } from '../../src/archive/segment-name.js';
import { eventLines, LogBuilder, readLog, temporaryDirectory, writeSegment } from './log-fixture.js';

const NONE_NEEDED = Number.MAX_SAFE_INTEGER;

/** Segments of two frames with two lines each, 1 ms apart. */
async function logOf(count: number, { indexed = true } = {}) {
  const directory = temporaryDirectory();
  const builder = new LogBuilder();
  const segments = Array.from({ length: count }, () =>
    [0, 1].map(() => builder.frame(eventLines(2, builder.line))),
  );
  const paths = segments.map((frames) => writeSegment(directory, frames));
  if (indexed) await new LogIndex(directory).follow(endOfLog(directory)!);
  const sizes = paths.map(
    (path) => statSync(path).size + (statSync(indexPathOf(path), { throwIfNoEntry: false })?.size ?? 0),
  );
  const ends = segments.map((frames) => frames[1]!.facts.lastArrivalUs);
  return { directory, paths, sizes, ends, segments };
}

function taskOf(directory: string, task: Partial<RetentionTask> = {}): RetentionTask {
  return {
    directory,
    rules: { keepFromUs: 0, maxBytes: Number.POSITIVE_INFINITY },
    firstLineNeeded: NONE_NEEDED,
    ...task,
  };
}

test('a segment whose last line is older leaves with its index, and one whose last line is not stays', async () => {
  const { directory, paths, ends, sizes, segments } = await logOf(4);
  const rules = { keepFromUs: ends[1]!, maxBytes: Number.POSITIVE_INFINITY };
  const retained = applyRetention(taskOf(directory, { rules }));
  expect(retained.removed).toEqual([{ path: paths[0], firstLine: 1, lastLine: 4, bytes: sizes[0] }]);
  expect(retained).toMatchObject({
    isHeld: false,
    bytes: sizes[1]! + sizes[2]! + sizes[3]!,
    oldestUs: segments[1]![0]!.facts.firstArrivalUs,
    oldestEndUs: ends[1],
    rawBytesBefore: segments[1]![0]!.facts.rawBytesBefore,
    closed: { segments: 2, bytes: statSync(paths[1]!).size + statSync(paths[2]!).size },
  });
  expect(paths.map((path) => existsSync(path))).toEqual([false, true, true, true]);
  expect(existsSync(indexPathOf(paths[0]!))).toBe(false);
  rules.keepFromUs++;
  expect(applyRetention(taskOf(directory, { rules })).removed).toMatchObject([{ path: paths[1] }]);
});

test('the oldest segments leave until all take no more than they may', async () => {
  const { directory, sizes, paths } = await logOf(5);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  const keep = (maxBytes: number) =>
    applyRetention(taskOf(directory, { rules: { keepFromUs: 0, maxBytes } })).removed.map(({ path }) => path);
  expect(keep(all)).toEqual([]);
  expect(keep(all - 1)).toEqual([paths[0]]);
  expect(keep(sizes[3]! + sizes[4]! + sizes[2]! - 1)).toEqual([paths[1], paths[2]]);
});

test('whatever the rules: only a run of the oldest leaves, never the last segment and never a line that a start may need', async () => {
  let held = 0;
  let cut = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.nat(6),
      fc.nat(6),
      fc.nat(25),
      async (count, byAge, bySize, firstLineNeeded) => {
        const { directory, paths, ends, sizes } = await logOf(count, { indexed: false });
        const keepFromUs = byAge >= count ? 0 : ends[byAge]! + 1;
        const maxBytes = sizes.slice(bySize).reduce((sum, size) => sum + size, 0);
        const before = await readLog(directory);
        const task = taskOf(directory, { rules: { keepFromUs, maxBytes }, firstLineNeeded });
        const trial = applyRetention({ ...task, isTrial: true });
        expect(readdirSync(directory)).toHaveLength(count);
        const retained = applyRetention(task);
        expect(retained.removed).toEqual(trial.removed);
        const wanted = Math.min(count - 1, Math.max(byAge >= count ? 0 : byAge + 1, bySize));
        // Segment i ends with line 4 (i + 1).
        const allowed = Math.max(0, Math.ceil((firstLineNeeded - 1) / 4) - 1);
        const gone = Math.min(wanted, allowed);
        held += gone < wanted ? 1 : 0;
        cut += gone > 0 ? 1 : 0;
        expect(retained.removed.map(({ path }) => path)).toEqual(paths.slice(0, gone));
        expect(retained.isHeld).toBe(gone < wanted);
        const { text, flaws } = await readLog(directory);
        expect(flaws).toEqual([]);
        expect(before.text.endsWith(text)).toBe(true);
        expect(before.text.split('\n').length - text.split('\n').length).toBe(gone * 4);
      },
    ),
    { numRuns: 100 },
  );
  expect(Math.min(held, cut)).toBeGreaterThan(5);
});

test('a segment that another process removes meanwhile is as good as removed', async () => {
  const { directory, paths, ends } = await logOf(3);
  const files = {
    ...NODE_FILES,
    unlinkSync: (path: string) => {
      unlinkSync(path);
      unlinkSync(path);
    },
  } as typeof NODE_FILES;
  const rules = { keepFromUs: ends[1]!, maxBytes: Number.POSITIVE_INFINITY };
  expect(applyRetention(taskOf(directory, { rules }), files).removed).toMatchObject([{ path: paths[0] }]);
});

test('a segment in which nothing can be read is as old as the next one begins', async () => {
  const { directory, paths, ends } = await logOf(3);
  writeFileSync(paths[0]!, 'nothing');
  const keep = (keepFromUs: number) =>
    applyRetention(taskOf(directory, { rules: { keepFromUs, maxBytes: Number.POSITIVE_INFINITY } })).removed;
  expect(keep(ends[0]!)).toEqual([]);
  expect(keep(ends[0]! + 1001)).toMatchObject([{ path: paths[0] }]);
});

test('an archive that is empty or has one segment keeps what it has', async () => {
  const rules = { keepFromUs: NONE_NEEDED, maxBytes: 0 };
  expect(applyRetention(taskOf(temporaryDirectory(), { rules }))).toMatchObject({
    removed: [],
    isHeld: false,
    bytes: 0,
  });
  const { directory, sizes } = await logOf(1);
  expect(applyRetention(taskOf(directory, { rules }))).toMatchObject({
    removed: [],
    isHeld: false,
    bytes: sizes[0],
  });
});
