/** Aggregates of whole hours against the naive model's samples of these hours; and what is missing, damaged, or made anew. */

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NODE_FILES } from '../../src/archive/archive-files.js';
import type { Report } from '../../src/fold/report.js';
import { HourlyAggregates, type TimeSpan } from '../../src/query/hourly.js';
import { queryReport } from '../../src/query/report.js';
import { listRollupFiles, pruneRollups } from '../../src/rollups/rollup-files.js';
import { RollupKeeper } from '../../src/rollups/rollup-keeper.js';
import { allocateTables } from '../../src/state/layout.js';
import { temporaryDirectory } from '../archive/log-fixture.js';
import { expectedGroups, groupKey, METRICS, Model } from '../fold/model.js';
import { randomEvent } from '../fold/random-events.js';
import { ARRIVED, Folded, type GroupView, LIMITS, workflowIn } from '../fold/replaying.js';
import { assertVisitingAsync } from '../support/corners.js';
import { type ErrorCode, systemError } from '../support/system-error.js';

const HOUR = 3600;
const ALL: TimeSpan = { since: null, until: null };
const failed = (error: unknown) => {
  throw error;
};

interface Answer {
  readonly since: number | null;
  readonly until: number;
  readonly groups: readonly GroupView[];
  readonly partial?: true;
}

class Kept {
  readonly directory: string;
  readonly folded: Folded;
  readonly history: HourlyAggregates;

  constructor(directory = temporaryDirectory(), limits = {}) {
    this.directory = directory;
    const keeper = new RollupKeeper({ directory, onFailure: failed });
    this.folded = new Folded(limits, allocateTables({ ...LIMITS, ...limits }), keeper.onHour);
    this.history = new HourlyAggregates(this.folded.tables, directory);
  }

  async stats(metric: string, span: TimeSpan = ALL, by: readonly string[] | null = null): Promise<Answer> {
    return (await this.history.stats({ metric, by, where: [], limit: 1000 }, span, 0)) as Answer;
  }

  /** A sample of `m` in an hour after that of ARRIVED. */
  sample(hour: number, value: number, tags = {}): void {
    this.folded.record([{ type: 'sample', name: 'm', value, tags }], at(hour) * 1e6);
  }

  files(): string[] {
    return readdirSync(this.directory).sort();
  }
}

/** Some second of the hour. */
function at(hour: number): number {
  return (Math.floor(ARRIVED / HOUR) + hour) * HOUR + 7;
}

const gap = fc.oneof(
  { weight: 4, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 2 * HOUR }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 60 * HOUR }) },
);
const records = fc.array(fc.tuple(gap, fc.array(randomEvent, { minLength: 1, maxLength: 4 })), {
  minLength: 1,
  maxLength: 80,
  size: 'max',
});
const bound = fc.option(fc.integer({ min: -2, max: 40 }));

test('what any hours answer is what the naive model says of the lines that arrived in them', async () => {
  const visited = new Set<string>();
  await assertVisitingAsync(
    visited,
    ['a part', 'with the open hour', 'without the open hour'],
    fc.asyncProperty(records, bound, bound, async (steps, first, end) => {
      const kept = new Kept();
      const model = new Model(LIMITS);
      const arrivals: number[] = [];
      for (const [seconds, events] of steps) {
        kept.folded.wait(seconds);
        model.wait(seconds);
        kept.folded.fold(...events);
        model.record(events);
        while (arrivals.length < model.samples.length) arrivals.push(model.arrived);
      }
      const since = first === null ? null : at(first);
      const until = end === null ? null : at(end);
      if (since !== null && since >= (until ?? model.arrived)) return;
      const from = since === null ? 0 : Math.floor(since / HOUR) * HOUR;
      const to = until === null ? Number.POSITIVE_INFINITY : Math.ceil(until / HOUR) * HOUR;
      const inside = model.samples.filter((_, i) => arrivals[i]! >= from && arrivals[i]! < to);
      if (inside.length > 0 && inside.length < model.samples.length) visited.add('a part');
      if (model.arrived < to) visited.add('with the open hour');
      else visited.add('without the open hour');
      const expected = expectedGroups(inside);
      const found = new Map<string, GroupView>();
      for (const metric of METRICS) {
        const answer = await kept.stats(metric, { since, until });
        expect(answer.partial).toBeUndefined();
        for (const group of answer.groups) found.set(groupKey(metric, group.labels), group);
      }
      expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
      for (const [key, { count, sum, min, max, variance }] of expected) {
        const group = found.get(key)!;
        const tolerance = 1e-9 * (1 + Math.abs(max) + Math.abs(min));
        expect(group.count).toBe(count);
        expect(Math.abs(group.min! - min)).toBeLessThanOrEqual(tolerance);
        expect(Math.abs(group.max! - max)).toBeLessThanOrEqual(tolerance);
        expect(Math.abs(group.sum - sum)).toBeLessThanOrEqual(tolerance * count);
        if (variance === null) expect(group.variance).toBeNull();
        else expect(Math.abs(group.variance! - variance)).toBeLessThanOrEqual(1e-8 * (1 + variance));
      }
      await expectWhole(kept);
    }),
    { numRuns: 40 },
  );
}, 60_000);

