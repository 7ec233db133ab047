/**
 * Questions: one workflow out of 100,000, the aggregates of a metric with 10,000 cells, the report over everything; in this
 * process, right out of the tables, and over HTTP from a daemon that holds as much. Every answer is checked. The times are those
 * of single questions, one after the other.
 *
 * Baselines: Maps of objects with all values kept, sorted and gone through at each question; over HTTP a server that does
 * nothing. The state is never saved on the path of an event or a question: the log is the state, so there is no time of
 * a save to measure.
 */

import { join } from 'node:path';
import { Replay } from '../src/fold/replay.js';
import { BlockingSocket } from '../src/load/blocking-socket.js';
import { percentileOf } from '../src/load/percentiles.js';
import { hashBytes } from '../src/model/hash.js';
import { queryReport } from '../src/query/report.js';
import { queryStats } from '../src/query/stats.js';
import type { Texts } from '../src/query/texts.js';
import { findWorkflow, workflowFacts } from '../src/query/workflow.js';
import type { WorkflowLookup } from '../src/query/workflow-lookup.js';
import { allocateTables } from '../src/state/layout.js';
import { readSlot, Tables } from '../src/state/tables.js';
import { WORKFLOW_STATUS } from '../src/state/workflows.js';
import { Child } from './child.js';
import { Daemon } from './daemon.js';
import { Random } from './generated-log.js';
import { type Bench, type Comparison, check, type Figures, type Variant } from './harness.js';
import { HttpClient } from './http-client.js';
import { DEFAULT_LIMITS } from './limits.js';
import { inFolder } from './run-folder.js';

const METRIC = 'task_duration_seconds';
const TASKS_PER_WORKFLOW = 10;
const SAMPLES_PER_CELL = 20;
const STATUSES = ['completed', 'failed', 'timeout', 'cancelled'];
const STATUS_RUNNING = 2;
const ARRIVED_US = 1_700_000_000_000_000;
const ARCHIVE_BYTES = 200_000_000;
const NO_TEXTS = { lines: async () => new Map() } as unknown as Texts;
const NO_LOOKUP = {} as Pick<WorkflowLookup, 'find'>;

const LOOKUP = 'workflow, found by its id';
const OVER_HTTP = 'workflow of 10 tasks, over HTTP';
const METRICS = 'metrics of all cells, in one group';
const P50 = 'p50 µs';
const P99 = 'p99 µs';

export const queriesBench: Bench = {
  name: 'queries',
  goals: [
    'a workflow is found among 100,000 and read in under 5 µs (p99)',
    'a workflow with its tasks comes over HTTP in under 1 ms (p99)',
    'the metrics of 10,000 cells take under 1 ms (median)',
  ],
  nonGoals: [
    'texts, which are read out of the log, and not state',
    'questions while events come: bench storm',
    'the time of a save: none is on the path',
  ],
  warmUps: 1,
  comparisons: ({ small }) => comparisons(small ? 0.01 : 1),
  judge: (results) => {
    const figure = (name: string, unit: string) =>
      results.find((result) => result.name.startsWith(name))!.variants[0]!.figures[unit]!.median;
    return [
      verdict('lookup p99 under 5 µs', figure(LOOKUP, P99), 5),
      verdict('lookup over HTTP p99 under 1 ms', figure(OVER_HTTP, P99), 1000),
      verdict('metrics of 10,000 cells under 1 ms', figure(METRICS, P50), 1000),
    ];
  },
};

function verdict(goal: string, microseconds: number, below: number) {
  return { goal, value: `${microseconds.toFixed(1)} µs`, holds: microseconds < below };
}

function* comparisons(scale: number): Generator<Comparison> {
  const world = new World(Math.round(100_000 * scale), Math.round(10_000 * scale), scale);
  yield* world.inProcess();
  yield* world.overHttp();
}

/** One task.end of a cell; durations are multiples of 1/64 s, so that their sum is exact. */
interface CellValue {
  readonly agent: string;
  readonly kind: string;
  readonly status: string;
  readonly duration: number;
}

class World {
  readonly #workflows: number;
  readonly #cells: number;
  readonly #questions: number;
  readonly #tables: Tables;
  readonly #values: CellValue[] = [];
  readonly #durationSum: number;
  readonly #random = new Random(7);

