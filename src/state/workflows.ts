/**
 * Workflows: one slot for each run that is in memory, found by id in constant time, and linked by when an event last
 * touched it: the live ones and those that are over (recent) each in a list of their own. All of them, those of one
 * status, phase, project and parent are lists by entry (slot-list.ts).
 *
 *   words   0 lock · 1 hash · 2 id · 3 name · 4 project · 5 phase · 6 parent · 7 status · 8 flags · 9 older · 10 newer
 *           11 first task · 12 last task · 13 tasks held · 14 run · 15 tasks in all · 16…23 tasks by status
 *           24 oldest ended task · 25 newest ended task · 26, 27 links of all · 28, 29 of its status · 30, 31 of its phase
 *           32, 33 of its project · 34, 35 of its parent · 36 groups · 37 cover · 38 first share
 *           39 executions · 40 parallel ones · 41 completed ones · 42 groups with a duration · 43 unused
 *   doubles 22 started · 23 ended · 24 touched · 25 line of the request · 26 line of the error · 27…31 numbers of the entries
 *           in all, status, phase, project, parent · 32, 33 seconds of its tasks · 34, 35 tokens · 36, 37 speed-ups
 *           38 line that began what is in memory of the run
 *   head    4 newest live · 5 oldest live · 6 live · 7 newest recent · 8 oldest recent · 9 recent
 *           double 5: entries so far · 12 newest of all · 13 all · 14…29 heads by status
 *
 * Times are seconds since the epoch, NaN where unknown; lines are numbers of accepted lines, 0 where none: a text
 * (request, error) is not state, it is read from the log by the number of its line. The id is a block of its own, name,
 * project, phase and parent are interned. `groups` and `cover` are blocks of doubles (names.ts) of fold/groups.ts and
 * fold/cover.ts, `first share` begins a chain of state/shares.ts. The sums are pairs: sum and error of the sum.
 */

import type { ByteView, MemoryPart } from '../model/memory.js';
import { STATUS_RUNNING } from '../model/status.js';
import { LIST_PARENT, LIST_PHASE, LIST_PROJECT, type Names } from './names.js';
import { WORKFLOW_BYTES } from './slot-bytes.js';
import { SlotIndex } from './slot-index.js';
import { SlotList } from './slot-list.js';
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
const ALL_LINKS = 26;
const STATUS_LINKS = 28;
const PHASE_LINKS = 30;
const PROJECT_LINKS = 32;
const PARENT_LINKS = 34;
export const WORKFLOW_GROUPS = 36;
export const WORKFLOW_COVER = 37;
export const WORKFLOW_SHARE_FIRST = 38;
export const WORKFLOW_EXECUTIONS = 39;
export const WORKFLOW_PARALLEL = 40;
export const WORKFLOW_COMPLETED = 41;
export const WORKFLOW_GROUPS_MEASURED = 42;

export const WORKFLOW_STARTED = 22;
export const WORKFLOW_ENDED = 23;
export const WORKFLOW_TOUCHED = 24;
export const WORKFLOW_REQUEST_LINE = 25;
export const WORKFLOW_ERROR_LINE = 26;
const ALL_ENTRY = 27;
const STATUS_ENTRY = 28;
const PHASE_ENTRY = 29;
const PROJECT_ENTRY = 30;
const PARENT_ENTRY = 31;
/** This and the two below: the sum, and the error of the sum in the double after it. */
export const WORKFLOW_SECONDS = 32;
export const WORKFLOW_TOKENS = 34;
export const WORKFLOW_SPEEDUPS = 36;
export const WORKFLOW_FIRST_LINE = 38;

/** Came to life by an event that named it; no `workflow.start` was seen. */
export const FLAG_IMPLICIT = 1;
/** Over, and in the list of the recent ones. */
export const FLAG_OVER = 2;
/** Over because nothing touched it for too long, not because an event said so. */
export const FLAG_STALE = 4;
/** It has a name, project or phase for which the names had no room. */
export const FLAG_UNNAMED = 8;

