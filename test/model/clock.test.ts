import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createArrivalClock } from '../../src/model/clock.js';

const SECOND_US = 1e6;
const START_US = 1_732_000_000_000_000;

/** A wall and another clock that goes the same way, but for what the wall is set by. */
function clocks(firstUs = 0) {
  let fineUs = 5_000_000;
  let wallUs = START_US;
  const arrival = createArrivalClock(
    () => wallUs,
    firstUs,
    () => fineUs,
  );
  return {
    arrival,
    wall: () => wallUs,
    wait(us: number) {
      fineUs += us;
      wallUs += us;
    },
    set(us: number) {
      wallUs += us;
    },
  };
}

test('arrivals are those of the wall, as long as it is not set back', () => {
  const { arrival, wall, wait, set } = clocks();
  for (const us of [0, 1, 7, 999, SECOND_US, 86_400 * SECOND_US]) {
    wait(us);
    expect(arrival()).toBe(wall());
    set(us * 3);
    expect(arrival()).toBe(wall());
  }
});

test.each([0.002, 1, 60, 3600])(
  'a wall that is set back by %d s is caught up with in ten times as long',
  (seconds) => {
    const { arrival, wall, wait, set } = clocks();
    arrival();
    set(-seconds * SECOND_US);
    const step = Math.ceil((seconds * SECOND_US) / 50);
    let before = arrival();
    for (let waited = 0; waited < 9.5 * seconds * SECOND_US; waited += step) {
      wait(step);
      expect(Math.abs(arrival() - before - step * 0.9)).toBeLessThan(2);
      before = arrival();
      expect(before).toBeGreaterThan(wall());
    }
    wait(seconds * SECOND_US);
    expect(arrival()).toBe(wall());
  },
);

test('a step of ten years and back leaves durations right within a tenth, however short they are', () => {
  const { arrival, wait, set } = clocks();
  set(3650 * 86_400 * SECOND_US);
  arrival();
  set(-3650 * 86_400 * SECOND_US);
  const before = arrival();
  for (let i = 0; i < 100_000; i++) {
    wait(3);
    arrival();
  }
  expect((arrival() - before) / 300_000).toBeCloseTo(0.9, 2);
});

test('a log that is ahead of the wall is gone on with where it ends', () => {
  const lastUs = START_US + 3600 * SECOND_US;
  const { arrival, wait } = clocks(lastUs);
  expect(arrival()).toBe(lastUs);
  wait(10 * SECOND_US);
  expect(arrival()).toBe(lastUs + 9 * SECOND_US);
});

test('whatever the wall is set to, arrivals are whole, never go back, and never fall behind it', () => {
  const turn = fc.record({
    wait: fc.nat(5e6),
    set: fc.oneof(fc.constant(0), fc.integer({ min: -4e12, max: 4e12 })),
  });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 60 }), (turns) => {
      const { arrival, wall, wait, set } = clocks();
      let before = arrival();
      for (const turn of turns) {
        wait(turn.wait);
        set(turn.set);
        const now = arrival();
        expect(Number.isInteger(now)).toBe(true);
        expect(now).toBeGreaterThanOrEqual(Math.max(before, wall()));
        before = now;
      }
    }),
  );
});
