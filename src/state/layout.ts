/**
 * The tables' shared memory. The fold alone writes it; queries read it from another thread, without a lock.
 *
 * Everything is a fixed-size slot in a SharedArrayBuffer that is as large as the limits allow. The system hands out its
 * pages on first touch and slots are taken from the bottom, so a small state costs little. A slot is read under a sequence
 * lock: its first word is odd while the fold changes it, and another number afterwards.
 *
 *   writer: store(seq, odd) · plain writes · store(seq, even)
 *   reader: load(seq), even? · plain reads · load(seq) the same? else again, a bounded number of times
 *
 * What a stale view can do: show the slot as it was before. It never shows half of a change.
 */

import { namesIndexBytes } from './names.js';
import { slotIndexBytes } from './slot-index.js';

export interface StateLimits {
  readonly maxLiveWorkflows: number;
  readonly maxRecentWorkflows: number;
  readonly maxTasksPerWorkflow: number;
  readonly maxTasks: number;
  readonly maxSeries: number;
  readonly namesBytes: number;
  readonly maxClients: number;
}

export interface TablesMemory {
  readonly limits: StateLimits;
  readonly board: SharedArrayBuffer;
  readonly names: SharedArrayBuffer;
  readonly namesIndex: SharedArrayBuffer;
  readonly workflows: SharedArrayBuffer;
  readonly workflowsIndex: SharedArrayBuffer;
  readonly tasks: SharedArrayBuffer;
  readonly tasksIndex: SharedArrayBuffer;
  readonly cells: SharedArrayBuffer;
  readonly cellsIndex: SharedArrayBuffer;
  readonly buckets: SharedArrayBuffer;
  readonly clients: SharedArrayBuffer;
}

/** All that the state consists of. */
export type TableName = Exclude<keyof TablesMemory, 'limits'>;

/** Cells beyond `max_series`, for the overflow of each metric. */
export const OVERFLOW_CELLS = 1024;
export const WORKFLOW_BYTES = 208;
export const TASK_BYTES = 112;
export const CELL_BYTES = 152;
/** A block of 32 counters, one octave of a histogram. */
export const BUCKETS_BYTES = 272;
export const CLIENT_BYTES = 304;
/**
 * Raise it with every change of what the bytes of a state mean that the sizes below do not show: the meaning of a word,
 * its place in a slot, the words that every state interns first. A checkpoint of another version is not read.
 */
export const STATE_VERSION = 1;
/** Bytes of a slot, a place or a word of each memory. */
export const STATE_LAYOUT: Readonly<Record<TableName, number>> = {
  board: 8,
  names: 16,
  namesIndex: 4,
  workflows: WORKFLOW_BYTES,
  workflowsIndex: 8,
  tasks: TASK_BYTES,
  tasksIndex: 8,
  cells: CELL_BYTES,
  cellsIndex: 8,
  buckets: BUCKETS_BYTES,
  clients: CLIENT_BYTES,
};

/** Typical cells spread over fewer octaves; one that needs more than are left counts on in its overflow. */
const OCTAVES_PER_CELL = 32;
const NAME_BYTES_TYPICAL = 48;
/** Room for the words that every state needs, and for some names beside them. */
const NAMES_BYTES_MIN = 80 * 1024;

export function workflowSlots(limits: StateLimits): number {
  return limits.maxLiveWorkflows + limits.maxRecentWorkflows + 2;
}

export function cellSlots(limits: StateLimits): number {
  return limits.maxSeries + OVERFLOW_CELLS + 1;
}

export function bucketBlocks(limits: StateLimits): number {
  return cellSlots(limits) * OCTAVES_PER_CELL;
}

function memoryOf(bytes: number): SharedArrayBuffer {
  return new SharedArrayBuffer(Math.ceil(bytes / 8) * 8);
}

function indexMemory(entries: number): SharedArrayBuffer {
  return memoryOf(slotIndexBytes(entries));
}

export function allocateTables(limits: StateLimits): TablesMemory {
  const namesBytes = Math.max(limits.namesBytes, NAMES_BYTES_MIN);
  return {
    limits,
    board: memoryOf(4096),
    names: memoryOf(namesBytes),
    namesIndex: memoryOf(namesIndexBytes(namesBytes / NAME_BYTES_TYPICAL)),
    workflows: memoryOf(workflowSlots(limits) * WORKFLOW_BYTES),
    workflowsIndex: indexMemory(workflowSlots(limits)),
    tasks: memoryOf((limits.maxTasks + 2) * TASK_BYTES),
    tasksIndex: indexMemory(limits.maxTasks + 2),
    cells: memoryOf(cellSlots(limits) * CELL_BYTES),
    cellsIndex: indexMemory(cellSlots(limits)),
    buckets: memoryOf(bucketBlocks(limits) * BUCKETS_BYTES),
    clients: memoryOf((limits.maxClients + 1) * CLIENT_BYTES),
  };
}
