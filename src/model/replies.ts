/**
 * What the control socket replies (contract, section 3), as those read it who ask: the page and the terminal screen. Times are Unix
 * seconds, durations seconds, null where unknown. A reply may have more fields.
 */

export type TaskStatus = 'running' | 'completed' | 'failed' | 'timeout' | 'cancelled';
export type WorkflowStatus = 'pending' | 'running' | 'paused' | 'completed' | 'failed' | 'cancelled';

export interface StatusReply {
  readonly version: string;
  readonly pid: number;
  readonly started_at: number;
  readonly uptime: number;
  readonly ready: boolean;
  readonly degraded: readonly string[];
  readonly ingest: {
    readonly connections: number;
    readonly lines: number;
    readonly bytes: number;
    readonly accepted: number;
    readonly rejected: number;
    readonly rejected_by_reason: Readonly<Record<string, number>>;
    readonly dropped: number;
    readonly in_flight: number;
    readonly rate_1s: number;
  };
  readonly ring: { readonly capacity_bytes: number; readonly used_bytes: number; readonly stalls: number };
  readonly lag: { readonly events: number; readonly seconds: number };
  readonly state: {
    readonly workflows_live: number;
    readonly workflows_recent: number;
    readonly tasks_running: number;
    readonly series: number;
    readonly counts: Readonly<Record<string, number>>;
  };
  readonly archive: {
    readonly durable_seq: number;
    readonly segments: number;
    readonly bytes_raw: number;
    readonly bytes_compressed: number;
    readonly oldest_ts: number | null;
    readonly last_sync_ms: number | null;
  };
  readonly memory: { readonly rss_bytes: number; readonly state_bytes: number };
  readonly threads: readonly ThreadReply[];
}

export interface ThreadReply {
  readonly name: string;
  /** share of the last second, 0 to 1 */
  readonly utilization: number;
  readonly restarts: number;
}

/** One row of `/v1/workflows`; the whole workflow has these fields too. */
export interface WorkflowSummary {
  readonly workflow: string;
  readonly run: number;
  readonly name: string | null;
  readonly project: string | null;
  readonly parent: string | null;
  readonly status: WorkflowStatus;
  readonly phase: string | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly duration: number | null;
  readonly tasks_total: number;
  readonly tasks_by_status: Readonly<Partial<Record<TaskStatus, number>>>;
}

export interface WorkflowsReply {
  readonly workflows: readonly WorkflowSummary[];
  readonly next_cursor: string | null;
}

export interface WorkflowReply extends WorkflowSummary {
  readonly runs: readonly RunReply[];
  readonly request: string | null;
  readonly children: readonly string[];
  readonly implicit: boolean;
  readonly error: string | null;
  readonly tasks: readonly TaskReply[];
  readonly active_agents: readonly string[];
  readonly metrics: ReportReply;
  readonly source: 'live' | 'recent' | 'archive';
}

export interface RunReply {
  readonly run: number;
  readonly started_at: number | null;
  readonly status: WorkflowStatus;
  readonly source: string;
}

export interface TaskReply {
  readonly task: string;
  readonly agent: string;
  readonly workflow?: string | null;
  readonly kind: string | null;
  readonly status: TaskStatus;
  readonly parallel: boolean | null;
  readonly description: string | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly duration: number | null;
  readonly tokens: number | null;
  readonly error: string | null;
  readonly output: unknown;
}

export interface TasksReply {
  readonly tasks: readonly TaskReply[];
  readonly next_cursor: string | null;
}

export interface StatsGroup {
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
  readonly sum: number;
  readonly mean: number;
  readonly variance: number | null;
  readonly stddev: number | null;
  readonly min: number;
  readonly max: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly rate: number;
}

export interface StatsReply {
  readonly metric: string;
  readonly window: string;
  readonly groups: readonly StatsGroup[];
}

export interface MetricsReply {
  readonly metrics: readonly {
    readonly metric: string;
    readonly labels: readonly string[];
    readonly count: number;
  }[];
}

export interface ReportReply {
  readonly total_executions: number;
  readonly parallel_executions: number;
  readonly average_speedup: number;
  readonly parallelization_ratio: number;
  /** percent */
  readonly success_rate: number;
  readonly token_usage: number;
  readonly efficiency_score: number;
  readonly measured_speedup: number;
  readonly bottlenecks: readonly {
    readonly type: string;
    readonly severity: string;
    readonly description: string;
    readonly suggestion: string;
  }[];
}

/** Of `/v1/recent`: the last quarter of an hour in columns, the newest last. null: not known, or nothing ended. */
export interface RecentReply {
  /** Unix seconds */
  readonly times: readonly number[];
  readonly events_per_second: readonly (number | null)[];
  readonly rejected_per_second: readonly (number | null)[];
  readonly tasks_running: readonly number[];
  readonly workflows_live: readonly number[];
  readonly lag_seconds: readonly number[];
  /** 0 to 1 */
  readonly ring_used: readonly number[];
  /** of the minute before */
  readonly tasks_completed: readonly number[];
  /** of the minute before; time-outs too */
  readonly tasks_failed: readonly number[];
  readonly task_seconds_p50: readonly (number | null)[];
  readonly task_seconds_p90: readonly (number | null)[];
  readonly task_seconds_p99: readonly (number | null)[];
}
