/**
 * Scenarios `load` and `spike`: many clients at once, each with a workflow of its own, whose agents work through their tasks
 * in turns. Every client waits for the durable acknowledgement of its lines; then the report of the project, the aggregates
 * and the workflows must be exactly what was sent.
 *
 * Baseline: naive-daemon.ts, under the same clients.
 */

import { join } from 'node:path';
import { BlockingSocket } from '../../src/load/blocking-socket.js';
import { percentileOf } from '../../src/load/percentiles.js';
import { Child } from '../child.js';
import { Daemon } from '../daemon.js';
import {
  type Bench,
  type Comparison,
  type ComparisonResult,
  check,
  type Figures,
  type Verdict,
} from '../harness.js';
import type { NaiveTotals } from '../naive-daemon.js';
import { inFolder } from '../run-folder.js';

interface Burst {
  readonly workflows: number;
  readonly agents: number;
  readonly tasksPerAgent: number;
}

const ALL_MS = 'ms until all is durable';
const RATE = 'M events/s durable';
/** A client writes so many lines, and then it is the next one's turn. */
const LINES_PER_TURN = 10;
const ARCHIVE_BYTES = 100_000_000;
const FAILS_EVERY = 10;

export const loadBench: Bench = {
  name: 'load',
  goals: ['100 workflows of 10 agents with 100 tasks each: all durable within 2 s, every number exact'],
  nonGoals: ['the largest rate: bench pipeline'],
  warmUps: 0,
  comparisons: ({ small }) =>
    comparisons({ workflows: small ? 10 : 100, agents: 10, tasksPerAgent: small ? 3 : 100 }),
  judge: (results) => [within(results, '100 workflows × 10 agents durable within 2 s', 2000)],
};

export const spikeBench: Bench = {
  name: 'spike',
  goals: [
    '500 workflows in one burst, each on a connection of its own: all durable within 1 s, every number exact',
  ],
  nonGoals: ['a rate that lasts: bench pipeline'],
  warmUps: 0,
  comparisons: ({ small }) => comparisons({ workflows: small ? 20 : 500, agents: 10, tasksPerAgent: 2 }),
  judge: (results) => [within(results, '500 workflows in a burst durable within 1 s', 1000)],
};

function within(results: readonly ComparisonResult[], goal: string, ms: number): Verdict {
  const { median } = results[0]!.variants[0]!.figures[ALL_MS]!;
  return { goal, value: `${median.toFixed(0)} ms`, holds: median < ms };
}

function* comparisons(burst: Burst): Generator<Comparison> {
  const { workflows, agents, tasksPerAgent } = burst;
  yield {
    name: `${workflows} workflows × ${agents} agents × ${tasksPerAgent} tasks, a connection each`,
    variants: [
      { name: 'tallyd', pass: () => inFolder(ARCHIVE_BYTES, (directory) => daemonPass(burst, directory)) },
      {
        name: 'naive daemon',
        isBaseline: true,
        pass: () => inFolder(ARCHIVE_BYTES, (directory) => naivePass(burst, directory)),
      },
    ],
  };
}

async function daemonPass(burst: Burst, directory: string): Promise<Figures> {
  const daemon = new Daemon(directory, ['log.level=warn'], []);
  try {
    await daemon.ready();
    const figures = await send(burst, daemon.ingestPath);
    await checkAnswers(burst, daemon);
    check('the exit code', await daemon.stop(), 0);
    return figures;
  } finally {
    daemon.kill();
  }
}

async function naivePass(burst: Burst, directory: string): Promise<Figures> {
  const socketPath = join(directory, 'ingest.sock');
  const args = [socketPath, join(directory, 'log.lz4')];
  const daemon = new Child(new URL('../naive-daemon.js', import.meta.url), args);
  try {
    await daemon.receive();
    const figures = await send(burst, socketPath);
    const answer = daemon.receive<NaiveTotals>();
    daemon.send('stop');
    const totals = await answer;
    check('workflows', totals.workflows, burst.workflows);
    check('tasks', totals.tasks, tasksOf(burst));
    check('sum of durations', totals.durationSum, durationSumOf(burst));
    return figures;
  } finally {
    await daemon.end();
  }
}

