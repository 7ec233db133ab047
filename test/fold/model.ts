/**
 * The contract's "What events do" and its limits once more, naively: objects in maps and arrays, samples and executions in
 * lists, statistics in two passes. Tests compare the fold with it.
 */

import type { Report } from '../../src/fold/report.js';
import type { StateLimits } from '../../src/state/layout.js';
import type { RandomEvent } from './random-events.js';
import { ARRIVED, type Folded } from './replaying.js';

export interface ModelTask {
  readonly workflow: ModelWorkflow | null;
  readonly task: string;
  readonly agent: string;
  kind: string | null;
  status: string;
  parallel: boolean | null;
  started_at: number | null;
  ended_at: number | null;
  duration: number | null;
  tokens: number | null;
  execution: Execution | null;
}

/** One that has ended; kept for ever, whatever becomes of its task. */
interface Execution {
  readonly agent: string;
  readonly status: string;
  readonly ended_at: number;
  parallel: boolean;
  duration: number | null;
  readonly tokens: number;
}

export interface ModelWorkflow {
  readonly id: string;
  run: number;
  name: string | null;
  project: string | null;
  parent: string | null;
  phase: string;
  status: string;
  over: boolean;
  stale: boolean;
  implicit: boolean;
  started_at: number | null;
  ended_at: number | null;
  tasksTotal: number;
  byStatus: Record<string, number>;
  tasks: ModelTask[];
  /** Agents and statuses of tasks that are forgotten. */
  forgotten: { readonly agent: string; readonly status: string }[];
  executions: Execution[];
  /** Arrival of the last event that named it. */
  touched: number;
  groups: { readonly members: readonly string[]; readonly duration: number | undefined }[];
}

/** What the types of events bring, in one. `workflow` may be absent of tasks and groups. */
interface Fields {
  readonly workflow: string;
  readonly task: string;
  readonly agent: string;
  readonly status: string;
  readonly phase: string;
  readonly name: string;
  readonly value: number;
  readonly tags: Record<string, string>;
  readonly tasks?: readonly string[];
  readonly agents?: readonly string[];
  readonly ts?: number;
  readonly kind?: string;
  readonly parallel?: boolean;
  readonly project?: string;
  readonly parent?: string;
  readonly duration?: number;
  readonly tokens?: number;
}

interface Sample {
  readonly metric: string;
  readonly labels: Record<string, string>;
  readonly value: number;
}

const NOTHING = {
  kind: null,
  parallel: null,
  started_at: null,
  ended_at: null,
  duration: null,
  tokens: null,
  execution: null,
};

export class Model {
  readonly workflows = new Map<string, ModelWorkflow>();
  /** Those that run and those that are over; the least recently touched first. */
  live: ModelWorkflow[] = [];
  recent: ModelWorkflow[] = [];
  readonly loose: ModelTask[] = [];
  readonly samples: Sample[] = [];
  readonly counts: Record<string, number> = {};
  /** Corners that were visited. */
  readonly visited: Set<string>;
  #limits: StateLimits;
  /** Tasks in the order of their ends; running ones are not in it. */
  #ended: ModelTask[] = [];
  #arrived = ARRIVED;

  constructor(limits: StateLimits, visited = new Set<string>()) {
    this.#limits = limits;
    this.visited = visited;
  }

  record(events: readonly RandomEvent[]): void {
    this.#arrived += 1;
    for (const event of events) this.#apply(event);
  }

  /** Nothing arrives for so long. */
  wait(seconds: number): void {
    this.#arrived += seconds;
  }

  get arrived(): number {
    return this.#arrived;
  }

  /** So many seconds have gone by. */
  tickTime(afterSeconds: number): void {
    this.#arrived += afterSeconds;
    const isIdle = (w: ModelWorkflow) => w.touched <= this.#arrived - this.#limits.staleAfterMs / 1000;
    while (this.live.length > 0 && isIdle(this.live[0]!)) {
      this.visited.add('stale by time');
      this.#makeStale(this.live[0]!);
    }
  }

  tickLimits(limits: Partial<StateLimits>): void {
    this.#limits = { ...this.#limits, ...limits };
    while (this.live.length > this.#limits.maxLiveWorkflows) {
      this.visited.add('displaced by a new limit');
      this.#displace();
    }
    this.#keepRecentBounded();
  }

  get tasks(): ModelTask[] {
    return [...this.loose, ...[...this.workflows.values()].flatMap(({ tasks }) => tasks)];
  }