export const WORKFLOW_FIELDS: SlotFields = {
  names: [
    [WORKFLOW_ID, 'workflow'],
    [WORKFLOW_NAME, 'name'],
    [WORKFLOW_PROJECT, 'project'],
    [WORKFLOW_PHASE, 'phase'],
    [WORKFLOW_PARENT, 'parent'],
  ],
  places: [
    LOCK,
    HASH,
    OLDER,
    NEWER,
    WORKFLOW_TASK_FIRST,
    WORKFLOW_TASK_LAST,
    WORKFLOW_ENDED_OLDEST,
    WORKFLOW_ENDED_NEWEST,
    WORKFLOW_GROUPS,
    WORKFLOW_COVER,
    WORKFLOW_SHARE_FIRST,
  ].concat([ALL_LINKS, STATUS_LINKS, PHASE_LINKS, PROJECT_LINKS, PARENT_LINKS].flatMap((at) => [at, at + 1])),
  words: [
    [WORKFLOW_STATUS, 'status'],
    [WORKFLOW_FLAGS, 'flags'],
    [WORKFLOW_TASKS_HELD, 'tasks held'],
    [WORKFLOW_RUN, 'run'],
    [WORKFLOW_TASKS_TOTAL, 'tasks in all'],
    [WORKFLOW_EXECUTIONS, 'executions'],
    [WORKFLOW_PARALLEL, 'parallel executions'],
    [WORKFLOW_COMPLETED, 'completed executions'],
    [WORKFLOW_GROUPS_MEASURED, 'groups with a duration'],
  ],
  doubles: [
    [WORKFLOW_STARTED, 'started'],
    [WORKFLOW_ENDED, 'ended'],
    [WORKFLOW_TOUCHED, 'touched'],
    [WORKFLOW_REQUEST_LINE, 'line of the request'],
    [WORKFLOW_ERROR_LINE, 'line of the error'],
    [ALL_ENTRY, 'entry'],
    [STATUS_ENTRY, 'entry of its status'],
    [PHASE_ENTRY, 'entry of its phase'],
    [PROJECT_ENTRY, 'entry of its project'],
    [PARENT_ENTRY, 'entry of its parent'],
    [WORKFLOW_SECONDS, 'seconds'],
    [WORKFLOW_SECONDS + 1, 'seconds error'],
    [WORKFLOW_TOKENS, 'tokens'],
    [WORKFLOW_TOKENS + 1, 'tokens error'],
    [WORKFLOW_SPEEDUPS, 'speed-ups'],
    [WORKFLOW_SPEEDUPS + 1, 'speed-ups error'],
    [WORKFLOW_FIRST_LINE, 'line of its first event'],
  ],
};

const FIND_TRIES = 1000;
const LIVE_LIST = HEAD_OWN;
const RECENT_LIST = HEAD_OWN + 3;
const NEWEST = 0;
const OLDEST = 1;
const LENGTH = 2;
const ENTRIES = 5; // in doubles
const ALL_HEAD = 12;
const STATUS_HEADS = 14;

/** A word that holds an interned string, and the list of the slots that hold the same. */
class NamedList {
  readonly word: i32;
  readonly list: i32;
  readonly slots: SlotList;

  constructor(word: i32, list: i32, slots: SlotList) {
    this.word = word;
    this.list = list;
    this.slots = slots;
  }
}

export class Workflows {
  readonly table: SlotTable;
  /** Every workflow in memory, in the order in which they came to life. */
  readonly all: SlotList;
  readonly byStatus: SlotList;
  readonly byPhase: NamedList;
  readonly byProject: NamedList;
  readonly byParent: NamedList;
  readonly #index: SlotIndex;
  readonly #names: Names;

