/**
 * Count, sum, mean and variance of a stream in constant memory: Welford's recurrence (Welford 1962), about the first
 * value of the stream, merged as Chan, Golub and LeVeque (1979) do.
 *
 *   d = x − first        mean += (d − mean) / n        M2 += (d − mean before) · (d − mean after)
 *
 * About the first value, since Welford's own form loses the digits that all values share: on 20,000 values
 * drifting up from 1e6 it keeps 7 digits of the standard deviation, this form 14. Mean, M2 and sum carry their rounding
 * errors along (Neumaier 1974): without that ten million values that drift leave 10 digits, as each step of the mean is rounded
 * the same way.
 *
 * The same ten doubles, the count first, lie in a cell in shared memory (state/cells.ts, from CELL_COUNT on) and in a
 * Float64Array of a query.
 */

import type { Doubles } from '../model/memory.js';

const MOMENT_FIRST = 1;
const MOMENT_MEAN = 2;
const MOMENT_MEAN_ERROR = 3;
const MOMENT_M2 = 4;
const MOMENT_SUM = 6;
const MOMENT_SUM_ERROR = 7;
const MOMENT_MIN = 8;
const MOMENT_MAX = 9;
export const MOMENT_LENGTH = 10;

/** Adds one finite value to the moments at `at`. */
export function addValue(m: Doubles, at: i32, x: f64): void {
  const count = m[at]! + 1;
  m[at] = count;
  if (count === 1) {
    m[at + MOMENT_FIRST] = x;
    m[at + MOMENT_MIN] = x;
    m[at + MOMENT_MAX] = x;
    m[at + MOMENT_SUM] = x;
    return;
  }
  const d = x - m[at + MOMENT_FIRST]!;
  const delta = d - m[at + MOMENT_MEAN]! - m[at + MOMENT_MEAN_ERROR]!;
  addCarrying(m, at + MOMENT_MEAN, delta / count);
  addCarrying(m, at + MOMENT_M2, delta * (d - m[at + MOMENT_MEAN]! - m[at + MOMENT_MEAN_ERROR]!));
  addCarrying(m, at + MOMENT_SUM, x);
  if (x < m[at + MOMENT_MIN]!) m[at + MOMENT_MIN] = x;
  if (x > m[at + MOMENT_MAX]!) m[at + MOMENT_MAX] = x;
}

const SUMS_FIRST = 1;
const SUMS_OF_D = 2;
const SUMS_OF_SQUARES = 3;
const SUMS_SUM = 4;
const SUMS_MIN = 5;
const SUMS_MAX = 6;

/**
 * Adds one finite value to plain sums about the first value: count, first, Σ d, Σ d², sum, min, max. A third of the time
 * that `addValue` takes, and good for a stream of some millions: the first value, however far from the others, is itself one
 * of them, so Σ d² is at most the count times what it should be, and loses no more digits than the count has.
 */
export function addToSums(s: Doubles, at: i32, x: f64): void {
  const count = s[at]!;
  s[at] = count + 1;
  if (count === 0) {
    s[at + SUMS_FIRST] = x;
    s[at + SUMS_SUM] = x;
    s[at + SUMS_MIN] = x;
    s[at + SUMS_MAX] = x;
    return;
  }
  const d = x - s[at + SUMS_FIRST]!;
  s[at + SUMS_OF_D]! += d;
  s[at + SUMS_OF_SQUARES]! += d * d;
  s[at + SUMS_SUM]! += x;
  if (x < s[at + SUMS_MIN]!) s[at + SUMS_MIN] = x;
  if (x > s[at + SUMS_MAX]!) s[at + SUMS_MAX] = x;
}

/** The moments of the values in the sums at `at`, into `m`. */
export function momentsOfSums(s: Doubles, at: i32, m: Doubles): void {
  const count = s[at]!;
  m.fill(0);
  if (count === 0) return;
  const sumOfD = s[at + SUMS_OF_D]!;
  m[0] = count;
  m[MOMENT_FIRST] = s[at + SUMS_FIRST]!;
  m[MOMENT_MEAN] = sumOfD / count;
  m[MOMENT_M2] = Math.max(0, s[at + SUMS_OF_SQUARES]! - sumOfD * (sumOfD / count));
  m[MOMENT_SUM] = s[at + SUMS_SUM]!;
  m[MOMENT_MIN] = s[at + SUMS_MIN]!;
  m[MOMENT_MAX] = s[at + SUMS_MAX]!;
}

