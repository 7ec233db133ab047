/** Data on which the usual formulas lose their digits, through the socket and back. */

import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.js';
import { correctDigits, ExactMoments, relativeError, relativeErrorOfRoot } from '../support/exact-moments.js';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(() => daemon.remove());

/** NIST StRD: a first value, and then two in turn. */
function alternating(first: number, low: number, high: number): number[] {
  return [first, ...Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? low : high))];
}

const DATA: Readonly<Record<string, readonly number[]>> = {
  thirty: [4, 7, 13, 16].map((x) => 1e9 + x),
  NumAcc1: [10000001, 10000003, 10000002],
  NumAcc2: alternating(1.2, 1.1, 1.3),
  NumAcc3: alternating(1000000.2, 1000000.1, 1000000.3),
  NumAcc4: alternating(10000000.2, 10000000.1, 10000000.3),
  drift: Array.from({ length: 20_000 }, (_, i) => 1e6 + i * 0.001),
};

test.each(Object.entries(DATA))('mean and deviation of %s have 12 correct digits', async (name, values) => {
  await daemon.send(...values.map((value) => ({ type: 'sample', name, value })));
  const [group] = await daemon.groups(name);
  const exact = ExactMoments.of(values);
  expect(group.count).toBe(values.length);
  expect(correctDigits(relativeError(group.mean, exact.mean))).toBeGreaterThanOrEqual(12);
  expect(correctDigits(relativeErrorOfRoot(group.stddev, exact.variance))).toBeGreaterThanOrEqual(12);
  expect(correctDigits(relativeError(group.variance, exact.variance))).toBeGreaterThanOrEqual(11.5);
  expect([group.min, group.max]).toEqual([Math.min(...values), Math.max(...values)]);
});

test('where the doubles are what NIST meant, so are the results', async () => {
  for (const [name, mean, stddev, variance] of [
    ['thirty', 1e9 + 10, Math.sqrt(30), 30],
    ['NumAcc1', 10000002, 1, 1],
  ] as const) {
    const [group] = await daemon.groups(name);
    expect(group).toMatchObject({ mean, stddev, variance });
  }
});

test('cells with one offset and other tags merge to the moments of all their values', async () => {
  const values = Array.from({ length: 30_000 }, (_, i) => 1e9 + ((i * 7919) % 1000) / 8);
  const lines = values.map((value, i) => ({
    type: 'sample',
    name: 'merged',
    value,
    tags: { cell: `${i % 300}` },
  }));
  await daemon.send(...lines);
  expect(await daemon.groups('merged')).toHaveLength(300);
  const [group] = await daemon.groups('merged', '');
  const exact = ExactMoments.of(values);
  expect(group).toMatchObject({ labels: {}, count: values.length });
  expect(correctDigits(relativeError(group.mean, exact.mean))).toBeGreaterThanOrEqual(12);
  expect(correctDigits(relativeErrorOfRoot(group.stddev, exact.variance))).toBeGreaterThanOrEqual(12);
});