/** All clients connect and write at once, and wait for their acknowledgements. */
async function send(burst: Burst, socketPath: string): Promise<Figures> {
  const turns = Array.from({ length: burst.workflows }, (_, workflow) => turnsOf(burst, workflow));
  const lines = linesOf(burst);
  const startedMs = performance.now();
  const clients = await Promise.all(turns.map(() => BlockingSocket.connect(socketPath)));
  const connectedMs = performance.now();
  for (let turn = 0; turn < turns[0]!.length; turn++) {
    for (const [i, client] of clients.entries()) client.write(turns[i]![turn]!, 0, turns[i]![turn]!.length);
  }
  const sync = Buffer.from('{"type":"sync","id":"end"}\n');
  for (const client of clients) client.write(sync, 0, sync.length);
  const times = clients.map((client) => {
    const reply = JSON.parse(client.readLine());
    check('lines acknowledged as durable', reply.accepted, lines / burst.workflows);
    check('lines refused', reply.rejected, 0);
    return performance.now() - startedMs;
  });
  const allMs = Math.max(...times);
  for (const client of clients) client.close();
  return {
    [RATE]: lines / allMs / 1000,
    [ALL_MS]: allMs,
    'ms until half is durable': percentileOf(times, 50),
    'ms to connect all': connectedMs - startedMs,
  };
}

/** Start, all task starts, all task ends, end. Durations are eighths, so that their sum is exact. */
function turnsOf({ agents, tasksPerAgent }: Burst, workflow: number): Buffer[] {
  const id = `burst-${workflow}`;
  const tasks = Array.from({ length: agents * tasksPerAgent }, (_, task) => task);
  const lines: object[] = [
    { type: 'workflow.start', workflow: id, name: 'burst', project: 'bench', ts: 1000 },
  ];
  for (const task of tasks) {
    lines.push({
      type: 'task.start',
      workflow: id,
      task: `t${task}`,
      agent: agentOf(task, agents),
      parallel: true,
      ts: 1000,
    });
  }
  for (const task of tasks) {
    const status = task % FAILS_EVERY === FAILS_EVERY - 1 ? 'failed' : 'completed';
    const ts = 1000 + durationOf(task);
    lines.push({
      type: 'task.end',
      workflow: id,
      task: `t${task}`,
      agent: agentOf(task, agents),
      status,
      ts,
      tokens: 5,
    });
  }
  lines.push({ type: 'workflow.end', workflow: id, status: 'completed', ts: 1020 });
  const turns: Buffer[] = [];
  for (let from = 0; from < lines.length; from += LINES_PER_TURN) {
    const some = lines.slice(from, from + LINES_PER_TURN).map((line) => `${JSON.stringify(line)}\n`);
    turns.push(Buffer.from(some.join('')));
  }
  return turns;
}

function agentOf(task: number, agents: number): string {
  return `agent-${task % agents}`;
}

function durationOf(task: number): number {
  return (1 + (task % 80)) / 8;
}

function linesOf({ workflows, agents, tasksPerAgent }: Burst): number {
  return workflows * (2 + 2 * agents * tasksPerAgent);
}

function tasksOf({ workflows, agents, tasksPerAgent }: Burst): number {
  return workflows * agents * tasksPerAgent;
}

function durationSumOf({ workflows, agents, tasksPerAgent }: Burst): number {
  let sum = 0;
  for (let task = 0; task < agents * tasksPerAgent; task++) sum += durationOf(task);
  return workflows * sum;
}

async function checkAnswers(burst: Burst, daemon: Daemon): Promise<void> {
  const { ingest, state, threads } = await daemon.get('/v1/status');
  check('ingest.accepted', ingest.accepted, linesOf(burst));
  check('ingest.rejected', ingest.rejected, 0);
  check('ingest.dropped', ingest.dropped, 0);
  check('ingest.in_flight', ingest.in_flight, 0);
  check('state.workflows_live', state.workflows_live, 0);
  check('state.workflows_recent', state.workflows_recent, burst.workflows);
  for (const { name, restarts } of threads) check(`restarts of ${name}`, restarts, 0);
  const report = await daemon.get('/v1/report?project=bench');
  const tasks = tasksOf(burst);
  check('total_executions', report.total_executions, tasks);
  check('parallel_executions', report.parallel_executions, tasks);
  check('total_duration', report.total_duration, durationSumOf(burst));
  check('token_usage', report.token_usage, 5 * tasks);
  check('success_rate', report.success_rate, 90);
  check('agents', Object.keys(report.agent_utilization).length, burst.agents);
  const { groups } = await daemon.get('/v1/stats?metric=task_duration_seconds&by=agent&window=1h');
  for (const { count } of groups) check('tasks of an agent', count, tasks / burst.agents);
  for (let workflow = 0; workflow < burst.workflows; workflow += Math.ceil(burst.workflows / 20)) {
    const view = await daemon.get(`/v1/workflows/burst-${workflow}`);
    check('status', view.status, 'completed');
    check('tasks', view.tasks_total, burst.agents * burst.tasksPerAgent);
    check('its report', view.metrics.total_executions, burst.agents * burst.tasksPerAgent);
  }
}
