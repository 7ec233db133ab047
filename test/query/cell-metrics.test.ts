/** Cells as Prometheus' histograms, against the values that went into them. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeCellMetrics } from '../../src/query/cell-metrics.js';
import { Exposition, type ExpositionFormat } from '../../src/query/exposition.js';
import { Folded } from '../fold/replaying.js';
import { assertVisiting } from '../support/corners.js';
import { type ReadHistogram, readExposition, readHistograms } from './exposition-reader.js';

interface Value {
  readonly name: string;
  readonly value: number;
  readonly tags?: Readonly<Record<string, string>>;
}

function textOf({ tables }: Folded, format: ExpositionFormat = 'prometheus'): string {
  const to = new Exposition(format);
  writeCellMetrics(tables, to);
  return Buffer.from(to.finish()).toString();
}

function folded(values: readonly Value[]): Folded {
  return new Folded().fold(...values.map((value) => ({ type: 'sample', ...value })));
}

function histogramsOf(name: string, values: readonly Value[]): ReadHistogram[] {
  return readHistograms(name, readExposition(textOf(folded(values))).get(name)!);
}

/** How many values a bound should have below it. */
function countUpTo(bound: number, values: readonly number[]): number {
  return values.filter((value) => value <= bound).length;
}

test('a bucket counts exactly the values up to its bound, for any values', () => {
  const corners = new Set<string>();
  const power = fc.integer({ min: -63, max: 63 }).map((exponent) => 2 ** exponent);
  const positive = fc.oneof(
    power,
    fc.double({ min: 1e-18, max: 1e18, noNaN: true }),
    fc.double({ min: 0.5, max: 100, noNaN: true }),
  );
  const value = fc.oneof(
    positive,
    positive.map((one) => -one),
    fc.constantFrom(0, 1e300, -1e300),
  );
  assertVisiting(
    corners,
    ['a value that is a bound', 'beyond the last octave', 'negative', 'zero'],
    fc.property(fc.array(value, { minLength: 1, maxLength: 60 }), (values) => {
      const [histogram] = histogramsOf(
        'tallyd_sample_m',
        values.map((one) => ({ name: 'm', value: one })),
      );
      const { bounds, cumulative, count } = histogram!;
      expect(count).toBe(values.length);
      expect(cumulative).toEqual(bounds.map((bound) => countUpTo(bound, values)));
      expect(bounds.length).toBeLessThanOrEqual(70);
      if (values.some((one) => one < 0)) corners.add('negative');
      if (values.includes(0)) corners.add('zero');
      if (values.some((one) => Math.abs(one) === 1e300)) corners.add('beyond the last octave');
      if (values.some((one) => bounds.includes(one))) corners.add('a value that is a bound');
    }),
    { numRuns: 100 },
  );
});

test('all series of a metric have the same bounds, the edges of the octaves that have values', () => {
  const histograms = histogramsOf('tallyd_sample_m', [
    { name: 'm', value: 3, tags: { k: 'a' } },
    { name: 'm', value: 0.3, tags: { k: 'b' } },
    { name: 'm', value: 1000, tags: { k: 'b' } },
  ]);
  expect(histograms).toEqual([
    {
      labels: { k: 'a' },
      bounds: [0.25, 0.5, 2, 4, 512, 1024, Number.POSITIVE_INFINITY],
      cumulative: [0, 0, 0, 1, 1, 1, 1],
      count: 1,
      sum: 3,
    },
    {
      labels: { k: 'b' },
      bounds: [0.25, 0.5, 2, 4, 512, 1024, Number.POSITIVE_INFINITY],
      cumulative: [0, 1, 1, 1, 1, 2, 2],
      count: 2,
      sum: 1000.3,
    },
  ]);
});

test('values over a wide range share few bounds, all of which a narrower range had too', () => {
  const wide = Array.from({ length: 120 }, (_, i) => ({ name: 'm', value: 1.5 * 2 ** (i - 60) }));
  const [histogram] = histogramsOf('tallyd_sample_m', wide);
  const { bounds, cumulative } = histogram!;
  expect(bounds.length).toBeLessThanOrEqual(33);
  expect(cumulative).toEqual(
    bounds.map((bound) =>
      countUpTo(
        bound,
        wide.map(({ value }) => value),
      ),
    ),
  );
  const exponents = bounds.slice(0, -1).map(Math.log2);
  expect(exponents.every(Number.isInteger)).toBe(true);
});