  constructor(workflows: number, cells: number, scale: number) {
    this.#workflows = workflows;
    this.#cells = cells;
    this.#questions = scale < 1 ? 100 : 2000;
    const tasks = workflows * TASKS_PER_WORKFLOW;
    this.#tables = new Tables(
      allocateTables({
        ...DEFAULT_LIMITS,
        maxLiveWorkflows: workflows,
        maxTasks: tasks + 10,
        maxSeries: cells,
        namesBytes: tasks * 48 + workflows * 64 + 4 * 1024 * 1024,
      }),
    );
    for (let i = 0; i < cells * SAMPLES_PER_CELL; i++) {
      const cell = i % cells;
      this.#values.push({
        agent: `agent-${cell % 250}`,
        kind: `kind-${Math.floor(cell / 250) % 10}`,
        status: STATUSES[Math.floor(cell / 2500)]!,
        duration: (16 + this.#random.below(100) + this.#random.below(200) + this.#random.below(300)) / 64,
      });
    }
    this.#durationSum = this.#values.reduce((sum, { duration }) => sum + duration, 0);
    const replay = new Replay(this.#tables, 0);
    const tasksGroup = 1000;
    for (let from = 0; from < workflows; from += tasksGroup) {
      fold(replay, workflowLines(from, Math.min(from + tasksGroup, workflows)));
    }
    for (const lines of this.#valueLines()) fold(replay, lines);
    check('refused lines', replay.refused, 0);
    check('live workflows', this.#tables.workflows.live, workflows);
    check('cells', this.#tables.cells.used, cells);
  }

  *inProcess(): Generator<Comparison> {
    const tables = this.#tables;
    const naive = new Naive(this.#workflows, this.#values);
    yield compare(`${LOOKUP} among ${this.#workflows}, and its status read`, [
      this.#variant('tallyd', this.#questions * 10, () => {
        const id = workflowId(this.#random.below(this.#workflows));
        return () => check('status', findStatus(tables, id), STATUS_RUNNING);
      }),
      this.#baseline('Map of objects', this.#questions * 10, () => {
        const id = workflowId(this.#random.below(this.#workflows));
        return () => check('status', naive.workflows.get(id)?.status, 'running');
      }),
    ]);
    yield compare('workflow of 10 tasks, in this process', [
      this.#variant('tallyd', this.#questions, () => {
        const id = workflowId(this.#random.below(this.#workflows));
        return async () =>
          checkWorkflow(await workflowFacts(tables, NO_TEXTS, findWorkflow(tables, id)!), id);
      }),
      this.#baseline('Map of objects', this.#questions, () => {
        const id = workflowId(this.#random.below(this.#workflows));
        return () => checkWorkflow(structuredClone(naive.workflows.get(id)!), id);
      }),
    ]);
    const few = Math.ceil(this.#questions / 20);
    for (const [name, by] of [
      [METRICS, []],
      ['metrics of all cells, by agent', ['agent']],
      ['metrics of all cells, each by itself', null],
    ] as const) {
      const query = { metric: METRIC, by, where: [], limit: 1000 };
      const isExact = by !== null;
      yield compare(`${name} (${this.#cells} cells)`, [
        this.#variant('tallyd', few, () => () => {
          this.#checkGroups(queryStats(tables, query, ARRIVED_US / 1e6) as Groups, isExact);
        }),
        this.#baseline('arrays of all values, sorted', Math.ceil(few / 20), () => () => {
          this.#checkGroups(naive.stats(by), isExact);
        }),
      ]);
    }
    const windowed = { metric: METRIC, by: [], where: [], window: '1h', limit: 1000 } as const;
    yield compare(`metrics of the last hour, in one group (${this.#cells} cells)`, [
      this.#variant('tallyd', few, () => () => {
        this.#checkGroups(queryStats(tables, windowed, ARRIVED_US / 1e6) as Groups, true);
      }),
      this.#baseline('arrays of all values, sorted', Math.ceil(few / 20), () => () => {
        this.#checkGroups(naive.stats([]), true);
      }),
    ]);
    yield compare('report over everything', [
      this.#variant('tallyd', few, () => async () => {
        const report = await queryReport(tables, NO_LOOKUP, { workflow: null, project: null });
        check('executions', report.total_executions, this.#values.length);
        check('total duration', report.total_duration, this.#durationSum);
      }),
      this.#baseline('all tasks gone through', few, () => () => {
        check('total duration', naive.totalDuration(), this.#durationSum);
      }),
    ]);
  }

  *overHttp(): Generator<Comparison> {
    yield compare(OVER_HTTP, [
      this.#httpVariant(() => {
        const id = workflowId(this.#random.below(this.#workflows));
        return { path: `/v1/workflows/${id}`, holds: (body) => checkWorkflow(body, id) };
      }),
      this.#bareVariant(JSON.stringify({ workflow: 'x'.repeat(2500) })),
    ]);
    yield compare(`metrics of all cells, in one group, over HTTP (${this.#cells} cells)`, [
      this.#httpVariant(() => ({
        path: `/v1/stats?metric=${METRIC}`,
        holds: (body) => this.#checkGroups(body as Groups, true),
      })),
      this.#bareVariant(JSON.stringify({ groups: 'x'.repeat(300) })),
    ]);
  }

  #variant(name: string, count: number, next: () => () => unknown): Variant {
    return { name, pass: () => timed(count, next) };
  }

  #baseline(name: string, count: number, next: () => () => unknown): Variant {
    return { ...this.#variant(name, count, next), isBaseline: true };
  }

  #httpVariant(next: () => { path: string; holds: (body: unknown) => void }): Variant {
    const pass = () =>
      inFolder(ARCHIVE_BYTES, async (directory) => {
        const settings = [`stats.max_series=${this.#cells}`, 'log.level=warn'];
        const daemon = new Daemon(directory, settings, []);
        try {
          await daemon.ready();
          const socket = await BlockingSocket.connect(daemon.ingestPath);
          const send = (text: string) => {
            const bytes = Buffer.from(text);
            socket.write(bytes, 0, bytes.length);
          };
          for (let from = 0; from < this.#workflows; from += 1000) {
            send(workflowLines(from, Math.min(from + 1000, this.#workflows)).join(''));
          }
          for (const lines of this.#valueLines()) send(lines.join(''));
          send('{"type":"sync","id":1}\n');
          check('refused lines', JSON.parse(socket.readLine()).rejected, 0);
          socket.close();
          const client = new HttpClient(daemon.controlPath, 1);
          const figures = await timed(Math.ceil(this.#questions / 2), () => {
            const { path, holds } = next();
            return async () => {
              const { status, text } = await client.get(path);
              check(`status of ${path}`, status, 200);
              holds(JSON.parse(text));
            };
          });
          client.close();
          check('the exit code', await daemon.stop(), 0);
          return figures;
        } finally {
          daemon.kill();
        }
      });
    return { name: 'tallyd', pass };
  }

  #bareVariant(text: string): Variant {
    const pass = () =>
      inFolder(0, async (directory) => {
        const socketPath = join(directory, 'bare.sock');
        const server = new Child(new URL('./bare-http.js', import.meta.url), [socketPath]);
        try {
          const ready = server.receive();
          server.send(text);
          await ready;
          const client = new HttpClient(socketPath, 1);
          const figures = await timed(Math.ceil(this.#questions / 2), () => async () => {
            check('status', (await client.get('/')).status, 200);
          });
          client.close();
          return figures;
        } finally {
          await server.end();
        }
      });
    return { name: 'a server that does nothing', isBaseline: true, pass };
  }

  #checkGroups({ groups }: Groups, isExact: boolean): void {
    const count = groups.reduce((sum, group) => sum + group.count, 0);
    const sum = groups.reduce((total, group) => total + group.sum, 0);
    // In full detail there are more groups than the limit of the reply.
    if (isExact || this.#cells <= 1000) {
      check('samples', count, this.#values.length);
      check('sum of samples', sum, this.#durationSum);
    } else {
      check('samples', count, 1000 * SAMPLES_PER_CELL);
    }
  }

  *#valueLines(): Generator<string[]> {
    for (let from = 0; from < this.#values.length; from += 1000) {
      yield this.#values.slice(from, from + 1000).map((value, i) => {
        return `${JSON.stringify({ type: 'task.end', task: `v${from + i}`, ...value, ts: 1.7e9 })}\n`;
      });
    }
  }
}

