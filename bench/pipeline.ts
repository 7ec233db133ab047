/**
 * The whole daemon as it is installed, with everything on, under a sender on the same machine: lines of 136 bytes over
 * 1, 16 and 200 connections for a time, then a sync on each, which must find all of them durable. Afterwards the ledger must
 * close, the counts and the sum of all durations must be exact, and the archive must hold every line, in order.
 *
 * Baselines, under the same sender: naive-daemon.ts, and where a C compiler is there reference.c, which does the bare work.
 */

import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeNativeMemory, nativeMemoryIsHeld } from '../src/archive/lz4.js';
import { listSegments } from '../src/archive/segment-name.js';
import { SegmentReader } from '../src/archive/segment-reader.js';
import { Child } from './child.js';
import { Daemon } from './daemon.js';
import {
  type Bench,
  type Comparison,
  check,
  type Figures,
  medianOf,
  type Options,
  slopeOf,
  type Variant,
  type Verdict,
} from './harness.js';
import { LINE_BYTES, type LoadFacts, loadFacts, WORKFLOWS_PER_BATCH, workflowId } from './load.js';
import type { NaiveTotals } from './naive-daemon.js';
import { type Usage, usageOf } from './process-usage.js';
import { compilerIsThere, Reference } from './reference.js';
import type { Sent } from './sender.js';

export const pipelineBench: Bench = {
  name: 'pipeline',
  goals: [
    'at least 1 M events/s of 136 bytes, sustained for 30 s and durable, sender on the same cores, nothing lost',
    'resident memory flat: its slope over the last 20 s is under 1 MiB/s',
  ],
  nonGoals: [
    'latency',
    'clients that write one event at a time',
    'queries meanwhile: one status a second is asked',
  ],
  warmUps: 0,
  comparisons: (options) => comparisons(options),
  judge: (results) =>
    results.flatMap(({ name, variants }): Verdict[] => {
      const { figures } = variants[0]!;
      const rate = figures[RATE]!.median;
      const slope = figures[SLOPE]!.median;
      return [
        { goal: `${name}: 1 M events/s`, value: `${rate.toFixed(2)} M events/s`, holds: rate >= 1 },
        { goal: `${name}: slope under 1 MiB/s`, value: `${slope.toFixed(2)} MiB/s`, holds: slope < 1 },
      ];
    }),
};

const CONNECTIONS = [1, 16, 200];
const SECONDS = 30;
const SECONDS_SMALL = 1;
const SETTINGS = ['ring.bytes=32MiB', 'log.level=warn'];
/** Batches whose workflows run at one time; rounded up to a multiple of the connections. */
const DEPTH = 200;
const DEPTH_SMALL = 4;
const SLOPE_SECONDS = 20;
/** What a million events a second leave behind, with room to spare. */
const ARCHIVE_BYTES_PER_SECOND = 60_000_000;
const DISK_SPARE_BYTES = 1e9;
/** One frame in so many is decompressed and its lines are counted; of the others the heads say how many. */
const WHOLE_FRAME_EVERY = 16;
const RECENT_MAX = 10_000;

const REFERENCE = 'C reference';
const RATE = 'M events/s durable';
const SLOPE = 'rss slope MiB/s';

function* comparisons(options: Options): Generator<Comparison> {
  const seconds = options.seconds ?? (options.small ? SECONDS_SMALL : SECONDS);
  for (const connections of options.connections ?? CONNECTIONS) {
    const depth = Math.ceil((options.small ? DEPTH_SMALL : DEPTH) / connections) * connections;
    const run: Run = { connections, seconds, depth, profileDirectory: options.profileDirectory };
    yield {
      name: `${connections} connection${connections === 1 ? '' : 's'}, ${seconds} s`,
      variants: [
        { name: 'tallyd', pass: () => inDirectory(seconds, (directory) => daemonPass(run, directory)) },
        {
          name: 'naive daemon',
          isBaseline: true,
          pass: () => inDirectory(seconds, (directory) => naivePass(run, directory)),
        },
        ...(compilerIsThere() ? [referenceVariant(run)] : []),
      ],
    };
  }
}

interface Run {
  readonly connections: number;
  readonly seconds: number;
  readonly depth: number;
  readonly profileDirectory: string | null;
}

function referenceVariant(run: Run): Variant {
  return {
    name: REFERENCE,
    pass: () => inDirectory(run.seconds, (directory) => referencePass(run, directory)),
  };
}