  constructor(memory: MemoryPart, index: MemoryPart, names: Names) {
    const table = new SlotTable(memory, WORKFLOW_BYTES);
    this.table = table;
    this.#index = new SlotIndex(index);
    this.#names = names;
    this.all = new SlotList(table, ALL_LINKS, ALL_ENTRY);
    this.byStatus = new SlotList(table, STATUS_LINKS, STATUS_ENTRY);
    this.byPhase = new NamedList(WORKFLOW_PHASE, LIST_PHASE, new SlotList(table, PHASE_LINKS, PHASE_ENTRY));
    this.byProject = new NamedList(
      WORKFLOW_PROJECT,
      LIST_PROJECT,
      new SlotList(table, PROJECT_LINKS, PROJECT_ENTRY),
    );
    this.byParent = new NamedList(
      WORKFLOW_PARENT,
      LIST_PARENT,
      new SlotList(table, PARENT_LINKS, PARENT_ENTRY),
    );
  }

  get live(): i32 {
    return this.table.words[LIVE_LIST + LENGTH]!;
  }

  get recent(): i32 {
    return this.table.words[RECENT_LIST + LENGTH]!;
  }

  /** The one that no event has touched for longest; 0: none. */
  get oldestLive(): i32 {
    return this.table.words[LIVE_LIST + OLDEST]!;
  }

  get oldestRecent(): i32 {
    return this.table.words[RECENT_LIST + OLDEST]!;
  }

  /** The word, in the table's words, of the head of the list of all. */
  get allHead(): i32 {
    return ALL_HEAD;
  }

  statusHead(status: i32): i32 {
    return STATUS_HEADS + 2 * status;
  }

