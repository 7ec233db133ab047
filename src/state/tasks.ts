/**
 * Tasks: one slot for each (workflow, agent, task), found in constant time, and linked in the order of their first event
 * within their workflow. Those that have ended are linked once more, oldest first, since they are forgotten first. Those of
 * one agent and those of one status are lists by entry (slot-list.ts). A slot is two cache lines: words, then doubles.
 *
 *   words   0 lock · 1 hash · 2 workflow · 3 agent · 4 kind · 5 id · 6 status · 7 flags · 8 previous · 9 next
 *           10 older ended · 11 newer ended · 12, 13 links of its agent · 14, 15 of its status
 *   doubles 8 started · 9 ended · 10 duration · 11 tokens · 12 line of the description · 13 line of its status
 *           14 line of its first event · 15 seconds of executions before this one
 *   head    4, 5 first and last task of no workflow · 6, 7 oldest and newest ended one · 8 held · 9 running, in all
 *           10…25 heads by status
 *
 * Times and durations are seconds, NaN where unknown. The id is a block of its own, agent and kind are interned. A line of
 * the log is the first event of one task at most, and gives one task a status, so the lines number the entries of the
 * lists: that of the first event the entry of its workflow's and its agent's, that of its status the one there.
 */

import { HASH_SEED, hashEnd, hashWord } from '../model/hash.js';
import type { ByteView, MemoryPart } from '../model/memory.js';
import { STATUS_RUNNING } from '../model/status.js';
import { LIST_AGENT, type Names } from './names.js';
import { TASK_BYTES } from './slot-bytes.js';
import { SlotIndex } from './slot-index.js';
import { SlotList } from './slot-list.js';
import { HEAD_OWN, type SlotFields, SlotTable } from './slot-table.js';
import {
  WORKFLOW_ENDED_NEWEST,
  WORKFLOW_ENDED_OLDEST,
  WORKFLOW_TASK_FIRST,
  WORKFLOW_TASK_LAST,
  WORKFLOW_TASKS_HELD,
  type Workflows,
} from './workflows.js';

const LOCK = 0;
const FIND_TRIES = 1000;
const HASH = 1;
export const TASK_WORKFLOW = 2;
export const TASK_AGENT = 3;
export const TASK_KIND = 4;
export const TASK_ID = 5;
export const TASK_STATUS = 6;
export const TASK_FLAGS = 7;
const PREVIOUS = 8;
export const TASK_NEXT = 9;
const OLDER_ENDED = 10;
const NEWER_ENDED = 11;
const AGENT_LINKS = 12;
const STATUS_LINKS = 14;

export const TASK_STARTED = 8;
export const TASK_ENDED = 9;
export const TASK_DURATION = 10;
export const TASK_TOKENS = 11;
/** Of the start that brought a description; 0: none did. */
export const TASK_DESCRIPTION_LINE = 12;
/** Of the event that gave it its status. */
export const TASK_STATUS_LINE = 13;
export const TASK_FIRST_LINE = 14;
/** Durations of executions under the same id that a new one has replaced. */
export const TASK_SECONDS_BEFORE = 15;

/** `parallel` was said, and its value. */
export const FLAG_PARALLEL_KNOWN = 1;
export const FLAG_PARALLEL = 2;
/** The end brought a duration of its own, or had one by its start. */
export const FLAG_MEASURED = 4;
/** It has a kind for which the names had no room. */
export const FLAG_UNNAMED = 8;
/** The line of its end brings an output or an error. */
export const FLAG_END_TEXTS = 16;
/** An execution under the same id has ended before this one. */
export const FLAG_REPEATED = 32;

