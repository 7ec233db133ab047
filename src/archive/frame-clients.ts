/**
 * Section 2 of a frame header: each client that had lines, accepted or refused, counted up to the end of this frame and not in
 * an earlier one. Per client: varint bytes of the id, the id (UTF-8), varint number of its last counted line, varint
 * µs from that line's arrival to the frame's last arrival.
 */

import assert from 'node:assert';
import { Failure } from '../model/failure.js';
import type { FrameFacts } from './frame-header.js';
import { VarintCursor, varintBytes, writeVarint } from './varint.js';

export interface FrameClient {
  readonly id: Uint8Array;
  /** The client's own number of its last line that counts, from 1. */
  readonly lastLine: number;
  readonly arrivalUs: number;
}

/** Collects the clients of the frame in work, by their slots in the table of clients. */
export class FrameClients {
  readonly #last = new Map<number, { lastLine: number; arrivalUs: number }>();
  #lastArrivalUs = 0;

  get count(): number {
    return this.#last.size;
  }

  /** Of the last line that was noted. */
  get lastArrivalUs(): number {
    return this.#lastArrivalUs;
  }

  /** A record with lines of this client was counted. */
  note(slot: number, lastLine: number, arrivalUs: number): void {
    this.#lastArrivalUs = arrivalUs;
    const last = this.#last.get(slot);
    if (last === undefined) {
      this.#last.set(slot, { lastLine, arrivalUs });
    } else {
      last.lastLine = lastLine;
      last.arrivalUs = arrivalUs;
    }
  }

  encode(lastArrivalUs: number, idOf: (slot: number) => Uint8Array): Uint8Array {
    const clients = [...this.#last].map(([slot, last]) => ({ id: idOf(slot), ...last }));
    return encodeClients(lastArrivalUs, clients);
  }

  reset(): void {
    this.#last.clear();
  }
}

export function encodeClients(lastArrivalUs: number, clients: readonly FrameClient[]): Uint8Array {
  let bytes = 0;
  for (const { id, lastLine, arrivalUs } of clients) {
    assert(arrivalUs <= lastArrivalUs);
    bytes +=
      varintBytes(id.length) + id.length + varintBytes(lastLine) + varintBytes(lastArrivalUs - arrivalUs);
  }
  const section = new Uint8Array(bytes);
  let at = 0;
  for (const { id, lastLine, arrivalUs } of clients) {
    at = writeVarint(section, at, id.length);
    section.set(id, at);
    at = writeVarint(section, at + id.length, lastLine);
    at = writeVarint(section, at, lastArrivalUs - arrivalUs);
  }
  return section;
}

/** The ids are views of `section`. @throws Failure ERR_DAMAGE */
export function decodeClients(facts: FrameFacts, section: Uint8Array): FrameClient[] {
  const varints = new VarintCursor(section);
  const clients: FrameClient[] = [];
  while (!varints.isAtEnd) {
    const id = varints.take(varints.next());
    const lastLine = varints.next();
    clients.push({ id, lastLine, arrivalUs: facts.lastArrivalUs - varints.next() });
  }
  if (varints.flawed) throw new Failure('ERR_DAMAGE', 'the clients section of a frame header is malformed');
  return clients;
}
