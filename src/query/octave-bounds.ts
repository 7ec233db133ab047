/**
 * Bounds of classic histogram buckets out of the octaves of an exponential histogram (state/histogram.ts). A bound lies on
 * the edge of an octave, where the count below it is exact, and all series of a family have the same ones, as `sum by (le)`
 * needs. Only octaves with values have bounds, so a family of durations has some ten.
 *
 * Octaves stand in places in the order of their values:
 *
 *   0 … 127                128      129 … 256
 *   negative, 63 … -64     zeros    positive, -64 … 63
 */

import { NEGATIVE, OCTAVE_MAX, OCTAVE_MIN } from '../state/histogram.js';

export const PLACES = 257;
const PLACE_ZERO = 128;
/** Bounds of a family; where its values have a wider range, several octaves share one. */
const BOUNDS_MAX = 32;
const STEP_MAX = 64;

export interface OctaveBound {
  readonly value: number;
  /** The last place whose values are not above it. */
  readonly place: number;
}

/** @param octave as the blocks of a histogram number them: those of negative values lie NEGATIVE higher */
export function placeOfOctave(octave: number): number {
  return octave <= OCTAVE_MAX ? PLACE_ZERO + 1 + octave - OCTAVE_MIN : OCTAVE_MAX - (octave - NEGATIVE);
}

export const PLACE_OF_ZEROS = PLACE_ZERO;

/**
 * The edges of the octaves that have values.
 * @param filled not zero for a place that has values in any series of the family
 * @returns ascending, without +Inf. Wider steps give a part of the bounds of narrower ones, so no bound ever changes its meaning
 */
export function boundsOf(filled: ArrayLike<number>): OctaveBound[] {
  for (let step = 1; ; step *= 2) {
    const bounds = boundsOfStep(filled, step);
    if (bounds.length <= BOUNDS_MAX || step === STEP_MAX) return bounds;
  }
}

function boundsOfStep(filled: ArrayLike<number>, step: number): OctaveBound[] {
  const places = new Set<number>();
  for (let place = 0; place < PLACES; place++) {
    if (!filled[place]) continue;
    if (place === PLACE_ZERO) {
      places.add(PLACE_ZERO);
    } else if (place > PLACE_ZERO) {
      const octave = place - PLACE_ZERO - 1 + OCTAVE_MIN;
      places.add(placeBelow(Math.floor(octave / step) * step));
      places.add(placeBelow(Math.ceil((octave + 1) / step) * step));
    } else {
      const octave = OCTAVE_MAX - place;
      places.add(placeBelowNegative(Math.ceil((octave + 1) / step) * step));
      places.add(placeBelowNegative(Math.floor(octave / step) * step));
      places.add(PLACE_ZERO);
    }
  }
  // Nothing lies below the first place, and above the last one is +Inf: its values may be beyond its edge.
  places.delete(-1);
  places.delete(PLACES - 1);
  return [...places].sort((a, b) => a - b).map((place) => ({ place, value: valueAbove(place) }));
}

/** The place below 2^exponent. */
function placeBelow(exponent: number): number {
  return PLACE_ZERO + Math.min(Math.max(exponent, OCTAVE_MIN), OCTAVE_MAX + 1) - OCTAVE_MIN;
}

/** The place below -2^exponent. */
function placeBelowNegative(exponent: number): number {
  return OCTAVE_MAX - Math.max(exponent, OCTAVE_MIN) < 0 ? -1 : OCTAVE_MAX - Math.max(exponent, OCTAVE_MIN);
}

function valueAbove(place: number): number {
  if (place === PLACE_ZERO) return 0;
  if (place > PLACE_ZERO) return 2 ** (place - PLACE_ZERO + OCTAVE_MIN);
  // Octaves of negative values are mirrored: -2^k itself lies above the edge, so the bound is the double before it.
  const power = 2 ** (OCTAVE_MAX - place);
  return -(power + power * Number.EPSILON);
}
