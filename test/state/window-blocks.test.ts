/** Blocks of the windows: what is written is read, in few bytes, and a pool that is full says so. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addValue, MOMENT_LENGTH, summarize } from '../../src/fold/moments.js';
import { allocatePart } from '../../src/model/memory.js';
import { DenseHistogram } from '../../src/state/dense-histogram.js';
import { bucketOf, keyOfBucket } from '../../src/state/histogram.js';
import { CHUNK_BYTES } from '../../src/state/slot-bytes.js';
import { WindowBlocks } from '../../src/state/window-blocks.js';
import { assertVisiting } from '../support/corners.js';

function poolOf(chunks: number): WindowBlocks {
  return new WindowBlocks(allocatePart((chunks + 1) * CHUNK_BYTES));
}

/** Values, each so often. */
type Values = readonly (readonly [value: number, times: number])[];

function gathered(values: Values): { moments: Float64Array; histogram: DenseHistogram } {
  const moments = new Float64Array(MOMENT_LENGTH);
  const histogram = new DenseHistogram();
  for (const [value, times] of values) {
    for (let i = 0; i < times; i++) addValue(moments, 0, value);
    histogram.add(keyOfBucket(bucketOf(value)), times);
  }
  return { moments, histogram };
}

function entriesOf(histogram: DenseHistogram): [number, number][] {
  const entries: [number, number][] = [];
  for (let key = histogram.next(-1); key >= 0; key = histogram.next(key)) {
    entries.push([key, histogram.counts[key]!]);
  }
  return entries;
}

const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.double({ min: 1, max: 20, noNaN: true }),
  fc.constantFrom(0, -0, 5e-324, -1, 1e300, Number.MAX_VALUE),
);
const times = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 300 }));
const someValues: fc.Arbitrary<Values> = fc.oneof(
  fc.array(fc.tuple(value, times), { minLength: 1, maxLength: 3 }),
  fc.array(fc.tuple(value, times), { minLength: 40, maxLength: 120, size: 'max' }),
);

test('a block gives back the moments and the histogram it was written from, and its slot', () => {
  const corners = new Set<string>();
  assertVisiting(
    corners,
    ['several', 'several chunks', 'single'],
    fc.property(fc.array(someValues, { minLength: 1, maxLength: 6 }), (all) => {
      const blocks = poolOf(1000);
      const written = all.map((values, slot) => {
        const { moments, histogram } = gathered(values);
        return { block: blocks.write(slot + 7, moments, histogram), moments, histogram };
      });
      for (const [i, { block, moments, histogram }] of written.entries()) {
        expect(blocks.slot(block)).toBe(i + 7);
        const readMoments = new Float64Array(MOMENT_LENGTH);
        const readHistogram = new DenseHistogram();
        blocks.read(block, readMoments, readHistogram);
        expect(entriesOf(readHistogram)).toEqual(entriesOf(histogram));
        const read = summarize(readMoments);
        const exact = summarize(moments);
        expect([read.count, read.min, read.max]).toEqual([exact.count, exact.min, exact.max]);
        expect(read.sum).toBe(exact.sum);
        expect(read.variance).toBe(exact.variance);
        corners.add(exact.count === 1 ? 'single' : 'several');
        if (entriesOf(histogram).length > 30) corners.add('several chunks');
      }
      for (const { block } of written) blocks.release(block);
      expect(blocks.chunksUsed).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test('a single sample takes one chunk, a second of one cell two, and an hour of a hundred buckets six', () => {
  const blocks = poolOf(100);
  const sizes = [
    [[1.5, 1]],
    Array.from({ length: 10 }, (_, i) => [1 + i / 10, 1]),
    Array.from({ length: 100 }, (_, i) => [2 ** (i / 32), 50]),
  ].map((values) => {
    const before = blocks.chunksUsed;
    const { moments, histogram } = gathered(values as unknown as Values);
    blocks.write(1, moments, histogram);
    return blocks.chunksUsed - before;
  });
  expect(sizes[0]).toBe(1);
  expect(sizes[1]).toBe(2);
  expect(sizes[2]).toBeLessThanOrEqual(6);
});

test('counts up to 2^53 are kept to the last digit', () => {
  const blocks = poolOf(10);
  const counts = [1, 127, 128, 2 ** 31, 2 ** 32 + 5, 2 ** 52 - 1];
  const moments = new Float64Array(MOMENT_LENGTH);
  const histogram = new DenseHistogram();
  for (const [i, count] of counts.entries()) histogram.add(1000 * i, count);
  moments[0] = histogram.total();
  const read = new DenseHistogram();
  const readMoments = new Float64Array(MOMENT_LENGTH);
  blocks.read(blocks.write(1, moments, histogram), readMoments, read);
  expect(entriesOf(read)).toEqual(counts.map((count, i) => [1000 * i, count]));
  expect(readMoments[0]).toBe(histogram.total());
});

test('a pool that has not enough chunks writes nothing, and all of it comes back', () => {
  const { moments, histogram } = gathered(Array.from({ length: 60 }, (_, i) => [2 ** (i / 16), 3]));
  const blocks = poolOf(20);
  const written: number[] = [];
  for (;;) {
    const free = blocks.chunksFree;
    const block = blocks.write(1, moments, histogram);
    if (block === 0) {
      expect(blocks.chunksFree).toBe(free);
      break;
    }
    written.push(block);
  }
  expect(written.length).toBeGreaterThan(2);
  expect(blocks.chunksFree).toBeLessThan(4);
  for (const block of written) blocks.release(block);
  expect([blocks.chunksUsed, blocks.chunksFree]).toEqual([0, 20]);
  expect(written.map(() => blocks.write(1, moments, histogram)).every((block) => block !== 0)).toBe(true);
});

test('whatever stands in the chunks, a read ends', () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { minLength: 16 * 6, maxLength: 16 * 6 }), (words) => {
      const memory = allocatePart(6 * CHUNK_BYTES);
      const blocks = new WindowBlocks(memory);
      new Int32Array(memory).set(words);
      new Int32Array(memory)[1] = 6;
      for (let chunk = 0; chunk < 6; chunk++) new Int32Array(memory)[chunk * 16]! &= 7;
      blocks.read(1, new Float64Array(MOMENT_LENGTH), new DenseHistogram());
    }),
    { numRuns: 300 },
  );
});