/** All hours together say what the state says over all time: quantiles and reports, too. */
async function expectWhole({ folded, history }: Kept): Promise<void> {
  for (const metric of METRICS) {
    const { groups } = (await history.stats({ metric, by: [], where: [], limit: 10 }, ALL, 0)) as Answer;
    const [all] = folded.stats(metric, []);
    const quantiles = (group: GroupView | undefined) => group && [group.p50, group.p90, group.p95, group.p99];
    expect(quantiles(groups[0])).toEqual(quantiles(all));
  }
  for (const project of [null, 'p0', 'p1']) {
    const rolled = await history.report(project, ALL, 0);
    const { tables } = folded;
    const whole: Report = await queryReport(
      tables,
      { find: (id) => workflowIn(tables, id) },
      { workflow: null, project },
    );
    for (const [name, value] of Object.entries(whole)) {
      const actual = (rolled as unknown as Record<string, unknown>)[name];
      if (typeof value === 'number') expect(actual, name).toBeCloseTo(value, 6);
      else if (name === 'agent_utilization')
        expect(Object.keys(actual as object)).toEqual(expect.arrayContaining(Object.keys(value)));
    }
  }
}

test('the answer says which whole hours it is over, and its rate is over their seconds', async () => {
  const kept = new Kept();
  for (let i = 0; i < 10; i++) kept.sample(0, i);
  kept.sample(1, 5);
  kept.sample(2, 9);
  const answer = await kept.stats('m', { since: at(0) + 100, until: at(1) });
  expect(answer).toMatchObject({
    since: at(0) - 7,
    until: at(2) - 7,
    groups: [{ count: 11, rate: 11 / 7200 }],
  });
  expect(await kept.stats('m', { since: null, until: at(0) })).toMatchObject({
    since: at(0) - 7,
    groups: [{ count: 10 }],
  });
  expect((await kept.stats('m', { since: at(2), until: null })).groups).toMatchObject([
    { count: 1, rate: 1 / 7 },
  ]);
  expect((await kept.stats('m', { since: at(5), until: at(9) })).groups).toEqual([]);
});

test('a million samples in an hour keep their digits, and values beyond sums their sums', async () => {
  const kept = new Kept();
  const values = Array.from({ length: 70_000 }, (_, i) => 1e9 + (i % 4) * 3);
  for (let i = 0; i < values.length; i += 1000) {
    const lines = values.slice(i, i + 1000).map((value) => ({ type: 'sample', name: 'm', value }));
    kept.folded.record(lines, at(0) * 1e6);
  }
  for (const value of [1.7e308, 1.7e308]) {
    kept.folded.record([{ type: 'sample', name: 'huge', value }], at(0) * 1e6);
  }
  kept.sample(1, 0);
  const span = { since: at(0), until: at(0) + 1 };
  const [group] = (await kept.stats('m', span)).groups;
  expect(group!.variance).toBeCloseTo((11.25 * 70_000) / 69_999, 4);
  expect((await kept.stats('huge', span)).groups).toMatchObject([
    { count: 2, sum: Number.POSITIVE_INFINITY, max: 1.7e308 },
  ]);
});

test('a series that is forgotten within the hour stays in it, in the overflow', async () => {
  const kept = new Kept(temporaryDirectory(), { maxSeries: 2, seriesIdleMs: 1 });
  for (let i = 0; i < 6; i++) {
    kept.folded.record([{ type: 'sample', name: 'm', value: i, tags: { k: `${i}` } }], at(0) * 1e6 + i * 6e6);
  }
  kept.sample(1, 100, { k: '5' });
  expect((await kept.stats('m', { since: at(0), until: at(0) + 1 }, [])).groups).toMatchObject([
    { count: 6, sum: 15, min: 0, max: 5 },
  ]);
});

test('the same lines folded again write the same files, byte by byte, and an hour counts once', async () => {
  const kept = new Kept();
  for (let hour = 0; hour < 60; hour += 3) kept.sample(hour, hour, { k: `${hour % 2}` });
  const contents = (one: Kept) =>
    one.files().map((name) => readFileSync(join(one.directory, name)).toString('hex'));
  const before = contents(kept);
  const again = new Kept(kept.directory);
  for (let hour = 0; hour < 60; hour += 3) again.sample(hour, hour, { k: `${hour % 2}` });
  expect(contents(again)).toEqual(before);
  expect((await again.stats('m', ALL, [])).groups).toMatchObject([{ count: 20 }]);
});

