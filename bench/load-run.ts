/**
 * A run of the sending process (sender.ts) against a daemon, and whether what came of it is right: every line acknowledged
 * as durable, ledger, state, counts and sums exact, the archive whole.
 */

import { join } from 'node:path';
import { freeNativeMemory, nativeMemoryIsHeld } from '../src/archive/lz4.js';
import { listSegments } from '../src/archive/segment-name.js';
import { SegmentReader } from '../src/archive/segment-reader.js';
import { type LoadFacts, loadFacts, WORKFLOWS_PER_BATCH, workflowId } from '../src/load/load.js';
import { type Usage, usageOf } from '../src/load/process-usage.js';
import { Child } from './child.js';
import { Daemon } from './daemon.js';
import { check, type Figures, medianOf, type Series, slopeOf } from './harness.js';
import type { NaiveTotals } from './naive-daemon.js';
import type { SenderResult } from './sender.js';

const SETTINGS = ['ring.bytes=32MiB', 'log.level=warn'];
const SLOPE_SECONDS = 20;
/** What a million events a second leave behind, with room to spare. */
export const ARCHIVE_BYTES_PER_SECOND = 60_000_000;
/** One frame in so many is decompressed and its lines are counted; of the others the heads say how many. */
const WHOLE_FRAME_EVERY = 16;
const RECENT_MAX = 10_000;
export const RATE = 'M events/s durable';
export const SLOPE = 'rss slope MiB/s';

export interface LoadRun {
  readonly connections: number;
  readonly seconds: number;
  readonly depth: number;
  /** A folder for CPU profiles of the daemon; null: none. */
  readonly profileDirectory: string | null;
  /** null: as fast as it goes. */
  readonly linesPerSecond: number | null;
  readonly lineBytes: number;
}

/**
 * @param during runs beside the sender
 * @param takeMemory gets resident memory in MiB by seconds of sending
 */
export async function daemonPass(
  run: LoadRun,
  directory: string,
  during: (daemon: Daemon) => Promise<Figures> = async () => ({}),
  takeMemory: (series: Series) => void = () => {},
): Promise<Figures> {
  const flags = run.profileDirectory === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${run.profileDirectory}`];
  const daemon = new Daemon(directory, SETTINGS, flags);
  try {
    await daemon.ready();
    const ticks: Tick[] = [];
    const look = async (usage: Usage) => {
      const { ingest, threads } = await daemon.get('/v1/status');
      ticks.push({ atSeconds: usage.atSeconds, accepted: ingest.accepted, threads });
    };
    const [measured, beside] = await Promise.all([
      measure(run, daemon.ingestPath, daemon.pid, look),
      during(daemon),
    ]);
    takeMemory(
      measured.usages.map(({ atSeconds, rssMib }) => [atSeconds - measured.before.atSeconds, rssMib]),
    );
    const facts = checkSent(measured.sent, run);
    const status = await daemon.get('/v1/status');
    checkStatus(status, facts, run.lineBytes);
    await checkAggregates(daemon, facts, measured.sent.batches);
    check('the exit code', await daemon.stop(), 0);
    await checkArchive(join(daemon.stateDirectory, 'archive'), facts, run.lineBytes);
    const { bytes_raw: raw, bytes_compressed: compressed } = status.archive;
    return {
      ...figuresOf(measured),
      'M events/s worst second': worstSecond(ticks),
      stalls: status.ring.stalls,
      'archive ratio': raw / compressed,
      ...utilizations(ticks),
      ...beside,
    };
  } finally {
    daemon.kill();
  }
}

export async function naivePass(run: LoadRun, directory: string): Promise<Figures> {
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

// Measuring

interface Measured {
  readonly sent: SenderResult;
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

export async function measure(
  { connections, seconds, depth, linesPerSecond, lineBytes }: LoadRun,
  ingestPath: string,
  pid: number,
  look: (usage: Usage) => Promise<void>,
): Promise<Measured> {
  const args = [ingestPath, String(connections), String(depth), String(lineBytes)];
  const sender = new Child(new URL('./sender.js', import.meta.url), args);
  const usages: Usage[] = [];
  try {
    await sender.receive();
    const before = usageOf(pid);
    const answer = sender.receive<SenderResult>();
    sender.send({ seconds, linesPerSecond });
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

export function figuresOf({ sent, before, after, usages }: Measured): Figures {
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

export function checkSent(sent: SenderResult, { depth }: LoadRun): LoadFacts {
  const facts = loadFacts(sent.batches, depth);
  check('lines sent', sent.lines, facts.lines);
  check('lines acknowledged as durable', sent.accepted, facts.lines);
  check('lines acknowledged as refused', sent.rejected, 0);
  return facts;
}

// biome-ignore lint/suspicious/noExplicitAny: as the contract describes it
function checkStatus(status: any, facts: LoadFacts, lineBytes: number): void {
  const { ingest, state, archive } = status;
  check('ingest.lines', ingest.lines, facts.lines);
  check('ingest.accepted', ingest.accepted, facts.lines);
  check('ingest.rejected', ingest.rejected, 0);
  check('ingest.dropped', ingest.dropped, 0);
  check('ingest.in_flight', ingest.in_flight, 0);
  check('archive.durable_seq', archive.durable_seq, facts.lines);
  check('archive.bytes_raw', archive.bytes_raw, facts.lines * lineBytes);
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

async function checkArchive(directory: string, facts: LoadFacts, lineBytes: number): Promise<void> {
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
      const lines = content.kind === 'content' ? countLines(content.raw, lineBytes) : content.reason;
      check(`lines of the frame at byte ${frame.offset}`, lines, frame.head.lineCount);
      if (nativeMemoryIsHeld()) await freeNativeMemory();
    }
    reader.close();
  }
  check('lines in the archive', line - 1, facts.lines);
  check('raw bytes in the archive', rawBytes, facts.lines * lineBytes);
}

/** Of the one length that all have; the last byte of each must end it. */
function countLines(raw: Buffer, lineBytes: number): number {
  let count = 0;
  for (let at = lineBytes - 1; at < raw.length && raw[at] === 10; at += lineBytes) count++;
  return count * lineBytes === raw.length ? count : Number.NaN;
}
