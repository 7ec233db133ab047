import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addValue, MOMENT_LENGTH, mergeMoments, summarize } from '../../src/fold/moments.js';
import {
  correctDigits,
  ExactMoments,
  numberOf,
  relativeError,
  relativeErrorOfRoot,
} from '../support/exact-moments.js';
import { seededRandom } from '../support/seeded-random.js';

const CELLS = 1000;
const MILLION = 1_000_000;

interface Stream {
  readonly name: string;
  readonly count: number;
  /** The i-th value. */
  readonly value: (i: number, random: () => number) => number;
}

const STREAMS: readonly Stream[] = [
  { name: '10 million between 0 and 1', count: 10 * MILLION, value: (_, random) => random() },
  { name: '0.1, always', count: 2 * MILLION, value: () => 0.1 },
  { name: '1e9 and a fraction', count: 2 * MILLION, value: (_, random) => 1e9 + random() },
  { name: 'a drift up from 1e6', count: 2 * MILLION, value: (i) => 1e6 + i * 0.001 },
  {
    name: 'an outlier first',
    count: 2 * MILLION,
    value: (i, random) => (i === 0 ? 1e12 : -Math.log(1 - random())),
  },
  {
    name: 'an outlier last',
    count: 2 * MILLION,
    value: (i, random) => (i === 2 * MILLION - 1 ? 1e12 : random()),
  },
  {
    name: 'signs mixed, 1e-6 to 1e6',
    count: 2 * MILLION,
    value: (_, random) => (random() - 0.5) * 10 ** (12 * random() - 6),
  },
  {
    name: 'signs mixed about zero',
    count: 2 * MILLION,
    value: (i, random) => (i % 2 === 0 ? 1 : -1) * (1 + random() / 1000),
  },
];

/** How a stream reaches the cells. */
const SPREADS: readonly (readonly [name: string, cellOf: (i: number, count: number) => number])[] = [
  ['in turn', (i) => i % CELLS],
  ['one cell after the other', (i, count) => Math.floor((i * CELLS) / count)],
];

describe.each(STREAMS)('$name', ({ count, value }) => {
  test.each(SPREADS)(
    'over 1000 cells %s and merged, and in one cell: 12 digits of mean and deviation',
    (_, cellOf) => {
      const cells = new Float64Array(CELLS * MOMENT_LENGTH);
      const one = new Float64Array(MOMENT_LENGTH);
      const exact = new ExactMoments();
      const random = seededRandom(20261123);
      for (let i = 0; i < count; i++) {
        const x = value(i, random);
        addValue(cells, cellOf(i, count) * MOMENT_LENGTH, x);
        addValue(one, 0, x);
        exact.add(x);
      }
      const merged = new Float64Array(MOMENT_LENGTH);
      for (let cell = 0; cell < CELLS; cell++) mergeMoments(merged, 0, cells, cell * MOMENT_LENGTH);
      const { mean, variance } = exact;
      for (const summary of [summarize(one), summarize(merged)]) {
        expect(summary.count).toBe(count);
        expect(correctDigits(relativeError(summary.mean!, mean))).toBeGreaterThanOrEqual(12);
        expect(correctDigits(relativeErrorOfRoot(summary.stddev!, variance))).toBeGreaterThanOrEqual(12);
        expect(summary.min).toBe(summarize(one).min);
        expect(summary.max).toBe(summarize(one).max);
      }
    },
  );
});

/** Values that share a scale, or do not: both have their own way to lose digits. */
const someValues = fc
  .tuple(
    fc.constantFrom(0, 1e-300, 1e6, 1e9, -1e15),
    fc.constantFrom(1e-3, 1, 1e6),
    fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 2, maxLength: 60 }),
  )
  .map(([offset, scale, values]) => values.map((x) => offset + (Math.abs(x) < 1e-9 ? 0 : x) * scale)); // the squares of smaller ones underflow

test('wherever a stream is cut, its parts merge to the moments of the whole', () => {
  fc.assert(
    fc.property(someValues, fc.nat(), (values, cutAt) => {
      const cut = cutAt % (values.length + 1);
      const parts = [values.slice(0, cut), values.slice(cut)].map(momentsOf);
      const merged = new Float64Array(MOMENT_LENGTH);
      for (const part of parts) mergeMoments(merged, 0, part, 0);
      const { count, sum, min, max, variance } = summarize(merged);
      const exact = ExactMoments.of(values);
      expect(count).toBe(values.length);
      expect([min, max]).toEqual([Math.min(...values), Math.max(...values)]);
      // A sum near zero keeps the digits that its terms have, not more.
      const magnitude = values.reduce((total, x) => total + Math.abs(x), 0);
      expect(Math.abs(sum - numberOf(exact.sum))).toBeLessThanOrEqual(magnitude * 2 ** -52);
      const spread = Math.max(...values) - Math.min(...values);
      if (spread > Math.abs(values[0]!) * 1e-12)
        expect(Math.abs(relativeErrorOfRoot(Math.sqrt(variance!), exact.variance))).toBeLessThan(1e-9);
      if (spread === 0) expect(variance).toBe(0);
    }),
  );
});

test('the mean never leaves the range of the values', () => {
  fc.assert(
    fc.property(someValues, (values) => {
      const { mean, min, max } = summarize(momentsOf(values));
      expect(mean).toBeGreaterThanOrEqual(min!);
      expect(mean).toBeLessThanOrEqual(max!);
    }),
  );
});

test('merging with nothing changes nothing', () => {
  const some = momentsOf([3, 1, 4]);
  const nothing = new Float64Array(MOMENT_LENGTH);
  const left = nothing.slice();
  mergeMoments(left, 0, some, 0);
  const right = some.slice();
  mergeMoments(right, 0, nothing, 0);
  expect(left).toEqual(some);
  expect(right).toEqual(some);
});

test('a single value has no variance, and no values have no mean', () => {
  expect(summarize(momentsOf([7]))).toEqual({
    count: 1,
    sum: 7,
    mean: 7,
    variance: null,
    stddev: null,
    min: 7,
    max: 7,
  });
  const none = { count: 0, sum: 0, mean: null, variance: null, stddev: null, min: null, max: null };
  expect(summarize(momentsOf([]))).toEqual(none);
});

function momentsOf(values: readonly number[]): Float64Array {
  const moments = new Float64Array(MOMENT_LENGTH);
  for (const x of values) addValue(moments, 0, x);
  return moments;
}
