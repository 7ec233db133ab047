/**
 * The hash of a byte string, 32 bits: the multiply-and-xor of FNV-1a (Fowler, Noll, Vo) taken over little-endian
 * 4-byte words, the last one filled up with zeros, and the finalizer of MurmurHash3 (Appleby) over hash and length.
 * The decoder computes the same while it scans, so both are built from the same steps.
 */

export const HASH_SEED = 0x811c9dc5 | 0;
const PRIME = 0x01000193;

/** One word into the running hash. The rotation carries the high bits down, which the multiplication alone never does. */
export function hashWord(hash: i32, word: i32): i32 {
  const mixed = Math.imul(hash ^ word, PRIME);
  return (mixed << 13) | (mixed >>> 19);
}

export function hashEnd(hash: i32, byteLength: i32): i32 {
  let h = hash ^ byteLength;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** @returns a signed 32-bit integer */
export function hashBytes(bytes: Uint8Array, start: i32, length: i32): i32 {
  let hash = HASH_SEED;
  const end = start + length;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    hash = hashWord(hash, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
  }
  if (i < end) {
    let word = 0;
    for (let shift = 0; i < end; i++, shift += 8) word |= bytes[i]! << shift;
    hash = hashWord(hash, word);
  }
  return hashEnd(hash, length);
}
