import { describe, expect, test } from 'vitest';
import {
  type Bench,
  check,
  medianOf,
  type Options,
  runBench,
  slopeOf,
  type Variant,
} from '../../bench/harness.js';

const OPTIONS: Options = {
  small: false,
  passes: 3,
  seconds: null,
  connections: null,
  eventBytes: null,
  profileDirectory: null,
};

function benchOf(variants: readonly Variant[], more: Partial<Bench> = {}): Bench {
  return {
    name: 'made up',
    goals: [],
    nonGoals: [],
    warmUps: 1,
    comparisons: () => [{ name: 'one', variants }],
    ...more,
  };
}

describe('a run', () => {
  test('interleaves its variants, and throws the first passes away', async () => {
    const order: string[] = [];
    const variant = (name: string, values: number[]) => ({
      name,
      pass: () => {
        order.push(name);
        return { 'M/s': values.shift()! };
      },
    });
    const bench = benchOf([
      variant('a', [100, 3, 1, 2]),
      { ...variant('b', [100, 1, 1, 1]), isBaseline: true },
    ]);
    const { comparisons } = await runBench(bench, OPTIONS, () => {});
    expect(order.join('')).toBe('abababab');
    const [a] = comparisons[0]!.variants;
    expect(a!.figures['M/s']).toEqual({ passes: [3, 1, 2], median: 2 });
  });

  test('prints all passes, the median and the ratio to the baseline', async () => {
    const said: string[] = [];
    const bench = benchOf([
      { name: 'a', pass: () => ({ 'M/s': 3 }) },
      { name: 'b', isBaseline: true, pass: () => ({ 'M/s': 1.5 }) },
    ]);
    await runBench(bench, OPTIONS, (text) => said.push(text));
    expect(said.join('\n')).toMatch(/a +M\/s +3\.00 +3\.00 +3\.00 +median 3\.00 +2\.00 × b/);
  });

  test('fails where a result is wrong, and says in which variant', async () => {
    const pass = () => {
      check('lines', 7, 8);
      return { 'M/s': 1 };
    };
    const bench = benchOf([{ name: 'a', pass }]);
    await expect(runBench(bench, OPTIONS, () => {})).rejects.toThrow('one, a: lines is 7, and should be 8');
  });

  test.each([
    [true, 0],
    [false, 1],
  ])('judges its goals unless it is small (%s)', async (small, count) => {
    const judge = () => [{ goal: 'fast', value: 'slow', holds: false }];
    const bench = benchOf([{ name: 'a', pass: () => ({ 'M/s': 1 }) }], { judge });
    const { verdicts } = await runBench(bench, { ...OPTIONS, small }, () => {});
    expect(verdicts).toHaveLength(count);
  });
});

test.each([
  [[3, 1, 2], 2],
  [[4, 1, 3, 2], 2.5],
])('the median of %j is %d', (values, median) => {
  expect(medianOf(values)).toBe(median);
});

test('the slope of points about a line is that of the line', () => {
  expect(slopeOf([0, 1, 2, 3], [5, 6.9, 9.1, 11])).toBeCloseTo(2.02, 10);
});
