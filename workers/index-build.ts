/** A task of a pool: reads a part of the index of a segment out of it, or writes a whole one into its file. */

import type { IndexPart } from '../src/archive/growing-index.js';
import { readIndexPart, writeIndexPart } from '../src/archive/index-builder.js';
import type { IndexTask } from '../src/daemon/archive-pool.js';
import { type Outcome, outcomeOf } from '../src/daemon/outcome.js';
import { moved } from '../src/daemon/thread-pool.js';

export default async function indexBuild(task: IndexTask): Promise<Outcome<IndexPart> | Outcome<void>> {
  if (task.kind === 'write') return outcomeOf(() => writeIndexPart(task.segment, task.index));
  const outcome = await outcomeOf(() => readIndexPart(task.segment, task.from, task.bytesMax));
  if (outcome.kind === 'failure') return outcome;
  return moved(outcome, [outcome.value.rows.buffer, outcome.value.keys.buffer]);
}
