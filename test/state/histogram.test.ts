/** The buckets: their order, their bounds, their error, and that merging loses nothing. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BUCKETS_PER_OCTAVE,
  Buckets,
  bucketOf,
  NEGATIVE,
  valueOfBucket,
  ZERO_BUCKET,
} from '../../src/state/histogram.js';
import { BUCKETS_BYTES } from '../../src/state/layout.js';

const ERROR_MAX = 0.011;
const SMALLEST = 2 ** -64;
const LARGEST = 2 ** 64;

/** Doubles of any exponent within the range, and those beside the borders of buckets. */
const inRange = fc.oneof(
  fc.double({ min: SMALLEST, max: LARGEST, noNaN: true }),
  fc
    .tuple(fc.integer({ min: -64, max: 63 }), fc.double({ min: 1, max: 2, noNaN: true }))
    .map(([e, f]) => f * 2 ** e),
  fc
    .tuple(fc.integer({ min: -64 * 32, max: 64 * 32 }), fc.integer({ min: -2, max: 2 }))
    .map(([i, steps]) => Math.min(LARGEST, Math.max(SMALLEST, stepped(2 ** (i / 32), steps)))),
);

/** The double some steps above or below. */
function stepped(x: number, steps: number): number {
  const probe = new DataView(new ArrayBuffer(8));
  probe.setFloat64(0, x);
  probe.setBigInt64(0, probe.getBigInt64(0) + BigInt(steps));
  return probe.getFloat64(0);
}

describe('the bucket of a value', () => {
  test('never goes down as positive values go up', () => {
    fc.assert(
      fc.property(inRange, inRange, (a, b) => {
        const [low, high] = a <= b ? [a, b] : [b, a];
        expect(bucketOf(low)).toBeLessThanOrEqual(bucketOf(high));
      }),
      { numRuns: 5000 },
    );
  });

  test('has a middle that is off by at most 1.1 %', () => {
    fc.assert(
      fc.property(inRange, (x) => {
        expect(Math.abs(valueOfBucket(bucketOf(x)) / x - 1)).toBeLessThanOrEqual(ERROR_MAX);
        expect(valueOfBucket(bucketOf(-x))).toBe(-valueOfBucket(bucketOf(x)));
      }),
      { numRuns: 5000 },
    );
  });

  test('holds (b^i, b^(i+1)], to the last bit but one, for every i', () => {
    for (let i = -64 * BUCKETS_PER_OCTAVE + 1; i <= 64 * BUCKETS_PER_OCTAVE; i++) {
      const octave = Math.floor((i - 1) / BUCKETS_PER_OCTAVE);
      const index = i - 1 - octave * BUCKETS_PER_OCTAVE;
      const bound = 2 ** (i / BUCKETS_PER_OCTAVE);
      // The bound itself is rounded, so two steps to either side are sure to be on that side.
      expect(bucketOf(stepped(bound, -2))).toBe((octave << 5) | index);
      if (i < 64 * BUCKETS_PER_OCTAVE) expect(bucketOf(stepped(bound, 2))).toBe(((octave << 5) | index) + 1);
    }
  });

  test('of a power of two is the one below it, whose upper bound it is', () => {
    for (let e = -63; e <= 64; e++) {
      expect(bucketOf(2 ** e)).toBe(((e - 1) << 5) | 31);
      expect(bucketOf(stepped(2 ** e, 1))).toBe(e === 64 ? (63 << 5) | 31 : e << 5);
      expect(bucketOf(-(2 ** e))).toBe(((e - 1 + NEGATIVE) << 5) | 31);
    }
  });

  test.each([
    ['zero', 0],
    ['minus zero', -0],
    ['a denormal', 5e-324],
    ['a large denormal', 2 ** -1023],
    ['the smallest normal number', 2 ** -1022],
    ['just below 2^-64', stepped(SMALLEST, -1)],
    ['just above −2^-64', -stepped(SMALLEST, -1)],
  ])('of %s is the zero bucket', (_, x) => {
    expect(bucketOf(x)).toBe(ZERO_BUCKET);
    expect(valueOfBucket(bucketOf(x))).toBe(0);
  });

  test.each([LARGEST, stepped(LARGEST, 1), 1e30, Number.MAX_VALUE])('of %d is the last one', (x) => {
    expect(bucketOf(x)).toBe((63 << 5) | 31);
    expect(bucketOf(-x)).toBe(((63 + NEGATIVE) << 5) | 31);
  });

  test('of 2^-64 is the first one, and its mirror image is that of −2^-64', () => {
    expect(bucketOf(SMALLEST)).toBe(-64 << 5);
    expect(bucketOf(-SMALLEST)).toBe((-64 + NEGATIVE) << 5);
    expect(Math.abs(valueOfBucket(bucketOf(SMALLEST)) / SMALLEST - 1)).toBeLessThanOrEqual(ERROR_MAX);
  });
});

describe('the blocks of counters', () => {
  const blocks = (count: number) => new Buckets(new SharedArrayBuffer((count + 1) * BUCKETS_BYTES));
  const value = fc.oneof(
    inRange,
    inRange.map((x) => -x),
  );

  test('count like a map, and two lists added are the list of all values', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 100 }), fc.array(value, { maxLength: 100 }), (left, right) => {
        const buckets = blocks(256);
        const counted = (values: readonly number[], first: number) =>
          values.reduce((list, x) => buckets.count(list, bucketOf(x)), first);
        const a = counted(left, 0);
        const b = counted(right, 0);
        const whole = counted(right, counted(left, 0));
        const merged = new Map<number, number>();
        buckets.collect(a, merged);
        buckets.collect(b, merged);
        const ofWhole = new Map<number, number>();
        buckets.collect(whole, ofWhole);
        const naive = new Map<number, number>();
        for (const x of [...left, ...right]) naive.set(bucketOf(x), (naive.get(bucketOf(x)) ?? 0) + 1);
        const sorted = (map: Map<number, number>) => [...map].sort(([i], [j]) => i - j);
        expect(sorted(merged)).toEqual(sorted(naive));
        expect(sorted(ofWhole)).toEqual(sorted(naive));
        for (const list of [a, b, whole]) buckets.release(list);
        expect(buckets.used).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('say no when none is left, and leave the list as it was', () => {
    const buckets = blocks(2);
    const first = buckets.count(buckets.count(0, bucketOf(1.5)), bucketOf(3));
    expect(buckets.count(first, bucketOf(100))).toBe(-1);
    expect(buckets.count(0, bucketOf(100))).toBe(-1);
    expect(buckets.count(first, bucketOf(1.5))).toBe(first);
    const counts = new Map<number, number>();
    buckets.collect(first, counts);
    expect([...counts.values()].sort()).toEqual([1, 2]);
    buckets.release(first);
    const again = buckets.count(0, bucketOf(7));
    counts.clear();
    buckets.collect(again, counts);
    expect([...counts]).toEqual([[bucketOf(7), 1]]);
  });
});
