/** Sums that are read while another thread folds: whole, over all time and in windows, also while cells move into one another. */

import { Piscina } from 'piscina';
import { expect, onTestFinished, test } from 'vitest';
import { WINDOW_NAMES } from '../../src/model/windows.js';
import { catalogOf } from '../../src/query/cell-catalog.js';
import { CellReading, Sum } from '../../src/query/cell-reading.js';
import { queryStats } from '../../src/query/stats.js';
import { allocateTables } from '../../src/state/layout.js';
import { Tables } from '../../src/state/tables.js';
import { type GroupView, LIMITS } from '../fold/replaying.js';
import { SERIES } from './samples-writer.js';

const ROUNDS = 60_000;

test('no sum is torn, and none that goes over all time shrinks, while series come, move on and expire', async () => {
  const filename = new URL('../../dist/test/threads/samples-writer.js', import.meta.url).href;
  const pool = new Piscina({ filename, maxThreads: 1 });
  onTestFinished(() => pool.destroy());
  const limits = { ...LIMITS, maxSeries: SERIES + 20, seriesIdleMs: 1000, windowBytes: 4 * 1024 * 1024 };
  const memory = allocateTables(limits);
  const tables = new Tables(memory);
  let isDone = false;
  const writing = pool.run({ memory, rounds: ROUNDS }).finally(() => {
    isDone = true;
  });
  const groupsOf = (query: object) => {
    const whole = { metric: 'steady', by: ['k'], where: [], limit: 100, ...query };
    return queryStats(tables, whole, 0) as { groups: readonly GroupView[]; partial?: boolean };
  };
  const sum = new Sum();
  let looks = 0;
  let churned = 0;
  const torn: unknown[] = [];
  while (!isDone) {
    for (const window of [undefined, ...WINDOW_NAMES]) {
      for (const group of groupsOf(window === undefined ? {} : { window }).groups) {
        const value = Number(group.labels.k) + 1;
        const { count, min, max, mean, variance, p50, p99 } = group;
        const isWhole = group.sum === count * value && min === value && max === value && mean === value;
        if (!isWhole || (variance ?? 0) !== 0 || p50 !== value || p99 !== value) torn.push({ window, group });
      }
      for (const group of catalogOf(tables).groups({ metric: 'steady', by: null, where: [] })) {
        new CellReading(tables, window ?? null, tables.board.arrivedUs / 1e6).sum(group, sum);
        if (sum.histogram.total() !== sum.moments[0]) torn.push({ window, total: sum.histogram.total() });
      }
    }
    const { groups, partial } = groupsOf({ metric: 'churn', by: [] });
    const count = groups[0]?.count ?? 0;
    // What moved at each of the tries is said to be partial.
    if (!partial) {
      if (count < churned) torn.push({ churned, count });
      churned = count;
    }
    if (++looks % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
  expect(torn.slice(0, 3)).toEqual([]);
  expect(looks).toBeGreaterThan(20);
  expect(groupsOf({ metric: 'churn', by: [] }).groups).toMatchObject([{ count: ROUNDS * SERIES }]);
  expect(groupsOf({}).groups.map(({ count }) => count)).toEqual(Array(SERIES).fill(ROUNDS));
  expect(tables.board.counts().series_expired).toBeGreaterThan(1000);
});
