/**
 * Events into state by the compiled fold: `Events` as WebAssembly, on the same tables (fold/wasm/README.md). This is the side of
 * the host: it says where the tables lie, and brings it the bytes of names that lie elsewhere.
 *
 * The module's own part of the linear memory, from address 0 on:
 *
 *   ┌───────────────────────┬───────┬───────┬───────┬─────────┬────────┐
 *   │ constants and objects │ event │ spans │ lines │ scratch │ arrays │
 *   └───────────────────────┴───────┴───────┴───────┴─────────┴────────┘
 *     MODULE_BYTES           EVENT_   SPANS_  LINES_  half the  its own, and room for the
 *                            BYTES    BYTES   BYTES   largest   intervals of the longest
 *                                                     index     workflow
 *
 * One instance works on a memory at a time: a new one begins with all of it but the tables.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { DecodedEvent, EVENT_BYTES, FIELD_COUNT, SCRATCH_OFFSET } from '../decode/decoded-event.js';
import type { Decoder } from '../decode/decoder.js';
import { NAME_BYTES_MAX, TAGS_MAX } from '../model/event.js';
import { type Allocate, aligned, type LinearMemory, layOut } from '../model/linear-memory.js';
import { allocatePart, type MemoryPart } from '../model/memory.js';
import {
  allocateTables,
  cellSlots,
  namesHeapBytes,
  reportRows,
  type StateLimits,
  shareSlots,
  type TableName,
  type TablesMemory,
  tableBounds,
  taskSlots,
  workflowSlots,
} from '../state/layout.js';
import { namesIndexBytes } from '../state/names.js';
import { slotIndexBytes } from '../state/slot-index.js';
import type { Tables } from '../state/tables.js';

/** In the order of the module's `Tables`. */
const PARTS: readonly TableName[] = [
  'board',
  'names',
  'namesIndex',
  'workflows',
  'workflowsIndex',
  'tasks',
  'tasksIndex',
  'shares',
  'sharesIndex',
  'cells',
  'cellsIndex',
  'buckets',
  'hourBuckets',
  'windowBuckets',
  'windowBlocks',
  'reports',
  'reportsIndex',
];

const MODULE_BYTES = 1024 * 1024;
/** The longest name is longer, and refused; the names of all fields and tags of one event are not. */
const SPANS_BYTES = (FIELD_COUNT + 2 * TAGS_MAX) * NAME_BYTES_MAX;
/** A frame of the log, in nearly all cases. */
const LINES_BYTES = 2 * 1024 * 1024;
const ARRAYS_BYTES_MIN = 1024 * 1024;
/** Two numbers for a task, and those of all smaller arrays that a growing one has left behind. */
const ARRAY_BYTES_PER_TASK = 4 * 2 * 8;

const EVENT_AT = MODULE_BYTES;
const SPANS_AT = EVENT_AT + aligned(EVENT_BYTES);
const LINES_AT = SPANS_AT + aligned(SPANS_BYTES);
const SCRATCH_AT = LINES_AT + LINES_BYTES;

interface Exports {
  readonly heapEnd: () => number;
  readonly setPart: (which: number, base: number, bytes: number) => void;
  readonly begin: (event: number, spans: number) => void;
  readonly setLimits: (
    namesBytes: number,
    shareSlots: number,
    bucketBlocks: number,
    windowBucketBlocks: number,
    windowBlocksBytes: number,
    reportSlots: number,
  ) => void;
  readonly forgetRecent: () => void;
  readonly attach: (base: number, bytes: number) => void;
  readonly apply: (code: number, line: number, arrivedUs: number) => void;
}

/** What the module needs for itself. */
export function moduleBytes(limits: StateLimits): number {
  return arraysAt(limits) + arraysBytes(limits);
}

/** @param path of fold.wasm, which the build leaves beside this file */
export function loadModule(path: string | URL = new URL('fold.wasm', import.meta.url)): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(path));
}

/** Tables for the compiled fold; for the other one, where the limits are beyond 4 GiB of memory. */
export function allocateCompiledTables(limits: StateLimits, module = loadModule()): TablesMemory {
  const lay = (allocate: Allocate, linear: LinearMemory | null) => allocateTables(limits, allocate, linear);
  return layOut(module, moduleBytes(limits), lay) ?? allocateTables(limits);
}

/** For the decoder whose events are to be applied: the compiled fold reads them where they are written. */
export function decodedEventFor({ linear }: { readonly linear: LinearMemory | null }): DecodedEvent {
  return new DecodedEvent(
    linear === null ? allocatePart(EVENT_BYTES) : linear.own.subarray(EVENT_AT, EVENT_AT + EVENT_BYTES),
  );
}

export class CompiledEvents {
  readonly #tables: Tables;
  readonly #decoder: Decoder;
  readonly #memory: SharedArrayBuffer;
  readonly #spans: Uint8Array;
  readonly #exports: Exports;
  /** The lines, where they lie outside of the module's memory and are too long for a copy. */
  #foreign: Uint8Array | null = null;
  #spansLength = 0;

