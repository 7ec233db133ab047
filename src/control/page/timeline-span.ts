/** The part of the time that a timeline shows, and how it is zoomed and moved. */

import type { Layout } from './timeline-layout.js';

export interface Span {
  /** Unix seconds */
  readonly from: number;
  readonly to: number;
}

export const ZOOM_STEP = 1.6;
const SPAN_MIN = 0.001;

/** All of it; where it runs, up to now. */
export function wholeSpan(
  layout: Layout,
  startedAt: number | null,
  endedAt: number | null,
  now: number,
): Span {
  const from = Math.min(layout.from, startedAt ?? Infinity);
  const to = Math.max(layout.to, endedAt ?? (layout.ends.includes(Infinity) ? now : -Infinity));
  if (!Number.isFinite(from) || !Number.isFinite(to)) return { from: 0, to: 1 };
  const margin = Math.max((to - from) * 0.01, SPAN_MIN);
  return { from: from - margin, to: to + margin };
}

/** @returns null where all is shown */
export function zoomed(
  span: Span,
  whole: Span,
  factor: number,
  around = (span.from + span.to) / 2,
): Span | null {
  const length = Math.max(SPAN_MIN, (span.to - span.from) / factor);
  const share = (around - span.from) / (span.to - span.from);
  return kept({ from: around - share * length, to: around + (1 - share) * length }, whole);
}

/** Moved so that it lies within the whole. @returns null where that is all of it */
export function kept(span: Span, whole: Span): Span | null {
  const length = span.to - span.from;
  if (length >= whole.to - whole.from) return null;
  const from = Math.min(Math.max(span.from, whole.from), whole.to - length);
  return { from, to: from + length };
}
