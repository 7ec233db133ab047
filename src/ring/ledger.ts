/**
 * The ledger: what every connection and the whole process have read, accepted and refused. It closes:
 * lines = accepted + rejected + dropped + in flight.
 *
 * One slot a connection, of 192 bytes, and one for the whole process before them:
 *
 *   0            4       8       16      24      32         40         48          56       64
 *   ┌────────────┬───────┬───────┬───────┬───────┬──────────┬──────────┬───────────┬────────┬──────────────┐
 *   │ generation │ state │ lines │ bytes │ since │ accepted │ rejected │ uncounted │ stalls │ by reason …  │
 *   └────────────┴───────┴───────┴───────┴───────┴──────────┴──────────┴───────────┴────────┴──────────────┘
 *     main writes these                  │         the fold writes these            main      fold, slot 0
 *   160      164      168          172   176      184   188
 *   ┌────────┬────────┬────────────┬─────┬────────┬─────┬─────┐
 *   │ client │ spoken │ superseded │ pid │ unread │ uid │ gid │   the first three: the fold, the others: main
 *   └────────┴────────┴────────────┴─────┴────────┴─────┴─────┘
 *   unread: bytes of answers; pid: of the peer, and 1 more, so that 0 says that nobody knows the peer
 *   slot 0:  0 the highest slot that was ever used · 136 connections taken · 144 refused, one double a reason
 *
 * `client` is the slot of its client in the table of clients, 0 without hello; `spoken` 1 once the connection has said a
 * control line; `superseded` 1 once a newer connection has its client. The fold knows by them what a connection is after
 * another fold has died. Main clears the slot for the next connection, and only after the fold has passed the close
 * record of this one, so the fold marks a connection as superseded only before it has seen that.
 *
 * Doubles on 8-byte borders are not torn on the 64-bit machines that Node runs on; each has one writer, and a reader
 * that comes between two of them sees a ledger that is a line or a record behind. So a reader that wants the sum to
 * close reads what the fold has written before what main has.
 */

import assert from 'node:assert/strict';
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
const CLIENT = 40; // in words
const SPOKEN = 41;
const SUPERSEDED = 42;
const PEER_PID = 43;
const PEER_UID = 46;
const PEER_GID = 47;
const UNREAD = 22; // in doubles
// Of slot 0 alone.
const TOP = 0; // in words
const TAKEN = 17; // in doubles
const REFUSED = 18;

/** Why a connection is refused, and the order of their counters. */
export const CONNECTION_REFUSALS = ['max_connections', 'allow_uids'] as const;
export type ConnectionRefusal = (typeof CONNECTION_REFUSALS)[number];

/** The slot of the whole process. */
export const SLOT_TOTAL = 0;

export interface LedgerMemory {
  readonly slots: number;
  readonly data: SharedArrayBuffer;
}

export function allocateLedger(connections: number): LedgerMemory {
  assert(BY_REASON + REFUSAL_REASONS.length <= TAKEN && REFUSED + CONNECTION_REFUSALS.length <= CLIENT / 2);
  const slots = connections + 1;
  return { slots, data: new SharedArrayBuffer(slots * SLOT_BYTES) };
}

interface LedgerSums {
  lines: number;
  bytes: number;
  accepted: number;
  rejected: number;
  dropped: number;
  inFlight: number;
}

export interface LedgerTotals extends LedgerSums {
  stalls: number;
  rejectedByReason: Record<string, number>;
  connectionsTaken: number;
  connectionsRefused: Record<ConnectionRefusal, number>;
}

