/** Hours that are lost, and made anew out of the archive: the same bytes where all lines are there, and said to be partial where not. */

import { readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NODE_FILES } from '../../src/archive/archive-files.js';
import { endOfLog } from '../../src/archive/log-reader.js';
import { foldLog } from '../../src/daemon/rebuild.js';
import { type RollupTask, repairRollups } from '../../src/daemon/rollup-repair.js';
import { HourlyAggregates } from '../../src/query/hourly.js';
import { listRollupFiles, readRollupFile } from '../../src/rollups/rollup-files.js';
import { RollupKeeper } from '../../src/rollups/rollup-keeper.js';
import { allocateTables } from '../../src/state/layout.js';
import { Tables } from '../../src/state/tables.js';
import { LogBuilder, temporaryDirectory, writeSegment } from '../archive/log-fixture.js';
import { LIMITS } from '../fold/replaying.js';

const HOUR_US = 3600e6;
const HOURS = 60;

/** A task of each hour ends in the next one; each value of `m` is another bit. */
function linesOfHour(hour: number): string[] {
  return [
    { type: 'task.end', task: `t${hour - 1}`, agent: 'a', workflow: 'w', status: 'completed' },
    {
      type: 'sample',
      name: 'm',
      value: 2 ** (hour % 50),
      tags: { half: hour < HOURS / 2 ? 'first' : 'second' },
    },
    { type: 'task.start', task: `t${hour}`, agent: 'a', workflow: 'w' },
  ].map((event) => JSON.stringify(event));
}

/** A log of 60 hours in segments of 10, and the roll-ups that the fold of all of it has written. */
async function rolledUp() {
  const directory = temporaryDirectory();
  const archiveDirectory = temporaryDirectory();
  const builder = new LogBuilder();
  const segments = Array.from({ length: HOURS / 10 }, (_, i) => {
    const frames = Array.from({ length: 10 }, (_, n) => {
      builder.arrivalUs += HOUR_US;
      return builder.frame(linesOfHour(i * 10 + n));
    });
    return writeSegment(archiveDirectory, frames);
  });
  const failed = (error: unknown) => {
    throw error;
  };
  const { onHour } = new RollupKeeper({ directory, onFailure: failed });
  const tables = new Tables(allocateTables(LIMITS));
  const toLine = HOURS * 3;
  const upTo = endOfLog(archiveDirectory)!;
  await foldLog(tables, archiveDirectory, {
    fromLine: 1,
    toLine,
    clientsToLine: 0,
    upTo,
    onFlaw: failed,
    onHour,
  });
  const repair = (task: Partial<RollupTask> = {}) =>
    repairRollups({
      directory,
      archiveDirectory,
      keepFromHour: 0,
      lastHour: tables.board.hourBefore,
      exceptHours: [],
      toLine,
      upTo,
      limits: LIMITS,
      ...task,
    });
  const sections = () => {
    const byHour = new Map<number, string>();
    for (const { path } of listRollupFiles(directory, NODE_FILES)) {
      for (const { hour, bytes } of readRollupFile(path, NODE_FILES)) byHour.set(hour, bytes.toString('hex'));
    }
    return [...byHour].sort(([a], [b]) => a - b);
  };
  const hourly = new HourlyAggregates(tables, directory);
  const stats = (metric: string, by: readonly string[] = []) =>
    hourly.stats({ metric, by, where: [], limit: 10 }, { since: null, until: null }, 0);
  const days = () => listRollupFiles(directory, NODE_FILES).map(({ path }) => path);
  return { directory, archiveDirectory, segments, tables, repair, sections, stats, days };
}

test('nothing is read anew where no hour is missing', async () => {
  const { repair, sections, segments } = await rolledUp();
  for (const path of segments) unlinkSync(path);
  expect(await repair()).toEqual({ rebuilt: [], inVain: [], isPartial: false });
  expect(sections()).toHaveLength(HOURS - 1);
});

