/** A metric over a time that has passed: one question for all of it, and one for each slice. */

import { useEffect, useState } from 'preact/hooks';
import type { StatsGroup, StatsReply } from '../../model/replies.js';
import { ask, Refusal, withQuery } from './api.js';
import { planSlices, type Slice } from './time-slices.js';

const ASK_AT_ONCE = 4;

interface Slices {
  readonly times: number[];
  readonly counts: (number | null)[];
  readonly p50: (number | null)[];
  readonly p90: (number | null)[];
  readonly p99: (number | null)[];
}

export interface MetricHistory {
  readonly slices: Slices;
  readonly groups: readonly StatsGroup[] | null;
  readonly refusal: Refusal | null;
  readonly isDone: boolean;
}

const NO_SLICES: Slices = { times: [], counts: [], p50: [], p90: [], p99: [] };

export function useMetricHistory(metric: string, by: string, from: number, to: number): MetricHistory {
  const [history, setHistory] = useState<MetricHistory>({
    slices: NO_SLICES,
    groups: null,
    refusal: null,
    isDone: false,
  });
  useEffect(() => {
    const leaving = new AbortController();
    setHistory({ slices: NO_SLICES, groups: null, refusal: null, isDone: false });
    gather(metric, by, from, to, leaving.signal).then(
      (found) => setHistory({ ...found, refusal: null, isDone: true }),
      (error) => {
        if (leaving.signal.aborted) return;
        const refusal = error instanceof Refusal ? error : new Refusal(0, 'No answer', String(error.message));
        setHistory({ slices: NO_SLICES, groups: null, refusal, isDone: true });
      },
    );
    return () => leaving.abort();
  }, [metric, by, from, to]);
  return history;
}

async function gather(metric: string, by: string, from: number, to: number, signal: AbortSignal) {
  const question = (slice: Slice, labels: string) =>
    ask<StatsReply>(
      withQuery('/v1/stats', { metric, by: labels, since: slice.from, until: slice.to }),
      signal,
    );
  const { groups } = await question({ from, to }, by);
  const plan = planSlices(from, to);
  const answers: (StatsGroup | undefined)[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < plan.length; i = next++) answers[i] = (await question(plan[i]!, '')).groups[0];
  };
  await Promise.all(Array.from({ length: ASK_AT_ONCE }, worker));
  const some = answers.some((answer) => answer !== undefined);
  const column = (pick: (group: StatsGroup) => number) =>
    answers.map((answer) => (answer === undefined ? null : pick(answer)));
  const slices: Slices = {
    times: some ? plan.map((slice) => slice.from) : [],
    counts: column(({ count }) => count),
    p50: column(({ p50 }) => p50),
    p90: column(({ p90 }) => p90),
    p99: column(({ p99 }) => p99),
  };
  return { slices, groups };
}
