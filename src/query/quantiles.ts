/** Quantiles out of a merged exponential histogram (state/histogram.ts): the value of rank ceil(p · n). */

import { valueOfBucket, ZERO_BUCKET } from '../state/histogram.js';

export interface Quantiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/**
 * @param counts bucket → count; zeros under ZERO_BUCKET
 * @param min and max of the same values: a bucket's middle may lie outside of them
 */
export function quantilesOf(counts: ReadonlyMap<number, number>, min: number, max: number): Quantiles {
  const sorted = [...counts].map(([bucket, count]) => ({ value: valueOfBucket(bucket), count }));
  sorted.sort((a, b) => a.value - b.value);
  const total = sorted.reduce((sum, { count }) => sum + count, 0);
  const at = (p: number): number | null => {
    if (total === 0) return null;
    const rank = Math.ceil(p * total);
    let seen = 0;
    for (const { value, count } of sorted) {
      seen += count;
      if (seen >= rank) return Math.min(Math.max(value, min), max);
    }
    return max;
  };
  return { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99) };
}

export function addZeros(counts: Map<number, number>, zeros: number): void {
  if (zeros > 0) counts.set(ZERO_BUCKET, (counts.get(ZERO_BUCKET) ?? 0) + zeros);
}