/** A folder on a real disk, gone afterwards. @throws CheckFailure where the disk has no room for a pass */
async function inDirectory(seconds: number, pass: (directory: string) => Promise<Figures>): Promise<Figures> {
  const { bavail, bsize } = statfsSync(tmpdir());
  const needed = seconds * ARCHIVE_BYTES_PER_SECOND + DISK_SPARE_BYTES;
  check(
    `room for ${needed} bytes in ${tmpdir()} (TMPDIR chooses another folder)`,
    bavail * bsize >= needed,
    true,
  );
  const directory = mkdtempSync(join(tmpdir(), 'tallyd-bench-'));
  try {
    return await pass(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function daemonPass(run: Run, directory: string): Promise<Figures> {
  const flags = run.profileDirectory === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${run.profileDirectory}`];
  const daemon = new Daemon(directory, SETTINGS, flags);
  try {
    await daemon.ready();
    const ticks: Tick[] = [];
    const measured = await measure(run, daemon.ingestPath, daemon.pid, async (usage) => {
      const { ingest, threads } = await daemon.get('/v1/status');
      ticks.push({ atSeconds: usage.atSeconds, accepted: ingest.accepted, threads });
    });
    const facts = checkSent(measured.sent, run);
    const status = await daemon.get('/v1/status');
    checkStatus(status, facts);
    await checkAggregates(daemon, facts, measured.sent.batches);
    check('the exit code', await daemon.stop(), 0);
    await checkArchive(join(daemon.stateDirectory, 'archive'), facts);
    const { bytes_raw: raw, bytes_compressed: compressed } = status.archive;
    return {
      ...figuresOf(measured),
      'M events/s worst second': worstSecond(ticks),
      stalls: status.ring.stalls,
      'archive ratio': raw / compressed,
      ...utilizations(ticks),
    };
  } finally {
    daemon.kill();
  }
}

async function naivePass(run: Run, directory: string): Promise<Figures> {
  const socketPath = join(directory, 'ingest.sock');
  const daemon = new Child(new URL('./naive-daemon.js', import.meta.url), [
    socketPath,
    join(directory, 'log.lz4'),
  ]);
  try {
    await daemon.receive();
    const measured = await measure(run, socketPath, daemon.pid, async () => {});
    const facts = checkSent(measured.sent, run);
    const answer = daemon.receive<NaiveTotals>();
    daemon.send('stop');
    const totals = await answer;
    check('lines', totals.lines, facts.lines);
    check('workflows', totals.workflows, facts.workflows);
    check('tasks', totals.tasks, facts.tasks);
    check('sum of durations', totals.durationSum, facts.durationSum);
    return figuresOf(measured);
  } finally {
    await daemon.end();
  }
}

async function referencePass(run: Run, directory: string): Promise<Figures> {
  const socketPath = join(directory, 'ingest.sock');
  const reference = await Reference.start(directory, socketPath);
  try {
    const measured = await measure(run, socketPath, reference.pid, async () => {});
    const facts = checkSent(measured.sent, run);
    const totals = await reference.stop();
    check('lines', totals.lines, facts.lines);
    check('malformed lines', totals.malformed, 0);
    check('ends of tasks', totals.ends, facts.tasks);
    check('sum of tokens', totals.tokens, facts.tokens);
    check('samples', totals.samples, facts.lines);
    return figuresOf(measured);
  } finally {
    reference.kill();
  }
}

// Measuring

interface Measured {
  readonly sent: Sent;
  readonly before: Usage;
  readonly after: Usage;
  /** Once a second, while the sender was sending. */
  readonly usages: readonly Usage[];
}

interface Tick {
  readonly atSeconds: number;
  readonly accepted: number;
  readonly threads: readonly { readonly name: string; readonly utilization: number }[];
}

async function measure(
  { connections, seconds, depth }: Run,
  ingestPath: string,
  pid: number,
  look: (usage: Usage) => Promise<void>,
): Promise<Measured> {
  const args = [ingestPath, String(connections), String(depth)];
  const sender = new Child(new URL('./sender.js', import.meta.url), args);
  const usages: Usage[] = [];
  try {
    await sender.receive();
    const before = usageOf(pid);
    const answer = sender.receive<Sent>();
    sender.send({ seconds });
    const endSeconds = before.atSeconds + seconds;
    const looking = setInterval(
      () => {
        const usage = usageOf(pid);
        if (usage.atSeconds >= endSeconds) return;
        usages.push(usage);
        look(usage).catch(() => {}); // the checks behind the load say what is wrong
      },
      Math.min(1000, seconds * 100),
    );
    const sent = await answer.finally(() => clearInterval(looking));
    return { sent, before, after: usageOf(pid), usages };
  } finally {
    await sender.end();
  }
}

function figuresOf({ sent, before, after, usages }: Measured): Figures {
  const millions = sent.lines / 1e6;
  const last = usages.filter(({ atSeconds }) => atSeconds > usages.at(-1)!.atSeconds - SLOPE_SECONDS);
  // At the start the tables fill: of a short run the first third says nothing.
  const steady = last.length < usages.length ? last : usages.slice(Math.floor(usages.length / 3));
  return {
    [RATE]: millions / sent.durableSeconds,
    'M events/s written': millions / sent.writeSeconds,
    'daemon CPU s/M events': (after.cpuSeconds - before.cpuSeconds) / millions,
    'sender CPU s/M events': sent.cpuSeconds / millions,
    'rss MiB, largest': Math.max(...usages.map(({ rssMib }) => rssMib)),
    [SLOPE]: slopeOf(
      steady.map(({ atSeconds }) => atSeconds),
      steady.map(({ rssMib }) => rssMib),
    ),
  };
}

function worstSecond(ticks: readonly Tick[]): number {
  let worst = Number.POSITIVE_INFINITY;
  for (let i = 1; i < ticks.length; i++) {
    const { atSeconds, accepted } = ticks[i - 1]!;
    worst = Math.min(worst, (ticks[i]!.accepted - accepted) / (ticks[i]!.atSeconds - atSeconds) / 1e6);
  }
  return worst;
}

function utilizations(ticks: readonly Tick[]): Figures {
  const names = ticks.at(-1)?.threads.map(({ name }) => name) ?? [];
  return Object.fromEntries(
    names.map((name, i) => [
      `${name} thread, % busy`,
      100 * medianOf(ticks.map(({ threads }) => threads[i]!.utilization)),
    ]),
  );
}

// Checking

function checkSent(sent: Sent, { depth }: Run): LoadFacts {
  const facts = loadFacts(sent.batches, depth);
  check('lines sent', sent.lines, facts.lines);
  check('lines acknowledged as durable', sent.accepted, facts.lines);
  check('lines acknowledged as refused', sent.rejected, 0);
  return facts;
}

// biome-ignore lint/suspicious/noExplicitAny: as the contract describes it
function checkStatus(status: any, facts: LoadFacts): void {
  const { ingest, state, archive } = status;
  check('ingest.lines', ingest.lines, facts.lines);
  check('ingest.accepted', ingest.accepted, facts.lines);
  check('ingest.rejected', ingest.rejected, 0);
  check('ingest.dropped', ingest.dropped, 0);
  check('ingest.in_flight', ingest.in_flight, 0);
  check('archive.durable_seq', archive.durable_seq, facts.lines);
  check('archive.bytes_raw', archive.bytes_raw, facts.lines * LINE_BYTES);
  check('state.workflows_live', state.workflows_live, 0);
  check('state.workflows_recent', state.workflows_recent, Math.min(facts.workflows, RECENT_MAX));
  check('state.tasks_running', state.tasks_running, 0);
  const { workflows_evicted: evicted, ...rest } = state.counts;
  check('state.counts.workflows_evicted', evicted, facts.workflows - state.workflows_recent);
  for (const [name, count] of Object.entries(rest)) check(`state.counts.${name}`, count, 0);
  for (const { name, restarts } of status.threads) check(`restarts of ${name}`, restarts, 0);
}

async function checkAggregates(daemon: Daemon, facts: LoadFacts, batches: number): Promise<void> {
  const total = async (query: string) =>
    (await daemon.get(`/v1/stats?${query}`)).groups[0] ?? { count: 0, sum: 0 };
  const durations = await total('metric=task_duration_seconds');
  check('task durations', durations.count, facts.tasks);
  check('sum of task durations', durations.sum, facts.durationSum);
  const failed = await total('metric=task_duration_seconds&where=status%3Dfailed');
  check('failed tasks', failed.count, facts.tasksFailed);
  check('sum of tokens', (await total('metric=task_tokens')).sum, facts.tokens);
  check('workflow durations', (await total('metric=workflow_duration_seconds')).count, facts.workflows);
  const last = await daemon.get(`/v1/workflows/${workflowId(batches - 1, WORKFLOWS_PER_BATCH - 1)}`);
  check('status of the last workflow', last.status, 'completed');
  check('tasks of the last workflow', last.tasks_total, facts.tasks / facts.workflows);
}

async function checkArchive(directory: string, facts: LoadFacts): Promise<void> {
  let line = 1;
  let rawBytes = 0;
  let frames = 0;
  for (const { path } of listSegments(directory)) {
    const reader = SegmentReader.open(path);
    for (const frame of reader.frames()) {
      if (frame.kind !== 'frame') {
        check(`${path} at byte ${frame.offset}`, frame.reason, 'a whole frame');
        break;
      }
      if (frame.head.lineCount > 0) check('the first line of a frame', frame.head.firstLine, line);
      line += frame.head.lineCount;
      rawBytes += frame.head.rawBytes;
      if (frames++ % WHOLE_FRAME_EVERY !== 0) continue;
      const content = reader.readFrame(frame);
      const lines = content.kind === 'content' ? countLines(content.raw) : content.reason;
      check(`lines of the frame at byte ${frame.offset}`, lines, frame.head.lineCount);
      if (nativeMemoryIsHeld()) await freeNativeMemory();
    }
    reader.close();
  }
  check('lines in the archive', line - 1, facts.lines);
  check('raw bytes in the archive', rawBytes, facts.lines * LINE_BYTES);
}

/** Of the one length that all have; the last byte of each must end it. */
function countLines(raw: Buffer): number {
  let count = 0;
  for (let at = LINE_BYTES - 1; at < raw.length && raw[at] === 10; at += LINE_BYTES) count++;
  return count * LINE_BYTES === raw.length ? count : Number.NaN;
}
