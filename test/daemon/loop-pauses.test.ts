/** How long the main thread is away from its loop: measured while it works, and not while it is idle. */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { LoopPauses } from '../../src/daemon/loop-pauses.js';
import type { LoopPausesMs } from '../../src/ring/vitals.js';

/** A loop that says how much it has worked, whatever it did. */
function lookingAt() {
  const told: LoopPausesMs[] = [];
  let activeMs = 0;
  let nowMs = 0;
  const pauses = new LoopPauses(
    () => activeMs,
    (found) => told.push(found),
  );
  const look = (workedMs: number) => {
    activeMs += workedMs;
    nowMs += 1000;
    pauses.look(nowMs);
  };
  return { told, look };
}

/** Stands in the way of everything else in this thread. */
function block(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

test('a pause of a busy loop is told, as long as it was', async () => {
  const { told, look } = lookingAt();
  look(500);
  await sleep(50);
  block(80);
  await sleep(50);
  look(500);
  const { p50, p99, p99_9: p999, max } = told.at(-1)!;
  expect(max).toBeGreaterThan(70);
  expect([p50, p99, p999, max]).toEqual([p50, p99, p999, max].sort((a, b) => a - b));
  expect(p50).toBeLessThan(max);
  look(0);
});

test('an idle loop is not measured, so that nothing wakes it', async () => {
  const { told, look } = lookingAt();
  look(0);
  await sleep(30);
  look(10);
  await sleep(30);
  look(0);
  expect(told).toEqual([]);
});

test('the time between two busy stretches is no pause', async () => {
  const { told, look } = lookingAt();
  look(500);
  await sleep(30);
  look(0);
  await sleep(700);
  look(500);
  await sleep(30);
  look(500);
  expect(told.at(-1)!.max).toBeLessThan(600);
  look(0);
});