test('a day, all days, or the folder that is gone comes back with the same bytes, and other days are left alone', async () => {
  const { repair, sections, days, stats, directory } = await rolledUp();
  const before = sections();
  const answer = await stats('m');
  expect(answer).toMatchObject({ groups: [{ count: HOURS }] });
  expect(days().length).toBeGreaterThan(2);
  for (const bounds of [[0, 1], [1, 2], [-1], [0]]) {
    for (const path of days().slice(...bounds)) unlinkSync(path);
    expect(await stats('m')).toMatchObject({ partial: true });
    const { rebuilt, inVain, isPartial } = await repair();
    expect(rebuilt.length).toBeGreaterThan(0);
    expect([inVain, isPartial]).toEqual([[], false]);
    expect(sections()).toEqual(before);
    expect(await stats('m')).toEqual(answer);
    expect(await repair()).toMatchObject({ rebuilt: [] });
  }
  rmSync(directory, { recursive: true });
  expect((await repair()).rebuilt).toHaveLength(HOURS - 1);
  expect(sections()).toEqual(before);
});

test('whatever byte of a file is changed, or wherever it is cut, each hour is there again', async () => {
  const { repair, sections, days } = await rolledUp();
  const before = sections();
  const path = days()[1]!;
  const whole = readFileSync(path);
  for (let i = 0; i < 24; i++) {
    const at = Math.floor((whole.length * i) / 24);
    const changed = Buffer.from(whole);
    changed[at]! ^= 1 << (i % 8);
    for (const bytes of [changed, whole.subarray(0, at)]) {
      writeFileSync(path, bytes);
      expect((await repair()).rebuilt.length).toBeGreaterThan(0);
      expect(sections()).toEqual(before);
      for (const file of listRollupFiles(join(path, '..'), NODE_FILES))
        if (file.isRebuilt) unlinkSync(file.path);
    }
  }
});

test('what retention has removed cannot come back, what is left does and says that it is partial, and neither is tried again', async () => {
  const { repair, stats, segments, directory } = await rolledUp();
  for (const path of segments.slice(0, 2)) unlinkSync(path);
  for (const name of readdirSync(directory)) unlinkSync(join(directory, name));
  const { rebuilt, inVain, isPartial } = await repair();
  expect(rebuilt).toHaveLength(HOURS - 21);
  expect([inVain, isPartial]).toEqual([[], true]);
  expect(await stats('m', ['half'])).toMatchObject({
    partial: true,
    groups: [
      { labels: { half: 'second' }, count: 30 },
      { labels: { half: 'first' }, count: 10 },
    ],
  });
  // The first of them had its start in a line that is gone.
  expect(await stats('task_duration_seconds')).toMatchObject({ partial: true, groups: [{ count: 39 }] });
  expect(await repair()).toMatchObject({ rebuilt: [], inVain: [] });
});

test('an hour whose lines are damaged is looked for once, and the others come back', async () => {
  const { repair, segments, days, directory } = await rolledUp();
  const bytes = readFileSync(segments[2]!);
  bytes.fill(0, 30, bytes.length >> 1);
  writeFileSync(segments[2]!, bytes);
  for (const path of days()) unlinkSync(path);
  const first = await repair();
  expect(first.isPartial).toBe(true);
  expect(first.rebuilt.length).toBeGreaterThan(HOURS / 2);
  const untouched = () => readdirSync(directory).map((name) => readFileSync(join(directory, name), 'hex'));
  const before = untouched();
  expect(await repair({ exceptHours: first.inVain })).toMatchObject({ rebuilt: [] });
  expect(untouched()).toEqual(before);
});

test('hours that are too old leave, and none of them is made anew', async () => {
  const { repair, sections, tables, days } = await rolledUp();
  const keepFromHour = tables.board.hourBefore - 30;
  for (const path of days()) unlinkSync(path);
  const { rebuilt } = await repair({ keepFromHour });
  expect(Math.min(...rebuilt)).toBe(keepFromHour);
  await repair({ keepFromHour: tables.board.hourBefore + 24 });
  expect(sections()).toEqual([]);
});

test('an hour whose end is not durable is left for later', async () => {
  const { repair, sections, days } = await rolledUp();
  for (const path of days()) unlinkSync(path);
  expect(await repair({ toLine: 30 })).toMatchObject({ rebuilt: { length: 9 }, inVain: [] });
  expect(sections()).toHaveLength(9);
  expect(await repair()).toMatchObject({ rebuilt: { length: HOURS - 10 } });
});
