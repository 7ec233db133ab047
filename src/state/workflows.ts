/**
 * Workflows: one slot for each run that is in memory, found by id in constant time, and linked by when an event last
 * touched it: the live ones and those that are over (recent) each in a list of their own.
 *
 *   words   0 lock · 1 hash · 2 id · 3 name · 4 project · 5 phase · 6 parent · 7 status · 8 flags · 9 older · 10 newer
 *           11 first task · 12 last task · 13 tasks held · 14 run · 15 tasks in all · 16…23 tasks by status
 *           24 oldest ended task · 25 newest ended task
 *   doubles 13 started · 14 ended · 15 touched · 16 duration sum · 17 tokens · 18…21 lines of start, request, end, error
 *   head    4 newest live · 5 oldest live · 6 live · 7 newest recent · 8 oldest recent · 9 recent
 *
 * Times are seconds since the epoch, NaN where unknown; lines are numbers of accepted lines, 0 where none: a text
 * (request, error) is not state, it is read from the log by the number of its line. Id and parent are blocks of their own,
 * name, project and phase are interned.
 */

import { WORKFLOW_BYTES } from './layout.js';
import type { Names } from './names.js';
import { SlotIndex } from './slot-index.js';
import { HEAD_OWN, type SlotFields, SlotTable } from './slot-table.js';

const LOCK = 0;
const HASH = 1;
export const WORKFLOW_ID = 2;
export const WORKFLOW_NAME = 3;
export const WORKFLOW_PROJECT = 4;
export const WORKFLOW_PHASE = 5;
export const WORKFLOW_PARENT = 6;
export const WORKFLOW_STATUS = 7;
export const WORKFLOW_FLAGS = 8;
const OLDER = 9;
const NEWER = 10;
export const WORKFLOW_TASK_FIRST = 11;
export const WORKFLOW_TASK_LAST = 12;
export const WORKFLOW_TASKS_HELD = 13;
export const WORKFLOW_RUN = 14;
export const WORKFLOW_TASKS_TOTAL = 15;
/** Plus the number of the status. */
export const WORKFLOW_TASKS_BY_STATUS = 16;
export const WORKFLOW_ENDED_OLDEST = 24;
export const WORKFLOW_ENDED_NEWEST = 25;

export const WORKFLOW_STARTED = 13;
export const WORKFLOW_ENDED = 14;
export const WORKFLOW_TOUCHED = 15;
export const WORKFLOW_REQUEST_LINE = 19;
export const WORKFLOW_ERROR_LINE = 21;

/** Came to life by an event that named it; no `workflow.start` was seen. */
export const FLAG_IMPLICIT = 1;
/** Over, and in the list of the recent ones. */
export const FLAG_OVER = 2;
/** Over because nothing touched it for too long, not because an event said so. */
export const FLAG_STALE = 4;
/** It has a name, project or phase for which the names had no room. */
export const FLAG_UNNAMED = 8;

export const WORKFLOW_FIELDS: SlotFields = {
  names: {
    [WORKFLOW_ID]: 'workflow',
    [WORKFLOW_NAME]: 'name',
    [WORKFLOW_PROJECT]: 'project',
    [WORKFLOW_PHASE]: 'phase',
    [WORKFLOW_PARENT]: 'parent',
  },
  places: [
    LOCK,
    HASH,
    OLDER,
    NEWER,
    WORKFLOW_TASK_FIRST,
    WORKFLOW_TASK_LAST,
    WORKFLOW_ENDED_OLDEST,
    WORKFLOW_ENDED_NEWEST,
  ],
  words: {
    [WORKFLOW_STATUS]: 'status',
    [WORKFLOW_FLAGS]: 'flags',
    [WORKFLOW_TASKS_HELD]: 'tasks held',
    [WORKFLOW_RUN]: 'run',
    [WORKFLOW_TASKS_TOTAL]: 'tasks in all',
  },
  doubles: {
    [WORKFLOW_STARTED]: 'started',
    [WORKFLOW_ENDED]: 'ended',
    [WORKFLOW_TOUCHED]: 'touched',
    [WORKFLOW_REQUEST_LINE]: 'line of the request',
    [WORKFLOW_ERROR_LINE]: 'line of the error',
  },
};

const FIND_TRIES = 1000;
const LIVE_LIST = HEAD_OWN;
const RECENT_LIST = HEAD_OWN + 3;
const NEWEST = 0;
const OLDEST = 1;
const LENGTH = 2;

export class Workflows {
  readonly table: SlotTable;
  readonly #index: SlotIndex;
  readonly #names: Names;

  constructor(memory: SharedArrayBuffer, index: SharedArrayBuffer, names: Names) {
    this.table = new SlotTable(memory, WORKFLOW_BYTES);
    this.#index = new SlotIndex(index);
    this.#names = names;
  }

  get live(): number {
    return this.table.words[LIVE_LIST + LENGTH]!;
  }

  get recent(): number {
    return this.table.words[RECENT_LIST + LENGTH]!;
  }

  /** The one that no event has touched for longest; 0: none. */
  get oldestLive(): number {
    return this.table.words[LIVE_LIST + OLDEST]!;
  }

