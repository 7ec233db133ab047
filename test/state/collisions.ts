/** Different strings of one hash, found by the birthday bound: 2^17 strings make about two pairs, 2^19 about thirty. */

import { hashBytes } from '../../src/model/hash.js';

export interface Colliding {
  readonly a: string;
  readonly b: string;
  readonly hash: number;
}

let found: Colliding[] | null = null;

export function collidingStrings(): readonly Colliding[] {
  if (found !== null) return found;
  found = [];
  const byHash = new Map<number, string>();
  for (let i = 0; found.length < 3; i++) {
    const text = `id-${i.toString(36)}`;
    const bytes = Buffer.from(text);
    const hash = hashBytes(bytes, 0, bytes.length);
    const other = byHash.get(hash);
    if (other !== undefined) found.push({ a: other, b: text, hash });
    else byHash.set(hash, text);
  }
  return found;
}
