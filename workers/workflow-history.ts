/** A task of a pool: a workflow, or the children of one, out of frames of the archive. Takes a task of archive-pool.ts. */

import type { HistoryPoolTask } from '../src/daemon/archive-pool.js';
import { type Outcome, outcomeOf } from '../src/daemon/outcome.js';
import { readChildren } from '../src/query/named-children.js';
import { type HistoryAnswer, readHistory } from '../src/query/workflow-history.js';

export default async function workflowHistory(
  task: HistoryPoolTask,
): Promise<Outcome<HistoryAnswer> | Outcome<string[]>> {
  if (task.kind === 'children') return outcomeOf(() => readChildren(task.task));
  return outcomeOf(() => readHistory(task.task));
}
