/** A time cut into slices of whole hours, few enough to ask for each. */

export interface Slice {
  readonly from: number;
  readonly to: number;
}

const HOUR = 3600;
const SLICES_MAX = 60;

/** @param from Unix seconds, a whole hour, as is `to` */
export function planSlices(from: number, to: number, slicesMax = SLICES_MAX): Slice[] {
  const hours = Math.max(1, Math.ceil((to - from) / HOUR));
  const each = Math.ceil(hours / slicesMax) * HOUR;
  const slices: Slice[] = [];
  for (let at = from; at < to; at += each) slices.push({ from: at, to: Math.min(to, at + each) });
  return slices;
}
