/** The ring and the bell between two real threads, at full speed. */

import { Piscina } from 'piscina';
import { expect, onTestFinished, test } from 'vitest';
import { allocateBell, Bell } from '../../src/ring/bell.js';
import { allocateRing, KIND_LINES } from '../../src/ring/layout.js';
import { RingWriter } from '../../src/ring/writer.js';
import { firstByteOf, ringInRounds, type StressResult, type StressTask, type WakeTask } from './stress.js';

const WORKER = new URL('../../dist/test/threads/stress.js', import.meta.url);
const SEED = Number(process.env.TALLYD_SEED ?? 20250611);
const TWO_32 = 2 ** 32;

function onThread<T>(task: unknown): Promise<T> {
  const pool = new Piscina({ filename: WORKER.href, maxThreads: 1 });
  onTestFinished(() => pool.destroy());
  return pool.run(task);
}

test.each([
  ['a ring of 64 KiB', 64 * 1024, 1500, 300_000],
  ['a ring that holds a few records', 4096, 1200, 150_000],
])(
  `%s hands records by the hundred thousand to another thread, whole and in order (seed ${SEED})`,
  async (_, capacityBytes, largest, recordCount) => {
    const ring = allocateRing(capacityBytes, TWO_32 - 20_000_000);
    const task: StressTask = { ring, readerBell: allocateBell(), writerBell: allocateBell() };
    const reading = onThread<StressResult>(task);
    const writer = new RingWriter(ring);
    const readerBell = new Bell(task.readerBell);
    const writerBell = new Bell(task.writerBell);
    const corners = { full: 0, pads: 0, exact: 0 };
    let state = SEED;
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      return (state >>> 8) % below;
    };
    for (let n = 0; n < recordCount; n++) {
      const payloadBytes = random(8) === 0 ? random(largest) : random(200);
      const phase = random(8);
      const size = (40 + phase + payloadBytes + 7) & ~7;
      const toEnd = capacityBytes - (writer.published % capacityBytes);
      let at = writer.tryReserve(payloadBytes, phase);
      while (at < 0) {
        corners.full++;
        const since = performance.now();
        writerBell.sleep(() => writer.hasRoom(payloadBytes), 10_000);
        if (performance.now() - since >= 10_000)
          throw new Error(`the reader stands still after ${n} records`);
        at = writer.tryReserve(payloadBytes, phase);
      }
      if (toEnd < size) corners.pads++;
      if (toEnd === size) corners.exact++;
      let value = firstByteOf(n);
      for (let i = at; i < at + payloadBytes; i++) {
        writer.bytes[i] = value;
        value = (value + 3) & 0xff;
      }
      writer.publish(KIND_LINES, n & 0xffff, at, payloadBytes, 1, n);
      readerBell.ring();
    }
    let at = writer.tryReserve(0, 0);
    for (; at < 0; at = writer.tryReserve(0, 0)) writerBell.sleep(() => writer.hasRoom(0), 5000);
    writer.publish(KIND_LINES, recordCount & 0xffff, at, 0, 0, recordCount);
    readerBell.ring();
    const result = await reading;
    expect(result).toMatchObject({ flaw: null, records: recordCount + 1, end: writer.published });
    expect(writer.published).toBeGreaterThan(TWO_32);
    expect(writer.published - ring.origin).toBeGreaterThan(1000 * capacityBytes);
    expect(corners.full).toBeGreaterThan(0);
    expect(corners.pads).toBeGreaterThan(900);
    expect(corners.exact).toBeGreaterThan(10);
  },
);

test('a bell loses no wake-up, though the work that it tells of is a plain store', async () => {
  const memory = () => new SharedArrayBuffer(128);
  const task: WakeTask = { bell: allocateBell(), work: memory(), meeting: memory(), rounds: 200_000 };
  const sleeping = onThread<number>(task);
  ringInRounds(task);
  expect(await sleeping).toBe(0);
});
