/**
 * Shares: what the forgotten tasks of one agent in one workflow had come to, so that the agents of a workflow and their
 * seconds stay exact when its oldest tasks leave. Found in constant time, and chained from the workflow's slot.
 *
 *   0      4      8          12      16     20         24        32      40
 *   ┌──────┬──────┬──────────┬───────┬──────┬──────────┬─────────┬───────┐
 *   │ lock │ hash │ workflow │ agent │ next │ statuses │ seconds │ error │
 *   └──────┴──────┴──────────┴───────┴──────┴──────────┴─────────┴───────┘
 *
 * `statuses` has a bit for each status with which one of the tasks had ended. Seconds are a pair: sum and error of the sum.
 */

import { HASH_SEED, hashEnd, hashWord } from '../model/hash.js';
import type { MemoryPart } from '../model/memory.js';
import type { Names } from './names.js';
import { SHARE_BYTES } from './slot-bytes.js';
import { SlotIndex } from './slot-index.js';
import { type SlotFields, SlotTable } from './slot-table.js';
import { WORKFLOW_SHARE_FIRST, type Workflows } from './workflows.js';

const LOCK = 0;
const HASH = 1;
export const SHARE_WORKFLOW = 2;
export const SHARE_AGENT = 3;
export const SHARE_NEXT = 4;
export const SHARE_STATUSES = 5;
/** This and, in the double after it, the error of the sum. */
export const SHARE_SECONDS = 3;

export const SHARE_FIELDS: SlotFields = {
  names: [[SHARE_AGENT, 'agent']],
  places: [LOCK, HASH, SHARE_WORKFLOW, SHARE_NEXT],
  words: [[SHARE_STATUSES, 'statuses']],
  doubles: [
    [SHARE_SECONDS, 'seconds'],
    [SHARE_SECONDS + 1, 'seconds error'],
  ],
};

export class Shares {
  readonly table: SlotTable;
  readonly #index: SlotIndex;
  readonly #names: Names;
  readonly #workflows: Workflows;

  constructor(memory: MemoryPart, index: MemoryPart, names: Names, workflows: Workflows) {
    this.table = new SlotTable(memory, SHARE_BYTES);
    this.#index = new SlotIndex(index);
    this.#names = names;
    this.#workflows = workflows;
  }

  /** The share of an agent, which comes to life if it is not there; 0 if there is no room for it. */
  of(workflow: i32, agent: i32): i32 {
    const words = this.table.words;
    const hash = hashEnd(hashWord(hashWord(HASH_SEED, workflow), agent), 8);
    const index = this.#index;
    let place = index.home(hash);
    let slot = index.slotAt(place);
    while (slot !== 0) {
      const at = slot * this.table.slotWords;
      if (words[at + SHARE_WORKFLOW] === workflow && words[at + SHARE_AGENT] === agent) return slot;
      place = index.next(place);
      slot = index.slotAt(place);
    }
    return this.#create(workflow, agent, hash);
  }

  #create(workflow: i32, agent: i32, hash: i32): i32 {
    const slot = this.table.take();
    if (slot === 0) return 0;
    const words = this.table.words;
    const at = slot * this.table.slotWords;
    const home = this.#workflows.table;
    const first = workflow * home.slotWords + WORKFLOW_SHARE_FIRST;
    this.table.lock(slot);
    words[at + HASH] = hash;
    words[at + SHARE_WORKFLOW] = workflow;
    words[at + SHARE_AGENT] = agent;
    words[at + SHARE_NEXT] = home.words[first]!;
    this.table.unlock(slot);
    home.words[first] = slot;
    this.#names.retain(agent);
    this.#index.insert(hash, slot);
    return slot;
  }

  /** Forgets all shares of a workflow. */
  removeAll(workflow: i32): void {
    const words = this.table.words;
    const home = this.#workflows.table;
    const first = workflow * home.slotWords + WORKFLOW_SHARE_FIRST;
    let slot = home.words[first]!;
    home.words[first] = 0;
    while (slot !== 0) {
      const at = slot * this.table.slotWords;
      const next = words[at + SHARE_NEXT]!;
      const agent = words[at + SHARE_AGENT]!;
      this.#index.remove(words[at + HASH]!, slot);
      this.table.give(slot);
      this.#names.release(agent);
      slot = next;
    }
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
}
