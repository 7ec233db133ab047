/**
 * The ledger: what every connection and the whole process have read, accepted and refused. It closes:
 * lines = accepted + rejected + dropped + in flight.
 *
 * One slot a connection, of 128 bytes, and one for the whole process before them:
 *
 *   0            4       8       16      24      32         40         48          56       64
 *   ┌────────────┬───────┬───────┬───────┬───────┬──────────┬──────────┬───────────┬────────┬──────────────┐
 *   │ generation │ state │ lines │ bytes │ since │ accepted │ rejected │ uncounted │ stalls │ by reason …  │
 *   └────────────┴───────┴───────┴───────┴───────┴──────────┴──────────┴───────────┴────────┴──────────────┘
 *     main writes these                  │         the fold writes these            main      fold, slot 0
 *
 * Doubles on 8-byte borders are not torn on the 64-bit machines that Node runs on; each has one writer, and a reader
 * that comes between two of them sees a ledger that is a line or a record behind. So a reader that wants the sum to
 * close reads what the fold has written before what main has.
 */

import { REFUSAL_REASONS } from '../model/refusal.js';

export const SLOT_BYTES = 192;
const SLOT_WORDS = SLOT_BYTES / 4;
const SLOT_DOUBLES = SLOT_BYTES / 8;

export const CONNECTION_FREE = 0;
export const CONNECTION_OPEN = 1;
export const CONNECTION_CLOSING = 2;

const GENERATION = 0;
const STATE = 1;
const LINES = 1;
const BYTES = 2;
const SINCE = 3;
const ACCEPTED = 4;
const REJECTED = 5;
const UNCOUNTED = 6;
const STALLS = 7;
const BY_REASON = 8;

/** The slot of the whole process. */
export const SLOT_TOTAL = 0;

export interface LedgerMemory {
  readonly slots: number;
  readonly data: SharedArrayBuffer;
}

export function allocateLedger(connections: number): LedgerMemory {
  const slots = connections + 1;
  return { slots, data: new SharedArrayBuffer(slots * SLOT_BYTES) };
}

export interface LedgerTotals {
  lines: number;
  bytes: number;
  accepted: number;
  rejected: number;
  dropped: number;
  inFlight: number;
  stalls: number;
  rejectedByReason: Record<string, number>;
}

export class Ledger {
  readonly slots: number;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(memory: LedgerMemory) {
    this.slots = memory.slots;
    this.#words = new Int32Array(memory.data);
    this.#doubles = new Float64Array(memory.data);
  }

  // Main.

  open(slot: number, generation: number, sinceUs: number): void {
    const at = slot * SLOT_DOUBLES;
    this.#doubles.fill(0, at, at + SLOT_DOUBLES);
    this.#doubles[at + SINCE] = sinceUs;
    this.#words[slot * SLOT_WORDS + GENERATION] = generation;
    this.#words[slot * SLOT_WORDS + STATE] = CONNECTION_OPEN;
  }

  setState(slot: number, state: number): void {
    this.#words[slot * SLOT_WORDS + STATE] = state;
  }

  countRead(slot: number, lines: number, bytes: number): void {
    const at = slot * SLOT_DOUBLES;
    this.#doubles[at + LINES]! += lines;
    this.#doubles[at + BYTES]! += bytes;
    this.#doubles[LINES]! += lines;
    this.#doubles[BYTES]! += bytes;
  }

  countStall(): void {
    this.#doubles[STALLS]! += 1;
  }

  // The fold.

  accepted(slot: number): number {
    return this.#doubles[slot * SLOT_DOUBLES + ACCEPTED]!;
  }

  rejected(slot: number): number {
    return this.#doubles[slot * SLOT_DOUBLES + REJECTED]!;
  }

  uncounted(slot: number): number {
    return this.#doubles[slot * SLOT_DOUBLES + UNCOUNTED]!;
  }

  setFolded(slot: number, accepted: number, rejected: number, uncounted: number): void {
    const at = slot * SLOT_DOUBLES;
    this.#doubles[at + ACCEPTED] = accepted;
    this.#doubles[at + REJECTED] = rejected;
    this.#doubles[at + UNCOUNTED] = uncounted;
  }

  setReason(reason: number, count: number): void {
    this.#doubles[BY_REASON + reason] = count;
  }

  // Everybody.

  generation(slot: number): number {
    return this.#words[slot * SLOT_WORDS + GENERATION]!;
  }

  state(slot: number): number {
    return this.#words[slot * SLOT_WORDS + STATE]!;
  }

  openConnections(): number {
    let open = 0;
    for (let slot = 1; slot < this.slots; slot++) if (this.state(slot) === CONNECTION_OPEN) open++;
    return open;
  }

  totals(): LedgerTotals {
    const doubles = this.#doubles;
    const accepted = doubles[ACCEPTED]!;
    const rejected = doubles[REJECTED]!;
    const uncounted = doubles[UNCOUNTED]!;
    const rejectedByReason: Record<string, number> = {};
    REFUSAL_REASONS.forEach((reason, i) => {
      const count = doubles[BY_REASON + i]!;
      if (count > 0) rejectedByReason[reason] = count;
    });
    const lines = doubles[LINES]! - uncounted;
    return {
      lines,
      bytes: doubles[BYTES]!,
      accepted,
      rejected,
      dropped: 0,
      inFlight: lines - accepted - rejected,
      stalls: doubles[STALLS]!,
      rejectedByReason,
    };
  }
}
