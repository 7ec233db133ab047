/**
 * Scenario `io`: how long the disk makes a client wait under load. A sender keeps the daemon at 200,000 events/s; beside it a
 * client asks by `sync`, again and again, and waits until everything that was taken before is durable. Every acknowledgement must come, and
 * afterwards everything must be exact and the archive whole.
 *
 * Baseline: the disk alone, without a daemon: 64 KiB appended and synced, as often.
 */

import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LINE_BYTES } from '../../src/load/load.js';
import { percentileOf } from '../../src/load/percentiles.js';
import { Child } from '../child.js';
import { type Bench, type Comparison, check, type Figures } from '../harness.js';
import { ARCHIVE_BYTES_PER_SECOND, daemonPass, type LoadRun } from '../load-run.js';
import { inFolder } from '../run-folder.js';
import type { Probed } from './sync-prober.js';

const SECONDS = 20;
const LINES_PER_SECOND = 200_000;
const PAUSE_MS = 20;
const P50 = 'ms until durable, p50';
const P99 = 'ms until durable, p99';

export const ioBench: Bench = {
  name: 'io',
  goals: [
    'at 200,000 events/s everything taken is durable and acknowledged within 100 ms (p99), every line exact',
  ],
  nonGoals: ['a disk that other programs use at the same time'],
  warmUps: 0,
  comparisons: ({ small, seconds }) => comparisons(small, seconds ?? (small ? 1 : SECONDS)),
  judge: (results) => {
    const p99 = results[0]!.variants[0]!.figures[P99]!.median;
    return [{ goal: 'durable within 100 ms (p99)', value: `${p99.toFixed(1)} ms`, holds: p99 < 100 }];
  },
};

function* comparisons(small: boolean, seconds: number): Generator<Comparison> {
  const linesPerSecond = small ? 50_000 : LINES_PER_SECOND;
  const run: LoadRun = {
    connections: 4,
    seconds,
    depth: 16,
    profileDirectory: null,
    linesPerSecond,
    lineBytes: LINE_BYTES,
  };
  const bytes = seconds * ARCHIVE_BYTES_PER_SECOND;
  yield {
    name: `${linesPerSecond} events/s, and a client that waits for the disk`,
    variants: [
      { name: 'tallyd', pass: () => inFolder(bytes, (directory) => probedPass(run, directory)) },
      {
        name: 'append and fdatasync',
        isBaseline: true,
        pass: () => inFolder(bytes, (directory) => diskPass(seconds, directory)),
      },
    ],
  };
}

async function probedPass(run: LoadRun, directory: string): Promise<Figures> {
  let times: readonly number[] = [];
  const figures = await daemonPass(run, directory, async (daemon) => {
    const prober = new Child(new URL('./sync-prober.js', import.meta.url), [daemon.ingestPath]);
    try {
      await prober.receive();
      const answer = prober.receive<Probed>();
      prober.send({ seconds: run.seconds, pauseMs: PAUSE_MS });
      ({ times } = await answer);
      return {};
    } finally {
      await prober.end();
    }
  });
  check('acknowledgements came', times.length > 0, true);
  return { [P50]: percentileOf(times, 50), [P99]: percentileOf(times, 99), ...figures };
}

async function diskPass(seconds: number, directory: string): Promise<Figures> {
  const fd = openSync(join(directory, 'appended'), 'w');
  const bytes = Buffer.alloc(64 * 1024, 1);
  const times: number[] = [];
  for (const endMs = performance.now() + seconds * 1000; performance.now() < endMs; await sleep(PAUSE_MS)) {
    const startedMs = performance.now();
    writeSync(fd, bytes);
    fdatasyncSync(fd);
    times.push(performance.now() - startedMs);
  }
  closeSync(fd);
  return { [P50]: percentileOf(times, 50), [P99]: percentileOf(times, 99) };
}