  /** @returns the slot, or 0 */
  find(source: ByteView, offset: i32, length: i32, hash: i32): i32 {
    const index = this.#index;
    let place = index.home(hash);
    let slot = index.slotAt(place);
    while (slot !== 0) {
      if (index.hashAt(place) === hash) {
        const id = this.table.words[slot * this.table.slotWords + WORKFLOW_ID]!;
        if (id !== 0 && this.#names.equals(id, source, offset, length)) return slot;
      }
      place = index.next(place);
      slot = index.slotAt(place);
    }
    return 0;
  }

  /** For readers in another thread: looks again while entries of the index move, a bounded number of times. */
  findSettled(source: ByteView, offset: i32, length: i32, hash: i32): i32 {
    for (let tries = 0; ; tries++) {
      const version = this.#index.settled();
      const slot = this.find(source, offset, length, hash);
      if (slot !== 0 || tries === FIND_TRIES) return slot;
      if (version >= 0 && version === this.#index.settled()) return 0;
    }
  }

  /** A new live workflow, running and touched last; 0 if slots or names are used up. */
  create(source: ByteView, offset: i32, length: i32, hash: i32): i32 {
    const id = this.#names.store(source, offset, length);
    if (id === 0) return 0;
    const slot = this.table.take();
    if (slot === 0) {
      this.#names.free(id);
      return 0;
    }
    const { words, doubles, slotWords, slotDoubles } = this.table;
    this.table.lock(slot);
    const at = slot * slotWords;
    words[at + HASH] = hash;
    words[at + WORKFLOW_ID] = id;
    words[at + WORKFLOW_RUN] = 1;
    words[at + WORKFLOW_STATUS] = STATUS_RUNNING;
    doubles[slot * slotDoubles + WORKFLOW_STARTED] = Number.NaN;
    doubles[slot * slotDoubles + WORKFLOW_ENDED] = Number.NaN;
    this.#link(slot, LIVE_LIST);
    this.all.enter(words, ALL_HEAD, slot, this.#nextEntry());
    this.byStatus.enter(words, this.statusHead(STATUS_RUNNING), slot, this.#nextEntry());
    this.table.unlock(slot);
    this.#index.insert(hash, slot);
    return slot;
  }

  /** Forgets it. What hangs on it (tasks, groups, cover, shares) must have been forgotten before. */
  remove(slot: i32): void {
    const words = this.table.words;
    const at = slot * this.table.slotWords;
    const id = words[at + WORKFLOW_ID]!;
    const name = words[at + WORKFLOW_NAME]!;
    this.#unlink(slot, (words[at + WORKFLOW_FLAGS]! & FLAG_OVER) === 0 ? LIVE_LIST : RECENT_LIST);
    this.#index.remove(words[at + HASH]!, slot);
    this.table.lock(slot);
    words[at + WORKFLOW_ID] = 0;
    this.all.leave(words, ALL_HEAD, slot);
    this.byStatus.leave(words, this.statusHead(words[at + WORKFLOW_STATUS]!), slot);
    this.setNamed(this.byPhase, slot, 0);
    this.setNamed(this.byProject, slot, 0);
    this.setNamed(this.byParent, slot, 0);
    this.table.unlock(slot);
    this.table.give(slot);
    this.#names.free(id);
    this.#names.release(name);
  }

  /** Call inside the slot's lock. */
  setStatus(slot: i32, status: i32): void {
    const words = this.table.words;
    const at = slot * this.table.slotWords + WORKFLOW_STATUS;
    const before = words[at]!;
    if (before === status) return;
    this.byStatus.leave(words, this.statusHead(before), slot);
    words[at] = status;
    this.byStatus.enter(words, this.statusHead(status), slot, this.#nextEntry());
  }

  /** Sets a phase, project or parent. Takes the reference over. Call inside the slot's lock. @param ref 0: none */
  setNamed(named: NamedList, slot: i32, ref: i32): void {
    const { word, list, slots } = named;
    const names = this.#names;
    const at = slot * this.table.slotWords + word;
    const before = this.table.words[at]!;
    if (before !== ref) {
      if (before !== 0) slots.leave(names.words, names.headOf(before, list), slot);
      this.table.words[at] = ref;
      if (ref !== 0) slots.enter(names.words, names.headOf(ref, list), slot, this.#nextEntry());
    }
    names.release(before);
  }

  setTouched(slot: i32, atSeconds: f64): void {
    this.table.doubles[slot * this.table.slotDoubles + WORKFLOW_TOUCHED] = atSeconds;
  }

  /** Moves it to the front of its list. Needs no lock: times of touch and links of lists are the fold's own. */
  touch(slot: i32, atSeconds: f64): void {
    const words = this.table.words;
    this.setTouched(slot, atSeconds);
    const list =
      (words[slot * this.table.slotWords + WORKFLOW_FLAGS]! & FLAG_OVER) === 0 ? LIVE_LIST : RECENT_LIST;
    if (words[list + NEWEST] === slot) return;
    this.#unlink(slot, list);
    this.#link(slot, list);
  }

  /** Into the list of the recent ones, or back to life. Call inside the slot's lock. */
  setOver(slot: i32, over: boolean): void {
    const at = slot * this.table.slotWords + WORKFLOW_FLAGS;
    const isOver = (this.table.words[at]! & FLAG_OVER) !== 0;
    if (isOver === over) return;
    this.#unlink(slot, isOver ? RECENT_LIST : LIVE_LIST);
    this.table.words[at]! ^= FLAG_OVER;
    this.#link(slot, over ? RECENT_LIST : LIVE_LIST);
  }

  get indexBytes(): f64 {
    return this.#index.usedBytes;
  }

  clear(): void {
    // Untouched memory stays so: zeros written over it would make it resident.
    if (this.table.top === 1) return;
    this.table.clear();
    this.#index.clear();
  }

  #nextEntry(): f64 {
    const doubles = this.table.doubles;
    doubles[ENTRIES]! += 1;
    return doubles[ENTRIES]!;
  }

  #link(slot: i32, list: i32): void {
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

  #unlink(slot: i32, list: i32): void {
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
