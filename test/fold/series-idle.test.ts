/** Label sets that make room: which one, when, and that nothing they counted is lost. */

import { describe, expect, test } from 'vitest';
import { WINDOW_NAMES } from '../../src/model/windows.js';
import { ARRIVED, Folded } from './replaying.js';

const IDLE_SECONDS = 3600;
const LIMITS = { maxSeries: 3, seriesIdleMs: IDLE_SECONDS * 1000 };

const sample = (name: string, k: string, value = 1) => ({ type: 'sample', name, tags: { k }, value });

/** Folds each sample at its time, in seconds since the first. */
function foldAt(folded: Folded, ...lines: readonly (readonly [seconds: number, line: object])[]): Folded {
  for (const [seconds, line] of lines) folded.record([line], (ARRIVED + seconds) * 1e6);
  return folded;
}

/** In no order. */
const labelsOf = (folded: Folded, metric: string) =>
  new Set(folded.stats(metric).map(({ labels }) => labels));

describe('a label set without a sample for series_idle', () => {
  test('stays while there is room', () => {
    const folded = foldAt(
      new Folded(LIMITS),
      [0, sample('m', '1')],
      [10 * IDLE_SECONDS, sample('m', '2')],
      [20 * IDLE_SECONDS, sample('m', '3')],
    );
    expect(labelsOf(folded, 'm').size).toBe(3);
    expect(folded.counts()).toEqual({});
  });

  test('makes room, the least recently sampled first, and its samples go to the overflow of its metric', () => {
    const folded = foldAt(
      new Folded(LIMITS),
      [0, sample('m', '1', 4)],
      [10, sample('m', '2', 8)],
      [20, sample('n', '3', 16)],
      [30, sample('m', '1', 6)],
      [IDLE_SECONDS + 30, sample('m', '4', 1)],
    );
    expect(labelsOf(folded, 'm')).toEqual(new Set([{ k: '1' }, { overflow: 'true' }, { k: '4' }]));
    foldAt(folded, [IDLE_SECONDS + 30, sample('m', '5', 1)]);
    expect(folded.stats('n')).toMatchObject([{ labels: { overflow: 'true' }, count: 1, sum: 16, min: 16 }]);
    expect(folded.query({ metric: 'm', by: [] }).groups).toMatchObject([
      { count: 5, sum: 20, min: 1, max: 8 },
    ]);
    expect(folded.counts()).toEqual({ series_expired: 2 });
  });

  test('stays until the whole time has passed since its last sample: the new one overflows', () => {
    const folded = foldAt(
      new Folded(LIMITS),
      [0, sample('m', '1')],
      [0, sample('m', '2')],
      [0, sample('m', '3')],
      [IDLE_SECONDS - 0.5, sample('m', '4')],
    );
    expect(folded.counts()).toEqual({ series_overflowed: 1 });
    foldAt(folded, [IDLE_SECONDS, sample('m', '4')]);
    expect(folded.counts()).toEqual({ series_overflowed: 1, series_expired: 1 });
  });

  test('that comes back begins anew, and makes room from the next idle one', () => {
    const folded = foldAt(
      new Folded({ ...LIMITS, maxSeries: 2 }),
      [0, sample('m', '1', 4)],
      [1, sample('m', '2', 4)],
      [2 * IDLE_SECONDS, sample('m', '3')],
      [2 * IDLE_SECONDS, sample('m', '1', 5)],
    );
    expect(folded.stats('m')).toMatchObject([
      { labels: { overflow: 'true' }, count: 2, sum: 8 },
      { labels: { k: '3' }, count: 1 },
      { labels: { k: '1' }, count: 1, sum: 5 },
    ]);
    expect(folded.counts()).toEqual({ series_expired: 2 });
  });

  test('takes what its windows still hold with it', () => {
    const folded = foldAt(
      new Folded({ maxSeries: 2, seriesIdleMs: 1000 }),
      [0, sample('m', '1', 4)],
      [0.5, sample('m', '1', 5)],
      [0.6, sample('m', '2', 7)],
      [2, sample('m', '3', 1)],
      [30, sample('m', '4', 2)],
      [31, sample('m', '5', 3)],
      [32, sample('m', '6', 3)],
    );
    expect(folded.counts().series_expired).toBe(4);
    for (const window of WINDOW_NAMES) {
      const { groups } = folded.query({ metric: 'm', by: [], window }, ARRIVED + 32);
      expect(groups).toMatchObject([{ count: 7, sum: 25, min: 1, max: 7 }]);
    }
    const minute = folded.query({ metric: 'm', by: [], window: '1m' }, ARRIVED + 66);
    expect(minute.groups).toMatchObject([{ count: 3, sum: 8 }]);
  });

  test('gives its names and its memory back, however many come and go', () => {
    const folded = new Folded({ ...LIMITS, namesBytes: 0 });
    const long = (i: number) => `${i}`.padEnd(200, 'x');
    for (let i = 0; i < 3; i++) foldAt(folded, [i, sample('m', long(i), i + 1)]);
    foldAt(folded, [IDLE_SECONDS * 2, sample('m', long(3), 4)]);
    const { names, buckets, cells } = folded.tables;
    const before = [names.blocks, cells.used];
    for (let i = 4; i < 3000; i++) foldAt(folded, [IDLE_SECONDS * 2 * i, sample('m', long(i), (i % 9) + 1)]);
    expect([names.blocks, cells.used]).toEqual(before);
    expect(buckets.used).toBeLessThan(40);
    expect(folded.counts()).toEqual({ series_expired: 2997 });
    expect(folded.samples('m')).toBe(3000);
  });

  test('of task durations does not leave its slot to samples of the task that follow', () => {
    const end = (task: string, agent: string, duration: number) => ({
      type: 'task.end',
      task,
      agent,
      status: 'completed',
      duration,
    });
    const folded = foldAt(
      new Folded({ ...LIMITS, maxSeries: 1 }),
      [0, end('1', 'a', 10)],
      [IDLE_SECONDS, end('2', 'b', 20)],
      [IDLE_SECONDS + 1, end('3', 'a', 30)],
      [IDLE_SECONDS + 2, end('4', 'b', 40)],
    );
    expect(folded.stats('task_duration_seconds')).toMatchObject([
      { labels: { agent: 'b' }, count: 2, sum: 60 },
      { labels: { overflow: 'true' }, count: 2, sum: 40 },
    ]);
  });
});
