import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bucketDurations } from '../../../src/control/page/duration-buckets.js';
import { outcomesOverTime } from '../../../src/control/page/outcomes.js';
import { planSlices } from '../../../src/control/page/time-slices.js';
import type { TaskReply } from '../../../src/model/replies.js';

const HOUR = 3600;

test('each duration is counted once, between the edges that hold it', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 }), (durations) => {
      const { edges, counts } = bucketDurations(durations);
      expect(counts.reduce((a, b) => a + b, 0)).toBe(durations.length);
      expect(edges).toHaveLength(counts.length + 1);
      expect([...edges].sort((a, b) => a - b)).toEqual(edges);
      expect(edges[0]! * 0.999).toBeLessThanOrEqual(Math.max(1e-4, Math.min(...durations)));
      expect(edges.at(-1)! * 1.001).toBeGreaterThanOrEqual(Math.max(...durations));
    }),
  );
});

test('durations that are all the same have one bucket', () => {
  expect(bucketDurations([2, 2, 2]).counts).toEqual([3]);
});

test('outcomes are counted by the time of the end, the last one too', () => {
  const ends = [
    [0, 'completed'],
    [1, 'failed'],
    [5, 'timeout'],
    [10, 'completed'],
  ] as const;
  const tasks = ends.map(([ended_at, status]) => ({ ended_at, status }) as TaskReply);
  expect(outcomesOverTime(tasks, 5)).toEqual({
    times: [0, 2, 4, 6, 8],
    end: 10,
    all: [2, 0, 1, 0, 1],
    failed: [1, 0, 1, 0, 0],
  });
  expect(outcomesOverTime([]).times).toEqual([]);
});

test('slices are whole hours, cover the time without a gap, and are few', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 500_000 }), fc.integer({ min: 1, max: 20_000 }), (first, hours) => {
      const slices = planSlices(first * HOUR, (first + hours) * HOUR);
      expect(slices.length).toBeLessThanOrEqual(60);
      expect(slices[0]!.from).toBe(first * HOUR);
      expect(slices.at(-1)!.to).toBe((first + hours) * HOUR);
      for (const [i, { from, to }] of slices.entries()) {
        expect((to - from) % HOUR).toBe(0);
        if (i > 0) expect(from).toBe(slices[i - 1]!.to);
      }
    }),
  );
});
