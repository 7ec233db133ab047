/** Durations counted in buckets of equal width on an axis of logarithms, so that milliseconds and hours are seen together. */

export interface DurationBuckets {
  /** seconds; one more than there are counts */
  readonly edges: number[];
  readonly counts: number[];
}

const BUCKETS_MAX = 36;
/** What is shorter, zero too, is in the first bucket. */
const SECONDS_MIN = 1e-4;

export function bucketDurations(durations: readonly number[], bucketsMax = BUCKETS_MAX): DurationBuckets {
  if (durations.length === 0) return { edges: [], counts: [] };
  const clamped = durations.map((duration) => Math.max(SECONDS_MIN, duration));
  const low = Math.log(clamped.reduce((a, b) => Math.min(a, b), Infinity));
  const high = Math.log(clamped.reduce((a, b) => Math.max(a, b), 0));
  // A bucket is a twentieth of its value at the least: less tells nothing apart.
  const count = Math.max(1, Math.min(bucketsMax, Math.ceil((high - low) / 0.05)));
  const width = (high - low) / count || 0.05;
  const counts = new Array<number>(count).fill(0);
  for (const duration of clamped)
    counts[Math.min(count - 1, Math.floor((Math.log(duration) - low) / width))]!++;
  return { edges: Array.from({ length: count + 1 }, (_, i) => Math.exp(low + i * width)), counts };
}
