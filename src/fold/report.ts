/** The performance report of the contract (section 4), out of the numbers that the fold keeps of a workflow. */

import { efficiencyScore } from './scores.js';

/** An execution is a task that has ended: once for each time that it did. */
export interface ReportNumbers {
  readonly executions: number;
  readonly parallel: number;
  readonly completed: number;
  /** Sum of their durations. */
  readonly seconds: f64;
  readonly tokens: number;
  /** Groups that have a duration, and the sum of their speed-ups. */
  readonly groups: number;
  readonly speedups: f64;
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

function bottlenecksOf(ratio: number, successPercent: number, speedup: number, parallel: i32): Bottleneck[] {
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
