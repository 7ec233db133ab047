/**
 * A walk along a list whose entries move at every moment at which the fold could move them: between any two of the
 * reads that the walk makes.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allocatePart } from '../../src/model/memory.js';
import { ListWalk, type WalkedList } from '../../src/query/list-walk.js';
import { SlotList } from '../../src/state/slot-list.js';
import { SlotTable } from '../../src/state/slot-table.js';
import { assertVisiting } from '../support/corners.js';

const SLOT_BYTES = 32;
const MEMBER = 1;
const LINKS = 2;
const NUMBER = 2; // in doubles

/** Slots that enter and leave one list, as the tables do it: at its front, as those of a status, or at its end. */
class Listed {
  readonly table = new SlotTable(allocatePart(SLOT_BYTES * 40), SLOT_BYTES);
  readonly heads = new Int32Array(2);
  readonly list = new SlotList(this.table, LINKS, NUMBER);
  readonly #order: -1 | 1;
  #number = 0;
  /** Of a list with order 1, as state/tasks.ts has them. */
  #first = 0;

  constructor(order: -1 | 1) {
    this.#order = order;
  }

  enter(slot: number): void {
    const { words, slotWords } = this.table;
    this.table.lock(slot);
    words[slot * slotWords + MEMBER] = 1;
    this.list.enter(this.heads, 0, slot, ++this.#number);
    if (this.list.older(slot) === 0) this.#first = slot;
    this.table.unlock(slot);
  }

  leave(slot: number): void {
    const { words, slotWords } = this.table;
    this.table.lock(slot);
    words[slot * slotWords + MEMBER] = 0;
    this.list.leave(this.heads, 0, slot);
    if (this.#first === slot) this.#first = this.#newer(slot);
    this.table.unlock(slot);
  }

  has(slot: number): boolean {
    return this.table.words[slot * this.table.slotWords + MEMBER] === 1;
  }

  /** A list at whose end slots enter is one at whose front they do, seen from the other side. */
  #newer(slot: number): number {
    return this.table.words[slot * this.table.slotWords + LINKS + 1]!;
  }

  /** @param between called before every read of shared memory */
  walked(between: () => void): WalkedList {
    const { table, list, heads } = this;
    const after = <T>(read: () => T): T => {
      between();
      return read();
    };
    const falls = this.#order === -1;
    return {
      table: { version: (slot) => after(() => table.version(slot)), top: table.top },
      order: this.#order,
      first: () => after(() => (falls ? list.newest(heads, 0) : this.#first)),
      next: (slot) => after(() => (falls ? list.older(slot) : this.#newer(slot))),
      has: (slot) => after(() => this.has(slot)),
      number: (slot) => after(() => list.number(slot)),
    };
  }
}

test.each([
  ['at whose front', -1],
  ['at whose end', 1],
] as const)(
  'in a list %s slots enter, what stays is met exactly once and in order, whatever moves between two reads of a walk',
  (_, order) => {
    const corners = new Set<string>();
    const moves = fc.array(fc.tuple(fc.nat(6), fc.integer({ min: 1, max: 30 }), fc.boolean()), {
      maxLength: 300,
      size: 'max',
    });
    assertVisiting(
      corners,
      ['entered', 'left', 'much of both'],
      fc.property(moves, fc.nat(30), (given, entered) => {
        const listed = new Listed(order);
        for (let slot = 1; slot <= 30; slot++) listed.table.take();
        for (let slot = 1; slot <= entered; slot++) listed.enter(slot);
        const stayed = new Set(Array.from({ length: entered }, (_, i) => i + 1));
        const left = [...given];
        let reads = 0;
        const between = () => {
          const [every, slot, bounces] = left[0] ?? [Number.POSITIVE_INFINITY, 0, false];
          if (++reads <= every) return;
          reads = 0;
          left.shift();
          stayed.delete(slot);
          if (listed.has(slot)) listed.leave(slot);
          else listed.enter(slot);
          // Out and in again between two reads: nothing but its number tells.
          if (bounces && !listed.has(slot)) listed.enter(slot);
          corners.add(listed.has(slot) ? 'entered' : 'left');
        };
        const walk = new ListWalk(listed.walked(between), null, (slot) => slot);
        const met: number[] = [];
        for (let slot = walk.next(); slot !== undefined; slot = walk.next()) met.push(slot!);
        expect(walk.ended).toBe(true);
        const expected = [...stayed].sort((a, b) => (a - b) * order);
        expect(met.filter((slot) => stayed.has(slot))).toEqual(expected);
        if (expected.length > 5 && given.length - left.length > 20) corners.add('much of both');
      }),
      { numRuns: 600 },
    );
  },
);

test('a list whose head never stands still ends the walk early, and says so', () => {
  const listed = new Listed(-1);
  for (let slot = 1; slot <= 3; slot++) {
    listed.table.take();
    listed.enter(slot);
  }
  let turn = 0;
  const restless = listed.walked(() => {
    const oldest = (turn++ % 3) + 1;
    listed.leave(oldest);
    listed.enter(oldest);
  });
  const walk = new ListWalk(restless, null, (slot) => slot);
  expect(walk.next()).toBeUndefined();
  expect(walk.ended).toBe(false);
});
