/**
 * The last quarter of an hour, a row every two seconds: who comes to look sees what led here, and all who look see the same. It
 * lives in the control thread alone and begins with it; what lasts is in the log and its roll-ups.
 */

import type { RecentReply, StatsReply, StatusReply } from '../model/replies.js';
import type { Tables } from '../state/tables.js';
import { queryStats } from './stats.js';

const STEP_SECONDS = 2;
const ROWS_MAX = 450;
const METRIC = 'task_duration_seconds';
/** After so long without an event the window of a minute is empty, and need not be read. */
const QUIET_SECONDS = 70;

type Row = { readonly [K in keyof RecentReply]: RecentReply[K][number] };
type TaskEnds = Pick<
  Row,
  'tasks_completed' | 'tasks_failed' | 'task_seconds_p50' | 'task_seconds_p90' | 'task_seconds_p99'
>;

const NO_TASK_ENDS: TaskEnds = {
  tasks_completed: 0,
  tasks_failed: 0,
  task_seconds_p50: null,
  task_seconds_p90: null,
  task_seconds_p99: null,
};

export class RecentPast {
  readonly #tables: Tables;
  readonly #status: () => StatusReply;
  readonly #rows: Row[] = [];
  #last: { at: number; accepted: number; rejected: number } | null = null;
  #acceptedAt = Number.NEGATIVE_INFINITY;

  constructor(tables: Tables, status: () => StatusReply) {
    this.#tables = tables;
    this.#status = status;
  }

  /** Call it about once a second; it takes what its step asks for. */
  sample(now: number): void {
    const last = this.#last;
    // A little early is nearer than a second late.
    if (last !== null && now >= last.at && now - last.at < STEP_SECONDS - 0.25) return;
    const { ingest, lag, ring, state } = this.#status();
    const { accepted, rejected } = ingest;
    const perSecond = (count: number, before: number | undefined) => {
      return last === null || before === undefined || now <= last.at
        ? null
        : (count - before) / (now - last.at);
    };
    if (last === null || accepted !== last.accepted) this.#acceptedAt = now;
    this.#rows.push({
      times: now,
      events_per_second: perSecond(accepted, last?.accepted),
      rejected_per_second: perSecond(rejected, last?.rejected),
      tasks_running: state.tasks_running,
      workflows_live: state.workflows_live,
      lag_seconds: lag.seconds,
      ring_used: ring.used_bytes / ring.capacity_bytes,
      ...(now - this.#acceptedAt > QUIET_SECONDS ? NO_TASK_ENDS : this.#taskEnds(now)),
    });
    if (this.#rows.length > ROWS_MAX) this.#rows.shift();
    this.#last = { at: now, accepted, rejected };
  }

  render(): RecentReply {
    const column = <K extends keyof Row>(name: K) => this.#rows.map((row) => row[name]);
    return {
      times: column('times'),
      events_per_second: column('events_per_second'),
      rejected_per_second: column('rejected_per_second'),
      tasks_running: column('tasks_running'),
      workflows_live: column('workflows_live'),
      lag_seconds: column('lag_seconds'),
      ring_used: column('ring_used'),
      tasks_completed: column('tasks_completed'),
      tasks_failed: column('tasks_failed'),
      task_seconds_p50: column('task_seconds_p50'),
      task_seconds_p90: column('task_seconds_p90'),
      task_seconds_p99: column('task_seconds_p99'),
    };
  }

  #taskEnds(now: number): TaskEnds {
    const groupsBy = (by: readonly string[]) => {
      const query = { metric: METRIC, by, where: [], window: '1m', limit: 1000 } as const;
      return (queryStats(this.#tables, query, now) as StatsReply).groups;
    };
    const [all] = groupsBy([]);
    if (all === undefined) return NO_TASK_ENDS;
    const byStatus = groupsBy(['status']);
    const count = (...statuses: string[]) => {
      const counted = byStatus.filter(({ labels }) => statuses.includes(labels.status ?? ''));
      return counted.reduce((sum, group) => sum + group.count, 0);
    };
    return {
      tasks_completed: count('completed'),
      tasks_failed: count('failed', 'timeout'),
      task_seconds_p50: all.p50,
      task_seconds_p90: all.p90,
      task_seconds_p99: all.p99,
    };
  }
}
