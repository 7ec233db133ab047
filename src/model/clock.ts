/**
 * Wall time in whole microseconds, for arrival times. `Date.now` alone steps by a millisecond and
 * `performance.timeOrigin` alone does not follow the wall when it is set, so the fine clock is read and moved to the
 * wall whenever both differ by more than two milliseconds.
 */

export type Clock = () => number;

export function createWallClock(): Clock {
  let offsetMs = performance.timeOrigin;
  return () => {
    const fineMs = performance.now() + offsetMs;
    const wallMs = Date.now();
    if (fineMs - wallMs > 2 || wallMs - fineMs > 2) {
      offsetMs += wallMs - fineMs;
      return wallMs * 1000;
    }
    return Math.floor(fineMs * 1000);
  };
}

/** How fast arrival times go while they are ahead of the wall. */
const PACE_AHEAD = 0.9;

/**
 * The same clock, but it never goes back: what the log needs. Where the wall was set back it does not stand still until the
 * wall has caught up, which may take years, but goes on a tenth slower than time does: so durations and rates stay right
 * within a tenth, and a step of a minute is made up for in ten.
 * @param firstUs the last arrival that the log holds
 * @param fine µs since any moment; nobody sets it
 */
export function createArrivalClock(
  wall: Clock,
  firstUs: number,
  fine: Clock = () => performance.now() * 1000,
): Clock {
  // Where both clocks stood when the wall was last followed.
  let arrivalUs = firstUs;
  let fineUs = fine();
  return () => {
    const wallUs = wall();
    const nowUs = fine();
    const aheadUs = arrivalUs + (nowUs - fineUs) * PACE_AHEAD;
    if (wallUs < aheadUs) return Math.floor(aheadUs);
    arrivalUs = wallUs;
    fineUs = nowUs;
    return wallUs;
  };
}