export const TASK_FIELDS: SlotFields = {
  names: [
    [TASK_ID, 'task'],
    [TASK_AGENT, 'agent'],
    [TASK_KIND, 'kind'],
  ],
  places: [
    LOCK,
    HASH,
    TASK_WORKFLOW,
    PREVIOUS,
    TASK_NEXT,
    OLDER_ENDED,
    NEWER_ENDED,
    AGENT_LINKS,
    AGENT_LINKS + 1,
    STATUS_LINKS,
    STATUS_LINKS + 1,
  ],
  words: [
    [TASK_STATUS, 'status'],
    [TASK_FLAGS, 'flags'],
  ],
  doubles: [
    [TASK_STARTED, 'started'],
    [TASK_ENDED, 'ended'],
    [TASK_DURATION, 'duration'],
    [TASK_TOKENS, 'tokens'],
    [TASK_DESCRIPTION_LINE, 'line of the description'],
    [TASK_STATUS_LINE, 'line of the status'],
    [TASK_FIRST_LINE, 'line of the first event'],
    [TASK_SECONDS_BEFORE, 'seconds before'],
  ],
};

const LOOSE_FIRST = HEAD_OWN;
const LOOSE_LAST = HEAD_OWN + 1;
const LOOSE_ENDED_OLDEST = HEAD_OWN + 2;
const LOOSE_ENDED_NEWEST = HEAD_OWN + 3;
const LOOSE_HELD = HEAD_OWN + 4;
const RUNNING = HEAD_OWN + 5;
const STATUS_HEADS = HEAD_OWN + 6;

export class Tasks {
  readonly table: SlotTable;
  readonly byAgent: SlotList;
  readonly byStatus: SlotList;
  readonly #index: SlotIndex;
  readonly #names: Names;
  readonly #workflows: Workflows;

  constructor(memory: MemoryPart, index: MemoryPart, names: Names, workflows: Workflows) {
    const table = new SlotTable(memory, TASK_BYTES);
    this.table = table;
    this.byAgent = new SlotList(table, AGENT_LINKS, TASK_FIRST_LINE);
    this.byStatus = new SlotList(table, STATUS_LINKS, TASK_STATUS_LINE);
    this.#index = new SlotIndex(index);
    this.#names = names;
    this.#workflows = workflows;
  }

  /** Slots in use. */
  get used(): i32 {
    return this.table.used;
  }

  /** Tasks whose status is running, of all workflows and of none. */
  get running(): i32 {
    return this.table.words[RUNNING]!;
  }

  /** The word, in the table's words, of the head of the list of a status. */
  statusHead(status: i32): i32 {
    return STATUS_HEADS + 2 * status;
  }

  keyHash(workflow: i32, agent: i32, idHash: i32): i32 {
    return hashEnd(hashWord(hashWord(HASH_SEED, workflow), agent), idHash);
  }