test('whatever samples and tags are called, the exposition is valid, and no sample is lost or counted twice', () => {
  const corners = new Set<string>();
  const letters = fc.constantFrom(
    'a',
    'b',
    '.',
    '_',
    '-',
    '1',
    'ß',
    '"',
    '\\',
    '\n',
    ' ',
    'le',
    'sample',
    '_count',
    '𝄞',
  );
  const word = fc.array(letters, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
  const value = fc.constantFrom(1, 2, 3);
  const tags = fc.dictionary(fc.oneof(word, fc.constantFrom('le', '__name__')), word, { maxKeys: 3 });
  // Of few names, which become one.
  const fewTags = fc.dictionary(fc.constantFrom('k.l', 'k-l', 'k_l'), fc.constantFrom('x', 'y'), {
    maxKeys: 1,
  });
  const sample = fc.oneof(
    fc.record({ name: word, value, tags }),
    fc.record({ name: fc.constantFrom('a.b', 'a-b', 'a_b'), value, tags: fewTags }),
  );
  assertVisiting(
    corners,
    ['families shared', 'series merged'],
    fc.property(fc.array(sample, { minLength: 1, maxLength: 40 }), (values) => {
      const state = folded(values);
      for (const format of ['prometheus', 'openmetrics'] as const) {
        const families = readExposition(textOf(state, format));
        let count = 0;
        let sum = 0;
        let series = 0;
        for (const [name, family] of families) {
          for (const histogram of readHistograms(name, family)) {
            count += histogram.count;
            sum += histogram.sum;
            series++;
            expect(Object.keys(histogram.labels).some((key) => key.startsWith('__'))).toBe(false);
          }
        }
        expect(count).toBe(values.length);
        expect(sum).toBe(values.reduce((total, { value }) => total + value, 0));
        if (series < state.tables.cells.used) corners.add('series merged');
        if (families.size < new Set(values.map(({ name }) => name)).size) corners.add('families shared');
      }
    }),
    { numRuns: 100 },
  );
});

test('a name that had to be changed stands in a label, and a metric of the changed name stays itself', () => {
  const histograms = histogramsOf('tallyd_sample_db_query_ms', [
    { name: 'db.query-ms', value: 1 },
    { name: 'db_query_ms', value: 2 },
    { name: 'db query ms', value: 3, tags: { sample: 'x' } },
  ]);
  expect(histograms.map(({ labels, sum }) => [labels, sum])).toEqual([
    [{ sample: 'db.query-ms' }, 1],
    [{}, 2],
    [{ sample: 'db query ms', tag_sample: 'x' }, 3],
  ]);
});

test('labels that become one keep all values: within a series by another name, between series by their sum', () => {
  const histograms = histogramsOf('tallyd_sample_m', [
    { name: 'm', value: 1, tags: { 'a.b': 'x', a_b: 'y', 'a-b': 'z' } },
    { name: 'm', value: 2, tags: { 'a.b': 'x' } },
    { name: 'm', value: 4, tags: { a_b: 'x' } },
    { name: 'm', value: 8, tags: { le: '1', '0': 'x', __name__: 'n' } },
  ]);
  expect(histograms.map(({ labels, count, sum }) => [labels, count, sum])).toEqual([
    [{ a_b: 'y', a_b_: 'z', a_b__: 'x' }, 1, 1],
    [{ a_b: 'x' }, 2, 6],
    [{ tag_0: 'x', tag___name__: 'n', tag_le: '1' }, 1, 8],
  ]);
});

test('the metrics of tasks and workflows have their units, and samples a prefix that keeps them apart', () => {
  const state = new Folded();
  state.fold(
    { type: 'task.end', task: 't', agent: 'a', kind: 'k', status: 'completed', duration: 2, tokens: 5 },
    { type: 'sample', name: 'ready', value: 1 },
  );
  const families = readExposition(textOf(state, 'openmetrics'));
  expect([...families].map(([name, { type, unit }]) => [name, type, unit])).toEqual([
    ['tallyd_sample_ready', 'histogram', undefined],
    ['tallyd_task_duration_seconds', 'histogram', 'seconds'],
    ['tallyd_task_tokens', 'histogram', undefined],
  ]);
  const [durations] = readHistograms(
    'tallyd_task_duration_seconds',
    families.get('tallyd_task_duration_seconds')!,
  );
  expect(durations).toMatchObject({
    labels: { agent: 'a', kind: 'k', status: 'completed' },
    count: 1,
    sum: 2,
  });
});

test('OpenMetrics has whole bounds with a point, and an end', () => {
  const text = textOf(folded([{ name: 'm', value: 3 }]), 'openmetrics');
  expect(text).toContain('tallyd_sample_m_bucket{le="2.0"} 0\ntallyd_sample_m_bucket{le="4.0"} 1\n');
  expect(text.endsWith('\n# EOF\n')).toBe(true);
});

test('counts beyond 2^31 and sums of any size are written in full', () => {
  const to = new Exposition('prometheus');
  const bounds = [to.boundBytes(1), to.boundBytes(2)];
  to.begin({ name: 'm', type: 'histogram', help: 'h' });
  for (const [i, count] of [0, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, 2 ** 53 - 1].entries()) {
    const labels = Buffer.from(`i="${i}"`);
    to.histogram(
      Buffer.from('m'),
      labels,
      labels.length,
      bounds,
      Float64Array.of(count, count),
      count,
      1e22 + count,
    );
  }
  const histograms = readHistograms('m', readExposition(Buffer.from(to.finish()).toString()).get('m')!);
  expect(histograms.map(({ cumulative }) => cumulative[0])).toEqual([
    0,
    9,
    10,
    99,
    100,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 53 - 1,
  ]);
  expect(histograms[7]!.sum).toBe(1e22 + 2 ** 53 - 1);
});

test('10,000 cells are written within 50 ms', () => {
  const state = new Folded({ maxSeries: 10_000, namesBytes: 8 * 1024 * 1024 });
  for (let agent = 0; agent < 2500; agent++) {
    const ends = ['build', 'test'].flatMap((kind) =>
      ['completed', 'failed'].flatMap((status) =>
        [0.1, 0.7, 3, 20].map((duration) => ({
          type: 'task.end',
          task: `t${kind}${status}${duration}`,
          agent: `agent-${agent}`,
          kind,
          status,
          duration,
        })),
      ),
    );
    state.fold(...ends);
  }
  expect(state.tables.cells.used).toBe(10_000);
  // The best of some passes: the first ones are not compiled yet, and others work on this machine.
  let best = Number.POSITIVE_INFINITY;
  let bytes = 0;
  const until = performance.now() + 20_000;
  while (best >= 50 && performance.now() < until) {
    const startedMs = performance.now();
    const to = new Exposition('openmetrics', bytes);
    writeCellMetrics(state.tables, to);
    bytes = to.finish().length;
    best = Math.min(best, performance.now() - startedMs);
  }
  expect(best).toBeLessThan(50);
  expect(bytes).toBeLessThan(20 * 1024 * 1024);
});
