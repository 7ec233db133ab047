/**
 * The limits in force. They are part of the state, since what is forgotten depends on them: a tick sets them at its place in
 * the log, and so a replay folds every line under the limits under which it was folded first. The memory is as large
 * as the largest limits need, so it bounds nothing by itself.
 *
 * They lie in the board as doubles, one for each of LIMIT_NAMES, in that order; a tick's payload is the same, little-endian.
 * A later version appends to the list: what a payload does not have stays as it is.
 */

import type { StateLimits } from './layout.js';

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

/** The same limits, read where they lie: each access costs a load, as the fold needs them once a line. */
export class LimitsInForce implements Limits {
  readonly #doubles: Float64Array;

  /** @param memory of the board @param at where they begin, in doubles */
  constructor(memory: SharedArrayBuffer, at: number) {
    this.#doubles = new Float64Array(memory, at * 8, LIMIT_NAMES.length);
  }

  get maxLiveWorkflows(): number {
    return this.#doubles[0]!;
  }

  get maxRecentWorkflows(): number {
    return this.#doubles[1]!;
  }

  get maxTasksPerWorkflow(): number {
    return this.#doubles[2]!;
  }

  get maxTasks(): number {
    return this.#doubles[3]!;
  }

  get maxSeries(): number {
    return this.#doubles[4]!;
  }

  get namesBytes(): number {
    return this.#doubles[5]!;
  }

  get staleAfterMs(): number {
    return this.#doubles[6]!;
  }

  get seriesIdleMs(): number {
    return this.#doubles[7]!;
  }

  get windowBytes(): number {
    return this.#doubles[8]!;
  }

  /** No limits have been set in this memory. */
  get isNew(): boolean {
    return this.#doubles[0] === 0;
  }

  set(limits: Partial<Limits>): void {
    for (const [i, name] of LIMIT_NAMES.entries()) this.#doubles[i] = limits[name] ?? this.#doubles[i]!;
  }

  /** Whether all of these are in force. */
  include(limits: Partial<Limits>): boolean {
    return LIMIT_NAMES.every((name, i) => limits[name] === undefined || limits[name] === this.#doubles[i]);
  }
}

export function encodeLimits(limits: Limits): Uint8Array {
  const payload = Buffer.alloc(LIMIT_NAMES.length * 8);
  for (const [i, name] of LIMIT_NAMES.entries()) payload.writeDoubleLE(limits[name], i * 8);
  return payload;
}

/** What the payload has; a number that is no limit is left out. */
export function decodeLimits(payload: Uint8Array): Partial<Limits> {
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
