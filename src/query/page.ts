/** Pages of a list: how many entries a reply has, and the cursor with which the next one goes on. */

import { setImmediate as turn } from 'node:timers/promises';
import { type Entry, ListWalk, type WalkedList } from './list-walk.js';
import { Problem } from './problem.js';

export interface PageRequest {
  readonly limit: number;
  readonly cursor: Cursor | null;
}

/** Which list the walk is on, and the last entry that was met. */
export interface Cursor extends Entry {
  readonly list: string;
}

export interface Page<T> {
  readonly items: T[];
  readonly next: Entry | null;
}

/** A long walk lets other requests in between. */
const TURN_MS = 5;
const STEPS_BETWEEN_LOOKS = 256;

/** @throws Problem 400 */
export function parseCursor(text: string): Cursor {
  const match = /^([a-z]+)\.([0-9]{1,16})\.([0-9]{1,10})$/.exec(text);
  if (match === null) throw badCursor(text);
  return { list: match[1]!, number: Number(match[2]), slot: Number(match[3]) };
}

export function badCursor(text: string): Problem {
  return new Problem(
    400,
    'Bad parameter',
    `cursor must be the next_cursor of the same question, is ${JSON.stringify(text)}`,
  );
}

export function formatCursor(list: string, { number, slot }: Entry): string {
  return `${list}.${number}.${slot}`;
}

/**
 * @param read what is wanted of an entry, called under its slot's lock; null: it does not belong to the answer
 * @param belongs asked after that, and without the lock: for what takes too long to see in one piece
 */
export async function readPage<T>(
  list: WalkedList,
  limit: number,
  after: Entry | null,
  read: (slot: number) => T | null,
  belongs: (slot: number) => boolean = () => true,
): Promise<Page<T>> {
  const walk = new ListWalk(list, after, read);
  const items: T[] = [];
  let last = after;
  const pause = pauses();
  for (;;) {
    const item = walk.next();
    // The last one of a page is that before the next match, so that no page is empty but the first.
    if (item === undefined) {
      if (!walk.ended && last === null)
        throw new Problem(503, 'Not settled', 'the list changes too fast; ask again');
      return { items, next: walk.ended ? null : last };
    }
    if (item !== null && belongs(walk.last!.slot)) {
      if (items.length === limit) return { items, next: last };
      items.push(item);
    }
    last = walk.last;
    const paused = pause();
    if (paused !== null) await paused;
  }
}

/** Call the result at each step of a long work: it says what to wait for, now and then. */
export function pauses(): () => Promise<void> | null {
  let steps = 0;
  let sinceMs = performance.now();
  return () => {
    if (++steps % STEPS_BETWEEN_LOOKS !== 0 || performance.now() - sinceMs < TURN_MS) return null;
    return turn().then(() => {
      sinceMs = performance.now();
    });
  };
}
