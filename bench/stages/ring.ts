/**
 * Records from one thread to another: RingWriter here, RingReader in a worker, by the size of the record. Both sum up
 * what they wrote and read (serial numbers, sizes, and of every 64th record all words); the sums must agree.
 */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { allocateBell, Bell } from '../../src/ring/bell.js';
import { allocateRing, KIND_LINES } from '../../src/ring/layout.js';
import { RingWriter } from '../../src/ring/writer.js';
import { type Bench, type Comparison, check, type Figures } from '../harness.js';
import {
  addToSum,
  MESSAGES_IN_FLIGHT_MAX,
  type ReaderTask,
  type ReaderTotals,
} from './ring-reader-thread.js';

export const ringBench: Bench = {
  name: 'ring',
  goals: ['at least 1 M records/s of one line, and 20 M lines/s in records of 64 KiB'],
  nonGoals: ['latency of a wake-up', 'more than one reader: gates follow each other, and do not share'],
  warmUps: 1,
  comparisons: ({ small }) => comparisons(small ? 0.005 : 1),
  judge: (results) => {
    const median = (at: number, unit: string) => results[at]!.variants[0]!.figures[unit]!.median;
    const records = median(0, 'M records/s');
    const lines = median(2, 'M lines/s');
    return [
      { goal: '1 M records/s of one line', value: `${records.toFixed(2)} M/s`, holds: records >= 1 },
      { goal: '20 M lines/s in 64 KiB', value: `${lines.toFixed(1)} M/s`, holds: lines >= 20 },
    ];
  },
};

const CAPACITY_BYTES = 32 * 1024 * 1024;
const LINE_BYTES = 136;
/** Bytes of a record, and how many a pass sends through the ring and by messages. */
const SIZES = [
  [136, 2_000_000, 100_000],
  [4096, 500_000, 80_000],
  [65_536, 60_000, 20_000],
  [262_144, 15_000, 5000],
] as const;

function* comparisons(scale: number): Generator<Comparison> {
  for (const [bytes, records, messages] of SIZES) {
    const count = (whole: number) => Math.ceil(whole * scale);
    yield {
      name: `records of ${bytes} bytes (${linesOf(bytes)} lines)`,
      variants: [
        { name: 'ring', pass: () => ringPass(bytes, count(records)) },
        { name: 'postMessage', isBaseline: true, pass: () => messagePass(bytes, count(messages)) },
      ],
    };
  }
}

function linesOf(bytes: number): number {
  return Math.floor(bytes / LINE_BYTES);
}

async function ringPass(bytes: number, records: number): Promise<Figures> {
  const ring = allocateRing(CAPACITY_BYTES);
  const readerBell = allocateBell();
  const writerBell = allocateBell();
  const worker = await startReader({ kind: 'ring', ring, readerBell, writerBell, records });
  const writer = new RingWriter(ring);
  const toReader = new Bell(readerBell);
  const fromReader = new Bell(writerBell);
  const payload = payloadOf(bytes);
  const words = new Int32Array(payload.buffer);
  let sum = 0;
  const done = once(worker, 'message');
  const startedMs = performance.now();
  for (let serial = 0; serial < records; serial++) {
    words[0] = serial;
    sum = addToSum(sum, words, 0, serial, bytes);
    let at = writer.tryReserve(bytes, 0);
    while (at < 0) {
      fromReader.sleep(() => writer.hasRoom(bytes), Number.POSITIVE_INFINITY);
      at = writer.tryReserve(bytes, 0);
    }
    writer.bytes.set(payload, at);
    writer.publish(KIND_LINES, 1, at, bytes, linesOf(bytes), serial);
    toReader.ring();
  }
  return finish(worker, done, startedMs, bytes, records, sum);
}

/** The buffer is copied into each message. The number under way is bounded, or they would fill the memory. */
async function messagePass(bytes: number, records: number): Promise<Figures> {
  const taken = new Int32Array(new SharedArrayBuffer(4));
  const worker = await startReader({ kind: 'messages', taken, records });
  const payload = payloadOf(bytes);
  const words = new Int32Array(payload.buffer);
  let sum = 0;
  const done = once(worker, 'message');
  const startedMs = performance.now();
  for (let serial = 0; serial < records; serial++) {
    for (;;) {
      const seen = Atomics.load(taken, 0);
      if (serial - seen < MESSAGES_IN_FLIGHT_MAX) break;
      Atomics.wait(taken, 0, seen);
    }
    words[0] = serial;
    sum = addToSum(sum, words, 0, serial, bytes);
    worker.postMessage(payload);
  }
  return finish(worker, done, startedMs, bytes, records, sum);
}

async function startReader(task: ReaderTask): Promise<Worker> {
  const worker = new Worker(new URL('./ring-reader-thread.js', import.meta.url), { workerData: task });
  await once(worker, 'message');
  return worker;
}

async function finish(
  worker: Worker,
  done: Promise<unknown[]>,
  startedMs: number,
  bytes: number,
  records: number,
  sum: number,
): Promise<Figures> {
  const [totals] = (await done) as [ReaderTotals];
  const seconds = (performance.now() - startedMs) / 1000;
  await worker.terminate();
  check('records', totals.records, records);
  check('the sum over the records', totals.sum, sum);
  return {
    'M records/s': records / seconds / 1e6,
    'M lines/s': (records * linesOf(bytes)) / seconds / 1e6,
    'GB/s': (records * bytes) / seconds / 1e9,
  };
}

function payloadOf(bytes: number): Uint8Array {
  const payload = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) payload[i] = 32 + ((i * 7) % 90);
  return payload;
}
