/**
 * The sending process of the pipeline. Arguments: path of the socket, connections, depth (load.ts). Says `ready` when it is
 * connected; at `{ seconds, linesPerSecond }` sends for so long (null: as fast as it goes), ends what it has started, waits on every connection for the durable
 * acknowledgement, and says what it has sent, what was acknowledged and what it has cost.
 */

import { once } from 'node:events';
import { BlockingSocket } from './blocking-socket.js';
import { type BatchKind, LINE_BYTES, Load } from './load.js';

export interface Sent {
  readonly batches: number;
  readonly lines: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Until the last write had returned, and until all was durable. */
  readonly writeSeconds: number;
  readonly durableSeconds: number;
  readonly cpuSeconds: number;
}

/** How many batches are sent between two looks at the clock. */
const BATCHES_PER_LOOK = 16;

const [path, connectionText, depthText] = process.argv.slice(2);
const depth = Number(depthText);
const load = new Load();
const idle = new Int32Array(new SharedArrayBuffer(4));
const sockets: BlockingSocket[] = [];
for (let i = 0; i < Number(connectionText); i++) sockets.push(await BlockingSocket.connect(path!));
process.send!('ready');
const [order] = (await once(process, 'message')) as [{ seconds: number; linesPerSecond: number | null }];
process.send!(send(order.seconds, order.linesPerSecond));
for (const socket of sockets) socket.close();
process.disconnect();

function send(seconds: number, linesPerSecond: number | null): Sent {
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  let lines = 0;
  const write = (kind: BatchKind, serial: number) => {
    const bytes = load.batch(kind, serial, serial - depth);
    // `depth` is a multiple of the connections, so what one has started it also ends.
    sockets[serial % sockets.length]!.write(bytes, 0, bytes.length);
    lines += bytes.length / LINE_BYTES;
  };
  let serial = 0;
  while (serial < depth) write('starts', serial++);
  const startLines = lines;
  const pacedMs = performance.now();
  while (performance.now() - startedMs < seconds * 1000) {
    for (let i = 0; i < (linesPerSecond === null ? BATCHES_PER_LOOK : 1); i++) write('mixed', serial++);
    if (linesPerSecond !== null) {
      const aheadMs = ((lines - startLines) / linesPerSecond) * 1000 - (performance.now() - pacedMs);
      if (aheadMs > 1) Atomics.wait(idle, 0, 0, aheadMs);
    }
  }
  const batches = serial;
  while (serial < batches + depth) write('ends', serial++);
  const writeSeconds = (performance.now() - startedMs) / 1000;
  const { accepted, rejected } = syncAll();
  const durableSeconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const cpuSeconds = (user + system) / 1e6;
  return { batches, lines, accepted, rejected, writeSeconds, durableSeconds, cpuSeconds };
}

function syncAll(): { accepted: number; rejected: number } {
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
