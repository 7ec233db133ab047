/** The worker of tap.test.ts: ingest, fold and archive of a small ring in one, as fast as they go. */

import {
  CURSOR_ARCHIVED,
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  KIND_LINES,
  type RingMemory,
} from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';
import { RingWriter } from '../../src/ring/writer.js';
import { firstByteOf } from './stress.js';

export interface TapTask {
  readonly ring: RingMemory;
  readonly records: number;
  readonly payloadBytesMax: number;
}

/** Record n says that n + 1 of its lines are accepted. */
export default function write({ ring, records, payloadBytesMax }: TapTask): void {
  const writer = new RingWriter(ring);
  const fold = new RingReader(ring, CURSOR_PUBLISHED, ring.origin);
  const cursors = new Int32Array(ring.cursors);
  for (let n = 0; n < records; n++) {
    const payloadBytes = (Math.imul(n, 2_654_435_761) >>> 8) % payloadBytesMax;
    let at = writer.tryReserve(payloadBytes, n & 7);
    if (at < 0) {
      // Everything is archived only when the ring is full, so that the tap meets both.
      Atomics.store(cursors, CURSOR_ARCHIVED, writer.published | 0);
      at = writer.tryReserve(payloadBytes, n & 7);
    }
    let value = firstByteOf(n);
    for (let i = at; i < at + payloadBytes; i++) {
      writer.bytes[i] = value;
      value = (value + 3) & 0xff;
    }
    writer.publish(KIND_LINES, 1, at, payloadBytes, 1, n);
    fold.tryNext();
    fold.setOutcome(n + 1, 0, 0, 0);
    Atomics.store(cursors, CURSOR_FOLDED, writer.published | 0);
  }
}
