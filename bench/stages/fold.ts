/**
 * The fold over a log in memory: decode, pairing of starts with ends, aggregates, forgetting. It is what replays the
 * archive, and the live fold but for the ring. After each pass the tables must hold exactly what the log was made to
 * give: workflows, tasks by status, the counts and sums of every metric (exact, since all values are dyadic).
 */

import { allocateCompiledTables } from '../../src/fold/compiled-events.js';
import { Replay } from '../../src/fold/replay.js';
import { queryStats } from '../../src/query/stats.js';
import { Tables } from '../../src/state/tables.js';
import { type GeneratedLog, generateLog, type LogFacts, type LogShape } from '../generated-log.js';
import { type Bench, type Comparison, check, type Figures } from '../harness.js';
import { DEFAULT_LIMITS } from '../limits.js';
import { NaiveFold } from '../naive-fold.js';

export const foldBench: Bench = {
  name: 'fold',
  goals: ['at least 1.5 M lines/s of short lines: the pipeline needs 1 M/s of them beside the other threads'],
  nonGoals: ['the ring and its cursors: bench ring', 'several decoders'],
  warmUps: 1,
  comparisons: ({ small }) => comparisons(small ? 0.01 : 1),
  judge: (results) => {
    const { figures } = results[0]!.variants[0]!;
    const median = figures['M lines/s']!.median;
    return [{ goal: '1.5 M short lines/s', value: `${median.toFixed(2)} M lines/s`, holds: median >= 1.5 }];
  },
};

const ARRIVED_US = 1_700_000_000_000_000;

/** @param scale 1: about half a million lines each */
function* comparisons(scale: number): Generator<Comparison> {
  const base = { agents: 64, samplesPerTask: 0, escapesEvery: 0, texts: false };
  const many = Math.ceil(12_000 * scale);
  const few = Math.ceil(25_000 * scale);
  const tables = new Tables(allocateCompiledTables(DEFAULT_LIMITS));
  const shapes: [string, LogShape][] = [
    [
      'many workflows, 20 tasks each, short lines',
      { ...base, workflows: many, tasksPerWorkflow: 20, workflowsAtOnce: 500, tasksAtOnce: 4 },
    ],
    [
      'few workflows, thousands of tasks each',
      { ...base, workflows: 10, tasksPerWorkflow: few, workflowsAtOnce: 10, tasksAtOnce: 1000 },
    ],
    [
      'mix of real executions, with texts and samples',
      {
        ...base,
        workflows: Math.ceil(many / 2),
        tasksPerWorkflow: 30,
        workflowsAtOnce: 50,
        tasksAtOnce: 8,
        samplesPerTask: 1,
        texts: true,
      },
    ],
    [
      'mostly samples with tags',
      {
        ...base,
        workflows: 10,
        tasksPerWorkflow: Math.ceil(few / 4),
        workflowsAtOnce: 10,
        tasksAtOnce: 8,
        samplesPerTask: 6,
      },
    ],
  ];
  for (const [name, shape] of shapes) yield compare(name, generateLog(shape), tables);
}

function compare(name: string, log: GeneratedLog, tables: Tables): Comparison {
  const lines = splitLines(log.bytes);
  return {
    name,
    variants: [
      { name: 'fold', pass: () => foldPass(log, tables) },
      { name: 'JSON.parse and Map', isBaseline: true, pass: () => naivePass(log, lines) },
    ],
  };
}

function foldPass({ bytes, facts }: GeneratedLog, tables: Tables): Figures {
  tables.clear();
  const replay = new Replay(tables, 0);
  replay.attach(bytes);
  const startedMs = performance.now();
  replay.fold(0, bytes.length, facts.lines, ARRIVED_US);
  const figures = figuresOf(bytes, facts, startedMs);
  check('refused lines', replay.refused, 0);
  checkTables(tables, facts);
  return figures;
}

function checkTables(tables: Tables, facts: LogFacts): void {
  const { workflows, tasks, board } = tables;
  check('lines', board.line, facts.lines);
  const counts = board.counts();
  check('live workflows', workflows.live, 0);
  check('workflows', workflows.recent + counts.workflows_evicted, facts.workflows);
  check('running tasks', tasks.running, 0);
  for (const none of [
    'task_restarts',
    'task_duplicate_ends',
    'clock_skew',
    'tasks_untracked',
    'series_overflowed',
  ] as const) {
    check(none, counts[none], 0);
  }
  const durations = totalOf(tables, 'task_duration_seconds', []);
  check('task durations', durations.count, facts.tasks);
  check('sum of task durations', durations.sum, facts.durationSum);
  check(
    'failed tasks',
    totalOf(tables, 'task_duration_seconds', [['status', 'failed']]).count,
    facts.tasksFailed,
  );
  check('workflow durations', totalOf(tables, 'workflow_duration_seconds', []).count, facts.workflows);
  const samples = totalOf(tables, 'task_memory_bytes', []);
  check('samples', samples.count, facts.samples);
  check('sum of samples', samples.sum, facts.sampleSum);
}

export function totalOf(tables: Tables, metric: string, where: readonly (readonly [string, string])[]) {
  const { groups } = queryStats(tables, { metric, by: [], where, limit: 1 }, 0) as {
    groups: { count: number; sum: number }[];
  };
  return groups[0] ?? { count: 0, sum: 0 };
}

/** It is given its lines already split, which is in its favour. */
function naivePass({ bytes, facts }: GeneratedLog, lines: readonly Buffer[]): Figures {
  const fold = new NaiveFold();
  const startedMs = performance.now();
  for (const line of lines) fold.take(line.toString('latin1'));
  const figures = figuresOf(bytes, facts, startedMs);
  check('lines', fold.lines, facts.lines);
  check('workflows', fold.workflowsOver, facts.workflows);
  const durations = fold.total('task_duration_seconds');
  check('task durations', durations.count, facts.tasks);
  check('sum of task durations', durations.sum, facts.durationSum);
  check('samples', fold.total('task_memory_bytes').count, facts.samples);
  return figures;
}

function figuresOf(bytes: Buffer, { lines }: LogFacts, startedMs: number): Figures {
  const seconds = (performance.now() - startedMs) / 1000;
  return { 'M lines/s': lines / seconds / 1e6, 'MB/s': bytes.length / seconds / 1e6 };
}

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at);
    lines.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return lines;
}
