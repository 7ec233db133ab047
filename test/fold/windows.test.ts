/** The windows against a list of all samples with their arrivals, and what happens when there is no room. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  LEVELS,
  SLOT_RATIO,
  SLOT_SECONDS,
  SLOTS_KEPT,
  WINDOW_NAMES,
  WINDOW_SECONDS,
} from '../../src/model/windows.js';
import type { StateLimits } from '../../src/state/layout.js';
import { assertVisiting } from '../support/corners.js';
import { ARRIVED, differences, Folded, type GroupView } from './replaying.js';

const ERROR_MAX = 0.011;

interface Sample {
  readonly at: number;
  readonly metric: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly value: number;
}

function fold(folded: Folded, samples: readonly Sample[]): Folded {
  for (const { at, metric, tags, value } of samples) {
    folded.record([{ type: 'sample', name: metric, tags, value }], at * 1e6);
  }
  return folded;
}

/** What the window at `now` holds: the slot of now, and the whole ones of its length before. */
function inWindow(samples: readonly Sample[], level: number, now: number): Sample[] {
  const width = SLOT_SECONDS[level]!;
  const from = (Math.floor(now / width) - SLOTS_KEPT[level]!) * width;
  return samples.filter(({ at }) => at >= from);
}

function expectMoments(group: GroupView, values: readonly number[]): void {
  const sorted = [...values].sort((a, b) => a - b);
  const sum = values.reduce((total, x) => total + x, 0);
  const mean = sum / values.length;
  const m2 = values.reduce((total, x) => total + (x - mean) ** 2, 0);
  const scale = 1 + Math.max(...values.map(Math.abs));
  expect([group.count, group.min, group.max]).toEqual([values.length, sorted[0], sorted.at(-1)]);
  expect(Math.abs(group.sum - sum)).toBeLessThanOrEqual(1e-12 * scale * values.length);
  expect(Math.abs(group.mean! - mean)).toBeLessThanOrEqual(1e-12 * scale);
  if (values.length === 1) expect(group.variance).toBeNull();
  else expect(Math.abs(group.variance! - m2 / (values.length - 1))).toBeLessThanOrEqual(1e-9 * scale ** 2);
  for (const [name, percent] of [
    ['p50', 50],
    ['p90', 90],
    ['p95', 95],
    ['p99', 99],
  ] as const) {
    const exact = sorted[Math.ceil((percent * values.length) / 100) - 1]!;
    expect(Math.abs(group[name]! - exact)).toBeLessThanOrEqual(ERROR_MAX * Math.abs(exact) + 1e-15);
  }
}

/** Steps of time from nothing to days, each a corner of some level. */
const step = fc.oneof(
  { weight: 12, arbitrary: fc.double({ min: 0, max: 4, noNaN: true }) },
  { weight: 4, arbitrary: fc.constantFrom(0, 5, 25) },
  { weight: 2, arbitrary: fc.double({ min: 0, max: 400, noNaN: true }) },
  { weight: 1, arbitrary: fc.constantFrom(60, 300, 3600) },
  { weight: 1, arbitrary: fc.double({ min: 0, max: 90_000, noNaN: true }) },
);
const value = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ min: 0.01, max: 1000, noNaN: true }));

function randomSamples(series: number): fc.Arbitrary<Sample[]> {
  const one = fc.tuple(step, fc.constantFrom('m', 'n'), fc.integer({ min: 0, max: series - 1 }), value);
  return fc.array(one, { minLength: 1, maxLength: 400, size: 'max' }).map((steps) => {
    let at = ARRIVED;
    return steps.map(([seconds, metric, tag, value]) => {
      // Whole microseconds, as arrivals are.
      at = Math.round((at + seconds) * 1e6) / 1e6;
      return { at, metric, tags: { k: String(tag) }, value };
    });
  });
}

const later = fc.oneof(fc.constantFrom(0, 1, 60, 61, 300), fc.double({ min: 0, max: 100_000, noNaN: true }));

test('the levels are whole numbers of the slots below, at a twelfth of their window or finer', () => {
  for (let level = 0; level < LEVELS; level++) {
    expect(WINDOW_SECONDS[level]! / SLOT_SECONDS[level]!).toBe(SLOTS_KEPT[level]);
    expect(SLOTS_KEPT[level]).toBeGreaterThanOrEqual(12);
    if (level > 0) expect(SLOT_SECONDS[level]! / SLOT_SECONDS[level - 1]!).toBe(SLOT_RATIO[level]);
  }
});