  get oldestRecent(): number {
    return this.table.words[RECENT_LIST + OLDEST]!;
  }

  /** @returns the slot, or 0 */
  find(source: DataView, offset: number, length: number, hash: number): number {
    for (let place = this.#index.home(hash); ; place = this.#index.next(place)) {
      const slot = this.#index.slotAt(place);
      if (slot === 0) return 0;
      if (this.#index.hashAt(place) === hash) {
        const id = this.table.words[slot * this.table.slotWords + WORKFLOW_ID]!;
        if (id !== 0 && this.#names.equals(id, source, offset, length)) return slot;
      }
    }
  }

  /** For readers in another thread: looks again while entries of the index move, a bounded number of times. */
  findSettled(source: DataView, offset: number, length: number, hash: number): number {
    for (let tries = 0; ; tries++) {
      const version = this.#index.settled();
      const slot = this.find(source, offset, length, hash);
      if (slot !== 0 || tries === FIND_TRIES) return slot;
      if (version >= 0 && version === this.#index.settled()) return 0;
    }
  }

  /** A new live workflow, touched last; 0 if slots or names are used up. */
  create(source: DataView, offset: number, length: number, hash: number): number {
    const id = this.#names.store(source, offset, length, hash);
    if (id === 0) return 0;
    const slot = this.table.take();
    if (slot === 0) {
      this.#names.release(id, false);
      return 0;
    }
    this.table.lock(slot);
    const at = slot * this.table.slotWords;
    this.table.words[at + HASH] = hash;
    this.table.words[at + WORKFLOW_ID] = id;
    this.table.words[at + WORKFLOW_RUN] = 1;
    this.table.doubles[slot * this.table.slotDoubles + WORKFLOW_STARTED] = Number.NaN;
    this.table.doubles[slot * this.table.slotDoubles + WORKFLOW_ENDED] = Number.NaN;
    this.#link(slot, LIVE_LIST);
    this.table.unlock(slot);
    this.#index.insert(hash, slot);
    return slot;
  }

  /** Forgets it. Its tasks must have been forgotten before. */
  remove(slot: number): void {
    const words = this.table.words;
    const at = slot * this.table.slotWords;
    this.#unlink(slot, (words[at + WORKFLOW_FLAGS]! & FLAG_OVER) === 0 ? LIVE_LIST : RECENT_LIST);
    this.#index.remove(words[at + HASH]!, slot);
    const id = words[at + WORKFLOW_ID]!;
    const parent = words[at + WORKFLOW_PARENT]!;
    const interned = [words[at + WORKFLOW_NAME]!, words[at + WORKFLOW_PROJECT]!, words[at + WORKFLOW_PHASE]!];
    this.table.give(slot);
    this.#names.release(id, false);
    this.#names.release(parent, false);
    for (const ref of interned) this.#names.release(ref, true);
  }

  setTouched(slot: number, atSeconds: number): void {
    this.table.doubles[slot * this.table.slotDoubles + WORKFLOW_TOUCHED] = atSeconds;
  }

  /** Moves it to the front of its list. Needs no lock: times of touch and links of lists are the fold's own. */
  touch(slot: number, atSeconds: number): void {
    const words = this.table.words;
    this.setTouched(slot, atSeconds);
    const list =
      (words[slot * this.table.slotWords + WORKFLOW_FLAGS]! & FLAG_OVER) === 0 ? LIVE_LIST : RECENT_LIST;
    if (words[list + NEWEST] === slot) return;
    this.#unlink(slot, list);
    this.#link(slot, list);
  }

  /** Into the list of the recent ones, or back to life. Call inside the slot's lock. */
  setOver(slot: number, over: boolean): void {
    const at = slot * this.table.slotWords + WORKFLOW_FLAGS;
    const isOver = (this.table.words[at]! & FLAG_OVER) !== 0;
    if (isOver === over) return;
    this.#unlink(slot, isOver ? RECENT_LIST : LIVE_LIST);
    this.table.words[at]! ^= FLAG_OVER;
    this.#link(slot, over ? RECENT_LIST : LIVE_LIST);
  }

  get indexBytes(): number {
    return this.#index.usedBytes;
  }

  clear(): void {
    // Untouched memory stays so: zeros written over it would make it resident.
    if (this.table.top === 1) return;
    this.table.clear();
    this.#index.clear();
  }

  #link(slot: number, list: number): void {
    const words = this.table.words;
    const size = this.table.slotWords;
    const newest = words[list + NEWEST]!;
    words[slot * size + OLDER] = newest;
    words[slot * size + NEWER] = 0;
    if (newest !== 0) words[newest * size + NEWER] = slot;
    else words[list + OLDEST] = slot;
    words[list + NEWEST] = slot;
    words[list + LENGTH]! += 1;
  }

  #unlink(slot: number, list: number): void {
    const words = this.table.words;
    const size = this.table.slotWords;
    const older = words[slot * size + OLDER]!;
    const newer = words[slot * size + NEWER]!;
    if (older !== 0) words[older * size + NEWER] = newer;
    else words[list + OLDEST] = newer;
    if (newer !== 0) words[newer * size + OLDER] = older;
    else words[list + NEWEST] = older;
    words[list + LENGTH]! -= 1;
  }
}
