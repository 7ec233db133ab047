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
  readonly bottlenecks: readonly Bottleneck[];
  readonly suggestions: readonly string[];
}

export interface Bottleneck {
  readonly type: 'low_parallelization' | 'high_failure_rate' | 'poor_speedup';
  readonly severity: 'medium' | 'high';
  readonly description: string;
  readonly suggestion: string;
}

const PARALLELIZATION_MIN = 0.3;
const SUCCESS_PERCENT_MIN = 90;
const SPEEDUP_MIN = 1.5;

/** An execution is a task that has ended; without any everything is 0, and the speed-ups are 1. */
export function workflowReport(tasks: readonly ReportTask[]): Report {
  const ended = tasks.filter((task) => task.status !== 'running');
  const total = ended.length;
  const parallel = ended.filter((task) => task.parallel === true).length;
  const completed = ended.filter((task) => task.status === 'completed').length;
  const utilization = new Map<string, number>();
  for (const { agent, duration } of ended)
    utilization.set(agent, (utilization.get(agent) ?? 0) + (duration ?? 0));
  const ratio = total === 0 ? 0 : parallel / total;
  const success = total === 0 ? 0 : completed / total;
  const averageSpeedup = 1;
  const bottlenecks = total === 0 ? [] : bottlenecksOf(ratio, 100 * success, averageSpeedup, parallel);
  return {
    total_executions: total,
    parallel_executions: parallel,
    sequential_executions: total - parallel,
    total_duration: sum(ended.map((task) => task.duration ?? 0)),
    average_speedup: averageSpeedup,
    parallelization_ratio: ratio,
    success_rate: 100 * success,
    agent_utilization: Object.fromEntries(utilization),
    token_usage: sum(ended.map((task) => task.tokens ?? 0)),
    efficiency_score: 30 * ratio + 40 * success,
    measured_speedup: measuredSpeedup(ended),
    bottlenecks,
    suggestions: bottlenecks.map(({ suggestion }) => suggestion),
  };
}

function bottlenecksOf(
  ratio: number,
  successPercent: number,
  speedup: number,
  parallel: number,
): Bottleneck[] {
  const found: Bottleneck[] = [];
  if (ratio < PARALLELIZATION_MIN) {
    found.push({
      type: 'low_parallelization',
      severity: 'medium',
      description: `${(100 * ratio).toFixed(0)} % of the executions are parallel`,
      suggestion: 'run tasks that do not need each other at the same time',
    });
  }
  if (successPercent < SUCCESS_PERCENT_MIN) {
    found.push({
      type: 'high_failure_rate',
      severity: 'high',
      description: `${successPercent.toFixed(0)} % of the executions are completed`,
      suggestion: 'look at the errors of the failed tasks, those of the most failing agent first',
    });
  }
  if (parallel > 0 && speedup < SPEEDUP_MIN) {
    found.push({
      type: 'poor_speedup',
      severity: 'medium',
      description: `the average speed-up of parallel groups is ${speedup.toFixed(2)}`,
      suggestion:
        'give the members of a group work of equal length, and look for what they wait for in common',
    });
  }
  return found;
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