/** The other side of a connection, when it connected. */
export interface Peer {
  /** 0: in a namespace that this process does not see */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface LedgerConnection extends LedgerSums {
  readonly slot: number;
  readonly generation: number;
  readonly isOpen: boolean;
  /** Slot of its client in the table of clients; 0: it said no hello, or has lost its client. */
  readonly client: number;
  readonly isSuperseded: boolean;
  /** null: the system does not say it */
  readonly peer: Peer | null;
  readonly sinceUs: number;
  /** Of answers that it has not read. */
  readonly unreadBytes: number;
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

  open(slot: number, generation: number, sinceUs: number, peer: Peer | null = null): void {
    const at = slot * SLOT_DOUBLES;
    const word = slot * SLOT_WORDS;
    this.#doubles.fill(0, at, at + SLOT_DOUBLES);
    this.#doubles[at + SINCE] = sinceUs;
    if (peer !== null) {
      this.#words[word + PEER_PID] = peer.pid + 1;
      this.#words[word + PEER_UID] = peer.uid;
      this.#words[word + PEER_GID] = peer.gid;
    }
    this.#words[word + GENERATION] = generation;
    this.#words[word + STATE] = CONNECTION_OPEN;
    if (slot > this.#words[TOP]!) this.#words[TOP] = slot;
    this.#doubles[TAKEN]! += 1;
  }

  countRefused(reason: ConnectionRefusal): void {
    this.#doubles[REFUSED + CONNECTION_REFUSALS.indexOf(reason)]! += 1;
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

  setUnread(slot: number, bytes: number): void {
    this.#doubles[slot * SLOT_DOUBLES + UNREAD] = bytes;
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

  client(slot: number): number {
    return this.#words[slot * SLOT_WORDS + CLIENT]!;
  }

  spoken(slot: number): number {
    return this.#words[slot * SLOT_WORDS + SPOKEN]!;
  }

  setClient(slot: number, client: number, spoken: number): void {
    this.#words[slot * SLOT_WORDS + CLIENT] = client;
    this.#words[slot * SLOT_WORDS + SPOKEN] = spoken;
  }

  isSuperseded(slot: number): boolean {
    return this.#words[slot * SLOT_WORDS + SUPERSEDED] !== 0;
  }

  supersede(slot: number): void {
    this.#words[slot * SLOT_WORDS + SUPERSEDED] = 1;
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
    for (let slot = 1; slot <= this.#words[TOP]!; slot++) if (this.state(slot) === CONNECTION_OPEN) open++;
    return open;
  }

  totals(): LedgerTotals {
    const sums = this.#sums(SLOT_TOTAL);
    const connectionsRefused = Object.fromEntries(
      CONNECTION_REFUSALS.map((reason, i) => [reason, this.#doubles[REFUSED + i]!]),
    ) as Record<ConnectionRefusal, number>;
    const rejectedByReason: Record<string, number> = {};
    REFUSAL_REASONS.forEach((reason, i) => {
      const count = this.#doubles[BY_REASON + i]!;
      if (count > 0) rejectedByReason[reason] = count;
    });
    return {
      ...sums,
      stalls: this.#doubles[STALLS]!,
      rejectedByReason,
      connectionsTaken: this.#doubles[TAKEN]!,
      connectionsRefused,
    };
  }

  /** The connections that are open, or closed and not yet folded to their end. */
  connections(): LedgerConnection[] {
    const found: LedgerConnection[] = [];
    for (let slot = 1; slot <= this.#words[TOP]!; slot++) {
      const generation = this.generation(slot);
      const state = this.state(slot);
      if (state === CONNECTION_FREE) continue;
      const at = slot * SLOT_DOUBLES;
      const connection = {
        slot,
        generation,
        isOpen: state === CONNECTION_OPEN,
        client: this.client(slot),
        isSuperseded: this.isSuperseded(slot),
        peer: this.#peer(slot),
        sinceUs: this.#doubles[at + SINCE]!,
        unreadBytes: this.#doubles[at + UNREAD]!,
        ...this.#sums(slot),
      };
      // Else the slot went to another connection meanwhile.
      if (this.generation(slot) === generation) found.push(connection);
    }
    return found;
  }

  #peer(slot: number): Peer | null {
    const at = slot * SLOT_WORDS;
    const pid = this.#words[at + PEER_PID]! - 1;
    if (pid < 0) return null;
    return { pid, uid: this.#words[at + PEER_UID]! >>> 0, gid: this.#words[at + PEER_GID]! >>> 0 };
  }

  #sums(slot: number): LedgerSums {
    const doubles = this.#doubles;
    const at = slot * SLOT_DOUBLES;
    const accepted = doubles[at + ACCEPTED]!;
    const rejected = doubles[at + REJECTED]!;
    const uncounted = doubles[at + UNCOUNTED]!;
    const lines = doubles[at + LINES]! - uncounted;
    const inFlight = lines - accepted - rejected;
    return { lines, bytes: doubles[at + BYTES]!, accepted, rejected, dropped: 0, inFlight };
  }
}
