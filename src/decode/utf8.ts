/** UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */

/**
 * Length of the sequence of two to four bytes that starts at `p`, 0 where there is none. Reads a byte only after
 * the ones before it fit, so a `\n` within the sequence ends the look: nothing behind the line is judged.
 */
export function sequenceLength(bytes: Uint8Array, p: number): number {
  const lead = bytes[p]!;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const second = bytes[p + 1]!;
  if (lead < 0xe0) return isContinuation(second) ? 2 : 0;
  let low = 0x80;
  let high = 0xbf;
  if (lead === 0xe0) low = 0xa0;
  else if (lead === 0xed) high = 0x9f;
  else if (lead === 0xf0) low = 0x90;
  else if (lead === 0xf4) high = 0x8f;
  if (second < low || second > high || !isContinuation(bytes[p + 2]!)) return 0;
  if (lead < 0xf0) return 3;
  return isContinuation(bytes[p + 3]!) ? 4 : 0;
}

/** Whether all of [start, end) is UTF-8; `end` is the index of a byte below 0x80, as a line's `\n` is. */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let p = start;
  while (p < end) {
    if (bytes[p]! < 0x80) {
      p++;
      continue;
    }
    const length = sequenceLength(bytes, p);
    if (length === 0) return false;
    p += length;
  }
  return true;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