  /** @param decoder with the event of `decodedEventFor` */
  constructor(tables: Tables, linear: LinearMemory, decoder: Decoder) {
    const { limits } = tables.memory;
    this.#tables = tables;
    this.#decoder = decoder;
    this.#memory = linear.memory.buffer;
    this.#spans = linear.own.subarray(SPANS_AT, SPANS_AT + SPANS_BYTES);
    const arrays = arraysAt(limits);
    const host = {
      storesInOrder: process.arch === 'x64' ? 1 : 0,
      scratch: SCRATCH_AT,
      arrays,
      arraysEnd: arrays + arraysBytes(limits),
    };
    const instance = new WebAssembly.Instance(linear.module, {
      env: { memory: linear.memory },
      host,
    });
    const exports = instance.exports as unknown as Exports;
    this.#exports = exports;
    for (const [i, name] of PARTS.entries()) {
      const part = this.#inside(tables.memory[name]);
      exports.setPart(i, part.byteOffset, part.byteLength);
    }
    exports.begin(EVENT_AT, SPANS_AT);
    assert(exports.heapEnd() <= MODULE_BYTES / 2, 'the objects of the compiled fold outgrow their place');
    this.takeLimits();
  }

  #inside(part: MemoryPart): MemoryPart {
    assert(part.buffer === this.#memory, 'a table lies outside of the memory of the compiled fold');
    return part;
  }

  /** Those that the board says. What else somebody else has done to the tables it sees there, but for what it remembers. */
  takeLimits(): void {
    const bounds = tableBounds(this.#tables.limits);
    this.#exports.setLimits(
      bounds.namesBytes,
      bounds.shareSlots,
      bounds.bucketBlocks,
      bounds.windowBucketBlocks,
      bounds.windowBlocksBytes,
      bounds.reportSlots,
    );
    this.#exports.forgetRecent();
  }

  /** The memory that the events' spans lie in. From outside it is copied as it is now: once is less than name by name. */
  attach(lines: Uint8Array): void {
    this.#foreign = null;
    if (lines.buffer === this.#memory) {
      this.#exports.attach(lines.byteOffset, lines.byteLength);
      return;
    }
    // In the phase of the source a copy goes by words (ring/layout.ts).
    const at = LINES_AT + (lines.byteOffset & 7);
    if (at + lines.byteLength <= SCRATCH_AT) {
      new Uint8Array(this.#memory, at, lines.byteLength).set(lines);
      this.#exports.attach(at, lines.byteLength);
    } else {
      this.#foreign = lines;
    }
  }

  /** Applies the decoder's event, as `Events.apply` does. */
  apply(code: number, line: number, arrivedUs: number): void {
    if (this.#foreign !== null || this.#decoder.scratchLength > 0) this.#bringSpans();
    this.#exports.apply(code, line, arrivedUs);
  }

  /** Names that lie elsewhere come into the module's memory. Only what the fold reads: not the members of a group. */
  #bringSpans(): void {
    const { event } = this.#decoder;
    this.#spansLength = 0;
    for (let field = 0; field < FIELD_COUNT; field++) {
      const length = event.length[field]!;
      if (length !== 0) event.offset[field] = this.#bring(event.offset[field]!, length);
    }
    for (let i = 0; i < event.tagCount; i++) {
      event.tagKeyOffset[i] = this.#bring(event.tagKeyOffset[i]!, event.tagKeyLength[i]!);
      event.tagValueOffset[i] = this.#bring(event.tagValueOffset[i]!, event.tagValueLength[i]!);
    }
  }

  #bring(offset: number, length: number): number {
    const isEscaped = offset >= SCRATCH_OFFSET;
    const from = isEscaped ? this.#decoder.scratch : this.#foreign;
    if (from === null) return offset;
    const start = offset & ~SCRATCH_OFFSET;
    const to = this.#spansLength;
    for (let i = 0; i < length; i++) this.#spans[to + i] = from[start + i]!;
    this.#spansLength = to + length;
    return SCRATCH_OFFSET | to;
  }
}

function arraysAt(limits: StateLimits): number {
  return aligned(SCRATCH_AT + indexBytesMax(limits) / 2);
}

function arraysBytes({ maxTasksPerWorkflow, maxTasks }: StateLimits): number {
  return aligned(ARRAYS_BYTES_MIN + ARRAY_BYTES_PER_TASK * Math.min(maxTasksPerWorkflow, maxTasks));
}

/** Of the indexes that can double. */
function indexBytesMax(limits: StateLimits): number {
  const slots = [
    workflowSlots(limits),
    taskSlots(limits),
    shareSlots(limits),
    cellSlots(limits),
    reportRows(limits),
  ];
  return Math.max(namesIndexBytes(namesHeapBytes(limits)), ...slots.map(slotIndexBytes));
}
