import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AgeClock } from '../../src/model/age-clock.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = 1_732_000_000_000;

/** A clock whose log had its newest line at `newest` when the wall was `wall`. */
function clock(wall = NOW, newest = NOW) {
  const ages = new AgeClock({ wallMs: wall, newestArrivalMs: newest, fineMs: 500 });
  return (wallMs: number, fine: number, newestArrivalMs = Number.MAX_SAFE_INTEGER) =>
    ages.nowMs({ wallMs, newestArrivalMs, fineMs: 500 + fine });
}

test('it is the wall, as long as that goes as fast as time does', () => {
  const at = clock();
  for (let days = 0; days < 400; days++) expect(at(NOW + days * DAY, days * DAY)).toBe(NOW + days * DAY);
});

test('it is never later than the newest arrival', () => {
  const at = clock();
  expect(at(NOW + DAY, DAY, NOW + 5)).toBe(NOW + 5);
  expect(at(NOW + 2 * DAY, 2 * DAY, 0)).toBe(0);
});

test('a wall that jumps ahead is believed after a day, and one that comes back was never followed', () => {
  const at = clock();
  const years = 3650 * DAY;
  expect(at(NOW + years, HOUR)).toBe(NOW + HOUR);
  expect(at(NOW + years + 23 * HOUR, 24 * HOUR)).toBe(NOW + 24 * HOUR);
  expect(at(NOW + 24 * HOUR + 1, 24 * HOUR + 1)).toBe(NOW + 24 * HOUR + 1);
  expect(at(NOW + years, 48 * HOUR)).toBe(NOW + 48 * HOUR);
  expect(at(NOW + years + DAY - 1, 48 * HOUR + DAY - 1)).toBe(NOW + 72 * HOUR - 1);
  expect(at(NOW + years + DAY, 48 * HOUR + DAY)).toBe(NOW + years + DAY);
  expect(at(NOW + years + DAY + 5, 48 * HOUR + DAY + 5)).toBe(NOW + years + DAY + 5);
});

test('a wall that is set back is followed at once', () => {
  const at = clock();
  expect(at(NOW - 100 * DAY, HOUR)).toBe(NOW - 100 * DAY);
  expect(at(NOW + HOUR, 2 * HOUR)).toBe(NOW - 100 * DAY + HOUR);
});

test('a start far behind the newest line waits for a day, and one on an empty log does not', () => {
  const at = clock(NOW, NOW - 50 * DAY);
  expect(at(NOW + HOUR, HOUR)).toBe(NOW - 50 * DAY + HOUR);
  expect(at(NOW + 26 * HOUR, 26 * HOUR)).toBe(NOW + 26 * HOUR);
  expect(clock(NOW, 0)(NOW + 5, 5)).toBe(NOW + 5);
});

test('wherever the wall is set within a day, a look follows it by no more than an hour', () => {
  const steps = fc.array(fc.record({ fine: fc.nat(HOUR / 2), wall: fc.integer() }), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (moves) => {
      const at = clock();
      let fine = 0;
      for (const { fine: passed, wall } of moves) {
        fine += passed;
        const now = at(Math.abs(wall) * 1000, fine);
        expect(now).toBeLessThanOrEqual(NOW + fine + (moves.length + 1) * HOUR);
      }
    }),
  );
});
