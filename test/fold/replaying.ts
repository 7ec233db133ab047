/** Tables that lines were folded into, and what the outside would see of them. */

import { parseAcceptedLine } from '../../src/decode/field-text.js';
import type { OnHour } from '../../src/fold/hours.js';
import { Replay } from '../../src/fold/replay.js';
import type { Report } from '../../src/fold/report.js';
import { type MemoryPart, wordsOf } from '../../src/model/memory.js';
import { TICK_LIMITS, TICK_TIME } from '../../src/model/tick.js';
import { parseCursor } from '../../src/query/page.js';
import { queryStats, type StatsQuery } from '../../src/query/stats.js';
import { listTasks, type TaskFilter } from '../../src/query/task-list.js';
import type { Line, Texts } from '../../src/query/texts.js';
import { childrenOf, findWorkflow, workflowFacts } from '../../src/query/workflow.js';
import { listWorkflows, type WorkflowFilter } from '../../src/query/workflow-list.js';
import { allocateTables, type StateLimits, type TablesMemory } from '../../src/state/layout.js';
import { encodeLimits, LIMIT_NAMES, type Limits } from '../../src/state/limits.js';
import { Tables } from '../../src/state/tables.js';
import { TASK_ID, TASK_STATUS } from '../../src/state/tasks.js';
import { FLAG_OVER, WORKFLOW_FLAGS, WORKFLOW_ID } from '../../src/state/workflows.js';

export const LIMITS: StateLimits = {
  maxLiveWorkflows: 100,
  maxRecentWorkflows: 100,
  maxTasksPerWorkflow: 100,
  maxTasks: 1000,
  maxSeries: 200,
  seriesIdleMs: 30 * 86_400_000,
  windowBytes: 1024 * 1024,
  namesBytes: 256 * 1024,
  staleAfterMs: 60_000,
  maxClients: 100,
};

/** Small, so that all kinds of forgetting are in it. */
export const TINY = {
  maxLiveWorkflows: 3,
  maxRecentWorkflows: 2,
  maxTasksPerWorkflow: 3,
  maxTasks: 10,
  maxSeries: 6,
};

const NO_PAYLOAD = new Uint8Array(0);

/** Arrival of the first line, seconds. */
export const ARRIVED = 1_700_000_000;

export interface GroupView {
  readonly labels: Record<string, string>;
  readonly count: number;
  readonly sum: number;
  readonly mean: number | null;
  readonly variance: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly rate: number | null;
  readonly partial?: boolean;
}

export interface StatsView {
  readonly metric: string;
  readonly window: string;
  readonly by: readonly string[];
  readonly groups: readonly GroupView[];
  readonly partial?: boolean;
}

export interface TaskView {
  readonly task: string;
  readonly agent: string;
  readonly kind: string | null;
  readonly status: string;
  readonly parallel: boolean | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly duration: number | null;
  readonly tokens: number | null;
}

export interface ListedTask extends TaskView {
  readonly workflow: string | null;
  readonly description?: string | null;
  readonly error?: string | null;
  readonly output?: unknown;
}

export interface WorkflowSummaryView {
  readonly workflow: string;
  readonly run: number;
  readonly status: string;
  readonly source: string;
}

export interface PageView<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface WorkflowView {
  readonly workflow: string;
  readonly run: number;
  readonly status: string;
  readonly phase: string | null;
  readonly name: string | null;
  readonly project: string | null;
  readonly parent: string | null;
  readonly implicit: boolean;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly duration: number | null;
  readonly tasks: readonly TaskView[];
  readonly tasks_total: number;
  readonly tasks_by_status: Record<string, number>;
  readonly active_agents: readonly string[];
  readonly completed_agents: readonly string[];
  readonly failed_agents: readonly string[];
  readonly children: readonly string[];
  readonly request: string | null;
  readonly error: string | null;
  readonly groups: readonly (readonly string[])[];
  readonly metrics: Report;
  readonly source: string;
}

