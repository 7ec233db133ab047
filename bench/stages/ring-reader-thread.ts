/**
 * The reading thread of the ring bench. Takes the ring or a counter of messages taken, and how many records come; posts
 * `ready`, and at the end its totals. Returns by itself after the ring's last record; the other is terminated.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { wordsOf } from '../../src/model/memory.js';
import { Bell } from '../../src/ring/bell.js';
import { CURSOR_ARCHIVED, CURSOR_PUBLISHED, type RingMemory } from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';

export type ReaderTask =
  | {
      readonly kind: 'ring';
      readonly ring: RingMemory;
      readonly readerBell: SharedArrayBuffer;
      readonly writerBell: SharedArrayBuffer;
      readonly records: number;
    }
  | { readonly kind: 'messages'; readonly taken: Int32Array; readonly records: number };

export interface ReaderTotals {
  readonly records: number;
  readonly sum: number;
}

export const MESSAGES_IN_FLIGHT_MAX = 128;
const WHOLE_EVERY = 64;
/** The writer is woken once so many bytes are free, as the daemon's main thread waits for half of the ring. */
const WAKE_BYTES = 1024 * 1024;

/** Adds one record to a sum of 32 bits: its first word and size, and of every 64th record all words. */
export function addToSum(sum: number, words: Int32Array, at: number, serial: number, bytes: number): number {
  let next = (Math.imul(sum, 31) + words[at]! + bytes) | 0;
  if (serial % WHOLE_EVERY === 0) {
    const end = at + (bytes >> 2);
    for (let i = at; i < end; i++) next = (next + words[i]!) | 0;
  }
  return next;
}

function readRing(task: Extract<ReaderTask, { kind: 'ring' }>): ReaderTotals {
  const reader = new RingReader(task.ring, CURSOR_PUBLISHED, 0);
  const words = wordsOf(task.ring.data);
  const bell = new Bell(task.readerBell);
  const writerBell = new Bell(task.writerBell);
  let records = 0;
  let sum = 0;
  let freed = 0;
  while (records < task.records) {
    while (reader.tryNext()) {
      sum = addToSum(sum, words, reader.payloadFrom >> 2, records, reader.payloadBytes);
      records++;
      Atomics.store(reader.cursors, CURSOR_ARCHIVED, reader.end | 0);
      if (reader.end - freed > WAKE_BYTES) {
        freed = reader.end;
        writerBell.ring();
      }
    }
    writerBell.ring();
    if (records < task.records) bell.sleep(() => reader.hasNext(), Number.POSITIVE_INFINITY);
  }
  return { records, sum };
}

function takeMessages({ taken, records: expected }: Extract<ReaderTask, { kind: 'messages' }>): void {
  let records = 0;
  let sum = 0;
  parentPort!.on('message', (payload: Uint8Array) => {
    sum = addToSum(sum, new Int32Array(payload.buffer), 0, records, payload.length);
    records++;
    Atomics.store(taken, 0, records);
    Atomics.notify(taken, 0);
    if (records === expected) parentPort!.postMessage({ records, sum });
  });
}

const task = workerData as ReaderTask | null;
if (parentPort !== null && task !== null && 'records' in task) {
  parentPort.postMessage('ready');
  if (task.kind === 'ring') parentPort.postMessage(readRing(task));
  else takeMessages(task);
}
