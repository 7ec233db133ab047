/** Small signs: a status by form and colour and word, progress as a bar, the spread of a duration as a strip. */

import type { TaskStatus, WorkflowStatus } from '../../model/replies.js';
import { clockTime, isoTime } from './clock-time.js';

type Status = TaskStatus | WorkflowStatus;

/** Of a task, in the order in which a bar stacks them. */
export const TASK_STATUSES: readonly TaskStatus[] = [
  'completed',
  'failed',
  'timeout',
  'cancelled',
  'running',
];

export function StatusMark({ status, bare = false }: { status: Status; bare?: boolean }) {
  return (
    <span class={`status s-${status}`}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <StatusForm status={status} />
      </svg>
      {bare ? <span class="unseen">{status}</span> : status}
    </span>
  );
}

function StatusForm({ status }: { status: Status }) {
  switch (status) {
    case 'completed':
      return <path class="line" d="M3 8.6 6.4 12 13 4.6" />;
    case 'failed':
      return <path class="line" d="M4 4l8 8M12 4l-8 8" />;
    case 'timeout':
      return (
        <g class="line">
          <circle cx="8" cy="8" r="5.6" />
          <path d="M8 5v3.4l2.2 1.4" />
        </g>
      );
    case 'cancelled':
      return (
        <g class="line">
          <circle cx="8" cy="8" r="5.6" />
          <path d="M4.2 11.8l7.6-7.6" />
        </g>
      );
    case 'paused':
      return <path class="line" d="M5.5 4v8M10.5 4v8" />;
    case 'pending':
      return <circle class="line" cx="8" cy="8" r="5" stroke-dasharray="2.6 2.6" />;
    default:
      return (
        <g>
          <circle class="line" cx="8" cy="8" r="5.8" opacity="0.45" />
          <circle cx="8" cy="8" r="3" fill="currentColor" />
        </g>
      );
  }
}

export function Progress({
  total,
  byStatus,
}: {
  total: number;
  byStatus: Readonly<Partial<Record<TaskStatus, number>>>;
}) {
  const parts = TASK_STATUSES.map((status) => [status, byStatus[status] ?? 0] as const).filter(
    ([, n]) => n > 0,
  );
  const words = parts.map(([status, n]) => `${n} ${status}`).join(', ') || 'no tasks';
  return (
    <span class="progress" role="img" aria-label={`${total} tasks: ${words}`} title={words}>
      {parts.map(([status, n]) => (
        <span key={status} class={`f-${status}`} style={{ flexGrow: n }} />
      ))}
    </span>
  );
}

export function Time({ seconds }: { seconds: number | null | undefined }) {
  const iso = isoTime(seconds);
  return (
    <time dateTime={iso} title={iso}>
      {clockTime(seconds)}
    </time>
  );
}

export interface Spread {
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/**
 * From min to max a line, from the median to p99 a bar that is denser up to p90, on an axis of logarithms that all strips of a
 * table share.
 */
export function SpreadStrip({ spread, from, to }: { spread: Spread; from: number; to: number }) {
  const low = Math.log(Math.max(from, 1e-6));
  const span = Math.max(Math.log(Math.max(to, 1e-6)) - low, 1e-9);
  const x = (value: number) =>
    Math.min(100, Math.max(0, ((Math.log(Math.max(value, 1e-6)) - low) / span) * 100));
  const { min, p50, p90, p99, max } = spread;
  return (
    <svg class="spread" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">
      <path class="whisker" d={`M${x(min)} 6H${x(max)}`} />
      <rect class="far" x={x(p50)} y="3" width={Math.max(0.6, x(p99) - x(p50))} height="6" />
      <rect class="near" x={x(p50)} y="3" width={Math.max(0.6, x(p90) - x(p50))} height="6" />
      <rect class="median" x={x(p50) - 0.5} y="1" width="1" height="10" />
    </svg>
  );
}
