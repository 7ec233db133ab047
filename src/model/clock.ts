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

/** The same clock, but it never goes back: what the log needs. `firstUs` is the last arrival that the log holds. */
export function createArrivalClock(clock: Clock, firstUs: number): Clock {
  let lastUs = firstUs;
  return () => {
    const nowUs = clock();
    if (nowUs > lastUs) lastUs = nowUs;
    return lastUs;
  };
}
