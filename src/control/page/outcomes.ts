/** Tasks by the time of their end, in equal parts of it. */

import type { TaskReply } from '../../model/replies.js';

export interface Outcomes {
  /** Unix seconds, the beginning of each part */
  readonly times: number[];
  /** of the last part */
  readonly end: number;
  readonly all: number[];
  readonly failed: number[];
}

const PARTS = 40;

/** @param tasks that have ended */
export function outcomesOverTime(tasks: readonly TaskReply[], parts = PARTS): Outcomes {
  const ends = tasks.map(({ ended_at }) => ended_at ?? 0);
  const from = ends.reduce((a, b) => Math.min(a, b), Infinity);
  const to = ends.reduce((a, b) => Math.max(a, b), -Infinity);
  if (tasks.length === 0) return { times: [], end: 0, all: [], failed: [] };
  const width = Math.max((to - from) / parts, 1e-3);
  const outcomes: Outcomes = {
    times: Array.from({ length: parts }, (_, i) => from + i * width),
    end: from + parts * width,
    all: new Array<number>(parts).fill(0),
    failed: new Array<number>(parts).fill(0),
  };
  for (const [i, { status }] of tasks.entries()) {
    const part = Math.min(parts - 1, Math.floor((ends[i]! - from) / width));
    outcomes.all[part]!++;
    if (status !== 'completed') outcomes.failed[part]!++;
  }
  return outcomes;
}
