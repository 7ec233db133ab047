/** Quantiles out of an exponential histogram (state/histogram.ts): the value of rank ceil(p · n). */

import type { DenseHistogram } from '../state/dense-histogram.js';
import { bucketOfKey, valueOfBucket } from '../state/histogram.js';

export interface Quantiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

const PERCENTS = [50, 90, 95, 99] as const;

/** @param min and max of the same values: a bucket's middle may lie outside of them */
export function quantilesOf(histogram: DenseHistogram, min: number, max: number): Quantiles {
  const total = histogram.total();
  const values: (number | null)[] = [];
  let key = histogram.next(-1);
  let seen = key < 0 ? 0 : histogram.counts[key]!;
  for (const percent of PERCENTS) {
    // In hundredths, since 0.95 is no double: ceil(0.95 · n) can be one too many.
    const rank = Math.ceil((percent * total) / 100);
    while (key >= 0 && seen < rank) {
      key = histogram.next(key);
      if (key >= 0) seen += histogram.counts[key]!;
    }
    values.push(key < 0 ? null : Math.min(Math.max(valueOfBucket(bucketOfKey(key)), min), max));
  }
  const [p50, p90, p95, p99] = values as [number, number, number, number];
  return { p50, p90, p95, p99 };
}
