/**
 * The ingest server under a sender that does nothing but write: whole lines found, counted and copied into the ring, from
 * which a thread frees them at once. The lines and bytes that come out of the ring must be those that were sent.
 *
 * Baselines: the same server reading by 'data', and what one would write first, which joins what is left over with what
 * comes and looks for the lines in it. The naive one hands nothing to another thread, which is in its favour.
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { IngestServer } from '../../src/ingest/server.js';
import { createArrivalClock, createWallClock } from '../../src/model/clock.js';
import { allocateBell, Bell } from '../../src/ring/bell.js';
import { allocateRing } from '../../src/ring/layout.js';
import { allocateLedger, Ledger } from '../../src/ring/ledger.js';
import { allocateMailbox } from '../../src/ring/mailbox.js';
import { Child } from '../child.js';
import { type Bench, type Comparison, check, type Figures } from '../harness.js';
import type { ConsumerTask, ConsumerTotals } from './socket-consumer-thread.js';
import { LINE_BYTES, ROUND_LINES } from './socket-load.js';

export const socketBench: Bench = {
  name: 'socket',
  goals: ['at least 0.7 GB/s over 1, 16 and 200 connections, with the sender on the same machine'],
  nonGoals: [
    'clients that write single events: they reach 0.7 to 1.0 M events/s whatever reads them',
    'latency',
  ],
  warmUps: 1,
  comparisons: ({ small }) => comparisons(small ? 4 : 512),
  judge: (results) =>
    results.map(({ name, variants }) => {
      const median = variants[0]!.figures['GB/s']!.median;
      return { goal: `${name}: 0.7 GB/s`, value: `${median.toFixed(2)} GB/s`, holds: median >= 0.7 };
    }),
};

const CONNECTIONS = [1, 16, 200];
const RING_BYTES = 32 * 1024 * 1024;
const MAILBOX_BYTES = 64 * 1024;
const MAX_LINE_BYTES = 64 * 1024;
const LINE_END = 10;

function* comparisons(mebibytes: number): Generator<Comparison> {
  for (const connections of CONNECTIONS) {
    const roundBytes = ROUND_LINES * LINE_BYTES;
    const rounds = Math.max(1, Math.round((mebibytes * 2 ** 20) / (connections * roundBytes)));
    const load = { connections, rounds, lines: connections * rounds * ROUND_LINES };
    yield {
      name: `${connections} connection${connections === 1 ? '' : 's'}`,
      variants: [
        { name: 'ingest, onread', pass: () => ingestPass(load, true) },
        { name: "ingest, 'data'", pass: () => ingestPass(load, false) },
        { name: "naive 'data', concat", isBaseline: true, pass: () => naivePass(load) },
      ],
    };
  }
}

interface Load {
  readonly connections: number;
  readonly rounds: number;
  readonly lines: number;
}

async function ingestPass(load: Load, useOnread: boolean): Promise<Figures> {
  const memory = {
    ring: allocateRing(RING_BYTES),
    mailbox: allocateMailbox(MAILBOX_BYTES),
    foldBell: allocateBell(),
    archiveBell: allocateBell(),
  };
  const mainBell = allocateBell();
  const server = new IngestServer(memory, new Ledger(allocateLedger(2 * load.connections)), {
    maxLineBytes: MAX_LINE_BYTES,
    maxConnections: load.connections,
    now: createArrivalClock(createWallClock(), 0),
    shutdownRead: null,
    peerOf: () => null,
    admits: () => true,
    onRefused: () => {},
    useOnread,
  });
  const listening = new Bell(mainBell).listen(() => server.wake());
  const { ring, foldBell } = memory;
  const workerData: ConsumerTask = { ring, foldBell, mainBell, connections: load.connections };
  const worker = new Worker(new URL('./socket-consumer-thread.js', import.meta.url), { workerData });
  await once(worker, 'message');
  const totals = once(worker, 'message');
  try {
    return await measure(
      load,
      (path) => server.listen({ path }),
      async () => ((await totals) as [ConsumerTotals])[0],
    );
  } finally {
    await server.drain(() => {});
    listening.close();
    await worker.terminate();
  }
}

async function naivePass(load: Load): Promise<Figures> {
  let lines = 0;
  let bytes = 0;
  let open = load.connections;
  let allClosed = () => {};
  const closed = new Promise<void>((resolve) => {
    allClosed = resolve;
  });
  const server = net.createServer((socket) => {
    let carry: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      const joined = Buffer.concat([carry, chunk]);
      let from = 0;
      for (let end = joined.indexOf(LINE_END); end >= 0; end = joined.indexOf(LINE_END, from)) {
        lines++;
        from = end + 1;
      }
      carry = joined.subarray(from);
    });
    socket.on('close', () => {
      if (--open === 0) allClosed();
    });
  });
  try {
    return await measure(
      load,
      (path) => new Promise((resolve) => server.listen({ path, backlog: 4096 }, resolve)),
      async () => {
        await closed;
        return { lines, bytes };
      },
    );
  } finally {
    server.close();
  }
}

async function measure(
  { connections, rounds, lines }: Load,
  listen: (path: string) => Promise<void>,
  count: () => Promise<ConsumerTotals>,
): Promise<Figures> {
  const directory = mkdtempSync(join(tmpdir(), 'tallyd-bench-'));
  const path = join(directory, 'ingest.sock');
  await listen(path);
  const args = [path, String(connections), String(rounds)];
  const sender = new Child(new URL('./socket-sender.js', import.meta.url), args);
  try {
    await sender.receive();
    const startedMs = performance.now();
    sender.send('go');
    const totals = await count();
    const seconds = (performance.now() - startedMs) / 1000;
    check('lines', totals.lines, lines);
    check('bytes', totals.bytes, lines * LINE_BYTES);
    return { 'GB/s': totals.bytes / seconds / 1e9, 'M events/s': lines / seconds / 1e6 };
  } finally {
    await sender.end();
    rmSync(directory, { recursive: true, force: true });
  }
}
