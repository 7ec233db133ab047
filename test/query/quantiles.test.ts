/** Quantiles: the value of rank ceil(p · n), to 1.1 %, and never outside of the values. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quantilesOf } from '../../src/query/quantiles.js';
import { DenseHistogram } from '../../src/state/dense-histogram.js';
import { bucketOf, keyOfBucket } from '../../src/state/histogram.js';

const ERROR_MAX = 0.011;
const PERCENTS = { p50: 50, p90: 90, p95: 95, p99: 99 } as const;

function histogramOf(values: readonly number[]): DenseHistogram {
  const histogram = new DenseHistogram();
  for (const value of values) histogram.add(keyOfBucket(bucketOf(value)), 1);
  return histogram;
}

const value = fc.oneof(
  fc.double({ min: -1e9, max: 1e9, noNaN: true }).map((x) => (Math.abs(x) < 2 ** -64 ? 0 : x)),
  fc.double({ min: 0.5, max: 4, noNaN: true }),
  fc.constantFrom(0, 1, 2, -1),
);

test('each is off by at most 1.1 % from the value of its rank, over parts that are added up', () => {
  fc.assert(
    fc.property(fc.array(fc.array(value, { maxLength: 60 }), { minLength: 1, maxLength: 5 }), (parts) => {
      const values = parts.flat().sort((a, b) => a - b);
      const whole = new DenseHistogram();
      for (const part of parts) whole.addAll(histogramOf(part));
      const quantiles = quantilesOf(whole, values[0] ?? 0, values.at(-1) ?? 0);
      for (const [name, percent] of Object.entries(PERCENTS)) {
        const found = quantiles[name as keyof typeof PERCENTS];
        if (values.length === 0) {
          expect(found).toBeNull();
          continue;
        }
        const exact = values[Math.ceil((percent * values.length) / 100) - 1]!;
        expect(Math.abs(found! - exact)).toBeLessThanOrEqual(ERROR_MAX * Math.abs(exact));
        expect(found).toBeGreaterThanOrEqual(values[0]!);
        expect(found).toBeLessThanOrEqual(values.at(-1)!);
      }
    }),
  );
});

test.each([1, 2, 3, 19, 20, 21, 99, 100, 101, 140, 200, 1000])('of %d values the rank is exact', (count) => {
  const histogram = new DenseHistogram();
  for (let key = 0; key < count; key++) histogram.add(key, 1);
  const quantiles = quantilesOf(histogram, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  for (const [name, percent] of Object.entries(PERCENTS)) {
    // One sample a bucket, so that the bucket tells the rank, which begins with 1.
    const rank = keyOfBucket(bucketOf(quantiles[name as keyof typeof PERCENTS]!)) + 1;
    expect(BigInt(rank)).toBe((BigInt(percent) * BigInt(count) + 99n) / 100n);
  }
});

test('a quantile is the smallest or the largest value where its bucket has nothing else', () => {
  const quantiles = quantilesOf(histogramOf([3, 3, 3]), 3, 3);
  expect(quantiles).toEqual({ p50: 3, p90: 3, p95: 3, p99: 3 });
});