export class Folded {
  readonly memory: TablesMemory;
  readonly tables: Tables;
  readonly #replay: Replay;
  /** The log: accepted lines by their numbers, where a record had no refused one. */
  readonly #lines = new Map<number, Line>();
  readonly texts = { lines: async () => this.#lines } as unknown as Texts;
  #arrivedUs = ARRIVED * 1e6;

  /** @param memory of tables that were cleared; by default it is new */
  constructor(
    limits: Partial<StateLimits> = {},
    memory = allocateTables({ ...LIMITS, ...limits }),
    onHour: OnHour | null = null,
  ) {
    this.memory = memory;
    this.tables = new Tables(this.memory);
    this.#replay = new Replay(this.tables, 0, onHour);
  }

  get refused(): number {
    return this.#replay.refused;
  }

  /** Nothing arrives for so long. */
  wait(seconds: number): void {
    this.#arrivedUs += seconds * 1e6;
  }

  /** Folds one record of these lines, which arrives a second after the one before. */
  fold(...events: readonly (object | string)[]): this {
    this.#arrivedUs += 1e6;
    return this.record(events, this.#arrivedUs);
  }

  record(events: readonly (object | string)[], arrivedUs: number): this {
    const text = events.map((one) => `${typeof one === 'string' ? one : JSON.stringify(one)}\n`).join('');
    const raw = Buffer.from(text);
    const before = this.#replay.line;
    const refused = this.refused;
    this.#replay.attach(raw);
    this.#replay.fold(0, raw.length, events.length, arrivedUs);
    if (this.refused > refused) return this;
    for (const [i, line] of text.split('\n').slice(0, -1).entries()) {
      this.#lines.set(before + 1 + i, parseAcceptedLine(Buffer.from(line)));
    }
    return this;
  }

  /** Says the time, so many seconds after the last arrival. @returns whether it mattered */
  tickTime(afterSeconds: number): boolean {
    this.#arrivedUs += afterSeconds * 1e6;
    return this.tick(TICK_TIME, NO_PAYLOAD, this.#arrivedUs);
  }

  tickLimits(limits: Partial<StateLimits>): boolean {
    return this.tick(TICK_LIMITS, encodeLimits({ ...this.#limits(), ...limits }), this.#arrivedUs);
  }

  /** @param number of the tick in the log; by default it comes live */
  tick(kind: number, payload: Uint8Array, arrivedUs: number, number = Number.NaN): boolean {
    return this.#replay.tick(kind, payload, number, arrivedUs);
  }

  #limits(): Limits {
    const { limits } = this.tables;
    return Object.fromEntries(LIMIT_NAMES.map((name) => [name, limits[name]])) as unknown as Limits;
  }

  counts(): Record<string, number> {
    const counts = Object.entries(this.tables.board.counts());
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  stats(metric: string, by: readonly string[] | null = null): readonly GroupView[] {
    return this.query({ metric, by }).groups;
  }

  /** @param now seconds; by default the arrival of the last line */
  query(query: Partial<StatsQuery> & { readonly metric: string }, now = 0): StatsView {
    const defaults = { by: null, where: [], limit: 100_000 };
    return queryStats(this.tables, { ...defaults, ...query }, now) as StatsView;
  }

  /** How many samples a metric has, in all. */
  samples(metric: string): number {
    return this.stats(metric, []).reduce((sum, { count }) => sum + count, 0);
  }

  async workflow(id: string): Promise<WorkflowView> {
    return (await workflowIn(this.tables, id, this.texts)) as unknown as WorkflowView;
  }

  /** null where it is not in memory. */
  async workflowOrNull(id: string): Promise<WorkflowView | null> {
    return this.workflow(id).catch(() => null);
  }

  async workflowPage(
    filter: WorkflowFilter,
    limit: number,
    cursor: string | null = null,
    agentTasksMax?: number,
  ): Promise<PageView<WorkflowSummaryView>> {
    const request = { limit, cursor: cursor === null ? null : parseCursor(cursor) };
    const { workflows, next_cursor } = (await listWorkflows(this.tables, filter, request, agentTasksMax)) as {
      workflows: WorkflowSummaryView[];
      next_cursor: string | null;
    };
    return { items: workflows, next: next_cursor };
  }

  async taskPage(
    filter: TaskFilter,
    limit: number,
    cursor: string | null = null,
  ): Promise<PageView<ListedTask>> {
    const request = { limit, cursor: cursor === null ? null : parseCursor(cursor) };
    const { tasks, next_cursor } = (await listTasks(this.tables, this.texts, filter, request)) as {
      tasks: ListedTask[];
      next_cursor: string | null;
    };
    return { items: tasks, next: next_cursor };
  }

  /** Ids of the live workflows, or of those that are over, in no order. */
  workflowIds(over: boolean): string[] {
    const { table } = this.tables.workflows;
    const ids: string[] = [];
    for (let slot = 1; slot < table.top; slot++) {
      const at = slot * table.slotWords;
      const id = table.words[at + WORKFLOW_ID]!;
      if (id !== 0 && ((table.words[at + WORKFLOW_FLAGS]! & FLAG_OVER) !== 0) === over) {
        ids.push(this.tables.names.text(id));
      }
    }
    return ids.sort();
  }

  /** Tasks in memory, by their status number. */
  tasksByStatus(): Map<number, number> {
    const { table } = this.tables.tasks;
    const byStatus = new Map<number, number>();
    for (let slot = 1; slot < table.top; slot++) {
      const at = slot * table.slotWords;
      if (table.words[at + TASK_ID] === 0) continue;
      const status = table.words[at + TASK_STATUS]!;
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    }
    return byStatus;
  }
}

/** What the tables alone know of a workflow. @throws Error where they do not know it */
export async function workflowIn(
  tables: Tables,
  id: string,
  texts: Pick<Texts, 'lines'> = { lines: async () => new Map() },
) {
  const found = findWorkflow(tables, id);
  if (found === null) throw new Error(`no workflow ${id} is in memory`);
  const { source } = found.read.summary;
  const children = childrenOf(tables, id);
  return { ...(await workflowFacts(tables, texts, found)), runs: [], children, source };
}

/** In words of an index: tells readers that entries moved, and goes on where tables are cleared. */
const INDEX_VERSION = 2;
const INDEXES = ['namesIndex', 'workflowsIndex', 'tasksIndex', 'sharesIndex', 'cellsIndex', 'reportsIndex'];

/** Where two states differ, word by word, with the locks of the slots and without the versions of their indexes. */
export function differences(a: TablesMemory, b: TablesMemory): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, memory] of Object.entries(a)) {
    if (name === 'limits' || name === 'linear') continue;
    const left = wordsOf(memory).slice();
    const right = wordsOf((b as unknown as Record<string, MemoryPart>)[name]!).slice();
    if (INDEXES.includes(name)) left[INDEX_VERSION] = right[INDEX_VERSION]!;
    const at = left.findIndex((word, i) => word !== right[i]);
    if (at >= 0) found[name] = `word ${at}: ${left[at]} and ${right[at]}`;
  }
  return found;
}
