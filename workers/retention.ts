/**
 * A task of the pool: removes the segments that the rules and the checkpoints allow to. Takes the rules and the folders;
 * returns what is left, or a Failure when the disk refuses.
 */

import { applyRetention, type Retained, type RetentionRules } from '../src/archive/retention.js';
import { firstLineNeeded } from '../src/checkpoint/checkpoint-files.js';
import { type Outcome, outcomeOf } from '../src/daemon/outcome.js';

export interface RetentionWork {
  readonly archiveDirectory: string;
  readonly checkpointDirectory: string;
  readonly rules: RetentionRules;
  readonly activeSegment: number;
}

export default function retention(work: RetentionWork): Promise<Outcome<Retained>> {
  const { archiveDirectory: directory, checkpointDirectory, ...rest } = work;
  return outcomeOf(() =>
    applyRetention({ directory, firstLineNeeded: firstLineNeeded(checkpointDirectory), ...rest }),
  );
}
