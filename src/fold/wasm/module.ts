/** What the host calls: fold/compiled-events.ts is the other side. */

import { DecodedEvent, EVENT_BYTES } from '../../decode/decoded-event.js';
import { Tables } from '../../state/tables.js';
import { Events } from '../events.js';

const PARTS = 17;
/** No span is longer, so none of them reaches beyond it. */
const SPANS_BYTES: i32 = 0x3fff_ffff;

let tables: Tables | null = null;
let events: Events | null = null;
const parts = new StaticArray<MemoryPart>(PARTS);

/** Objects are made at the beginning, and a few when an index doubles: none is freed. */
export function heapEnd(): usize {
  return heap.alloc(0);
}

/** Says where one of the tables lies. */
export function setPart(which: i32, base: usize, bytes: f64): void {
  parts[which] = new MemoryPart(base, bytes);
}

/**
 * @param event where the decoder writes its event
 * @param spans where the host puts names that lie outside of this memory
 */
export function begin(event: usize, spans: usize): void {
  const made = new Tables(parts);
  const one = new Events(made, new DecodedEvent(new MemoryPart(event, EVENT_BYTES)));
  one.context.attachScratch(new ByteView(spans, SPANS_BYTES));
  tables = made;
  events = one;
}

/** The limits in force have changed: as Tables.setLimits does it for JavaScript. */
export function setLimits(
  namesBytes: f64,
  shareSlots: f64,
  bucketBlocks: f64,
  windowBucketBlocks: f64,
  windowBlocksBytes: f64,
  reportSlots: f64,
): void {
  const all = tables!;
  all.names.setLimit(namesBytes);
  all.shares.table.setLimit(shareSlots);
  all.buckets.setLimit(bucketBlocks);
  all.windowBuckets.setLimit(windowBucketBlocks);
  all.windowBlocks.setLimit(windowBlocksBytes);
  all.reports.table.setLimit(reportSlots);
}

/** Somebody else has changed the tables: what was found in them lately may be gone. */
export function forgetRecent(): void {
  events!.forgetRecent();
}

/** The lines that follow lie here. */
export function attach(base: usize, bytes: i32): void {
  events!.context.attach(new ByteView(base, bytes));
}

export function apply(code: i32, line: f64, arrivedUs: f64): void {
  events!.apply(code, line, arrivedUs);
}
