/**
 * The sums of the performance report, so that it costs a walk over some rows, and not one over all tasks there ever were. A row
 * for each project and agent that has ended a task in it, and one for each project (agent 0) for what belongs to no agent.
 * All numbers are sums, so rows of one kind add up to those of several projects, or of a time.
 *
 *   0      4      8         12      16           24         32          40        56       72       80         96       112
 *   ┌──────┬──────┬─────────┬───────┬────────────┬──────────┬───────────┬─────────┬────────┬────────┬──────────┬────────┬───────┐
 *   │ lock │ hash │ project │ agent │ executions │ parallel │ completed │ seconds │ tokens │ groups │ speed-up │ busy   │ cover │
 *   └──────┴──────┴─────────┴───────┴────────────┴──────────┴───────────┴─────────┴────────┴────────┴──────────┴────────┴───────┘
 *                                    of an agent: f64, seconds and tokens with their errors  of a project: sums with their errors
 *
 *   128                                                              240
 *   ┌────────────────────────────────────────────────────────────────┐
 *   │ the same from `executions` on, of the hour that is open alone  │
 *   └────────────────────────────────────────────────────────────────┘
 *
 * Project and agent are interned names, of which the row has a reference; 0: none. Row 1 takes what finds no row of its own.
 * The fold alone writes, under the locks of the slots; a row is never given back.
 */

import { HASH_SEED, hashEnd, hashWord } from '../model/hash.js';
import type { MemoryPart } from '../model/memory.js';
import type { Names } from './names.js';
import { REPORT_BYTES } from './slot-bytes.js';
import { SlotIndex } from './slot-index.js';
import { type SlotFields, SlotTable } from './slot-table.js';

const LOCK = 0;
const HASH = 1;
export const REPORT_PROJECT = 2;
export const REPORT_AGENT = 3;

export const REPORT_EXECUTIONS = 2;
export const REPORT_PARALLEL = 3;
export const REPORT_COMPLETED = 4;
/** Here and below, but for the count of groups: a sum and its error. */
export const REPORT_SECONDS = 5;
export const REPORT_TOKENS = 7;
export const REPORT_GROUPS = 9;
export const REPORT_SPEEDUPS = 10;
/** Of workflows that are over: the sum of their tasks' durations, and the length of the union of these. */
export const REPORT_BUSY_SECONDS = 12;
export const REPORT_COVERED_SECONDS = 14;

/** The sums of the hour that is open lie so many doubles behind those over all time (fold/hours.ts). */
export const REPORT_HOUR = 14;
/** Of either. */
export const REPORT_SUMS = 14;

export const REST_ROW = 1;

export const REPORT_FIELDS: SlotFields = {
  names: [
    [REPORT_PROJECT, 'project'],
    [REPORT_AGENT, 'agent'],
  ],
  places: [LOCK, HASH],
  words: [],
  doubles: [
    [REPORT_EXECUTIONS, 'executions'],
    [REPORT_PARALLEL, 'parallel executions'],
    [REPORT_COMPLETED, 'completed executions'],
    [REPORT_SECONDS, 'seconds'],
    [REPORT_SECONDS + 1, 'seconds error'],
    [REPORT_TOKENS, 'tokens'],
    [REPORT_TOKENS + 1, 'tokens error'],
    [REPORT_GROUPS, 'groups'],
    [REPORT_SPEEDUPS, 'speed-ups'],
    [REPORT_SPEEDUPS + 1, 'speed-ups error'],
    [REPORT_BUSY_SECONDS, 'busy seconds'],
    [REPORT_BUSY_SECONDS + 1, 'busy seconds error'],
    [REPORT_COVERED_SECONDS, 'covered seconds'],
    [REPORT_COVERED_SECONDS + 1, 'covered seconds error'],
    [REPORT_EXECUTIONS + REPORT_HOUR, 'executions of the hour'],
  ],
};

export class Reports {
  readonly table: SlotTable;
  readonly #index: SlotIndex;
  readonly #names: Names;

  constructor(memory: MemoryPart, index: MemoryPart, names: Names) {
    this.table = new SlotTable(memory, REPORT_BYTES);
    this.#index = new SlotIndex(index);
    this.#names = names;
  }

  /** The row, which comes to life if it is not there; that of the rest where no room is left. */
  row(project: i32, agent: i32): i32 {
    const words = this.table.words;
    const hash = hashEnd(hashWord(hashWord(HASH_SEED, project), agent), 8);
    for (let place = this.#index.home(hash); ; place = this.#index.next(place)) {
      const row = this.#index.slotAt(place);
      if (row === 0) break;
      const at = row * this.table.slotWords;
      if (words[at + REPORT_PROJECT] === project && words[at + REPORT_AGENT] === agent) return row;
    }
    const row = this.table.take();
    if (row === 0) return REST_ROW;
    const at = row * this.table.slotWords;
    this.table.lock(row);
    words[at + HASH] = hash;
    words[at + REPORT_PROJECT] = project;
    words[at + REPORT_AGENT] = agent;
    this.table.unlock(row);
    this.#names.retain(project);
    this.#names.retain(agent);
    this.#index.insert(hash, row);
    return row;
  }

  /** Makes the row of the rest, where there is none yet. */
  prepare(): void {
    if (this.table.top === REST_ROW) this.table.take();
  }

  /** Whether something found no row of its own. */
  get overflowed(): boolean {
    const at = REST_ROW * this.table.slotDoubles;
    const { doubles } = this.table;
    return (
      doubles[at + REPORT_EXECUTIONS]! + doubles[at + REPORT_GROUPS]! + doubles[at + REPORT_BUSY_SECONDS]! > 0
    );
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