interface Groups {
  readonly groups: readonly { readonly count: number; readonly sum: number }[];
}

function compare(name: string, variants: readonly Variant[]): Comparison {
  return { name, variants };
}

/** @param next prepares a question, which is then timed */
async function timed(count: number, next: () => () => unknown): Promise<Figures> {
  const times = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const ask = next();
    const startedMs = performance.now();
    const answer = ask();
    if (answer instanceof Promise) await answer;
    times[i] = (performance.now() - startedMs) * 1000;
  }
  return { [P50]: percentileOf(times, 50), [P99]: percentileOf(times, 99) };
}

function workflowId(index: number): string {
  return `nightly-build-${String(index).padStart(6, '0')}`;
}

/** Live workflows, each with ten tasks that run. */
function workflowLines(from: number, to: number): string[] {
  const lines: string[] = [];
  for (let i = from; i < to; i++) {
    const workflow = workflowId(i);
    lines.push(`{"type":"workflow.start","workflow":"${workflow}","name":"nightly","ts":1700000000}\n`);
    for (let task = 0; task < TASKS_PER_WORKFLOW; task++) {
      const rest = `"task":"t${task}","agent":"agent-${task}","kind":"build","ts":1700000000`;
      lines.push(`{"type":"task.start","workflow":"${workflow}",${rest}}\n`);
    }
  }
  return lines;
}