  #apply(event: RandomEvent): void {
    const e = event as unknown as Fields;
    const ts: number = e.ts ?? this.#arrived;
    switch (event.type) {
      case 'task.start':
        this.#startTask(e, ts);
        return;
      case 'task.end':
        this.#endTask(e, ts);
        return;
      case 'workflow.start':
        this.#startWorkflow(e, ts);
        return;
      case 'workflow.phase':
        this.#touched(e.workflow).phase = e.phase;
        return;
      case 'workflow.status': {
        const w = this.#touched(e.workflow);
        if (!w.over) w.status = e.status;
        return;
      }
      case 'workflow.end':
        this.#endWorkflow(e, ts);
        return;
      case 'group': {
        if (e.workflow === undefined) return;
        this.#touched(e.workflow).groups.push({ members: e.tasks ?? e.agents!, duration: e.duration });
        return;
      }
      case 'sample':
        this.#sample(e.name, e.tags, e.value);
        return;
    }
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
    this.visited.add(what);
  }

  #sample(metric: string, labels: Record<string, string | null | undefined>, value: number): void {
    const given = Object.entries(labels).filter((pair): pair is [string, string] => !!pair[1]);
    this.samples.push({ metric, labels: Object.fromEntries(given), value });
  }

  #elapsed(from: number, to: number): number {
    if (to < from) this.#count('clock_skew');
    return Math.max(0, to - from);
  }

  #touched(id: string): ModelWorkflow {
    const known = this.workflows.get(id);
    if (known === undefined) return this.#create(id, true);
    known.touched = this.#arrived;
    this.#moveTo(known, known.over);
    return known;
  }

  #create(id: string, implicit: boolean): ModelWorkflow {
    while (this.live.length >= this.#limits.maxLiveWorkflows) this.#displace();
    const w = { id, run: 1, ...freshRun(), implicit, touched: this.#arrived };
    this.workflows.set(id, w);
    this.live.push(w);
    return w;
  }

  /** To the end of the list of its kind, where the most recently touched ones are. */
  #moveTo(w: ModelWorkflow, over: boolean): void {
    w.over = over;
    this.live = this.live.filter((one) => one !== w);
    this.recent = this.recent.filter((one) => one !== w);
    (over ? this.recent : this.live).push(w);
  }

  #displace(): void {
    this.#count('workflows_displaced');
    this.#makeStale(this.live[0]!);
  }

  #makeStale(w: ModelWorkflow): void {
    this.#count('workflows_stale');
    w.status = 'cancelled';
    w.stale = true;
    this.#moveTo(w, true);
    this.#keepRecentBounded();
  }

  #keepRecentBounded(): void {
    while (this.recent.length > this.#limits.maxRecentWorkflows) this.#forget(this.recent[0]!);
  }

  #forget(w: ModelWorkflow): void {
    this.#count('workflows_evicted');
    this.recent = this.recent.filter((one) => one !== w);
    this.workflows.delete(w.id);
    this.#ended = this.#ended.filter(({ workflow }) => workflow !== w);
  }

  #find(w: ModelWorkflow | null, e: Fields): ModelTask | undefined {
    return this.#tasksOf(w).find(({ task, agent }) => task === e.task && agent === e.agent);
  }

  #tasksOf(w: ModelWorkflow | null): ModelTask[] {
    return w === null ? this.loose : w.tasks;
  }

  /** null: there is no room for it. */
  #createTask(w: ModelWorkflow | null, e: Fields): ModelTask | null {
    const oldestEnded = () => this.#ended.find(({ workflow }) => workflow === w);
    while (this.#tasksOf(w).length >= this.#limits.maxTasksPerWorkflow) {
      const oldest = oldestEnded();
      if (oldest === undefined) this.visited.add('running tasks beyond their limit');
      if (oldest === undefined) break;
      this.#evict(oldest);
    }
    while (this.tasks.length >= this.#limits.maxTasks) {
      const oldest = oldestEnded();
      if (oldest !== undefined) this.#evict(oldest);
      else if (this.recent.length > 0 && this.recent[0] !== w) this.#forget(this.recent[0]!);
      else {
        this.#count('tasks_untracked');
        return null;
      }
    }
    const t: ModelTask = { workflow: w, task: e.task, agent: e.agent, status: 'running', ...NOTHING };
    this.#tasksOf(w).push(t);
    return t;
  }

  #evict(t: ModelTask): void {
    this.#count('tasks_evicted');
    this.#ended.splice(this.#ended.indexOf(t), 1);
    const tasks = this.#tasksOf(t.workflow);
    tasks.splice(tasks.indexOf(t), 1);
    t.workflow?.forgotten.push({ agent: t.agent, status: t.status });
  }

  #countStatus(w: ModelWorkflow | null, from: string | null, to: string): void {
    if (w === null) return;
    if (from === null) w.tasksTotal++;
    else w.byStatus[from]!--;
    w.byStatus[to] = (w.byStatus[to] ?? 0) + 1;
  }

  #startTask(e: Fields, ts: number): void {
    const w = e.workflow === undefined ? null : this.#touched(e.workflow);
    let t = this.#find(w, e);
    if (t !== undefined && t.status !== 'running' && t.started_at === null && ts <= t.ended_at!) {
      this.visited.add('completed by a late start');
      t.started_at = ts;
      t.kind ??= e.kind ?? null;
      t.parallel ??= e.parallel ?? null;
      t.execution!.parallel = t.parallel === true;
      if (t.duration === null) {
        t.duration = t.ended_at! - ts;
        t.execution!.duration = t.duration;
        this.#sample('task_duration_seconds', { agent: t.agent, kind: t.kind, status: t.status }, t.duration);
      }
      return;
    }
    if (t === undefined) {
      const made = this.#createTask(w, e);
      if (made === null) return;
      t = made;
      this.#countStatus(w, null, 'running');
    } else if (t.status === 'running') {
      this.#count('task_restarts');
    } else {
      this.visited.add('executed again');
      this.#ended.splice(this.#ended.indexOf(t), 1);
      this.#countStatus(w, t.status, 'running');
      Object.assign(t, NOTHING, { status: 'running' });
    }
    t.started_at = ts;
    t.kind = e.kind ?? t.kind;
    t.parallel = e.parallel ?? t.parallel;
  }

  #endTask(e: Fields, ts: number): void {
    const w = e.workflow === undefined ? null : this.#touched(e.workflow);
    const known = this.#find(w, e);
    if (known !== undefined && known.status !== 'running') {
      this.#count('task_duplicate_ends');
      return;
    }
    const t = known ?? this.#createTask(w, e);
    this.#countStatus(w, known === undefined ? null : 'running', e.status);
    const kind = e.kind ?? t?.kind ?? null;
    const parallel = e.parallel ?? t?.parallel ?? null;
    const started = t?.started_at ?? null;
    const duration = e.duration ?? (started === null ? null : this.#elapsed(started, ts));
    const execution: Execution = {
      agent: e.agent,
      status: e.status,
      ended_at: ts,
      parallel: parallel === true,
      duration,
      tokens: e.tokens ?? 0,
    };
    w?.executions.push(execution);
    if (t === null) {
      w?.forgotten.push({ agent: e.agent, status: e.status });
    } else {
      const tokens = e.tokens ?? null;
      Object.assign(t, { status: e.status, ended_at: ts, kind, parallel, duration, tokens, execution });
      this.#ended.push(t);
    }
    const { agent, status } = e;
    if (duration !== null) this.#sample('task_duration_seconds', { agent, kind, status }, duration);
    if (e.tokens !== undefined) this.#sample('task_tokens', { agent, kind }, e.tokens);
  }

  #startWorkflow(e: Fields, ts: number): void {
    const known = this.workflows.get(e.workflow);
    const w = known ?? this.#create(e.workflow, false);
    const completes = w.over && w.implicit && w.ended_at !== null && ts <= w.ended_at;
    const begins = w.over && !completes;
    if (begins) {
      if (w.stale) this.visited.add('started again when stale');
      this.#ended = this.#ended.filter(({ workflow }) => workflow !== w);
      Object.assign(w, freshRun(), { run: w.run + 1 });
    }
    w.touched = this.#arrived;
    this.#moveTo(w, w.over);
    if (known === undefined || w.implicit || begins) w.started_at = ts;
    w.implicit = false;
    w.name = e.name ?? w.name;
    w.project = e.project ?? w.project;
    w.phase = e.phase ?? w.phase;
    w.parent = e.parent ?? w.parent;
    while (this.live.length > this.#limits.maxLiveWorkflows) this.#displace();
    if (completes) {
      this.visited.add('workflow completed by a late start');
      this.#sampleWorkflow(w, w.ended_at! - ts);
    }
  }

  #endWorkflow(e: Fields, ts: number): void {
    const w = this.#touched(e.workflow);
    if (w.over && !w.stale) {
      this.#count('workflow_duplicate_ends');
      return;
    }
    if (w.stale) this.visited.add('a real end after a stale one');
    w.stale = false;
    w.status = e.status;
    w.ended_at = ts;
    if (!w.over) this.#moveTo(w, true);
    if (w.started_at !== null) this.#sampleWorkflow(w, this.#elapsed(w.started_at, ts));
    const { name, project } = w;
    this.#sample('workflow_efficiency', { name, project }, expectedReport(w).efficiency_score);
    this.#keepRecentBounded();
  }

  #sampleWorkflow({ name, project, status }: ModelWorkflow, duration: number): void {
    this.#sample('workflow_duration_seconds', { name, project, status }, duration);
  }
}

