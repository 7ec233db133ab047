/** The two numbers of the report that the fold needs while it folds: a workflow's score at its end, and the speed-up of a group. */

/** A group with a duration below this is taken to have had one of this. */
const GROUP_SECONDS_MIN = 0.1;
/** A speed-up that the score does not ask more of. */
const SPEEDUP_FULL = 4;

/** @param groups how many have a duration @param speedups the sum of theirs */
export function efficiencyScore(
  executions: i32,
  parallel: i32,
  completed: i32,
  groups: i32,
  speedups: f64,
): f64 {
  const byTasks: f64 = executions === 0 ? 0 : (30 * (parallel as f64) + 40 * completed) / executions;
  return groups === 0 ? byTasks : byTasks + 30 * Math.min(speedups / groups / SPEEDUP_FULL, 1);
}

/** NaN where the group has no duration. */
export function groupSpeedup(members: i32, seconds: f64): f64 {
  return members / Math.max(seconds, GROUP_SECONDS_MIN);
}