function fold(replay: Replay, lines: readonly string[]): void {
  const raw = Buffer.from(lines.join(''));
  replay.attach(raw);
  replay.fold(0, raw.length, lines.length, ARRIVED_US);
}

/** Of the contract's view of a workflow. */
function checkWorkflow(body: unknown, id: string): void {
  const view = body as { workflow: string; status: string; tasks: readonly unknown[] };
  check('workflow', view.workflow, id);
  check('status', view.status, 'running');
  check('tasks', view.tasks.length, TASKS_PER_WORKFLOW);
}

function findStatus({ workflows }: Tables, id: string): number | undefined {
  const bytes = Buffer.from(id);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const slot = workflows.findSettled(view, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
  const { words, slotWords } = workflows.table;
  return readSlot(workflows.table, slot, () => words[slot * slotWords + WORKFLOW_STATUS]!);
}

/** What one would write first: everything kept as objects, and gone through when asked. */
class Naive {
  readonly workflows = new Map<string, { workflow: string; status: string; tasks: object[] }>();
  readonly #values: readonly CellValue[];

  constructor(workflows: number, values: readonly CellValue[]) {
    this.#values = values;
    for (let i = 0; i < workflows; i++) {
      const tasks = Array.from({ length: TASKS_PER_WORKFLOW }, (_, task) => {
        return {
          task: `t${task}`,
          agent: `agent-${task}`,
          kind: 'build',
          status: 'running',
          started_at: 1.7e9,
        };
      });
      this.workflows.set(workflowId(i), { workflow: workflowId(i), status: 'running', tasks });
    }
  }

  stats(by: readonly string[] | null): Groups {
    const groups = new Map<string, number[]>();
    for (const value of this.#values) {
      const { agent, kind, status, duration } = value;
      const key = by === null ? `${agent} ${kind} ${status}` : by.length === 0 ? '' : agent;
      const durations = groups.get(key) ?? [];
      groups.set(key, durations);
      durations.push(duration);
    }
    const rendered = [...groups.values()].map((durations) => {
      durations.sort((a, b) => a - b);
      const sum = durations.reduce((total, x) => total + x, 0);
      const mean = sum / durations.length;
      const m2 = durations.reduce((total, x) => total + (x - mean) ** 2, 0);
      const at = (p: number) => durations[Math.ceil(p * durations.length) - 1]!;
      return { count: durations.length, sum, mean, m2, p50: at(0.5), p99: at(0.99) };
    });
    return { groups: rendered.slice(0, 1000) };
  }

  totalDuration(): number {
    return this.#values.reduce((sum, { duration }) => sum + duration, 0);
  }
}