  /** @param agent the interned name @returns the slot, or 0 */
  find(workflow: i32, agent: i32, source: ByteView, offset: i32, length: i32, hash: i32): i32 {
    const key = this.keyHash(workflow, agent, hash);
    const words = this.table.words;
    const index = this.#index;
    let place = index.home(key);
    let slot = index.slotAt(place);
    while (slot !== 0) {
      if (index.hashAt(place) === key) {
        const at = slot * this.table.slotWords;
        const isSame = words[at + TASK_WORKFLOW] === workflow && words[at + TASK_AGENT] === agent;
        if (isSame && this.#names.equals(words[at + TASK_ID]!, source, offset, length)) return slot;
      }
      place = index.next(place);
      slot = index.slotAt(place);
    }
    return 0;
  }

  /** For readers in another thread: looks again while entries of the index move, a bounded number of times. */
  findSettled(workflow: i32, agent: i32, source: ByteView, offset: i32, length: i32, hash: i32): i32 {
    for (let tries = 0; ; tries++) {
      const version = this.#index.settled();
      const slot = this.find(workflow, agent, source, offset, length, hash);
      if (slot !== 0 || tries === FIND_TRIES) return slot;
      if (version >= 0 && version === this.#index.settled()) return 0;
    }
  }

  /** A new task, running; 0 if slots or names are used up. Takes a reference to `agent`. @param line of its first event */
  create(workflow: i32, agent: i32, source: ByteView, offset: i32, length: i32, hash: i32, line: f64): i32 {
    const names = this.#names;
    const id = names.store(source, offset, length);
    if (id === 0) return 0;
    const slot = this.table.take();
    if (slot === 0) {
      names.free(id);
      return 0;
    }
    const key = this.keyHash(workflow, agent, hash);
    const at = slot * this.table.slotWords;
    const words = this.table.words;
    this.table.lock(slot);
    words[at + HASH] = key;
    words[at + TASK_WORKFLOW] = workflow;
    words[at + TASK_AGENT] = agent;
    words[at + TASK_ID] = id;
    words[at + TASK_STATUS] = STATUS_RUNNING;
    words[RUNNING]! += 1;
    this.forgetTimes(slot);
    this.#append(slot, workflow);
    this.byAgent.enter(names.words, names.headOf(agent, LIST_AGENT), slot, line);
    this.byStatus.enter(words, this.statusHead(STATUS_RUNNING), slot, line);
    this.table.unlock(slot);
    names.retain(agent);
    this.#index.insert(key, slot);
    return slot;
  }

  /** Times, duration and tokens are unknown. Call inside the slot's lock. */
  forgetTimes(slot: i32): void {
    const { doubles } = this.table;
    const at = slot * this.table.slotDoubles;
    doubles[at + TASK_STARTED] = Number.NaN;
    doubles[at + TASK_ENDED] = Number.NaN;
    doubles[at + TASK_DURATION] = Number.NaN;
    doubles[at + TASK_TOKENS] = Number.NaN;
  }

  /** Sets the status, and keeps the lists and the count of running ones. Call inside the slot's lock. @param line of the event */
  setStatus(slot: i32, status: i32, line: f64): void {
    const words = this.table.words;
    const at = slot * this.table.slotWords + TASK_STATUS;
    const before = words[at]!;
    if (before === status) return;
    this.byStatus.leave(words, this.statusHead(before), slot);
    words[at] = status;
    this.byStatus.enter(words, this.statusHead(status), slot, line);
    if (before === STATUS_RUNNING) {
      words[RUNNING]! -= 1;
      this.#linkEnded(slot);
    } else if (status === STATUS_RUNNING) {
      words[RUNNING]! += 1;
      this.#unlinkEnded(slot);
    }
  }

  /** Of a workflow, or of none with 0. */
  first(workflow: i32): i32 {
    if (workflow === 0) return this.table.words[LOOSE_FIRST]!;
    return this.#workflows.table.words[workflow * this.#workflows.table.slotWords + WORKFLOW_TASK_FIRST]!;
  }

  next(slot: i32): i32 {
    return this.table.words[slot * this.table.slotWords + TASK_NEXT]!;
  }

  held(workflow: i32): i32 {
    if (workflow === 0) return this.table.words[LOOSE_HELD]!;
    return this.#workflows.table.words[workflow * this.#workflows.table.slotWords + WORKFLOW_TASKS_HELD]!;
  }

  /** The task of a workflow that ended first; 0: none has. */
  oldestEnded(workflow: i32): i32 {
    if (workflow === 0) return this.table.words[LOOSE_ENDED_OLDEST]!;
    return this.#workflows.table.words[workflow * this.#workflows.table.slotWords + WORKFLOW_ENDED_OLDEST]!;
  }

  remove(slot: i32): void {
    const names = this.#names;
    const words = this.table.words;
    const at = slot * this.table.slotWords;
    const workflow = words[at + TASK_WORKFLOW]!;
    const id = words[at + TASK_ID]!;
    const agent = words[at + TASK_AGENT]!;
    const kind = words[at + TASK_KIND]!;
    const status = words[at + TASK_STATUS]!;
    if (status === STATUS_RUNNING) words[RUNNING]! -= 1;
    else this.#unlinkEnded(slot);
    this.#index.remove(words[at + HASH]!, slot);
    this.table.lock(slot);
    words[at + TASK_ID] = 0;
    this.#detach(slot, workflow);
    this.byAgent.leave(names.words, names.headOf(agent, LIST_AGENT), slot);
    this.byStatus.leave(words, this.statusHead(status), slot);
    this.table.unlock(slot);
    this.table.give(slot);
    names.free(id);
    names.release(agent);
    names.release(kind);
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

  #append(slot: i32, workflow: i32): void {
    const words = this.table.words;
    const size = this.table.slotWords;
    const home = workflow === 0 ? words : this.#workflows.table.words;
    const base = workflow * this.#workflows.table.slotWords;
    const firstAt = workflow === 0 ? LOOSE_FIRST : base + WORKFLOW_TASK_FIRST;
    const lastAt = workflow === 0 ? LOOSE_LAST : base + WORKFLOW_TASK_LAST;
    const last = home[lastAt]!;
    words[slot * size + PREVIOUS] = last;
    if (last !== 0) words[last * size + TASK_NEXT] = slot;
    else home[firstAt] = slot;
    home[lastAt] = slot;
    home[workflow === 0 ? LOOSE_HELD : base + WORKFLOW_TASKS_HELD]! += 1;
  }

  #detach(slot: i32, workflow: i32): void {
    const words = this.table.words;
    const size = this.table.slotWords;
    const home = workflow === 0 ? words : this.#workflows.table.words;
    const base = workflow * this.#workflows.table.slotWords;
    const previous = words[slot * size + PREVIOUS]!;
    const next = words[slot * size + TASK_NEXT]!;
    if (previous !== 0) words[previous * size + TASK_NEXT] = next;
    else home[workflow === 0 ? LOOSE_FIRST : base + WORKFLOW_TASK_FIRST] = next;
    if (next !== 0) words[next * size + PREVIOUS] = previous;
    else home[workflow === 0 ? LOOSE_LAST : base + WORKFLOW_TASK_LAST] = previous;
    home[workflow === 0 ? LOOSE_HELD : base + WORKFLOW_TASKS_HELD]! -= 1;
  }

  #linkEnded(slot: i32): void {
    const words = this.table.words;
    const size = this.table.slotWords;
    const workflow = words[slot * size + TASK_WORKFLOW]!;
    const home = workflow === 0 ? words : this.#workflows.table.words;
    const base = workflow * this.#workflows.table.slotWords;
    const oldestAt = workflow === 0 ? LOOSE_ENDED_OLDEST : base + WORKFLOW_ENDED_OLDEST;
    const newestAt = workflow === 0 ? LOOSE_ENDED_NEWEST : base + WORKFLOW_ENDED_NEWEST;
    const newest = home[newestAt]!;
    words[slot * size + OLDER_ENDED] = newest;
    words[slot * size + NEWER_ENDED] = 0;
    if (newest !== 0) words[newest * size + NEWER_ENDED] = slot;
    else home[oldestAt] = slot;
    home[newestAt] = slot;
  }

  #unlinkEnded(slot: i32): void {
    const words = this.table.words;
    const size = this.table.slotWords;
    const workflow = words[slot * size + TASK_WORKFLOW]!;
    const home = workflow === 0 ? words : this.#workflows.table.words;
    const base = workflow * this.#workflows.table.slotWords;
    const oldestAt = workflow === 0 ? LOOSE_ENDED_OLDEST : base + WORKFLOW_ENDED_OLDEST;
    const newestAt = workflow === 0 ? LOOSE_ENDED_NEWEST : base + WORKFLOW_ENDED_NEWEST;
    const older = words[slot * size + OLDER_ENDED]!;
    const newer = words[slot * size + NEWER_ENDED]!;
    if (older !== 0) words[older * size + NEWER_ENDED] = newer;
    else home[oldestAt] = newer;
    if (newer !== 0) words[newer * size + OLDER_ENDED] = older;
    else home[newestAt] = older;
  }
}
