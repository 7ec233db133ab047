/** `/v1/stats` as the contract has it: grouping, filtering, order, rates, and answers to what is not there. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { queryMetrics } from '../../src/query/stats.js';
import { ARRIVED, Folded } from '../fold/replaying.js';

const sample = (name: string, tags: Record<string, string>, value = 1) => ({
  type: 'sample',
  name,
  tags,
  value,
});

const tag = fc.constantFrom('', '1', '2', 'ä', '"', '=,');
const tags = fc.record({ a: tag, b: tag, c: tag });
const someSamples = fc.array(fc.tuple(tags, fc.integer({ min: -9, max: 9 })), {
  minLength: 1,
  maxLength: 80,
});

describe('by and where', () => {
  test('give for any labels the groups that a naive grouping gives, most samples first', () => {
    const labels = fc.subarray(['a', 'b', 'c', 'absent']);
    const where = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'absent'), tag), { maxLength: 2 });
    fc.assert(
      fc.property(someSamples, fc.option(labels), where, (samples, by, conditions) => {
        // An empty tag value is refused on the wire: an absent label.
        const given = samples.map(([set, value]) => {
          return { set: Object.fromEntries(Object.entries(set).filter(([, text]) => text !== '')), value };
        });
        const folded = new Folded().fold(...given.map(({ set, value }) => sample('m', set, value)));
        const expected = new Map<string, { count: number; sum: number }>();
        for (const { set, value } of given) {
          if (conditions.some(([label, text]) => (set[label] ?? '') !== text)) continue;
          const group =
            by === null ? Object.entries(set).sort() : by.map((label) => [label, set[label] ?? '']);
          const key = JSON.stringify(group);
          const { count, sum } = expected.get(key) ?? { count: 0, sum: 0 };
          expected.set(key, { count: count + 1, sum: sum + value });
        }
        const { groups } = folded.query({ metric: 'm', by, where: conditions });
        const keyOf = (group: Record<string, string>) => {
          const entries = Object.entries(group);
          return JSON.stringify(by === null ? entries.sort() : by.map((label) => [label, group[label]]));
        };
        const found = groups.map(({ labels, count, sum }) => [keyOf(labels), { count, sum }] as const);
        expect(new Map(found)).toEqual(expected);
        expect(found).toHaveLength(expected.size);
        const counts = groups.map(({ count }) => count);
        expect(counts).toEqual([...counts].sort((a, b) => b - a));
      }),
    );
  });

  test('without labels merge everything into one group', () => {
    const folded = new Folded().fold(
      sample('m', { a: '1' }, 2),
      sample('m', { b: '2' }, 4),
      sample('m', {}, 6),
    );
    expect(folded.query({ metric: 'm', by: [] })).toMatchObject({
      metric: 'm',
      window: 'all',
      by: [],
      groups: [{ labels: {}, count: 3, sum: 12, mean: 4, variance: 4, stddev: 2, min: 2, max: 6 }],
    });
  });

  test('follow cells that come to life between two questions, and those that are forgotten', () => {
    const folded = new Folded({ maxSeries: 2, seriesIdleMs: 1000 });
    folded.fold(sample('m', { a: '1' }));
    expect(folded.stats('m')).toHaveLength(1);
    folded.fold(sample('m', { a: '2' }));
    expect(folded.stats('m').map(({ labels }) => labels)).toEqual([{ a: '1' }, { a: '2' }]);
    folded.fold(sample('m', { a: '3' }));
    expect(folded.stats('m').map(({ labels }) => labels)).toEqual([
      { a: '3' },
      { a: '2' },
      { overflow: 'true' },
    ]);
  });
});

describe('a question', () => {
  test.each([
    ['for a metric that there is not', { metric: 'none' }],
    ['for a label that there is not', { metric: 'm', where: [['nope', 'x']] as const }],
    ['for a value that there is not', { metric: 'm', where: [['a', 'x']] as const }],
    ['for a window without a sample', { metric: 'm', window: '1m' as const }],
  ])('%s has no groups', (_, query) => {
    const folded = new Folded().fold(sample('m', { a: '1' }));
    expect(folded.query(query, ARRIVED + 1000).groups).toEqual([]);
  });

  test('gives the groups with most samples, up to its limit', () => {
    const folded = new Folded();
    for (let i = 1; i <= 9; i++) {
      folded.fold(...Array.from({ length: (i * 5) % 11 }, () => sample('m', { k: String(i) })));
    }
    for (const window of [undefined, '1d'] as const) {
      const { groups } = folded.query({ metric: 'm', limit: 3, ...(window && { window }) }, ARRIVED);
      expect(groups.map(({ labels, count }) => [labels.k, count])).toEqual([
        ['2', 10],
        ['4', 9],
        ['6', 8],
      ]);
    }
  });

  test('has no variance below two samples, and that of n − 1 from there on', () => {
    const folded = new Folded().fold(sample('m', {}, 3));
    expect(folded.stats('m')).toMatchObject([{ variance: null, stddev: null, mean: 3 }]);
    folded.fold(sample('m', {}, 5));
    expect(folded.stats('m')).toMatchObject([{ variance: 2, stddev: Math.SQRT2, mean: 4 }]);
  });

  test('has the rate over the seconds since the first sample of the group, or of the window', () => {
    const folded = new Folded().fold(sample('m', { a: '1' })).fold(sample('m', { a: '2' }));
    const first = ARRIVED + 1;
    expect(folded.query({ metric: 'm', by: [] }, first + 10).groups[0]!.rate).toBe(0.2);
    expect(folded.query({ metric: 'm' }, first + 10).groups.map(({ rate }) => rate)).toEqual([0.1, 1 / 9]);
    expect(folded.query({ metric: 'm', by: [], window: '1m' }, first + 10).groups[0]!.rate).toBe(2 / 60);
    expect(folded.query({ metric: 'm', by: [], window: '1h' }, first + 10).groups[0]!.rate).toBe(2 / 3600);
  });
});

test('the list of metrics names each with its labels and its number of samples', () => {
  const folded = new Folded().fold(
    sample('m', { b: '1', a: '1' }),
    sample('m', { c: '1' }),
    sample('l', {}),
    { type: 'task.end', task: 't', agent: 'a', status: 'failed', duration: 1, tokens: 5 },
  );
  expect(queryMetrics(folded.tables)).toEqual({
    metrics: [
      { metric: 'l', labels: [], count: 1 },
      { metric: 'm', labels: ['a', 'b', 'c'], count: 2 },
      { metric: 'task_duration_seconds', labels: ['agent', 'status'], count: 1 },
      { metric: 'task_tokens', labels: ['agent'], count: 1 },
    ],
  });
});
