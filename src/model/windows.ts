/**
 * Windows over the last minute to day, and the slots of time that they are put together from. A level is a width of slots;
 * a slot is the number of its width since the epoch, so slots of one level begin where slots of the finer ones do, and those of
 * the widest are whole hours.
 */

export const WINDOW_NAMES = ['1m', '5m', '1h', '1d'] as const;
export type WindowName = (typeof WINDOW_NAMES)[number];

export const LEVELS = WINDOW_NAMES.length;
/** By level: a twelfth of its window, or less. */
export const SLOT_SECONDS = [5, 25, 300, 3600] as const;
/** By level: how many slots of the level below are one of its own. */
export const SLOT_RATIO = [1, 5, 12, 12] as const;
/** By level: how many whole slots its window has, beside the one that is open. */
export const SLOTS_KEPT = [12, 12, 12, 24] as const;
export const WINDOW_SECONDS = [60, 300, 3600, 86400] as const;

/** The slot of level 0. */
export function slotAt(seconds: f64): i32 {
  return Math.floor(seconds / SLOT_SECONDS[0]) as i32;
}

/** The slot of a level that this slot of level 0 lies in. */
export function slotOfLevel(level: i32, slot: i32): i32 {
  return Math.floor(((slot as f64) * SLOT_SECONDS[0]) / SLOT_SECONDS[level]!) as i32;
}
