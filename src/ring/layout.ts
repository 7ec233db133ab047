/**
 * The ring: one SharedArrayBuffer of records, and one of cursors. It passes socket reads to the fold and on to the
 * archive without a lock and without a copy between them (after the LMAX Disruptor, Thompson et al. 2011).
 *
 * Cursors. Each is written by one thread and read by the others, 128 bytes apart so that no two share a cache line
 * or the line that the prefetcher brings with it:
 *
 *   byte 0 ┌───────────┐ 128 ┌────────┐ 256 ┌──────────┐ 384 ┌─────────┐
 *          │ published │     │ folded │     │ archived │     │ durable │
 *          └───────────┘     └────────┘     └──────────┘     └─────────┘
 *            main              fold           archive          sync
 *      512 ┌────────┐    640 ┌─────────┐  768 ┌───────┐    896 ┌─────────┐
 *          │ wanted │        │ wake at │      │ asked │        │ stalled │
 *          └────────┘        └─────────┘      └───────┘        └─────────┘
 *            fold              archive          control          main
 *     1024 ┌───────────┐
 *          │ resume at │
 *          └───────────┘
 *            main
 *
 * published ≥ folded ≥ archived ≥ durable, as differences modulo 2^32: a cursor is a position in bytes since the
 * start of the process, of which 32 bits are kept. `wanted` is the position that the fold asks to be written at once (a
 * client waits for a `sync`), `asked` the same for a query that needs a line out of the log; `wake at` the position of
 * `folded` from which the archive wants to be woken; `stalled` is 1 while main waits for room.
 *
 * Memory order: a cursor is stored (Atomics.store, sequentially consistent) after all plain writes that it covers, so
 * whoever loads it may read those. A stale view shows less room or fewer records than there are, never more.
 *
 * A record lies in one piece and begins at a multiple of 8; what is left before the end of the buffer becomes a pad:
 *
 *    0      4      8            12             16              20      24         28     32
 *   ┌──────┬──────┬────────────┬──────────────┬───────────────┬───────┬──────────┬──────┐
 *   │ size │ kind │ connection │ payload from │ payload bytes │ lines │ accepted │ cuts │
 *   ├──────┴──────┼────────────┼──────────────┼───────────────┴───────┼──────────┴──────┘
 *   │ arrived     │ client     │ line bytes   │ client line           │ payload …
 *   └─────────────┴────────────┴──────────────┴───────────────────────┴───────
 *   32            40           44             48                      56 + phase
 *
 * Main writes all but what the fold makes of the record: `accepted`, `cuts`, and, where lines of a numbered client counted,
 * its slot in the table of clients and the number of its last line. The fold writes these before it moves `folded` past
 * the record. `line bytes` is how long an over-long line was.
 *
 * The payload begins at the phase (offset modulo 8) of the bytes that it is copied from, since TypedArray.set into
 * shared memory goes byte by byte unless the phases match (2 against 11 GB/s).
 */

import type { Allocate } from '../model/linear-memory.js';
import { allocatePart, type MemoryPart } from '../model/memory.js';

export const CURSOR_STRIDE = 32; // in Int32
export const CURSOR_PUBLISHED = 0;
export const CURSOR_FOLDED = 1 * CURSOR_STRIDE;
export const CURSOR_ARCHIVED = 2 * CURSOR_STRIDE;
export const CURSOR_DURABLE = 3 * CURSOR_STRIDE;
export const CURSOR_WANTED = 4 * CURSOR_STRIDE;
export const CURSOR_WAKE_AT = 5 * CURSOR_STRIDE;
export const CURSOR_ASKED = 6 * CURSOR_STRIDE;
export const FLAG_STALLED = 7 * CURSOR_STRIDE;
export const CURSOR_RESUME_AT = 8 * CURSOR_STRIDE;
const CURSOR_COUNT = 9;

export const RECORD_HEADER_BYTES = 56;
export const RECORD_SIZE = 0;
export const RECORD_KIND = 1;
export const RECORD_CONNECTION = 2;
export const RECORD_PAYLOAD_FROM = 3;
export const RECORD_PAYLOAD_BYTES = 4;
export const RECORD_LINES = 5;
export const RECORD_ACCEPTED = 6;
export const RECORD_CUTS = 7;
export const RECORD_CLIENT = 10;
export const RECORD_LINE_BYTES = 11;
/** Indexes in Float64. */
export const RECORD_ARRIVED = 4;
export const RECORD_CLIENT_LINE = 6;

/** Whole lines, each with its `\n`. */
export const KIND_LINES = 1;
/** The last line of a connection, which its client did not end; main has put the `\n` behind it. */
export const KIND_TAIL = 2;
/** One line over the limit, of which the payload holds the beginning. */
export const KIND_TOO_LONG = 3;
/** The connection is over; no record of it follows. */
export const KIND_CLOSE = 4;
/** Nothing up to the end of the buffer. */
export const KIND_PAD = 5;
/** As KIND_TOO_LONG, and the client closed before it ended the line. */
export const KIND_TOO_LONG_TAIL = 6;
/**
 * No lines, but a tick (model/tick.ts): a byte with its kind, and its payload. Of no connection. Where it changed the
 * state, the fold says 1 for the client, and the number of the tick for the client's line.
 */
export const KIND_TICK = 7;

export interface RingMemory {
  readonly capacityBytes: number;
  /** The position at which an empty ring begins: 0 but in tests, which begin shortly before 2^32. */
  readonly origin: number;
  readonly cursors: SharedArrayBuffer;
  readonly data: MemoryPart;
}

/** @param capacityBytes a power of two */
export function allocateRing(
  capacityBytes: number,
  origin = 0,
  allocate: Allocate = allocatePart,
): RingMemory {
  const memory = {
    capacityBytes,
    origin,
    cursors: new SharedArrayBuffer(CURSOR_COUNT * CURSOR_STRIDE * 4),
    data: allocate(capacityBytes),
  };
  const cursors = new Int32Array(memory.cursors);
  for (let at = CURSOR_PUBLISHED; at <= CURSOR_ASKED; at += CURSOR_STRIDE) cursors[at] = origin | 0;
  return memory;
}

/** The largest record that is sure to find room, pad included, once the ring is empty. */
export function recordBytesMax(capacityBytes: number): number {
  return capacityBytes / 2 - 8;
}

const READ_BYTES_MAX = 256 * 1024;

/** The most that ingest takes out of a socket at once: what a record holds at most, but for a line begun before. */
export function readBytesMax(capacityBytes: number): number {
  return Math.min(READ_BYTES_MAX, capacityBytes / 8);
}

/** The position that a cursor means, out of its 32 bits and any position that is less than 2^31 away. */
export function positionOf(cursor: number, near: number): number {
  return near + ((cursor - (near | 0)) | 0);
}