describe('with room for everything', () => {
  test('every window of every series, and of all together, is that of the list of samples', () => {
    const corners = new Set<string>();
    assertVisiting(
      corners,
      [...WINDOW_NAMES],
      fc.property(randomSamples(4), later, (samples, seconds) => {
        const folded = fold(new Folded(), samples);
        const now = samples.at(-1)!.at + seconds;
        for (const [level, window] of WINDOW_NAMES.entries()) {
          const inside = inWindow(samples, level, now);
          if (inside.length < samples.length && inside.length > 0) corners.add(window);
          for (const by of [null, []] as const) {
            const { groups, partial } = folded.query({ metric: 'm', by, window }, now);
            expect(partial).toBeUndefined();
            const expected = new Map<string, number[]>();
            for (const { metric, tags, value } of inside) {
              const labels = JSON.stringify(by === null ? tags : {});
              if (metric === 'm') expected.set(labels, [...(expected.get(labels) ?? []), value]);
            }
            expect(groups.map(({ labels }) => JSON.stringify(labels)).sort()).toEqual(
              [...expected.keys()].sort(),
            );
            for (const group of groups) {
              const values = expected.get(JSON.stringify(group.labels))!;
              expectMoments(group, values);
              expect(group.rate).toBe(values.length / WINDOW_SECONDS[level]!);
            }
          }
        }
        expect(folded.counts()).toEqual({});
      }),
      { numRuns: 60 },
    );
  });

  test('what has left the last window gives its memory back', () => {
    const folded = new Folded();
    for (let i = 0; i < 500; i++) {
      const tags = { k: String(i % 7) };
      fold(folded, [{ at: ARRIVED + i * 977, metric: 'm', tags, value: 1 + (i % 90) }]);
    }
    const used = folded.tables.windowBlocks.chunksUsed;
    expect(used).toBeGreaterThan(50);
    expect(used).toBeLessThan(500);
    // Whoever moves on takes two more with it, so after some turns none of the old is left.
    for (let i = 0; i < 20; i++) {
      fold(folded, [{ at: ARRIVED + 10 ** 6 + i * 100_000, metric: 'n', tags: {}, value: 1 }]);
    }
    expect(folded.tables.windowBlocks.chunksUsed).toBeLessThanOrEqual(4);
    expect(folded.tables.windowBuckets.used).toBeLessThanOrEqual(1);
  });

  test('a sample is in its window for the whole of it, and no slot longer', () => {
    for (const [level, window] of WINDOW_NAMES.entries()) {
      for (const at of [ARRIVED, ARRIVED + 3.25, ARRIVED + 4.999999]) {
        const folded = fold(new Folded(), [{ at, metric: 'm', tags: {}, value: 2 }]);
        const count = (now: number) => folded.query({ metric: 'm', window }, now).groups[0]?.count ?? 0;
        expect(count(at + WINDOW_SECONDS[level]!)).toBe(1);
        expect(count(at + WINDOW_SECONDS[level]! + SLOT_SECONDS[level]!)).toBe(0);
      }
    }
  });

  test('a clock that was set back shows the windows as of the last arrival', () => {
    const folded = fold(new Folded(), [{ at: ARRIVED, metric: 'm', tags: {}, value: 2 }]);
    expect(folded.query({ metric: 'm', window: '1m' }, ARRIVED - 10_000).groups).toMatchObject([
      { count: 1 },
    ]);
  });
});

/** So little that windows are lost, series expire and overflow, all the time. */
const TINY: fc.Arbitrary<Partial<StateLimits>> = fc.record({
  maxSeries: fc.integer({ min: 1, max: 6 }),
  seriesIdleMs: fc.constantFrom(1000, 20_000, 400_000, 30 * 86_400_000),
  windowBytes: fc.constantFrom(1024, 2048, 4096, 1024 * 1024),
});

test('with no room no number is wrong and silent: what is not marked is exact, and all time always is', () => {
  const corners = new Set<string>();
  assertVisiting(
    corners,
    [
      'series_expired',
      'series_overflowed',
      'windows_lost',
      ...WINDOW_NAMES.flatMap((window) => [`partial ${window}`, `whole ${window}`]),
    ],
    fc.property(TINY, randomSamples(10), later, (limits, samples, seconds) => {
      const folded = fold(new Folded(limits), samples);
      const now = samples.at(-1)!.at + seconds;
      for (const metric of ['m', 'n']) {
        const own = samples.filter((sample) => sample.metric === metric);
        const { groups } = folded.query({ metric, by: [] });
        if (own.length === 0) expect(groups).toEqual([]);
        else
          expectMoments(
            groups[0]!,
            own.map(({ value }) => value),
          );
        for (const [level, window] of WINDOW_NAMES.entries()) {
          const values = inWindow(own, level, now).map(({ value }) => value);
          const { groups: found, partial } = folded.query({ metric, by: [], window }, now);
          if (partial) {
            corners.add(`partial ${window}`);
            expect(found[0]?.count ?? 0).toBeLessThanOrEqual(values.length);
          } else if (values.length === 0) {
            expect(found).toEqual([]);
          } else {
            corners.add(`whole ${window}`);
            expectMoments(found[0]!, values);
          }
        }
      }
      for (const what of Object.keys(folded.counts())) corners.add(what);
    }),
    { numRuns: 150 },
  );
});

test('the same samples give the same bytes, also in tables that were used before', () => {
  fc.assert(
    fc.property(TINY, randomSamples(10), randomSamples(10), (limits, before, samples) => {
      const used = fold(new Folded(limits), before);
      used.tables.clear();
      const again = fold(new Folded(limits, used.memory), samples);
      expect(differences(again.memory, fold(new Folded(limits), samples).memory)).toEqual({});
    }),
    { numRuns: 20 },
  );
});

test('windows that were lost are whole again when what was lost has left them', () => {
  const folded = new Folded({ windowBytes: 8192 });
  const samples = Array.from({ length: 40 }, (_, i) => ({
    at: ARRIVED + i,
    metric: 'm',
    tags: { k: String(i % 20) },
    value: 1 + i,
  }));
  fold(folded, samples);
  const now = ARRIVED + 40;
  expect(folded.query({ metric: 'm', by: [], window: '1m' }, now).partial).toBe(true);
  expect(folded.counts().windows_lost).toBeGreaterThan(0);
  expect(folded.tables.windowBlocks.lost).toBeGreaterThan(0);
  const after = now + 200_000;
  fold(folded, [{ at: after, metric: 'm', tags: { k: '1' }, value: 5 }]);
  for (const window of WINDOW_NAMES) {
    const { groups, partial } = folded.query({ metric: 'm', by: [], window }, after);
    expect(partial).toBeUndefined();
    expect(groups).toMatchObject([{ count: 1, sum: 5 }]);
  }
});
