/**
 * `tallyd bench`: how much a daemon takes on this host. The load (load/load.ts) comes from a thread of this process, probes
 * (bench-probe.ts) from this one; afterwards every line must have been accepted, and counts and sums of the aggregates must be
 * those of what was sent.
 */

import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Config } from '../config/config.js';
import {
  BENCH_LINE_BYTES_MIN,
  BENCH_NAMES,
  LINE_BYTES,
  LINE_BYTES_MAX,
  loadFacts,
  TASKS_PER_BATCH,
  WORKFLOWS_PER_BATCH,
} from '../load/load.js';
import { type Usage, usageOf } from '../load/process-usage.js';
import type { LoadTask, Sent } from '../load/sending.js';
import { EXIT_DONE, EXIT_INTERRUPTED, EXIT_NO, Failure } from '../model/failure.js';
import { BenchProbe } from './bench-probe.js';
import { type BenchResult, benchText, latencyOf, progressText } from './bench-text.js';
import { failureOfSocket, request } from './control-client.js';
import { colorsOf, type Io, widthOf } from './io.js';
import { PrivateDaemon } from './private-daemon.js';
import { wholeNumber } from './query-options.js';

export interface BenchOptions {
  readonly running?: boolean;
  readonly connections?: string;
  readonly seconds?: string;
  readonly eventBytes?: string;
  readonly rate?: string;
  readonly json?: boolean;
}

const BENCH_CONNECTIONS = 16;
const BENCH_SECONDS = 10;
const CONNECTIONS_MAX = 1000;
const SECONDS_MAX = 3600;
const RATE_MAX = 1e8;
/** Batches whose workflows run at one time, at least: 2400 workflows, 45,600 tasks. */
const DEPTH = 200;
/** A slow or long-lined load has fewer, else it would be sent before the pace begins. */
const DEPTH_MIN = 4;
const DRAW_MS = 200;
/** Numbers of batches have 8 digits; from anywhere below they do not run out. */
const FIRST_MAX = 9e7;
const SUM_ERROR_MAX = 1e-9;

interface Work {
  readonly connections: number;
  readonly seconds: number;
  readonly lineBytes: number;
  readonly linesPerSecond: number | null;
}

/**
 * @returns done, no where a count or a sum is wrong, 130 after SIGINT, with what was measured until then
 * @throws Failure ERR_USAGE for an option, ERR_NO_DAEMON and ERR_DENIED for the daemon
 */
export async function bench(config: Config, options: BenchOptions, io: Io): Promise<number> {
  const work = workOf(options);
  const over = new AbortController();
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const interrupt = () => {
    Atomics.store(stop, 0, 1);
    over.abort();
  };
  io.signals.once('SIGINT', interrupt);
  io.signals.once('SIGTERM', interrupt);
  let daemon: PrivateDaemon | undefined;
  try {
    if (!options.running) daemon = await PrivateDaemon.start(config, io.env, over.signal);
    const result = await measure(daemon?.config ?? config, daemon !== undefined, work, stop, io);
    if (options.json) io.stdout.write(`${JSON.stringify(result)}\n`);
    else io.stdout.write(benchText(result, colorsOf(io.stdout, io.env)));
    if (over.signal.aborted) return EXIT_INTERRUPTED;
    return result.wrong.length === 0 ? EXIT_DONE : EXIT_NO;
  } catch (error) {
    // Before anything was measured.
    if (over.signal.aborted && !(error instanceof Failure)) return EXIT_INTERRUPTED;
    throw error;
  } finally {
    io.signals.off('SIGINT', interrupt);
    io.signals.off('SIGTERM', interrupt);
    await daemon?.end();
  }
}

function workOf({ connections, seconds, eventBytes, rate }: BenchOptions): Work {
  const number = (option: string, text: string | undefined, max: number, min = 1) =>
    text === undefined ? null : wholeNumber(option, text, max, min);
  return {
    connections: number('--connections', connections, CONNECTIONS_MAX) ?? BENCH_CONNECTIONS,
    seconds: number('--seconds', seconds, SECONDS_MAX) ?? BENCH_SECONDS,
    lineBytes:
      number('--event-bytes', eventBytes, LINE_BYTES_MAX, BENCH_LINE_BYTES_MIN) ?? BENCH_LINE_BYTES_MIN,
    linesPerSecond: number('--rate', rate, RATE_MAX),
  };
}

