/**
 * Ticks: what changes the state beside the lines. They have their places in the log among these, so that a replay comes to
 * the same. A tick that would change nothing does not get into the log.
 */

/** So late is it now: what has been idle for too long is over. No payload; the time is its arrival. */
export const TICK_TIME = 1;
/** These limits hold from here on. Its payload: state/limits.ts. */
export const TICK_LIMITS = 2;
