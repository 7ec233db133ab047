/** The performance report of the contract (section 4), out of the numbers that the fold keeps of a workflow. */

/** An execution is a task that has ended: once for each time that it did. */
export interface ReportNumbers {
  readonly executions: number;
  readonly parallel: number;
  readonly completed: number;
  /** Sum of their durations. */
  readonly seconds: number;
  readonly tokens: number;
  /** Groups that have a duration, and the sum of their speed-ups. */
  readonly groups: number;
  readonly speedups: number;
  /** Task durations, and the union of the tasks' intervals, over the same executions. */
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

/** A group with a duration below this is taken to have had one of this. */
const GROUP_SECONDS_MIN = 0.1;
/** A speed-up that the score does not ask more of. */
const SPEEDUP_FULL = 4;

/** Without executions everything is 0, and the speed-ups are 1. */
export function reportOf(numbers: ReportNumbers): Report {
  const { executions, parallel, completed, groups, speedups, busySeconds, coveredSeconds } = numbers;
  const ratio = executions === 0 ? 0 : parallel / executions;
  const success = executions === 0 ? 0 : completed / executions;
  const averageSpeedup = groups === 0 ? 1 : speedups / groups;
  const bottlenecks = executions === 0 ? [] : bottlenecksOf(ratio, 100 * success, averageSpeedup, parallel);
  return {
    total_executions: executions,
    parallel_executions: parallel,
    sequential_executions: executions - parallel,
    total_duration: numbers.seconds,
    average_speedup: averageSpeedup,
    parallelization_ratio: ratio,
    success_rate: 100 * success,
    agent_utilization: Object.fromEntries(numbers.secondsByAgent),
    token_usage: numbers.tokens,
    efficiency_score: efficiencyScore(executions, parallel, completed, groups, speedups),
    measured_speedup: coveredSeconds > 0 ? busySeconds / coveredSeconds : 1,
    bottlenecks,
    suggestions: bottlenecks.map(({ suggestion }) => suggestion),
  };
}

/** @param groups how many have a duration @param speedups the sum of theirs */
export function efficiencyScore(
  executions: number,
  parallel: number,
  completed: number,
  groups: number,
  speedups: number,
): number {
  const byTasks = executions === 0 ? 0 : (30 * parallel + 40 * completed) / executions;
  return groups === 0 ? byTasks : byTasks + 30 * Math.min(speedups / groups / SPEEDUP_FULL, 1);
}

/** NaN where the group has no duration. */
export function groupSpeedup(members: number, seconds: number): number {
  return members / Math.max(seconds, GROUP_SECONDS_MIN);
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
