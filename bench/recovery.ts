/**
 * The start after a crash: the fold of the log after the last checkpoint, in this process, and a real daemon from its spawn until
 * it says that it is ready, over a state of 100,000 workflows with 10 tasks each.
 *
 * Baselines: the same log read and decompressed alone; the same start without a checkpoint.
 */

import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFrames } from '../src/archive/log-reader.js';
import { foldLog } from '../src/daemon/rebuild.js';
import { allocateCompiledTables } from '../src/fold/compiled-events.js';
import { LINE_BYTES, Load, type LoadFacts, loadFacts } from '../src/load/load.js';
import { Tables } from '../src/state/tables.js';
import { Daemon } from './daemon.js';
import { type Bench, type Comparison, check, type Figures, type Verdict } from './harness.js';
import { DEFAULT_LIMITS } from './limits.js';
import { writeCheckpointOf, writeLog } from './log-files.js';
import { totalOf } from './stages/fold.js';

export const recoveryBench: Bench = {
  name: 'recovery',
  goals: [
    'the log is folded at 1 M events/s or more',
    'with a checkpoint a daemon is ready in under 1 s, with 100,000 workflows of 10 tasks in state',
  ],
  nonGoals: ['a cold page cache', 'damage'],
  warmUps: 1,
  comparisons: ({ small }) => comparisons(small ? 0.01 : 1),
  judge: (results) => {
    const rate = results[0]!.variants[0]!.figures[RATE]!.median;
    const ready = results[1]!.variants[0]!.figures[READY]!.median;
    const verdicts: Verdict[] = [
      { goal: '1 M events/s', value: `${rate.toFixed(2)} M events/s`, holds: rate >= 1 },
      { goal: 'ready in under 1 s', value: `${ready.toFixed(2)} s`, holds: ready < 1 },
    ];
    return verdicts;
  },
};

const RATE = 'M events/s';
const READY = 's to ready';
/** About a million lines; so many batches of them run at one time. */
const BATCHES = 2100;
const DEPTH = 200;
const WORKFLOWS = 100_000;
const TASKS_PER_WORKFLOW = 10;
const WORKFLOWS_PER_CHUNK = 1000;

