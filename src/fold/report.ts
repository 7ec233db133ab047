/** The performance report of the contract (section 4), over the tasks of one workflow. */

export interface ReportTask {
  readonly agent: string;
  readonly status: string;
  readonly parallel: boolean | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly duration: number | null;
  readonly tokens: number | null;
}

export interface Report {
  readonly total_executions: number;
  readonly parallel_executions: number;
  readonly sequential_executions: number;
  readonly total_duration: number;
  readonly average_speedup: number;
  readonly parallelization_ratio: number;
  readonly success_rate: number;
  readonly agent_utilization: Readonly<Record<string, number>>;
  readonly token_usage: number;
  readonly efficiency_score: number;
  readonly measured_speedup: number;
}

/** An execution is a task that has ended; without any everything is 0, and the speed-ups are 1. */
export function workflowReport(tasks: readonly ReportTask[]): Report {
  const ended = tasks.filter((task) => task.status !== 'running');
  const total = ended.length;
  const parallel = ended.filter((task) => task.parallel === true).length;
  const completed = ended.filter((task) => task.status === 'completed').length;
  const utilization = new Map<string, number>();
  for (const { agent, duration } of ended) utilization.set(agent, (utilization.get(agent) ?? 0) + (duration ?? 0));
  const ratio = total === 0 ? 0 : parallel / total;
  const success = total === 0 ? 0 : completed / total;
  return {
    total_executions: total,
    parallel_executions: parallel,
    sequential_executions: total - parallel,
    total_duration: sum(ended.map((task) => task.duration ?? 0)),
    average_speedup: 1,
    parallelization_ratio: ratio,
    success_rate: 100 * success,
    agent_utilization: Object.fromEntries(utilization),
    token_usage: sum(ended.map((task) => task.tokens ?? 0)),
    efficiency_score: 30 * ratio + 40 * success,
    measured_speedup: measuredSpeedup(ended),
  };
}

/** Sum of the task durations over the union of their intervals: how many tasks ran at once, on the average. */
function measuredSpeedup(tasks: readonly ReportTask[]): number {
  const intervals = tasks
    .filter((task) => task.ended_at !== null && task.duration !== null)
    .map((task) => ({ from: task.ended_at! - task.duration!, to: task.ended_at! }))
    .sort((a, b) => a.from - b.from);
  let union = 0;
  let reached = Number.NEGATIVE_INFINITY;
  for (const { from, to } of intervals) {
    if (to <= reached) continue;
    union += to - Math.max(from, reached);
    reached = to;
  }
  const durations = sum(intervals.map(({ from, to }) => to - from));
  return union > 0 ? durations / union : 1;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
