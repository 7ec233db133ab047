/**
 * The contract's "What events do" once more, naively: objects in maps, no limits, samples in a list. Tests compare the
 * fold with it.
 */

import type { RandomEvent } from './random-events.js';
import { ARRIVED, type Folded } from './replaying.js';

interface ModelTask {
  readonly task: string;
  readonly agent: string;
  kind: string | null;
  status: string;
  parallel: boolean | null;
  started_at: number | null;
  ended_at: number | null;
  duration: number | null;
  tokens: number | null;
}

interface ModelWorkflow {
  run: number;
  name: string | null;
  project: string | null;
  parent: string | null;
  phase: string;
  status: string;
  over: boolean;
  implicit: boolean;
  started_at: number | null;
  ended_at: number | null;
  tasks: ModelTask[];
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

export class Model {
  readonly workflows = new Map<string, ModelWorkflow>();
  readonly loose: ModelTask[] = [];
  readonly samples: Sample[] = [];
  readonly counts: Record<string, number> = {};
  #arrived = ARRIVED;

  record(events: readonly RandomEvent[]): void {
    this.#arrived += 1;
    for (const event of events) this.#apply(event);
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
        this.#workflow(e.workflow).phase = e.phase;
        return;
      case 'workflow.status': {
        const w = this.#workflow(e.workflow);
        if (!w.over) w.status = e.status;
        return;
      }
      case 'workflow.end':
        this.#endWorkflow(e, ts);
        return;
      case 'group':
        if (e.workflow !== undefined) this.#workflow(e.workflow);
        return;
      case 'sample':
        this.#sample(e.name, e.tags, e.value);
        return;
    }
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #sample(metric: string, labels: Record<string, string | null | undefined>, value: number): void {
    const given = Object.entries(labels).filter((pair): pair is [string, string] => !!pair[1]);
    this.samples.push({ metric, labels: Object.fromEntries(given), value });
  }

  #elapsed(from: number, to: number): number {
    if (to < from) this.#count('clock_skew');
    return Math.max(0, to - from);
  }

  #workflow(id: string): ModelWorkflow {
    let w = this.workflows.get(id);
    if (w === undefined) {
      w = {
        run: 1,
        name: null,
        project: null,
        parent: null,
        phase: 'requirements',
        status: 'running',
        over: false,
        implicit: true,
        started_at: null,
        ended_at: null,
        tasks: [],
      };
      this.workflows.set(id, w);
    }
    return w;
  }

  #tasks(e: Fields): ModelTask[] {
    return e.workflow === undefined ? this.loose : this.#workflow(e.workflow).tasks;
  }

  #startTask(e: Fields, ts: number): void {
    const tasks = this.#tasks(e);
    let t: ModelTask | undefined = tasks.find(({ task, agent }) => task === e.task && agent === e.agent);
    if (t !== undefined && t.status !== 'running' && t.started_at === null && ts <= t.ended_at!) {
      t.started_at = ts;
      t.kind ??= e.kind ?? null;
      t.parallel ??= e.parallel ?? null;
      if (t.duration === null) {
        t.duration = t.ended_at! - ts;
        this.#sample('task_duration_seconds', { agent: t.agent, kind: t.kind, status: t.status }, t.duration);
      }
      return;
    }
    const none = {
      kind: null,
      parallel: null,
      started_at: null,
      ended_at: null,
      duration: null,
      tokens: null,
    };
    if (t === undefined) {
      t = { task: e.task, agent: e.agent, status: 'running', ...none };
      tasks.push(t);
    } else if (t.status === 'running') {
      this.#count('task_restarts');
    } else {
      Object.assign(t, none, { status: 'running' });
    }
    t.started_at = ts;
    t.kind = e.kind ?? t.kind;
    t.parallel = e.parallel ?? t.parallel;
  }

  #endTask(e: Fields, ts: number): void {
    const tasks = this.#tasks(e);
    let t: ModelTask | undefined = tasks.find(({ task, agent }) => task === e.task && agent === e.agent);
    if (t !== undefined && t.status !== 'running') {
      this.#count('task_duplicate_ends');
      return;
    }
    if (t === undefined) {
      t = {
        task: e.task,
        agent: e.agent,
        kind: null,
        status: 'running',
        parallel: null,
        started_at: null,
        ended_at: null,
        duration: null,
        tokens: null,
      };
      tasks.push(t);
    }
    t.status = e.status;
    t.ended_at = ts;
    t.kind = e.kind ?? t.kind;
    t.parallel = e.parallel ?? t.parallel;
    t.tokens = e.tokens ?? null;
    t.duration = e.duration ?? (t.started_at === null ? null : this.#elapsed(t.started_at, ts));
    const { agent, kind, status } = t;
    if (t.duration !== null) this.#sample('task_duration_seconds', { agent, kind, status }, t.duration);
    if (t.tokens !== null) this.#sample('task_tokens', { agent, kind }, t.tokens);
  }

  #startWorkflow(e: Fields, ts: number): void {
    const before = this.workflows.get(e.workflow);
    const completes = before?.over === true && before.implicit && ts <= before.ended_at!;
    if (before?.over && !completes) this.workflows.delete(e.workflow);
    const w = this.#workflow(e.workflow);
    if (before?.over && !completes) w.run = before.run + 1;
    if (w.implicit) w.started_at = ts;
    w.implicit = false;
    w.name = e.name ?? w.name;
    w.project = e.project ?? w.project;
    w.phase = e.phase ?? w.phase;
    w.parent = e.parent ?? w.parent;
    if (completes) this.#sampleWorkflow(w, w.ended_at! - ts);
  }

  #endWorkflow(e: Fields, ts: number): void {
    const w = this.#workflow(e.workflow);
    if (w.over) {
      this.#count('workflow_duplicate_ends');
      return;
    }
    w.over = true;
    w.status = e.status;
    w.ended_at = ts;
    if (w.started_at !== null) this.#sampleWorkflow(w, this.#elapsed(w.started_at, ts));
  }

  #sampleWorkflow({ name, project, status }: ModelWorkflow, duration: number): void {
    this.#sample('workflow_duration_seconds', { name, project, status }, duration);
  }
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
      const sum = xs.reduce((total, x) => total + x, 0);
      const mean = sum / xs.length;
      const m2 = xs.reduce((total, x) => total + (x - mean) ** 2, 0);
      const variance = xs.length > 1 ? m2 / (xs.length - 1) : null;
      return [key, { count: xs.length, sum, min: Math.min(...xs), max: Math.max(...xs), variance }];
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
