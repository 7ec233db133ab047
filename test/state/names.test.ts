/** The names against a Map: interned strings with their references, blocks of their own, and their reuse. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashBytes } from '../../src/model/hash.js';
import { allocatePart } from '../../src/model/memory.js';
import { Names, namesIndexBytes } from '../../src/state/names.js';
import { assertVisiting } from '../support/corners.js';

const HEAP_BYTES = 2 * 1024;
const NAMES = 32;

function freshNames(heapBytes = HEAP_BYTES, entries = NAMES) {
  const memory = allocatePart(heapBytes);
  const index = allocatePart(namesIndexBytes(entries));
  return { names: new Names(memory, index), memory, index };
}

/** The text at an odd offset of a larger memory, as it lies in the ring. */
function source(text: string): { view: DataView; length: number; hash: number } {
  const bytes = Buffer.from(text);
  const memory = new Uint8Array(bytes.length + 11);
  memory.fill(0xee);
  memory.set(bytes, 3);
  return {
    view: new DataView(memory.buffer, 3),
    length: bytes.length,
    hash: hashBytes(bytes, 0, bytes.length),
  };
}

/** Few different strings, so that they meet again; of all size classes. */
const text = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('a', 'b', 'agent', 'agent-1', 'agent-2', 'überlänge', '🙂', 'x'.repeat(256)),
  },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 256 }).map((length) => 'y'.repeat(length)) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }) },
);

type Step =
  | { readonly do: 'intern' | 'store' | 'find'; readonly text: string }
  | { readonly do: 'retain' | 'release'; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom('intern' as const, 'store' as const, 'find' as const), text }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('retain' as const, 'release' as const), which: fc.nat() }),
  },
);

interface Held {
  readonly ref: number;
  readonly text: string;
  readonly interned: boolean;
  count: number;
}

/** An interned string loses one reference, a stored one its block. */
function giveBack(names: Names, { ref, interned }: Held): void {
  if (interned) names.release(ref);
  else names.free(ref);
}

test('names hold what is interned and stored, one block for equal interned strings, and give all of it back', () => {
  const corners = new Set<string>();
  assertVisiting(
    corners,
    ['interned again', 'block used again', 'freed', 'full', 'heap full'],
    fc.property(fc.array(step, { maxLength: 250, size: 'max' }), (steps) => {
      const { names } = freshNames();
      const interned = new Map<string, Held>();
      const stored: Held[] = [];
      const everything = () => [...interned.values(), ...stored];
      for (const one of steps) {
        if ('text' in one) {
          const { view, length, hash } = source(one.text);
          const known = interned.get(one.text);
          if (one.do === 'find') {
            expect(names.find(view, 0, length, hash)).toBe(known?.ref ?? 0);
          } else if (one.do === 'store') {
            const ref = names.store(view, 0, length);
            if (ref === 0) corners.add('heap full');
            else stored.push({ ref, text: one.text, interned: false, count: 1 });
          } else {
            const before = names.heapBytes;
            const ref = names.intern(view, 0, length, hash);
            if (known !== undefined) {
              corners.add('interned again');
              expect(ref).toBe(known.ref);
              known.count++;
            } else if (ref === 0) {
              corners.add('full');
            } else {
              if (names.heapBytes === before) corners.add('block used again');
              interned.set(one.text, { ref, text: one.text, interned: true, count: 1 });
            }
          }
        } else {
          const held = everything()[one.which % Math.max(1, everything().length)];
          if (held === undefined) continue;
          if (one.do === 'retain') {
            if (!held.interned) continue;
            names.retain(held.ref);
            held.count++;
          } else {
            giveBack(names, held);
            held.count--;
            if (held.count === 0) {
              corners.add('freed');
              if (held.interned) interned.delete(held.text);
              else stored.splice(stored.indexOf(held), 1);
            }
          }
        }
        expect(names.blocks).toBe(everything().length);
      }
      const refs = everything().map(({ ref }) => ref);
      expect(new Set(refs).size).toBe(refs.length);
      for (const { ref, text: expected } of everything()) {
        expect(names.text(ref)).toBe(expected);
        const { view, length } = source(expected);
        expect(names.equals(ref, view, 0, length)).toBe(true);
        expect(names.lengthOf(ref)).toBe(length);
      }
      for (const held of everything()) for (; held.count > 0; held.count--) giveBack(names, held);
      expect(names.blocks).toBe(0);
      for (const { text: gone } of everything()) {
        const { view, length, hash } = source(gone);
        expect(names.find(view, 0, length, hash)).toBe(0);
      }
    }),
    { numRuns: 80 },
  );
});

test('a steady state takes no new room', () => {
  const { names } = freshNames(16 * 1024);
  let after = 0;
  for (let round = 0; round < 200; round++) {
    const refs = Array.from({ length: 20 }, (_, i) => {
      const { view, length, hash } = source(`name ${i} of round ${round} ${'.'.repeat(i * 7)}`);
      return names.intern(view, 0, length, hash);
    });
    expect(refs).not.toContain(0);
    for (const ref of refs) names.release(ref);
    // A number of one digit more may take the next size class, once.
    if (round === 100) after = names.heapBytes;
    if (round > 100) expect(names.heapBytes).toBe(after);
  }
  expect(names.blocks).toBe(0);
});

test('strings whose bytes differ in the last place, in length, or not at all', () => {
  const { names } = freshNames();
  for (let length = 1; length <= 40; length++) {
    const a = source('x'.repeat(length));
    const ref = names.store(a.view, 0, a.length);
    for (let at = 0; at < length; at++) {
      const other = source(`${'x'.repeat(at)}z${'x'.repeat(length - at - 1)}`);
      expect(names.equals(ref, other.view, 0, length)).toBe(false);
    }
    const longer = source('x'.repeat(length + 1));
    expect(names.equals(ref, longer.view, 0, length + 1)).toBe(false);
    expect(names.equals(ref, a.view, 0, length)).toBe(true);
    names.free(ref);
  }
});

test('clear leaves the memory as it was when it was new', () => {
  const { names, memory, index } = freshNames();
  // The version goes on: a reader that was looking must see that entries moved.
  const bytes = () => [Buffer.from(memory.slice(0)), Buffer.from(index.slice(0)).fill(0, 8, 12)];
  const fresh = bytes().map((one) => one.toString('hex'));
  for (const one of ['a', 'bb', 'ccc', 'd'.repeat(200)]) {
    const { view, length, hash } = source(one);
    names.intern(view, 0, length, hash);
    names.free(names.store(view, 0, length));
  }
  names.clear();
  expect(bytes().map((one) => one.toString('hex'))).toEqual(fresh);
});
