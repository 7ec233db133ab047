/** The worker of ring-stress.test.ts: a reading end of the ring that checks every byte, or the one that rings a bell. */

import { Bell } from '../../src/ring/bell.js';
import { CURSOR_ARCHIVED, CURSOR_PUBLISHED, type RingMemory } from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';

export interface StressTask {
  readonly ring: RingMemory;
  readonly readerBell: SharedArrayBuffer;
  readonly writerBell: SharedArrayBuffer;
}

export interface StressResult {
  readonly records: number;
  readonly end: number;
  /** null, or what the first record that was not right looked like. */
  readonly flaw: string | null;
}

/** Mixes a 32-bit word into a checksum (the finalizer of MurmurHash3, Appleby). */
export function mix(sum: number, word: number): number {
  let h = Math.imul(sum ^ word, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The i-th byte of the payload of the n-th record, for all i: its first word, which goes on by a fixed step. */
export function firstByteOf(n: number): number {
  return mix(n, 0x5bd1e995) & 0xff;
}

/** Reads up to the record of no lines, which is the last. */
export function readAll({ ring, readerBell, writerBell }: StressTask): StressResult {
  const reader = new RingReader(ring, CURSOR_PUBLISHED, ring.origin);
  const bell = new Bell(readerBell);
  const writer = new Bell(writerBell);
  const cursors = new Int32Array(ring.cursors);
  let records = 0;
  for (;;) {
    while (reader.tryNext()) {
      const flaw = flawOf(reader, records);
      const last = reader.lines === 0;
      records++;
      const { end } = reader;
      // Of many records the room is given back at once, now and then: the writer meets a ring that is full.
      if (last || flaw !== null || records % 7 === 0 || !reader.hasNext()) {
        Atomics.store(cursors, CURSOR_ARCHIVED, end | 0);
        writer.ring();
      }
      if (last || flaw !== null) return { records, end, flaw };
    }
    bell.sleep(() => reader.hasNext(), Number.POSITIVE_INFINITY);
  }
}

function flawOf(reader: RingReader, n: number): string | null {
  const { payloadFrom: from, payloadBytes, bytes, connection, arrivedUs } = reader;
  if (connection !== (n & 0xffff) || arrivedUs !== n)
    return `record ${n} says it is ${connection} of ${arrivedUs}`;
  let expected = firstByteOf(n);
  for (let i = from; i < from + payloadBytes; i++) {
    if (bytes[i] !== expected) return `byte ${i - from} of record ${n} is ${bytes[i]}, and not ${expected}`;
    expected = (expected + 3) & 0xff;
  }
  return null;
}

export interface WakeTask {
  readonly bell: SharedArrayBuffer;
  /** The number of the round, as a plain double. */
  readonly work: SharedArrayBuffer;
  /** How often either side has come to the start of a round. */
  readonly meeting: SharedArrayBuffer;
  readonly rounds: number;
}

/** How long a wake-up may take before it is taken for lost. */
const LOST_MS = 2000;
const MEETING_MS = 10_000;

/** Both sides leave at once, or nearly: that is where a wake-up can be lost. */
function meet(meeting: Int32Array, round: number): void {
  Atomics.add(meeting, 0, 1);
  const untilMs = performance.now() + MEETING_MS;
  for (let looks = 1; Atomics.load(meeting, 0) < 2 * round; looks++) {
    if (looks % 1_000_000 === 0 && performance.now() > untilMs) throw new Error(`alone in round ${round}`);
  }
}

/** In every round there is work, by a plain store, and then a ring. */
export function ringInRounds({ bell, work, meeting, rounds }: WakeTask): void {
  const numbers = new Float64Array(work);
  const met = new Int32Array(meeting);
  const own = new Bell(bell);
  let idle = 0;
  for (let round = 1; round <= rounds; round++) {
    meet(met, round);
    for (let i = round & 63; i > 0; i--) idle += i;
    numbers[0] = round;
    own.ring();
  }
  if (idle < 0) throw new Error('never');
}

/** In every round it sleeps until there is work. @returns the wake-ups that were lost */
export function sleepInRounds({ bell, work, meeting, rounds }: WakeTask): number {
  const numbers = new Float64Array(work);
  const met = new Int32Array(meeting);
  const own = new Bell(bell);
  let lost = 0;
  for (let round = 1; round <= rounds; round++) {
    meet(met, round);
    const since = performance.now();
    own.sleep(() => numbers[0]! >= round, LOST_MS);
    if (performance.now() - since >= LOST_MS) lost++;
  }
  return lost;
}

export default function run(task: StressTask | WakeTask): StressResult | number {
  return 'ring' in task ? readAll(task) : sleepInRounds(task);
}
