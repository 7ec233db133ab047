/** The index of slots against a Map, with hashes that crowd in few places, and keys of one hash. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashBytes } from '../../src/model/hash.js';
import { allocatePart } from '../../src/model/memory.js';
import { Names, namesIndexBytes } from '../../src/state/names.js';
import { WORKFLOW_BYTES } from '../../src/state/slot-bytes.js';
import { SlotIndex, slotIndexBytes } from '../../src/state/slot-index.js';
import { Workflows } from '../../src/state/workflows.js';
import { assertVisiting } from '../support/corners.js';
import { collidingStrings } from './collisions.js';

/** Of an index that cannot grow; it begins with as many. */
const PLACES = new SlotIndex(allocatePart(slotIndexBytes(1))).home(-1) + 1;
const ENTRIES_MAX = 32;

function slotsOf(index: SlotIndex, hash: number): number[] {
  const slots: number[] = [];
  for (let place = index.home(hash); index.slotAt(place) !== 0; place = index.next(place)) {
    if (index.hashAt(place) === hash) slots.push(index.slotAt(place));
  }
  return slots.sort((a, b) => a - b);
}

/** Homes at both ends of the table, so that chains wrap; some hashes are equal, some only share the home. */
const hash = fc
  .tuple(fc.constantFrom(-3, -2, -1, 0, 1, 2), fc.integer({ min: -3, max: 3 }))
  .map(([home, above]) => (above * PLACES + home) | 0);

test('every entry is found by its hash and no other, whatever was inserted and removed before', () => {
  const corners = new Set<string>();
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ insert: hash }) },
    { weight: 2, arbitrary: fc.record({ remove: fc.nat() }) },
  );
  assertVisiting(
    corners,
    ['equal hashes', 'removed from a chain that wraps'],
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const memory = allocatePart(slotIndexBytes(ENTRIES_MAX));
      const index = new SlotIndex(memory);
      const entries: { hash: number; slot: number }[] = [];
      let slot = 0;
      for (const one of steps) {
        if ('insert' in one) {
          if (entries.length >= ENTRIES_MAX) continue;
          slot++;
          if (entries.some((entry) => entry.hash === one.insert)) corners.add('equal hashes');
          index.insert(one.insert, slot);
          entries.push({ hash: one.insert, slot });
        } else if (entries.length > 0) {
          const [gone] = entries.splice(one.remove % entries.length, 1);
          if (index.slotAt(PLACES - 1) !== 0 && index.slotAt(0) !== 0)
            corners.add('removed from a chain that wraps');
          index.remove(gone!.hash, gone!.slot);
        }
        for (const known of new Set(entries.map((entry) => entry.hash))) {
          const slots = entries.filter((entry) => entry.hash === known).map((entry) => entry.slot);
          if (slotsOf(index, known).join() !== slots.sort((a, b) => a - b).join()) {
            expect(slotsOf(index, known)).toEqual(slots);
          }
        }
      }
      for (const entry of entries) index.remove(entry.hash, entry.slot);
      for (let place = 0; place < PLACES; place++) {
        if (index.slotAt(place) !== 0 || index.hashAt(place) !== 0)
          expect.unreachable(`place ${place} is left`);
      }
    }),
    { numRuns: 80 },
  );
});

test('an index that doubles, several times, keeps all its entries and gives them back', () => {
  const index = new SlotIndex(allocatePart(slotIndexBytes(8 * PLACES)));
  const hashOf = (slot: number) => Math.imul(slot % 5000, 0x9e37_79b1);
  const count = 6 * PLACES;
  const versions = new Set<number>();
  for (let slot = 1; slot <= count; slot++) {
    index.insert(hashOf(slot), slot);
    versions.add(index.settled());
  }
  expect(index.home(-1) + 1).toBe(16 * PLACES);
  expect(versions).not.toContain(-1);
  expect(versions.size).toBe(5);
  for (let slot = 1; slot <= count; slot += 7) {
    expect(slotsOf(index, hashOf(slot))).toContain(slot);
    index.remove(hashOf(slot), slot);
    expect(slotsOf(index, hashOf(slot))).not.toContain(slot);
  }
  for (let slot = 2; slot <= count; slot += 7) expect(slotsOf(index, hashOf(slot))).toContain(slot);
});

test('removing what is not there changes nothing', () => {
  const memory = allocatePart(slotIndexBytes(ENTRIES_MAX));
  const index = new SlotIndex(memory);
  index.insert(5, 1);
  index.insert(5, 2);
  const before = Buffer.from(memory).toString('hex');
  index.remove(5, 9);
  index.remove(6, 1);
  expect(Buffer.from(memory).toString('hex')).toBe(before);
});

test('two different strings of one hash stay two, interned and as ids of workflows', () => {
  for (const { a, b, hash: same } of collidingStrings()) {
    const [bytesA, bytesB] = [Buffer.from(a), Buffer.from(b)];
    expect(a).not.toBe(b);
    expect(hashBytes(bytesA, 0, bytesA.length)).toBe(hashBytes(bytesB, 0, bytesB.length));
    const view = (bytes: Buffer) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const names = new Names(allocatePart(4096), allocatePart(namesIndexBytes(16)));
    const refA = names.intern(view(bytesA), 0, bytesA.length, same);
    const refB = names.intern(view(bytesB), 0, bytesB.length, same);
    expect(refA).not.toBe(refB);
    expect([names.text(refA), names.text(refB)]).toEqual([a, b]);
    const workflows = new Workflows(allocatePart(WORKFLOW_BYTES * 8), allocatePart(slotIndexBytes(8)), names);
    const slotA = workflows.create(view(bytesA), 0, bytesA.length, same);
    const slotB = workflows.create(view(bytesB), 0, bytesB.length, same);
    const found = (bytes: Buffer) => workflows.find(view(bytes), 0, bytes.length, same);
    expect([found(bytesA), found(bytesB)]).toEqual([slotA, slotB]);
    expect(slotA).not.toBe(slotB);
    workflows.remove(slotA);
    expect([found(bytesA), found(bytesB)]).toEqual([0, slotB]);
    names.release(refA);
    expect(names.find(view(bytesA), 0, bytesA.length, same)).toBe(0);
    expect(names.find(view(bytesB), 0, bytesB.length, same)).toBe(refB);
  }
});
