/**
 * The event in work, as the parts of the fold see it: its fields, its place in the log, and the tables that it changes.
 */

import { type DecodedEvent, SCRATCH_OFFSET } from '../decode/decoded-event.js';
import type { Decoder } from '../decode/decoder.js';
import { COUNT_CLOCK_SKEW, COUNT_NAMES_FULL } from '../state/board.js';
import type { Tables } from '../state/tables.js';

export class EventContext {
  readonly tables: Tables;
  readonly event: DecodedEvent;
  readonly #decoder: Decoder;
  #view: DataView = new DataView(new ArrayBuffer(0));
  /** Number of its line in the log. */
  line = 0;
  /** When it arrived, in seconds. */
  arrived = 0;

  constructor(tables: Tables, decoder: Decoder) {
    this.tables = tables;
    this.event = decoder.event;
    this.#decoder = decoder;
  }

  /** The memory that the event's spans lie in. */
  attach(view: DataView): void {
    this.#view = view;
  }

  /** When it happened, in seconds: what it says, or its arrival. */
  get ts(): number {
    const ts = this.event.ts;
    return Number.isNaN(ts) ? this.arrived : ts;
  }

  /** The memory that the span at this offset lies in, in which it begins at `offset & ~SCRATCH_OFFSET`. */
  viewOf(offset: number): DataView {
    return offset >= SCRATCH_OFFSET ? this.#scratchView() : this.#view;
  }

  /** The interned name of a field, with a reference for the caller; 0 where it is absent, or has no room (counted). */
  intern(field: number): number {
    const length = this.event.length[field]!;
    if (length === 0) return 0;
    const offset = this.event.offset[field]!;
    return this.internSpan(offset, length, this.event.hash[field]!);
  }

  internSpan(offset: number, length: number, hash: number): number {
    const ref = this.tables.names.intern(this.viewOf(offset), offset & ~SCRATCH_OFFSET, length, hash);
    if (ref === 0) this.tables.board.count(COUNT_NAMES_FULL);
    return ref;
  }

  /** Seconds between two times; an end before its start is clock skew, and takes no time. */
  elapsed(started: number, ended: number): number {
    if (ended >= started) return ended - started;
    this.tables.board.count(COUNT_CLOCK_SKEW);
    return 0;
  }

  /** Made anew each time, since the scratch may have grown: only strings written with escapes come here. */
  #scratchView(): DataView {
    const { buffer, byteOffset, byteLength } = this.#decoder.scratch;
    return new DataView(buffer, byteOffset, byteLength);
  }
}
