/**
 * Decimal text to the nearest double, without a string in the usual cases and equal to Number(text) in all:
 *
 * - whole part I and fraction F of at most 15 digits each (k digits in F), and m = I·10^k + F below 2^53: m and 10^k are
 *   doubles exactly, so the one division rounds once (Clinger 1990). 1700003506.458123 has m = 1.7e15. An exponent
 *   that leaves |e - k| ≤ 22 is the same case.
 * - m above that, as in 1700003506.4581232: I + F/10^k in double-double. q = fl(F/10^k), its remainder exact by Dekker's
 *   product (1971), so q + r is F/10^k to 2^-106; I + q as an exact sum s + err (Knuth's TwoSum); the result is
 *   fl(s + fl(err + r)). The error before the last rounding is below 2^-53 ulp(s). Here I ≥ 1, so a point where the
 *   rounding turns is a multiple of ulp(s)/4, and I + F/10^k, a multiple of 10^-15 not on such a point, is at least
 *   10^-15·ulp(s)/4 > 2^-52 ulp(s) away from it; on it, F/10^k has at most 15 binary places, r is 0 and every step is
 *   exact. So the last rounding turns the right way.
 * - all else by Number of the text.
 */

/** Below this all whole numbers are doubles. */
export const EXACT_MAX = 2 ** 53;
const SPLITTER = 2 ** 27 + 1;
export const DIGITS_FAST_MAX = 15;
export const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, k) => Number(`1e${k}`));

/**
 * @param whole the digits before the point as a number, at most 15
 * @param fraction the digits behind it as a number, at most 15
 * @param places how many digits `fraction` has
 * @param exponent what stands behind the e
 * @returns the nearest double, or NaN: take the text
 */
export function nearestDouble(whole: number, fraction: number, places: number, exponent: number): number {
  const m = whole * POWERS_OF_TEN[places]! + fraction;
  const scale = exponent - places;
  if (m < EXACT_MAX) {
    if (scale < 0) return scale >= -22 ? m / POWERS_OF_TEN[-scale]! : Number.NaN;
    return scale <= 22 ? m * POWERS_OF_TEN[scale]! : Number.NaN;
  }
  return exponent === 0 ? sumOfParts(whole, fraction, POWERS_OF_TEN[places]!) : Number.NaN;
}

function sumOfParts(whole: number, fraction: number, power: number): number {
  const q = fraction / power;
  const product = q * power;
  const qSplit = SPLITTER * q;
  const qHigh = qSplit - (qSplit - q);
  const qLow = q - qHigh;
  const powerSplit = SPLITTER * power;
  const powerHigh = powerSplit - (powerSplit - power);
  const powerLow = power - powerHigh;
  const productError = qLow * powerLow - (product - qHigh * powerHigh - qLow * powerHigh - qHigh * powerLow);
  const r = (fraction - product - productError) / power;
  const s = whole + q;
  const qPart = s - whole;
  const err = whole - (s - qPart) + (q - qPart);
  return s + (err + r);
}
