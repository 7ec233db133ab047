/**
 * The limits in force. They are part of the state, since what is forgotten depends on them: a tick sets them at its place in
 * the log, and so a replay folds every line under the limits under which it was folded first. The memory is as large
 * as the largest limits need, so it bounds nothing by itself.
 *
 * They lie in the board as doubles, one for each of LIMIT_NAMES, in that order; a tick's payload is the same, little-endian.
 * A later version appends to the list: what a payload does not have stays as it is.
 */

import type { Bytes } from '../model/memory.js';
import type { StateLimits } from './layout.js';
import type { LimitsInForce } from './limits-in-force.js';

export const LIMIT_NAMES = [
  'maxLiveWorkflows',
  'maxRecentWorkflows',
  'maxTasksPerWorkflow',
  'maxTasks',
  'maxSeries',
  'namesBytes',
  'staleAfterMs',
  'seriesIdleMs',
  'windowBytes',
] as const;

export type LimitName = (typeof LIMIT_NAMES)[number];
export type Limits = Readonly<Record<LimitName, number>>;

export function setLimits(inForce: LimitsInForce, limits: Partial<Limits>): void {
  for (const [i, name] of LIMIT_NAMES.entries()) {
    const limit = limits[name];
    if (limit !== undefined) inForce.setValue(i, limit);
  }
}

/** Whether all of these are in force. */
export function areInForce(limits: Partial<Limits>, inForce: LimitsInForce): boolean {
  return LIMIT_NAMES.every((name, i) => limits[name] === undefined || limits[name] === inForce.value(i));
}

export function encodeLimits(limits: Limits): Bytes {
  const payload = Buffer.alloc(LIMIT_NAMES.length * 8);
  for (const [i, name] of LIMIT_NAMES.entries()) payload.writeDoubleLE(limits[name], i * 8);
  return payload;
}

/** What the payload has; a number that is no limit is left out. */
export function decodeLimits(payload: Bytes): Partial<Limits> {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const found: Partial<Record<LimitName, number>> = {};
  for (const [i, name] of LIMIT_NAMES.entries()) {
    const value = (i + 1) * 8 <= payload.length ? view.getFloat64(i * 8, true) : Number.NaN;
    if (value >= 0) found[name] = value;
  }
  return found;
}

/** Limits whose memory is enough for all of these. */
export function largestLimits<T extends StateLimits>(limits: T, others: Iterable<Partial<Limits>>): T {
  const largest: Record<LimitName, number> = { ...limits };
  for (const other of others) {
    for (const name of LIMIT_NAMES) largest[name] = Math.max(largest[name], other[name] ?? 0);
  }
  return { ...limits, ...largest };
}