function freshRun(): Omit<ModelWorkflow, 'id' | 'run'> {
  return {
    name: null,
    project: null,
    parent: null,
    phase: 'requirements',
    status: 'running',
    over: false,
    stale: false,
    implicit: false,
    started_at: null,
    ended_at: null,
    tasksTotal: 0,
    byStatus: {},
    tasks: [],
    forgotten: [],
    executions: [],
    touched: 0,
    groups: [],
  };
}

/** The numbers of a workflow's report, in as many passes as are asked for. */
export function expectedReport({
  executions,
  groups,
}: ModelWorkflow): Omit<Report, 'bottlenecks' | 'suggestions'> {
  const total = executions.length;
  const parallel = executions.filter((one) => one.parallel).length;
  const completed = executions.filter(({ status }) => status === 'completed').length;
  const measured = groups.filter(({ duration }) => duration !== undefined);
  const speedups = measured.map(({ members, duration }) => members.length / Math.max(duration!, 0.1));
  const averageSpeedup = measured.length === 0 ? 1 : sum(speedups) / measured.length;
  const ratio = total === 0 ? 0 : parallel / total;
  const success = total === 0 ? 0 : completed / total;
  const utilization: Record<string, number> = {};
  for (const { agent, duration } of executions)
    utilization[agent] = (utilization[agent] ?? 0) + (duration ?? 0);
  const seconds = sum(executions.map(({ duration }) => duration ?? 0));
  const covered = coveredSeconds(executions);
  return {
    total_executions: total,
    parallel_executions: parallel,
    sequential_executions: total - parallel,
    total_duration: seconds,
    average_speedup: averageSpeedup,
    parallelization_ratio: ratio,
    success_rate: 100 * success,
    agent_utilization: utilization,
    token_usage: sum(executions.map(({ tokens }) => tokens)),
    efficiency_score:
      30 * ratio + 40 * success + (measured.length === 0 ? 0 : 30 * Math.min(averageSpeedup / 4, 1)),
    measured_speedup: covered === 0 ? 1 : seconds / covered,
  };
}

