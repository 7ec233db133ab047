/**
 * A task of a pool: removes old days of the roll-ups, and makes hours that are missing anew. Takes the folders, which hours and
 * how much of the log; returns which hours it has made, or a Failure when the log or the disk refuses.
 */

import { type Outcome, outcomeOf } from '../src/daemon/outcome.js';
import { type RepairedRollups, type RollupTask, repairRollups } from '../src/daemon/rollup-repair.js';

export default function rollups(task: RollupTask): Promise<Outcome<RepairedRollups>> {
  return outcomeOf(() => repairRollups(task));
}