test('hours of lines that the log has lost are not answered, and give way to what comes in their place', async () => {
  const kept = new Kept();
  for (let hour = 0; hour < 5; hour++) kept.sample(hour, hour);
  for (const hour of [30, 60, 61]) kept.sample(hour, 1000);
  const behind = new Kept(kept.directory);
  behind.sample(0, 0);
  behind.sample(2, 50);
  expect((await behind.stats('m')).groups).toMatchObject([{ count: 2, sum: 50 }]);
  behind.sample(3, 1);
  expect(await behind.stats('m')).toMatchObject({ groups: [{ count: 3, sum: 51 }] });
  behind.sample(80, 1);
  behind.sample(81, 1);
  expect(await behind.stats('m')).toMatchObject({ groups: [{ count: 5, sum: 53 }] });
  expect((await behind.stats('m')).partial).toBeUndefined();
});

test('hours that are older than they are kept are removed, and an answer over them says that it is partial', async () => {
  const kept = new Kept();
  for (let hour = 0; hour < 200; hour++) kept.sample(hour, 1);
  pruneRollups(kept.directory, Math.floor(at(199) / HOUR) - 48, NODE_FILES);
  const oldest = listRollupFiles(kept.directory, NODE_FILES)[0]!.firstHour * HOUR;
  expect(oldest).toBeGreaterThan(at(120) - HOUR);
  expect(kept.files()).toHaveLength(3);
  expect(await kept.stats('m')).toMatchObject({ since: oldest, partial: true });
  expect((await kept.stats('m', { since: oldest, until: null })).partial).toBeUndefined();
  expect(await kept.stats('m', { since: at(0), until: at(10) })).toMatchObject({ groups: [] });
});

test('whatever byte of a file is changed or cut, other hours are answered, and that one is missing is said', async () => {
  const kept = new Kept();
  const hours = [2, 3, 5];
  for (const hour of [...hours, 30]) kept.sample(hour, 2 ** hour);
  const [name] = kept.files();
  const path = join(kept.directory, name!);
  const whole = readFileSync(path);
  const sums = new Set(
    Array.from({ length: 1 << hours.length }, (_, kinds) =>
      hours.reduce((sum, hour, i) => sum + ((kinds >> i) & 1) * 2 ** hour, 0),
    ),
  );
  for (let i = 0; i < whole.length; i++) {
    const changed = Buffer.from(whole);
    changed[i]! ^= 1 << (i % 8);
    for (const bytes of [changed, whole.subarray(0, i)]) {
      writeFileSync(path, bytes);
      const answer = await kept.stats('m', { since: at(0), until: at(10) });
      expect(answer.partial).toBe(true);
      expect(sums).toContain(answer.groups[0]?.sum ?? 0);
      if (bytes === changed) expect(answer.groups[0]!.count).toBe(2);
    }
  }
  rmSync(path);
  expect(await kept.stats('m')).toMatchObject({ partial: true, groups: [{ count: 1 }] });
});

test('a day that the disk cannot read is missing, and what the system refuses to open is said', async () => {
  const kept = new Kept();
  for (let hour = 0; hour < 60; hour++) kept.sample(hour, 1);
  const reading = (code: ErrorCode, call: 'openSync' | 'readSync') => {
    const refuse = () => {
      throw systemError(code, 'refused');
    };
    const hourly = new HourlyAggregates(kept.folded.tables, kept.directory, {
      ...NODE_FILES,
      [call]: refuse,
    });
    return hourly.stats({ metric: 'm', by: [], where: [], limit: 1 }, ALL, 0);
  };
  expect(await reading('EIO', 'readSync')).toMatchObject({ partial: true, groups: [{ count: 1 }] });
  await expect(reading('EMFILE', 'openSync')).rejects.toMatchObject({
    status: 503,
    message: 'the roll-ups of past hours cannot be read: EMFILE',
  });
});

test('what the disk does not take is told once, kept, and written when it does', async () => {
  const directory = temporaryDirectory();
  const told: unknown[] = [];
  let recoveries = 0;
  let isFull = true;
  let nowMs = 0;
  const openSync: typeof NODE_FILES.openSync = (path, ...rest) => {
    if (isFull && String(path).endsWith('.tmp')) throw new Error('ENOSPC');
    return NODE_FILES.openSync(path, ...rest);
  };
  const keeper = new RollupKeeper({
    directory,
    onFailure: (error) => told.push(error),
    onRecovery: () => {
      recoveries++;
    },
    files: { ...NODE_FILES, openSync },
    nowMs: () => nowMs,
  });
  const folded = new Folded({}, allocateTables(LIMITS), keeper.onHour);
  const history = new HourlyAggregates(folded.tables, directory);
  for (let hour = 0; hour < 3; hour++) {
    folded.record([{ type: 'sample', name: 'm', value: 1 }], at(hour) * 1e6);
  }
  const stats = () => history.stats({ metric: 'm', by: [], where: [], limit: 1 }, ALL, 0);
  expect(told).toHaveLength(1);
  expect(await stats()).toMatchObject({ partial: true, groups: [{ count: 1 }] });
  isFull = false;
  nowMs += 60_000;
  await keeper.afterRecord();
  const answer = await stats();
  expect(answer).toMatchObject({ groups: [{ count: 3 }] });
  expect(answer).not.toHaveProperty('partial');
  expect(recoveries).toBe(1);
});
