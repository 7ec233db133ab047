/** Percentiles of measured times. */

/** The value of rank ceil(percent / 100 · n). */
export function percentileOf(values: readonly number[] | Float64Array, percent: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil((percent * sorted.length) / 100) - 1)] ?? Number.NaN;
}