function* comparisons(scale: number): Generator<Comparison> {
  const directory = mkdtempSync(join(tmpdir(), 'tallyd-recovery-'));
  try {
    yield foldComparison(join(directory, 'log'), scale);
    yield startComparison(join(directory, 'start'), Math.ceil(WORKFLOWS * scale));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Made by the first pass that needs it: what is yielded cannot wait. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | null = null;
  return () => {
    made ??= make();
    return made;
  };
}

function foldComparison(directory: string, scale: number): Comparison {
  const tables = new Tables(allocateCompiledTables(DEFAULT_LIMITS));
  const batches = Math.ceil(BATCHES * scale);
  const depth = Math.min(DEPTH, batches);
  const facts = loadFacts(batches, depth);
  const written = once(async () => {
    check('lines written', await writeLog(directory, loadChunks(batches, depth)), facts.lines);
  });
  return {
    name: `the fold of a log of ${facts.lines} lines of ${LINE_BYTES} bytes`,
    variants: [
      {
        name: 'fold',
        pass: async () => {
          await written();
          return foldPass(directory, facts, tables);
        },
      },
      {
        name: 'read and decompress',
        isBaseline: true,
        pass: async () => {
          await written();
          return readPass(directory, facts);
        },
      },
    ],
  };
}

/** The load of the pipeline. */
function* loadChunks(batches: number, depth: number): Generator<Buffer> {
  const load = new Load();
  for (let serial = 0; serial < batches + depth; serial++) {
    const kind = serial < depth ? 'starts' : serial < batches ? 'mixed' : 'ends';
    yield Buffer.from(load.batch(kind, serial, serial - depth));
  }
}

async function foldPass(directory: string, facts: LoadFacts, tables: Tables): Promise<Figures> {
  tables.clear();
  const startedMs = performance.now();
  const { lines, refused } = await foldLog(tables, directory, {
    fromLine: 1,
    toLine: facts.lines,
    clientsToLine: 0,
    upTo: null,
    onFlaw: ({ reason }) => check('the log', reason, 'whole'),
  });
  const seconds = (performance.now() - startedMs) / 1000;
  check('lines folded', lines, facts.lines);
  check('refused lines', refused, 0);
  const durations = totalOf(tables, 'task_duration_seconds', []);
  check('task durations', durations.count, facts.tasks);
  check('sum of task durations', durations.sum, facts.durationSum);
  check('sum of tokens', totalOf(tables, 'task_tokens', []).sum, facts.tokens);
  check('workflow durations', totalOf(tables, 'workflow_duration_seconds', []).count, facts.workflows);
  check('live workflows', tables.workflows.live, 0);
  return { [RATE]: lines / seconds / 1e6 };
}

async function readPass(directory: string, facts: LoadFacts): Promise<Figures> {
  const startedMs = performance.now();
  let lines = 0;
  for await (const item of readFrames(directory)) if (item.kind === 'frame') lines += item.facts.lineCount;
  const seconds = (performance.now() - startedMs) / 1000;
  check('lines read', lines, facts.lines);
  return { [RATE]: lines / seconds / 1e6 };
}

function startComparison(directory: string, workflows: number): Comparison {
  const state = join(directory, 'state');
  const checkpoint = join(state, 'checkpoint');
  const aside = join(directory, 'aside');
  const lines = once(async () => {
    const count = await writeLog(join(state, 'archive'), liveWorkflows(workflows));
    check('lines written', count, workflows * (TASKS_PER_WORKFLOW + 1));
    await writeCheckpointOf(state, count);
    return count;
  });
  return {
    name: `a start with ${workflows} workflows of ${TASKS_PER_WORKFLOW} running tasks`,
    variants: [
      {
        name: 'with a checkpoint',
        pass: async () => {
          const count = await lines();
          return startPass(directory, count, workflows, count);
        },
      },
      {
        name: 'without',
        isBaseline: true,
        pass: async () => {
          const count = await lines();
          renameSync(checkpoint, aside);
          try {
            return await startPass(directory, count, workflows, 0);
          } finally {
            rmSync(checkpoint, { recursive: true, force: true });
            renameSync(aside, checkpoint);
          }
        },
      },
    ],
  };
}

/** @param checkpointLine of the checkpoint that it must begin with; 0: none */
async function startPass(
  directory: string,
  lines: number,
  workflows: number,
  checkpointLine: number,
): Promise<Figures> {
  const startedMs = performance.now();
  const daemon = new Daemon(directory, ['log.level=warn', 'checkpoint.interval=1d'], []);
  try {
    await daemon.ready();
    const seconds = (performance.now() - startedMs) / 1000;
    const { state, archive, checkpoint } = await daemon.get('/v1/status');
    check('line of the checkpoint', checkpoint?.line ?? 0, checkpointLine);
    check('archive.durable_seq', archive.durable_seq, lines);
    check('state.workflows_live', state.workflows_live, workflows);
    check('state.tasks_running', state.tasks_running, workflows * TASKS_PER_WORKFLOW);
    return { [READY]: seconds };
  } finally {
    // A drain would write another checkpoint.
    await daemon.end();
  }
}

/** Each with its tasks, all of them running, as ids of real ones are long. */
function* liveWorkflows(count: number): Generator<Buffer> {
  for (let from = 0; from < count; from += WORKFLOWS_PER_CHUNK) {
    const lines: string[] = [];
    for (let i = from; i < Math.min(count, from + WORKFLOWS_PER_CHUNK); i++) {
      const workflow = `montage-chameleon-2mass-${String(i).padStart(6, '0')}`;
      const ts = 1_700_000_000 + i / 8;
      lines.push(`{"type":"workflow.start","workflow":"${workflow}","name":"montage-${i % 5}","ts":${ts}}\n`);
      for (let task = 0; task < TASKS_PER_WORKFLOW; task++) {
        const agent = `compute-${(i + task) % 64}.novalocal`;
        lines.push(
          `{"type":"task.start","workflow":"${workflow}","task":"mDiffFit_ID${String(task).padStart(7, '0')}","agent":"${agent}","kind":"mDiffFit","ts":${ts}}\n`,
        );
      }
    }
    yield Buffer.from(lines.join(''));
  }
}
