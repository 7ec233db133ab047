/**
 * Sends the load over blocking connections, for so long as it is told, ends what it has started, and waits on each
 * connection for the durable acknowledgement. Blocks its thread: the sender shares the machine with what it measures.
 */

import type { BlockingSocket } from './blocking-socket.js';
import type { BatchKind, Load, LoadShape } from './load.js';

export interface Order {
  readonly seconds: number;
  /** null: as fast as it goes. */
  readonly linesPerSecond: number | null;
  /** Batches whose workflows run at one time; a multiple of the connections, so what one has started it also ends. */
  readonly depth: number;
  /** Number of the first batch. */
  readonly first: number;
}

/** What the thread is told that sends for `tallyd bench` (workers/load.ts). */
export interface LoadTask {
  readonly ingestPath: string;
  readonly connections: number;
  readonly shape: LoadShape;
  readonly order: Order;
  /** Not 0 once it is to end early. */
  readonly stop: Int32Array;
}

export interface Sent {
  readonly batches: number;
  readonly lines: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Until the last write had returned, and until all was durable. */
  readonly writeSeconds: number;
  readonly durableSeconds: number;
}

/** How many batches are sent between two looks at the clock. */
const BATCHES_PER_LOOK = 16;

/** @param isStopped asked between batches; what was started is ended also then */
export function sendLoad(
  load: Load,
  sockets: readonly BlockingSocket[],
  { seconds, linesPerSecond, depth, first }: Order,
  isStopped: () => boolean = () => false,
): Sent {
  const idle = new Int32Array(new SharedArrayBuffer(4));
  const startedMs = performance.now();
  let lines = 0;
  const write = (kind: BatchKind, serial: number) => {
    const bytes = load.batch(kind, first + serial, first + serial - depth);
    sockets[serial % sockets.length]!.write(bytes, 0, bytes.length);
    lines += bytes.length / load.lineBytes;
  };
  let serial = 0;
  while (serial < depth) write('starts', serial++);
  const startLines = lines;
  const pacedMs = performance.now();
  while (performance.now() - startedMs < seconds * 1000 && !isStopped()) {
    for (let i = 0; i < (linesPerSecond === null ? BATCHES_PER_LOOK : 1); i++) write('mixed', serial++);
    if (linesPerSecond !== null) {
      const aheadMs = ((lines - startLines) / linesPerSecond) * 1000 - (performance.now() - pacedMs);
      if (aheadMs > 1) Atomics.wait(idle, 0, 0, aheadMs);
    }
  }
  const batches = serial;
  while (serial < batches + depth) write('ends', serial++);
  const writeSeconds = (performance.now() - startedMs) / 1000;
  const { accepted, rejected } = syncAll(sockets);
  const durableSeconds = (performance.now() - startedMs) / 1000;
  return { batches, lines, accepted, rejected, writeSeconds, durableSeconds };
}

function syncAll(sockets: readonly BlockingSocket[]): { accepted: number; rejected: number } {
  const line = Buffer.from('{"type":"sync","id":1}\n');
  for (const socket of sockets) socket.write(line, 0, line.length);
  let accepted = 0;
  let rejected = 0;
  for (const socket of sockets) {
    const reply = JSON.parse(socket.readLine());
    accepted += reply.accepted;
    rejected += reply.rejected;
  }
  return { accepted, rejected };
}