/** Adds to the pair (sum, error of the sum) at `at`. */
export function addCarrying(m: Doubles, at: i32, x: f64): void {
  const sum = m[at]!;
  const next = sum + x;
  m[at + 1]! += Math.abs(sum) >= Math.abs(x) ? sum - next + x : x - next + sum;
  m[at] = next;
}

/** Merges the moments at `from` into those at `into`. */
export function mergeMoments(into: Doubles, at: i32, from: Doubles, fromAt: i32): void {
  const countB = from[fromAt]!;
  if (countB === 0) return;
  const countA = into[at]!;
  if (countA === 0) {
    for (let i = 0; i < MOMENT_LENGTH; i++) into[at + i] = from[fromAt + i]!;
    return;
  }
  const count = countA + countB;
  const shift = from[fromAt + MOMENT_FIRST]! - into[at + MOMENT_FIRST]!;
  const delta =
    shift +
    (from[fromAt + MOMENT_MEAN]! - into[at + MOMENT_MEAN]!) +
    (from[fromAt + MOMENT_MEAN_ERROR]! - into[at + MOMENT_MEAN_ERROR]!);
  into[at] = count;
  addCarrying(into, at + MOMENT_MEAN, delta * (countB / count));
  addCarrying(into, at + MOMENT_M2, from[fromAt + MOMENT_M2]!);
  addCarrying(into, at + MOMENT_M2, from[fromAt + MOMENT_M2 + 1]!);
  addCarrying(into, at + MOMENT_M2, delta * delta * countA * (countB / count));
  addCarrying(into, at + MOMENT_SUM, from[fromAt + MOMENT_SUM]!);
  addCarrying(into, at + MOMENT_SUM, from[fromAt + MOMENT_SUM_ERROR]!);
  into[at + MOMENT_MIN] = Math.min(into[at + MOMENT_MIN]!, from[fromAt + MOMENT_MIN]!);
  into[at + MOMENT_MAX] = Math.max(into[at + MOMENT_MAX]!, from[fromAt + MOMENT_MAX]!);
}

export interface Summary {
  readonly count: f64;
  readonly sum: f64;
  readonly mean: f64 | null;
  /** Sample variance (n − 1); null below two values. */
  readonly variance: f64 | null;
  readonly stddev: f64 | null;
  readonly min: f64 | null;
  readonly max: f64 | null;
}

export function summarize(m: Doubles, at = 0): Summary {
  const count = m[at]!;
  if (count === 0) {
    return { count: 0, sum: 0, mean: null, variance: null, stddev: null, min: null, max: null };
  }
  const sum = sumOf(m, at);
  const m2 = m[at + MOMENT_M2]! + m[at + MOMENT_M2 + 1]!;
  const variance = count > 1 ? Math.max(0, m2) / (count - 1) : null;
  return {
    count,
    sum,
    mean: meanOf(m, at, sum),
    variance,
    stddev: variance === null ? null : Math.sqrt(variance),
    min: m[at + MOMENT_MIN]!,
    max: m[at + MOMENT_MAX]!,
  };
}

/** The sum of the values, with what its rounding has lost. */
export function sumOf(m: Doubles, at: i32): f64 {
  return finite(m[at + MOMENT_SUM]! + m[at + MOMENT_SUM_ERROR]!, m[at + MOMENT_SUM]!);
}

/** By the sum, whose error is known, unless it left the range of doubles or the values share most of their digits. */
function meanOf(m: Doubles, at: i32, sum: f64): f64 {
  const bySum = sum / m[at]!;
  return Number.isFinite(bySum)
    ? bySum
    : m[at + MOMENT_FIRST]! + m[at + MOMENT_MEAN]! + m[at + MOMENT_MEAN_ERROR]!;
}

function finite(value: f64, otherwise: f64): f64 {
  return Number.isNaN(value) ? otherwise : value;
}
