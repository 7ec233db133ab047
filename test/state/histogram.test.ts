/** The buckets: their order, their bounds, their error, and that merging loses nothing. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allocatePart } from '../../src/model/memory.js';
import { DenseHistogram } from '../../src/state/dense-histogram.js';
import {
  BUCKETS_PER_OCTAVE,
  Buckets,
  bucketOf,
  bucketOfKey,
  KEYS,
  keyOfBucket,
  NEGATIVE,
  valueOfBucket,
  ZERO_BUCKET,
  ZERO_KEY,
} from '../../src/state/histogram.js';
import { BUCKETS_BYTES } from '../../src/state/slot-bytes.js';

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

describe('the key of a bucket', () => {
  const signed = fc.tuple(inRange, fc.constantFrom(-1, 0, 1)).map(([x, sign]) => x * sign);

  test('goes up as values do, negative ones, zero and positive ones', () => {
    fc.assert(
      fc.property(signed, signed, (a, b) => {
        const [low, high] = a <= b ? [a, b] : [b, a];
        expect(keyOfBucket(bucketOf(low))).toBeLessThanOrEqual(keyOfBucket(bucketOf(high)));
      }),
      { numRuns: 5000 },
    );
  });

  test('tells the bucket again, for every one there is', () => {
    const keys = Array.from({ length: KEYS }, (_, key) => key).filter(
      (key) => key <= ZERO_KEY || key >= FIRST,
    );
    const buckets = keys.map(bucketOfKey);
    expect(new Set(buckets).size).toBe(2 * 128 * BUCKETS_PER_OCTAVE + 1);
    expect(buckets.map(keyOfBucket)).toEqual(keys);
    expect(bucketOfKey(ZERO_KEY)).toBe(ZERO_BUCKET);
    const ends = [-LARGEST, -SMALLEST, SMALLEST, LARGEST].map((x) => keyOfBucket(bucketOf(x)));
    expect(ends).toEqual([0, ZERO_KEY - 1, FIRST, KEYS - 1]);
  });
});

/** Of the positive values. */
const FIRST = ZERO_KEY + BUCKETS_PER_OCTAVE;
const sorted = (map: Map<number, number>) => [...map].sort(([i], [j]) => i - j);

function entriesOf(histogram: DenseHistogram): [number, number][] {
  const entries: [number, number][] = [];
  for (let key = histogram.next(-1); key >= 0; key = histogram.next(key)) {
    entries.push([key, histogram.counts[key]!]);
  }
  return entries;
}

describe('a dense histogram', () => {
  const additions = fc.array(
    fc.tuple(
      fc.oneof(fc.integer({ min: 0, max: KEYS - 1 }), fc.constantFrom(0, 31, 32, 63, ZERO_KEY, KEYS - 1)),
      fc.integer({ min: 1, max: 1000 }),
    ),
    { maxLength: 60 },
  );

  test('counts like a map, gives its keys in order, and is empty again after it is cleared', () => {
    const histogram = new DenseHistogram();
    const other = new DenseHistogram();
    fc.assert(
      fc.property(additions, additions, (left, right) => {
        const naive = new Map<number, number>();
        for (const [key, count] of [...left, ...right]) naive.set(key, (naive.get(key) ?? 0) + count);
        for (const [key, count] of left) histogram.add(key, count);
        for (const [key, count] of right) other.add(key, count);
        histogram.addAll(other);
        expect(entriesOf(histogram)).toEqual(sorted(naive));
        expect(histogram.total()).toBe([...naive.values()].reduce((sum, count) => sum + count, 0));
        histogram.clear();
        other.clear();
        expect([histogram.next(-1), histogram.total()]).toEqual([-1, 0]);
        expect(histogram.counts.every((count) => count === 0)).toBe(true);
      }),
    );
  });

  test('leaves out keys that there are not, which a torn read may bring', () => {
    const histogram = new DenseHistogram();
    for (const key of [-1, KEYS, KEYS + 31, 2 ** 31]) histogram.add(key, 1);
    expect(entriesOf(histogram)).toEqual([]);
  });
});

describe('the blocks of counters', () => {
  const blocks = (count: number) => new Buckets(allocatePart((count + 1) * BUCKETS_BYTES));
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
        const collected = (...lists: readonly number[]) => {
          const histogram = new DenseHistogram();
          for (const list of lists) buckets.collect(list, histogram);
          return entriesOf(histogram);
        };
        const naive = new Map<number, number>();
        for (const x of [...left, ...right].filter((x) => bucketOf(x) !== ZERO_BUCKET)) {
          const key = keyOfBucket(bucketOf(x));
          naive.set(key, (naive.get(key) ?? 0) + 1);
        }
        expect(collected(a, b)).toEqual(sorted(naive));
        expect(collected(whole)).toEqual(sorted(naive));
        const moved = buckets.move(a, b);
        expect(collected(moved)).toEqual(sorted(naive));
        for (const list of [moved, whole]) buckets.release(list);
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
    const counts = new DenseHistogram();
    buckets.collect(first, counts);
    expect(entriesOf(counts).map(([, count]) => count)).toEqual([2, 1]);
    buckets.release(first);
    const again = buckets.count(0, bucketOf(7));
    counts.clear();
    buckets.collect(again, counts);
    expect(entriesOf(counts)).toEqual([[keyOfBucket(bucketOf(7)), 1]]);
  });
});
