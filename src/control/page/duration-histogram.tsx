/** How often a task took how long. */

import { useMemo } from 'preact/hooks';
import { humanCount, humanDuration } from '../../model/human.js';
import type { TaskReply } from '../../model/replies.js';
import { bucketDurations } from './duration-buckets.js';

export function DurationHistogram({ tasks }: { tasks: readonly TaskReply[] }) {
  const { edges, counts } = useMemo(
    () => bucketDurations(tasks.map(({ duration }) => duration).filter((duration) => duration !== null)),
    [tasks],
  );
  if (counts.length === 0) return <p class="quiet pad">No duration is known.</p>;
  const most = Math.max(...counts);
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => edges[Math.round(share * (edges.length - 1))]!);
  return (
    <div class="histogram">
      <div class="histogram-bars" role="img" aria-label={summaryOf(edges, counts)}>
        {counts.map((count, i) => (
          <span
            key={edges[i]}
            title={`${humanDuration(edges[i])} to ${humanDuration(edges[i + 1])}: ${humanCount(count)}`}
            style={{ height: count === 0 ? '0' : `max(2px, ${(100 * count) / most}%)` }}
          />
        ))}
      </div>
      <div class="histogram-axis" aria-hidden="true">
        {(counts.length < 4 ? [marks[0]!, marks[4]!] : marks).map((edge) => (
          <span key={edge}>{humanDuration(edge)}</span>
        ))}
      </div>
    </div>
  );
}

function summaryOf(edges: readonly number[], counts: readonly number[]): string {
  const top = counts.indexOf(Math.max(...counts));
  return `Durations from ${humanDuration(edges[0])} to ${humanDuration(edges.at(-1))}, most often ${humanDuration(edges[top])} to ${humanDuration(edges[top + 1])}`;
}
