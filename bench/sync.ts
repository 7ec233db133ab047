/**
 * The round trip of a `sync`: from the write of an event and a sync behind it until the answer is read, on a connection of its own,
 * while another one brings 100,000 events/s. After each round trip the same process appends 4 KiB to a file in the same
 * folder and calls fdatasync: what the disk takes by itself, in the same run.
 *
 * Baseline: that bare fdatasync.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LINE_BYTES, Load } from '../src/load/load.js';
import { Child } from './child.js';
import { Daemon } from './daemon.js';
import { type Bench, type Comparison, check, type Figures } from './harness.js';
import type { Probed } from './sync-prober.js';

export const syncBench: Bench = {
  name: 'sync',
  goals: ['p99 of the round trip is at most 3 times the p99 of a bare fdatasync, and 10 ms'],
  nonGoals: ['many clients that sync at once: they share one fdatasync', 'an idle daemon'],
  warmUps: 0,
  comparisons: ({ small }) => comparisons(small ? 20 : 500),
  judge: (results) => {
    const [sync, bare] = results[0]!.variants.map(({ figures }) => figures[P99]!.median);
    const bound = 3 * bare! + 10;
    return [
      {
        goal: 'p99 at most 3 × fdatasync + 10 ms',
        value: `${sync!.toFixed(2)} ms of ${bound.toFixed(2)} ms`,
        holds: sync! <= bound,
      },
    ];
  },
};

const P50 = 'p50 ms';
const P99 = 'p99 ms';
const EVENTS_PER_SECOND = 100_000;
const TICK_MS = 5;
/** Batches whose workflows run at one time. */
const DEPTH = 20;

function* comparisons(probes: number): Generator<Comparison> {
  let bare: Figures = {};
  yield {
    name: `${probes} round trips beside ${EVENTS_PER_SECOND} events/s`,
    variants: [
      {
        name: 'sync',
        pass: async () => {
          const { syncMs, fdatasyncMs, eventsPerSecond } = await inDirectory((directory) =>
            run(directory, probes),
          );
          bare = { [P50]: quantile(fdatasyncMs, 0.5), [P99]: quantile(fdatasyncMs, 0.99) };
          return {
            [P50]: quantile(syncMs, 0.5),
            [P99]: quantile(syncMs, 0.99),
            'events/s beside': eventsPerSecond,
          };
        },
      },
      // Measured in the pass before it.
      { name: 'bare fdatasync', isBaseline: true, pass: () => bare },
    ],
  };
}

async function inDirectory<T>(act: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'tallyd-sync-'));
  try {
    return await act(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function run(directory: string, probes: number): Promise<Probed & { eventsPerSecond: number }> {
  const daemon = new Daemon(directory, ['log.level=warn'], []);
  let prober: Child | null = null;
  try {
    await daemon.ready();
    const background = new Background(daemon.ingestPath);
    await background.begin();
    prober = new Child(new URL('sync-prober.js', import.meta.url), [
      daemon.ingestPath,
      directory,
      `${probes}`,
    ]);
    const probed = await prober.receive<Probed>();
    const { lines, eventsPerSecond } = await background.end();
    check('round trips', probed.syncMs.length, probes);
    // The last word of the background is durable as well, and all of it is counted.
    const { ingest, archive } = await daemon.get('/v1/status');
    check('ingest.accepted', ingest.accepted, lines + probes);
    check('ingest.rejected', ingest.rejected, 0);
    check('archive.durable_seq', archive.durable_seq, lines + probes);
    check('exit code', await daemon.stop(), 0);
    return { ...probed, eventsPerSecond };
  } finally {
    await prober?.end();
    await daemon.end();
  }
}

/** A connection that keeps to its rate, and makes up for what a late timer has left out. */
class Background {
  readonly #socket: Socket;
  readonly #load = new Load();
  readonly #startedMs = performance.now();
  #lines = 0;
  #serial = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(path: string) {
    this.#socket = connect(path);
  }

  async begin(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.once('connect', resolve);
      this.#socket.once('error', reject);
    });
    this.#timer = setInterval(() => this.#send(), TICK_MS);
    // The prober begins when the load is there.
    await sleep(200);
  }

  /** Resolves when all of it is durable. */
  async end(): Promise<{ lines: number; eventsPerSecond: number }> {
    clearInterval(this.#timer);
    const eventsPerSecond = this.#lines / ((performance.now() - this.#startedMs) / 1000);
    this.#socket.write('{"type":"sync","id":1}\n');
    await new Promise((resolve) => this.#socket.once('data', resolve));
    this.#socket.destroy();
    return { lines: this.#lines, eventsPerSecond };
  }

  #send(): void {
    const due = ((performance.now() - this.#startedMs) / 1000) * EVENTS_PER_SECOND;
    while (this.#lines < due) {
      const serial = this.#serial++;
      const bytes = this.#load.batch(serial < DEPTH ? 'starts' : 'mixed', serial, serial - DEPTH);
      this.#socket.write(Buffer.from(bytes));
      this.#lines += bytes.length / LINE_BYTES;
    }
  }
}

/** The value of rank ceil(p · n). */
function quantile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)]!;
}
