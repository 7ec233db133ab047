/** A string as the tables look for it: its bytes and their hash. */

import { hashBytes } from '../model/hash.js';

export interface NameKey {
  readonly text: string;
  readonly view: DataView;
  readonly length: number;
  readonly hash: number;
}

export function nameKey(text: string): NameKey {
  const bytes = Buffer.from(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { text, view, length: bytes.length, hash: hashBytes(bytes, 0, bytes.length) };
}
