/** The tap beside a writer at full speed, which knows nothing of it and writes over what it copies. */

import { Piscina } from 'piscina';
import { expect, onTestFinished, test } from 'vitest';
import { allocateRing, CURSOR_ARCHIVED, positionOf } from '../../src/ring/layout.js';
import { RingTap, TAP_EMPTY, TAP_LAPPED, TAP_TAKEN } from '../../src/ring/tap.js';
import { firstByteOf } from './stress.js';
import type { TapTask } from './tap-writer.js';

const WORKER = new URL('../../dist/test/threads/tap-writer.js', import.meta.url);

test('no record that a tap takes from under a writer at full speed is torn', async () => {
  const pool = new Piscina({ filename: WORKER.href, maxThreads: 1 });
  onTestFinished(() => pool.destroy());
  const task: TapTask = { ring: allocateRing(16 * 1024), records: 400_000, payloadBytesMax: 1500 };
  const cursors = new Int32Array(task.ring.cursors);
  const tap = new RingTap(task.ring, task.payloadBytesMax);
  const writing = pool.run(task);
  let taken = 0;
  let lapped = 0;
  let last = 0;
  let sought = false;
  for (let looks = 1; last < task.records; looks++) {
    tap.look(tap.end);
    const outcome = tap.tryTake();
    if (outcome === TAP_TAKEN) {
      taken++;
      // A newer record in the place of the one that was to come is whole, and not the next.
      if (sought) expect(tap.accepted).toBeGreaterThan(last);
      else expect(tap.accepted).toBe(last + 1);
      sought = false;
      last = tap.accepted;
      expect(flawOf(tap, last - 1)).toBeNull();
    } else if (outcome === TAP_LAPPED) {
      lapped++;
      sought = true;
      // Of whatever is in the ring then, the archive's position is the beginning of a record.
      tap.seek(positionOf(Atomics.load(cursors, CURSOR_ARCHIVED), tap.end));
    }
    // The end of the writer is heard of on the event loop only.
    if (outcome === TAP_EMPTY && looks % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
  expect(taken).toBeGreaterThan(100);
  expect(lapped).toBeGreaterThan(0);
});

function flawOf({ bytes, payloadFrom, payloadBytes }: RingTap, n: number): string | null {
  let expected = firstByteOf(n);
  for (let i = payloadFrom; i < payloadFrom + payloadBytes; i++) {
    if (bytes[i] !== expected)
      return `byte ${i - payloadFrom} of record ${n} is ${bytes[i]}, not ${expected}`;
    expected = (expected + 3) & 0xff;
  }
  return null;
}
