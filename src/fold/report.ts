/** The performance report of the contract (section 4): its numbers, and what they say. */

export interface ReportTask {
  readonly agent: string;
  readonly status: string;
  readonly parallel: boolean | null;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly duration: number | null;
  readonly tokens: number | null;
}

/** All that a report is made of. Each number is a sum, so those of several workflows, projects or times add up. */
export interface ReportNumbers {
  /** Executions that have ended, and those of them that were parallel, or completed. */
  readonly executions: number;
  readonly parallel: number;
  readonly completed: number;
  readonly seconds: number;
  readonly tokens: number;
  /** Groups with a duration, and the sum of their speed-ups. */
  readonly groups: number;
  readonly speedups: number;
  /** Of whole workflows: the sum of the durations of their tasks, and how long any of these ran. */
  readonly busySeconds: number;
  readonly coveredSeconds: number;
  readonly secondsByAgent: ReadonlyMap<string, number>;
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
/** A group that took less is taken to have taken this long. */
const GROUP_SECONDS_MIN = 0.1;
const SPEEDUP_FULL_SCORE = 4;

/** Of a group of tasks that ran in parallel and took so long together. */
export function groupSpeedup(members: number, seconds: number): number {
  return members / Math.max(seconds, GROUP_SECONDS_MIN);
}

/** From 0 to 100. @param speedups their sum over the groups with a duration */
export function efficiencyScore(
  executions: number,
  parallel: number,
  completed: number,
  groups: number,
  speedups: number,
): number {
  const shares = executions === 0 ? 0 : (30 * parallel + 40 * completed) / executions;
  return shares + (groups === 0 ? 0 : 30 * Math.min(speedups / groups / SPEEDUP_FULL_SCORE, 1));
}

/** Without any executions everything is 0, and the speed-ups are 1. */
export function reportOf(numbers: ReportNumbers): Report {
  const { executions, parallel, completed, groups, speedups, busySeconds, coveredSeconds } = numbers;
  const ratio = executions === 0 ? 0 : parallel / executions;
  const successPercent = executions === 0 ? 0 : (100 * completed) / executions;
  const averageSpeedup = groups === 0 ? 1 : speedups / groups;
  const bottlenecks = executions === 0 ? [] : bottlenecksOf(ratio, successPercent, averageSpeedup, parallel);
  return {
    total_executions: executions,
    parallel_executions: parallel,
    sequential_executions: executions - parallel,
    total_duration: numbers.seconds,
    average_speedup: averageSpeedup,
    parallelization_ratio: ratio,
    success_rate: successPercent,
    agent_utilization: Object.fromEntries(numbers.secondsByAgent),
    token_usage: numbers.tokens,
    efficiency_score: efficiencyScore(executions, parallel, completed, groups, speedups),
    measured_speedup: coveredSeconds > 0 ? busySeconds / coveredSeconds : 1,
    bottlenecks,
    suggestions: bottlenecks.map(({ suggestion }) => suggestion),
  };
}

/** The report over the tasks of one workflow that have ended. */
export function workflowReport(tasks: readonly ReportTask[]): Report {
  const ended = tasks.filter((task) => task.status !== 'running');
  const secondsByAgent = new Map<string, number>();
  for (const { agent, duration } of ended) {
    secondsByAgent.set(agent, (secondsByAgent.get(agent) ?? 0) + (duration ?? 0));
  }
  return reportOf({
    executions: ended.length,
    parallel: ended.filter((task) => task.parallel === true).length,
    completed: ended.filter((task) => task.status === 'completed').length,
    seconds: sum(ended.map((task) => task.duration ?? 0)),
    tokens: sum(ended.map((task) => task.tokens ?? 0)),
    groups: 0,
    speedups: 0,
    ...measured(ended),
    secondsByAgent,
  });
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

/** The sum of the tasks' durations and the length of the union of their intervals. */
function measured(tasks: readonly ReportTask[]): { busySeconds: number; coveredSeconds: number } {
  const intervals = tasks
    .filter((task) => task.ended_at !== null && task.duration !== null)
    .map((task) => ({ from: task.ended_at! - task.duration!, to: task.ended_at! }))
    .sort((a, b) => a.from - b.from);
  let coveredSeconds = 0;
  let reached = Number.NEGATIVE_INFINITY;
  for (const { from, to } of intervals) {
    if (to <= reached) continue;
    coveredSeconds += to - Math.max(from, reached);
    reached = to;
  }
  return { busySeconds: sum(intervals.map(({ from, to }) => to - from)), coveredSeconds };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
