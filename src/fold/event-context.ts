/**
 * The event in work, as the parts of the fold see it: its fields, its place in the log, and the tables that it changes.
 */

import { type DecodedEvent, SCRATCH_OFFSET } from '../decode/decoded-event.js';
import { type ByteView, viewOfWords } from '../model/memory.js';
import { COUNT_CLOCK_SKEW, COUNT_NAMES_FULL } from '../state/board.js';
import type { Tables } from '../state/tables.js';

export class EventContext {
  readonly tables: Tables;
  readonly event: DecodedEvent;
  #view: ByteView;
  /** Where spans from SCRATCH_OFFSET on lie. */
  #scratch: ByteView;
  /** Number of its line in the log. */
  line: f64 = 0;
  /** When it arrived, in seconds. */
  arrived: f64 = 0;

  constructor(tables: Tables, event: DecodedEvent) {
    this.tables = tables;
    this.event = event;
    const view = viewOfWords(event.offset);
    this.#view = view;
    this.#scratch = view;
  }

  /** The memory that the event's spans lie in. */
  attach(view: ByteView): void {
    this.#view = view;
  }

  /** The memory of the strings that are written with escapes. */
  attachScratch(scratch: ByteView): void {
    this.#scratch = scratch;
  }

  /** When it happened, in seconds: what it says, or its arrival. */
  get ts(): f64 {
    const ts = this.event.ts;
    return Number.isNaN(ts) ? this.arrived : ts;
  }

  /** The memory that the span at this offset lies in, in which it begins at `offset & ~SCRATCH_OFFSET`. */
  viewOf(offset: i32): ByteView {
    return offset >= SCRATCH_OFFSET ? this.#scratch : this.#view;
  }

  /** The interned name of a field, with a reference for the caller; 0 where it is absent, or has no room (counted). */
  intern(field: i32): i32 {
    const length = this.event.length[field]!;
    if (length === 0) return 0;
    const offset = this.event.offset[field]!;
    return this.internSpan(offset, length, this.event.hash[field]!);
  }

  internSpan(offset: i32, length: i32, hash: i32): i32 {
    const ref = this.tables.names.intern(this.viewOf(offset), offset & ~SCRATCH_OFFSET, length, hash);
    if (ref === 0) this.tables.board.count(COUNT_NAMES_FULL);
    return ref;
  }

  /** Seconds between two times; an end before its start is clock skew, and takes no time. */
  elapsed(started: f64, ended: f64): f64 {
    if (ended >= started) return ended - started;
    this.tables.board.count(COUNT_CLOCK_SKEW);
    return 0;
  }
}
