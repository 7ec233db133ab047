import { expect, test } from 'vitest';
import {
  correctDigits,
  ExactMoments,
  numberOf,
  relativeError,
  relativeErrorOfRoot,
} from './exact-moments.js';
import { seededRandom } from './seeded-random.js';

test('exact moments are those of plain integer arithmetic, whatever the exponents', () => {
  const random = seededRandom(1);
  const parts = Array.from({ length: 3000 }, () => {
    const whole = Math.floor((random() - 0.5) * 2 ** 53);
    return { whole, exponent: Math.floor(random() * 60 - 30) };
  });
  const values = parts.map(({ whole, exponent }) => whole * 2 ** exponent);
  const units = parts.map(({ whole, exponent }) => BigInt(whole) << BigInt(exponent + 30)); // of 2^-30
  const n = BigInt(units.length);
  const sum = units.reduce((total, unit) => total + unit, 0n);
  const squares = units.reduce((total, unit) => total + unit * unit, 0n);
  const { mean, variance } = ExactMoments.of(values);
  expect(mean.num * (n << 30n)).toBe(sum * mean.den);
  expect(variance.num * ((n * (n - 1n)) << 60n)).toBe((n * squares - sum * sum) * variance.den);
});

test('the smallest and the largest doubles are exact as well', () => {
  const { sum } = ExactMoments.of([5e-324, 1.7976931348623157e308, -1.7976931348623157e308]);
  expect(sum.num * (1n << 1074n)).toBe(sum.den);
  expect(numberOf(sum)).toBe(5e-324);
});

test('a relative error is measured beyond the precision of doubles', () => {
  const third = { num: 1n, den: 3n };
  expect(relativeError(1 / 3, third)).toBeCloseTo(-(2 ** -54), 30);
  expect(relativeError(0.5, { num: 1n, den: 2n })).toBe(0);
  expect(relativeErrorOfRoot(Math.SQRT2, { num: 2n, den: 1n })).toBeCloseTo(6.8e-17, 18);
  expect(relativeErrorOfRoot(3, { num: 4n, den: 1n })).toBeCloseTo(0.5, 15);
  expect(correctDigits(1e-12)).toBeCloseTo(12, 10);
});
