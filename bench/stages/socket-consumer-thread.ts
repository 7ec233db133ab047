/**
 * The consumer of the socket bench: takes the ring and its bells, and how many connections will close; frees every record
 * at once, without a look at its lines. Posts the lines and bytes that the records had.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { Bell } from '../../src/ring/bell.js';
import {
  CURSOR_ARCHIVED,
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  FLAG_STALLED,
  KIND_CLOSE,
  type RingMemory,
} from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';

export interface ConsumerTask {
  readonly ring: RingMemory;
  readonly foldBell: SharedArrayBuffer;
  readonly mainBell: SharedArrayBuffer;
  readonly connections: number;
}

export interface ConsumerTotals {
  readonly lines: number;
  readonly bytes: number;
}

function consume({ ring, foldBell, mainBell, connections }: ConsumerTask): ConsumerTotals {
  const reader = new RingReader(ring, CURSOR_PUBLISHED, 0);
  const bell = new Bell(foldBell);
  const main = new Bell(mainBell);
  let lines = 0;
  let bytes = 0;
  for (let closed = 0; closed < connections; ) {
    const before = closed;
    while (reader.tryNext()) {
      lines += reader.lines;
      bytes += reader.payloadBytes;
      if (reader.kind === KIND_CLOSE) closed++;
      Atomics.store(reader.cursors, CURSOR_FOLDED, reader.end | 0);
      Atomics.store(reader.cursors, CURSOR_ARCHIVED, reader.end | 0);
    }
    if (closed > before || Atomics.load(reader.cursors, FLAG_STALLED) !== 0) main.ring();
    if (closed < connections) bell.sleep(() => reader.hasNext(), Number.POSITIVE_INFINITY);
  }
  return { lines, bytes };
}

const task = workerData as ConsumerTask;
parentPort!.postMessage('ready');
parentPort!.postMessage(consume(task));