/** Between every two neighbours of all starts and ends: counted where any execution ran. */
function coveredSeconds(executions: readonly Execution[]): number {
  const intervals = executions.map(({ ended_at, duration }) => ({
    from: ended_at - (duration ?? 0),
    to: ended_at,
  }));
  const marks = [...new Set(intervals.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b);
  const isCovered = (from: number, to: number) => intervals.some((one) => one.from <= from && one.to >= to);
  return sum(marks.slice(1).map((to, i) => (isCovered(marks[i]!, to) ? to - marks[i]! : 0)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Two-pass figures of the model's samples, by metric and label set. */
export function expectedGroups(
  samples: readonly Sample[],
): Map<string, { count: number; sum: number; min: number; max: number; variance: number | null }> {
  const values = new Map<string, number[]>();
  for (const { metric, labels, value } of samples) {
    const key = groupKey(metric, labels);
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return new Map(
    [...values].map(([key, xs]) => {
      const total = sum(xs);
      const mean = total / xs.length;
      const m2 = xs.reduce((all, x) => all + (x - mean) ** 2, 0);
      const variance = xs.length > 1 ? m2 / (xs.length - 1) : null;
      return [key, { count: xs.length, sum: total, min: Math.min(...xs), max: Math.max(...xs), variance }];
    }),
  );
}

export function groupKey(metric: string, labels: Record<string, string>): string {
  return JSON.stringify([metric, ...Object.entries(labels).sort()]);
}

export const METRICS = [
  'task_duration_seconds',
  'task_tokens',
  'workflow_duration_seconds',
  'workflow_efficiency',
  'm0',
  'm1',
  'm2',
];

export function foldedGroups(
  folded: Folded,
): Map<string, { count: number; sum: number; min: number; max: number; variance: number | null }> {
  const groups = METRICS.flatMap((metric) => folded.stats(metric).map((group) => ({ metric, group })));
  return new Map(
    groups.map(({ metric, group }) => {
      const { count, sum, min, max, variance } = group;
      return [groupKey(metric, group.labels), { count, sum, min: min!, max: max!, variance }];
    }),
  );
}
