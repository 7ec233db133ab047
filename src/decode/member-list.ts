/** The array of a group's `tasks` or `agents`: 1 to 1000 strings of 1 to 256 bytes. */
import * as events from '../model/event.js';
import type { JsonScanner } from './json-scanner.js';
import * as json from './json-scanner.js';
import * as verdicts from './verdict.js';

// Copies: see decoder.ts.
const { GROUP_MEMBERS_MAX, NAME_BYTES_MAX } = events;
const { BAD_JSON } = json;
const { VALUE_ABSENT, VALUE_GOOD, VALUE_OUT_OF_RANGE, VALUE_WRONG_TYPE } = verdicts;

/** The array stands in the root object. */
const DEPTH = 2;

export class MemberList {
  verdict = VALUE_ABSENT;
  count = 0;
  readonly offset: Int32Array;
  readonly length: Int32Array;
  readonly hash: Int32Array;

  constructor(offset: Int32Array, length: Int32Array, hash: Int32Array) {
    this.offset = offset;
    this.length = length;
    this.hash = hash;
  }

  /**
   * Reads the array whose `[` is at `start`. A member of the wrong type is said before one out of range, wherever they stand.
   * @returns the position behind its `]`, or -1 - REFUSAL_x
   */
  read(scanner: JsonScanner, start: number): number {
    const bytes = scanner.bytes;
    let isWrongType = false;
    let isOutOfRange = false;
    let count = 0;
    let p = scanner.skipSpace(start + 1);
    if (bytes[p] === 0x5d) {
      this.verdict = VALUE_OUT_OF_RANGE;
      return p + 1;
    }
    for (;;) {
      if (bytes[p] === 0x22) {
        p = scanner.readName(p + 1);
        if (p < 0) return p;
        const length = scanner.textLength;
        if (length === 0 || length > NAME_BYTES_MAX || count === GROUP_MEMBERS_MAX) isOutOfRange = true;
        else {
          this.offset[count] = scanner.textOffset;
          this.length[count] = length;
          this.hash[count] = scanner.textHash;
          count++;
        }
      } else {
        p = scanner.skipValue(p, DEPTH);
        if (p < 0) return p;
        isWrongType = true;
      }
      p = scanner.skipSpace(p);
      const c = bytes[p]!;
      if (c === 0x5d) break;
      if (c !== 0x2c) return BAD_JSON;
      p = scanner.skipSpace(p + 1);
    }
    this.count = count;
    if (isWrongType) this.verdict = VALUE_WRONG_TYPE;
    else this.verdict = isOutOfRange ? VALUE_OUT_OF_RANGE : VALUE_GOOD;
    return p + 1;
  }
}