async function measure(
  config: Config,
  isPrivate: boolean,
  work: Work,
  stop: Int32Array<SharedArrayBuffer>,
  io: Io,
): Promise<BenchResult> {
  const ingestPath = join(config.runtimeDir, 'ingest.sock');
  const { body: status } = await request(config, 'GET', '/v1/status');
  const totalsBefore = await totalsOf(config);
  const probe = await BenchProbe.connect(config, ingestPath);
  const first = isPrivate ? 0 : Math.floor(Math.random() * FIRST_MAX);
  const shape = { lineBytes: work.lineBytes, names: BENCH_NAMES };
  const depth = depthOf(work);
  const order = { seconds: work.seconds, linesPerSecond: work.linesPerSecond, depth, first };
  const task: LoadTask = { ingestPath, connections: work.connections, shape, order, stop };
  const sender = new Worker(new URL('../../workers/load.js', import.meta.url), { workerData: task });
  try {
    const fromSender = async () => {
      const [message] = await once(sender, 'message').catch((error) => {
        throw failureOfSocket(error, ingestPath);
      });
      return message;
    };
    await fromSender();
    let usage: Usage = usageOf(status.pid);
    const before = usage;
    let residentMib = before.rssMib;
    let isOver = false;
    const startedMs = performance.now();
    const answer = fromSender().finally(() => {
      isOver = true;
    });
    const draw = progressOf(work, io);
    const looking = setInterval(() => {
      residentMib = Math.max(residentMib, usageOf(status.pid).rssMib);
      request(config, 'GET', '/v1/status')
        .then(({ body }) => {
          if (!isOver) draw((performance.now() - startedMs) / 1000, body.ingest.rate_1s);
        })
        .catch(() => {});
    }, DRAW_MS);
    sender.postMessage('go');
    const [sent] = (await Promise.all([answer, probe.run(() => isOver)]).finally(() => {
      clearInterval(looking);
      draw(null, 0);
    })) as [Sent, undefined];
    usage = usageOf(status.pid);
    const wrong = await wrongsOf(config, sent, depth, totalsBefore, probe);
    return {
      private: isPrivate,
      interrupted: Atomics.load(stop, 0) !== 0,
      connections: work.connections,
      event_bytes: work.lineBytes,
      seconds: sent.durableSeconds,
      sent: sent.lines,
      accepted: sent.accepted,
      rejected: sent.rejected,
      events_per_second: sent.lines / sent.durableSeconds,
      daemon_cpu_seconds_per_million: ((usage.cpuSeconds - before.cpuSeconds) / sent.lines) * 1e6,
      daemon_rss_bytes_max: Math.round(residentMib * 1024 * 1024),
      sync_seconds: latencyOf(probe.syncSeconds),
      visible_seconds: latencyOf(probe.visibleSeconds),
      query_seconds: latencyOf(probe.querySeconds),
      wrong,
    };
  } finally {
    probe.close();
    await sender.terminate();
  }
}

/** A multiple of the connections, and no more than about a tenth of the time. */
function depthOf({ connections, seconds, lineBytes, linesPerSecond }: Work): number {
  const bySize = (DEPTH * LINE_BYTES) / lineBytes;
  const byPace =
    linesPerSecond === null
      ? DEPTH
      : (linesPerSecond * seconds) / (WORKFLOWS_PER_BATCH + TASKS_PER_BATCH) / 10;
  const depth = Math.max(DEPTH_MIN, Math.min(DEPTH, bySize, byPace));
  return Math.ceil(depth / connections) * connections;
}

/** At its `null` it takes the line off the terminal. Silent where standard error is none. */
function progressOf(
  { seconds }: Work,
  { stderr, env }: Io,
): (done: number | null, eventsPerSecond: number) => void {
  if (stderr.isTTY !== true || env.TERM === 'dumb') return () => {};
  return (done, rate) => {
    const text = done === null ? '' : progressText(done, seconds, rate, widthOf(stderr) - 1);
    stderr.write(`\r${text}\x1b[K`);
  };
}

interface Totals {
  readonly count: number;
  readonly sum: number;
}

/** Of the agents that only a bench has. */
async function totalsOf(config: Config): Promise<Totals> {
  const path = '/v1/stats?metric=task_duration_seconds&by=agent&limit=100000';
  const { body } = await request(config, 'GET', path);
  let count = 0;
  let sum = 0;
  for (const group of body.groups) {
    if (!/^bench\d\d$/.test(group.labels.agent)) continue;
    count += group.count;
    sum += group.sum;
  }
  return { count, sum };
}

async function wrongsOf(
  config: Config,
  sent: Sent,
  depth: number,
  before: Totals,
  probe: BenchProbe,
): Promise<string[]> {
  const facts = loadFacts(sent.batches, depth);
  const after = await totalsOf(config);
  const sum = after.sum - before.sum;
  const wrong: string[] = [];
  const expect = (what: string, actual: number, expected: number, holds = actual === expected) => {
    if (!holds) wrong.push(`${what}: ${actual}, and should be ${expected}`);
  };
  expect('lines sent', sent.lines, facts.lines);
  expect('lines accepted', sent.accepted, sent.lines);
  expect('lines rejected', sent.rejected, 0);
  expect('probes accepted', probe.accepted, probe.sent);
  expect('durations of tasks', after.count - before.count, facts.tasks);
  const error = Math.abs(sum - facts.durationSum);
  expect('sum of the durations', sum, facts.durationSum, error <= SUM_ERROR_MAX * Math.abs(after.sum));
  return wrong;
}
