/** Cells: one for each metric and label set, and the end of the room for them. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashBytes } from '../../src/model/hash.js';
import { allocateTables } from '../../src/state/layout.js';
import { OVERFLOW_CELLS } from '../../src/state/slot-bytes.js';
import { Tables } from '../../src/state/tables.js';
import { LIMITS } from '../fold/replaying.js';
import { assertVisiting } from '../support/corners.js';

function interner({ names }: Tables): (text: string) => number {
  return (text) => {
    const bytes = Buffer.from(text);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return names.intern(view, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
  };
}

const label = fc.tuple(fc.constantFrom('k', 'l', 'm'), fc.constantFrom('1', '2', '3'));
const labels = fc.uniqueArray(label, { selector: ([k]) => k, maxLength: 3 }).map((set) => set.sort());

test('a metric with a label set has one cell, another one another, until max_series is reached', () => {
  const corners = new Set<string>();
  assertVisiting(
    corners,
    ['no cell left'],
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), labels), { maxLength: 120, size: 'max' }),
      (asked) => {
        const tables = new Tables(allocateTables({ ...LIMITS, maxSeries: 30 }));
        const { cells, names } = tables;
        const intern = interner(tables);
        const model = new Map<string, number>();
        for (const [metric, set] of asked) {
          const name = JSON.stringify([metric, set]);
          const refs = Int32Array.from(set.flat().map(intern));
          const ref = intern(metric);
          const found = cells.find(ref, refs, set.length);
          expect(found).toBe(model.get(name) ?? 0);
          if (found === 0) {
            const made = cells.create(ref, refs, set.length, false);
            if (model.size === 30) {
              expect(made).toBe(0);
              corners.add('no cell left');
            } else {
              expect(made).toBeGreaterThan(0);
              model.set(name, made);
            }
          }
          // The caller's references go back: the cell has its own.
          for (const one of [...refs, ref]) names.release(one);
        }
        expect(cells.used).toBe(model.size);
        expect(new Set(model.values()).size).toBe(model.size);
        for (const [name, slot] of model) {
          const [metric, set] = JSON.parse(name) as [string, string[][]];
          expect(names.text(cells.metric(slot))).toBe(metric);
          expect(cells.labels(slot).map((ref) => names.text(ref))).toEqual(set.flat());
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('an overflow cell is made when max_series is reached, and no other', () => {
  const tables = new Tables(allocateTables({ ...LIMITS, maxSeries: 2 }));
  const intern = interner(tables);
  const none = new Int32Array(0);
  for (const [name, taken] of [
    ['a', true],
    ['b', true],
    ['c', false],
  ] as const) {
    expect(tables.cells.create(intern(name), none, 0, false) !== 0).toBe(taken);
  }
  for (let i = 0; i < OVERFLOW_CELLS; i++) {
    expect(tables.cells.create(intern(`o${i}`), none, 0, true)).toBeGreaterThan(0);
  }
  expect(tables.cells.create(intern('one more'), none, 0, true)).toBe(0);
});

test('label sets that are the beginning of one another are different', () => {
  const tables = new Tables(allocateTables(LIMITS));
  const intern = interner(tables);
  const metric = intern('m');
  const refs = Int32Array.from(['a', '1', 'b', '2', 'c', '3'].map(intern));
  const slots = [0, 1, 2, 3].map((count) => tables.cells.create(metric, refs, count, false));
  expect(new Set(slots).size).toBe(4);
  expect([0, 1, 2, 3].map((count) => tables.cells.find(metric, refs, count))).toEqual(slots);
});
