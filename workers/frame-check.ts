/** A task of a pool: checks some frames of a segment. Takes a task of frame-check.ts. */

import { checkFrames, type FrameCheckResult, type FrameCheckTask } from '../src/archive/frame-check.js';
import { type Outcome, outcomeOf } from '../src/daemon/outcome.js';

export default function frameCheck(task: FrameCheckTask): Promise<Outcome<FrameCheckResult>> {
  return outcomeOf(() => checkFrames(task));
}
