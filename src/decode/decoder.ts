/**
 * The bytes of one line into an event, or into the reason why it is refused. One pass: each key is found by its
 * first word (keys.ts), its value is checked as JSON and judged by the rule of its key, and three masks keep the
 * verdicts (good, of the wrong type, out of range; none of them: absent). The type, which may stand last, says at the
 * end which bits count. Of a key that stands twice the later verdict replaces the earlier. No string is made, and no
 * object, but for numbers of more than 15 digits, and lines with over 16 tags.
 *
 * Which reason, where several fit: `unsupported` (the first byte is no `{`), then `invalid_utf8` (any byte of the line is
 * not UTF-8), then the first of `invalid_json` and `too_deep` from the left; then the type missing or of the wrong
 * type; then any known field `wrong_type`, any `out_of_range`, any `missing_field`, wherever they stand.
 *
 * Measured (task.start and task.end, 140 bytes, six or seven fields, numbers of up to 17 digits; one core of two noisy ones, Node
 * 20.20): 3.2 M lines/s as the median while others work on the machine, 5.6 M at best; samples with two tags 2.5 to 3.7 M.
 * Shared and plain memory give the same.
 */

import assert from 'node:assert';
import * as events from '../model/event.js';
import * as hashes from '../model/hash.js';
import { allocatePart } from '../model/memory.js';
import * as refusals from '../model/refusal.js';
import * as statuses from '../model/status.js';
import * as fields from './decoded-event.js';
import { DecodedEvent, EVENT_BYTES } from './decoded-event.js';
import { DecodedControl, DecodedMembers } from './decoded-parts.js';
import * as json from './json-scanner.js';
import { JsonScanner } from './json-scanner.js';
import * as keys from './keys.js';
import { indexOfName, keyOfName } from './keys.js';
import { findLineEnd } from './line-end.js';
import { MemberList } from './member-list.js';
import { TagList } from './tag-list.js';
import * as rules from './type-rules.js';
import { isUtf8 } from './utf8.js';
import * as verdicts from './verdict.js';

// Copies, because a binding that is imported is read from its cell at every use, and one of this module is a constant to
// the optimizer: 3.2 against 2.3 M lines/s in the same run. The other files of the hot path do the same.
const {
  CONTROL_HELLO,
  CONTROL_MALFORMED,
  CONTROL_SYNC,
  EVENT_GROUP,
  EVENT_SAMPLE,
  EVENT_TASK_END,
  EVENT_TASK_START,
  EVENT_UNKNOWN,
  LINE_EMPTY,
  NAME_BYTES_MAX,
  TS_MAX,
} = events;
const { HASH_SEED, hashEnd, hashWord } = hashes;
const {
  REFUSAL_INVALID_UTF8,
  REFUSAL_MISSING_FIELD,
  REFUSAL_OUT_OF_RANGE,
  REFUSAL_UNSUPPORTED,
  REFUSAL_WRONG_TYPE,
} = refusals;
const { STATUS_COMPLETED, STATUS_COUNT, STATUS_FAILED, STATUS_NONE } = statuses;
const {
  FIELD_COUNT,
  ID_NONE,
  ID_NUMBER,
  ID_STRING,
  PARALLEL_ABSENT,
  PARALLEL_FALSE,
  PARALLEL_TRUE,
  SCRATCH_OFFSET,
} = fields;
const { BAD_JSON, PADDING_BYTES } = json;
const {
  KEY_AGENTS,
  KEY_CLIENT,
  KEY_DURATION,
  KEY_FIRST,
  KEY_ID,
  KEY_MULTIPLIER,
  KEY_OUTPUT,
  KEY_PARALLEL,
  KEY_REQUEST,
  KEY_SHIFT,
  KEY_SLOTS,
  KEY_STATUS,
  KEY_TAGS,
  KEY_TASKS,
  KEY_TOKENS,
  KEY_TS,
  KEY_TYPE,
  KEY_UNKNOWN,
  KEY_VALUE,
  SLOT_KEY,
  SLOT_LENGTH,
  SLOT_MASK1,
  SLOT_MASK2,
  SLOT_MASK3,
  SLOT_ROW_SHIFT,
  SLOT_WORD0,
  SLOT_WORD1,
  SLOT_WORD2,
  SLOT_WORD3,
} = keys;
const { ALLOWED_STATUSES, KNOWN_KEYS, REQUIRED_KEYS, STATUS_BYTES, TYPE_BYTES } = rules;
const { VALUE_GOOD, VALUE_OUT_OF_RANGE, VALUE_WRONG_TYPE } = verdicts;

const UNSUPPORTED = -1 - REFUSAL_UNSUPPORTED;
const BAD_UTF8 = -1 - REFUSAL_INVALID_UTF8;
const MISSING_FIELD = -1 - REFUSAL_MISSING_FIELD;
const WRONG_TYPE = -1 - REFUSAL_WRONG_TYPE;
const OUT_OF_RANGE = -1 - REFUSAL_OUT_OF_RANGE;

const ROOT_DEPTH = 1;
const FIELDS_MASK = (1 << FIELD_COUNT) - 1;
const TEXTS_MASK = (1 << (KEY_OUTPUT - KEY_REQUEST + 1)) - 1;
const TYPE_BIT = 1 << KEY_TYPE;
const STATUS_BIT = 1 << KEY_STATUS;
const TS_BIT = 1 << KEY_TS;
const DURATION_BIT = 1 << KEY_DURATION;
const TOKENS_BIT = 1 << KEY_TOKENS;
const VALUE_BIT = 1 << KEY_VALUE;
const FIRST_BIT = 1 << KEY_FIRST;
const TASKS_BIT = 1 << KEY_TASKS;
const AGENTS_BIT = 1 << KEY_AGENTS;
const TAGS_BIT = 1 << KEY_TAGS;
const ID_BIT = 1 << KEY_ID;
const CLIENT_BIT = 1 << KEY_CLIENT;
const PARALLEL_BIT = 1 << KEY_PARALLEL;

// Words of the types and statuses that make up nearly all lines, little-endian.
const WORD_TASK = 0x6b736174;
const WORD_DOT_STA = 0x6174732e;
const WORD_DOT_END = 0x646e652e;
const WORD_RT_QUOTE = 0x227472;
const WORD_COMP = 0x706d6f63;
const WORD_LETE = 0x6574656c;
const WORD_D_QUOTE = 0x2264;
const WORD_FAIL = 0x6c696166;
const WORD_ED_QUOTE = 0x226465;

/** No status of model/status.ts: the word is in no type's list. */
const STATUS_UNLISTED = STATUS_COUNT;

const CLIENT_FIRST_MAX = 2 ** 53;

export class Decoder {
  readonly event: DecodedEvent;
  readonly members = new DecodedMembers();
  readonly control = new DecodedControl();
  /** Index of the `\n` that ended the last line; after `decode`, its `end`. */
  lineEnd = 0;

  readonly #scanner = new JsonScanner();
  readonly #tasks: MemberList;
  readonly #agents: MemberList;
  readonly #tags = new TagList();
  /** Fields whose length in the event may be other than 0: at first all, since its memory may be another decoder's. */
  #filled = FIELDS_MASK;
  #key = KEY_UNKNOWN;
  /** Lines that end before this can be scanned in place. */
  #edge = 0;
  /** A `\n` before the edge, once seen there: lines that start before it end before the edge. */
  #fence = -1;
  #edgeBytes: Uint8Array = new Uint8Array(0);
  #edgeView: DataView = new DataView(this.#edgeBytes.buffer);

  /** @param event what a line is decoded into */
  constructor(event = new DecodedEvent(allocatePart(EVENT_BYTES))) {
    this.event = event;
    const { offset, length, hash } = this.members;
    this.#tasks = new MemberList(offset, length, hash);
    const { length: count } = offset;
    this.#agents = new MemberList(new Int32Array(count), new Int32Array(count), new Int32Array(count));
  }

  /** The same bytes as `scratch`, and as new. */
  get scratchView(): DataView {
    return this.#scanner.scratchView;
  }

  /** How much of `scratch` the last line has used. */
  get scratchLength(): number {
    return this.#scanner.scratchLength;
  }

  /** Decoded bytes of strings that were written with escapes. It grows: read it anew for every line. */
  get scratch(): Uint8Array {
    return this.#scanner.scratch;
  }

  /** Lines lie in this memory from now on, and all positions count from its `byteOffset`. Shared or not is the same. */
  attach(memory: ArrayBufferLike, byteOffset: number, byteLength: number): void {
    assert(byteLength < SCRATCH_OFFSET, 'memory of 1 GiB and more has no offsets');
    this.#scanner.bytes = new Uint8Array(memory, byteOffset, byteLength);
    this.#scanner.view = new DataView(memory, byteOffset, byteLength);
    this.#edge = byteLength - PADDING_BYTES;
    this.#fence = -1;
  }

  /**
   * Decodes the line [start, end), given without its `\n`.
   * @returns LINE_EMPTY, EVENT_* or CONTROL_*, or -1 - REFUSAL_x; after a refusal the event says nothing
   */
  decode(start: number, end: number): number {
    if (end < this.#edge && this.#scanner.bytes[end] === 0x0a) return this.#decodeLine(start);
    return this.#decodeCopy(start, end);
  }

  /** The same for the line that starts at `start` and whose `\n` lies before `limit`; leaves its index in `lineEnd`. */
  decodeNext(start: number, limit: number): number {
    if (limit <= this.#edge || this.#isBeforeFence(start, limit)) return this.#decodeLine(start);
    const scanner = this.#scanner;
    const end = findLineEnd(scanner.bytes, scanner.view, start, limit);
    assert(end >= 0, 'no line end before the limit');
    return this.#decodeCopy(start, end);
  }

  /** Whether some `\n` between `start` and `limit` lies before the edge. The memory may have changed since it was found. */
  #isBeforeFence(start: number, limit: number): boolean {
    if (start >= this.#edge) return false;
    const bytes = this.#scanner.bytes;
    const fence = this.#fence;
    if (start <= fence && fence < limit && bytes[fence] === 0x0a) return true;
    this.#fence = bytes.lastIndexOf(0x0a, this.#edge - 1);
    return start <= this.#fence && this.#fence < limit;
  }

  /** For lines at the end of the memory, or without a `\n`: scanned in a copy that has one, and padding behind it. */
  #decodeCopy(start: number, end: number): number {
    const scanner = this.#scanner;
    const { bytes, view } = scanner;
    const length = end - start;
    if (this.#edgeBytes.length < length + 1 + PADDING_BYTES) {
      this.#edgeBytes = new Uint8Array(2 * (length + 1 + PADDING_BYTES));
      this.#edgeView = new DataView(this.#edgeBytes.buffer);
    }
    this.#edgeBytes.set(bytes.subarray(start, end));
    this.#edgeBytes[length] = 0x0a;
    scanner.bytes = this.#edgeBytes;
    scanner.view = this.#edgeView;
    const result = this.#decodeLine(0);
    scanner.bytes = bytes;
    scanner.view = view;
    this.lineEnd = end;
    if (result > LINE_EMPTY) this.#shiftSpans(start, result > EVENT_UNKNOWN);
    return result;
  }

  #shiftSpans(by: number, isControl: boolean): void {
    const event = this.event;
    const shift = (offsets: Int32Array, count: number) => {
      for (let i = 0; i < count; i++) if (offsets[i]! < SCRATCH_OFFSET) offsets[i] = offsets[i]! + by;
    };
    for (let field = 0; field < FIELD_COUNT; field++) {
      if (event.length[field] !== 0) shift(event.offset.subarray(field), 1);
    }
    shift(this.members.offset, event.memberCount);
    shift(event.tagKeyOffset, event.tagCount);
    shift(event.tagValueOffset, event.tagCount);
    if (!isControl) return;
    const { control } = this;
    if (control.idLength !== 0 && control.idOffset < SCRATCH_OFFSET) control.idOffset += by;
    if (control.clientLength !== 0 && control.clientOffset < SCRATCH_OFFSET) control.clientOffset += by;
  }

  /** In one piece, because the masks and the position stay in registers that way. */
  #decodeLine(start: number): number {
    const scanner = this.#scanner;
    const event = this.event;
    const bytes = scanner.bytes;
    const view = scanner.view;
    const slots = KEY_SLOTS;
    scanner.scratchLength = 0;
    let good = 0;
    let wrong = 0;
    let outside = 0;
    let seen = 0;
    let type = LINE_EMPTY;
    let status = STATUS_NONE;
    let parallel = PARALLEL_ABSENT;

    let p = start;
    if (bytes[p] !== 0x7b) {
      p = scanner.skipSpace(p);
      if (bytes[p] === 0x0a) {
        this.lineEnd = p;
        return LINE_EMPTY;
      }
      if (bytes[p] !== 0x7b) return this.#refuse(start, UNSUPPORTED);
    }
    let c = bytes[++p]!;
    if (c <= 0x20) {
      p = scanner.skipSpace(p);
      c = bytes[p]!;
    }
    if (c === 0x7d) p++;
    else {
      for (;;) {
        if (bytes[p] !== 0x22) return this.#refuse(start, BAD_JSON);
        let key: number;
        const word = view.getInt32(p + 1, true);
        const row = (Math.imul(word, KEY_MULTIPLIER) >>> KEY_SHIFT) << SLOT_ROW_SHIFT;
        if (
          slots[row + SLOT_WORD0] === word &&
          ((view.getInt32(p + 5, true) ^ slots[row + SLOT_WORD1]!) & slots[row + SLOT_MASK1]!) === 0 &&
          (slots[row + SLOT_LENGTH]! <= 8 ||
            (((view.getInt32(p + 9, true) ^ slots[row + SLOT_WORD2]!) & slots[row + SLOT_MASK2]!) === 0 &&
              ((view.getInt32(p + 13, true) ^ slots[row + SLOT_WORD3]!) & slots[row + SLOT_MASK3]!) === 0))
        ) {
          key = slots[row + SLOT_KEY]!;
          p += 1 + slots[row + SLOT_LENGTH]!;
        } else {
          p = this.#readKey(p + 1);
          if (p < 0) return this.#refuse(start, p);
          key = this.#key;
        }
        c = bytes[p]!;
        if (c <= 0x20) {
          p = scanner.skipSpace(p);
          c = bytes[p]!;
        }
        const bit = 1 << key;
        if ((seen & bit) !== 0) {
          good &= ~bit;
          wrong &= ~bit;
          outside &= ~bit;
        }
        seen |= bit;

        if (key < FIELD_COUNT && c === 0x22) {
          const first = p + 1;
          p = first;
          let hash = HASH_SEED;
          let length: number;
          for (;;) {
            const w = view.getInt32(p, true);
            const quote = w ^ 0x22222222;
            const slash = w ^ 0x5c5c5c5c;
            const hits = ((quote - 0x01010101) | (slash - 0x01010101) | (w - 0x20202020) | w) & 0x80808080;
            if (hits === 0) {
              hash = hashWord(hash, w);
              p += 4;
              continue;
            }
            const low = hits & -hits;
            const count = (24 - Math.clz32(low)) >>> 3;
            if (((w >>> (count << 3)) & 0xff) === 0x22) {
              if (count !== 0) hash = hashWord(hash, w & ((low >>> 7) - 1));
              p += count;
              length = p - first;
              event.offset[key] = first;
              event.length[key] = length;
              event.hash[key] = hashEnd(hash, length);
              p++;
            } else {
              p = scanner.readUnusualName(first);
              if (p < 0) return this.#refuse(start, p);
              length = scanner.textLength;
              event.offset[key] = scanner.textOffset;
              event.length[key] = length;
              event.hash[key] = scanner.textHash;
            }
            break;
          }
          if (length > NAME_BYTES_MAX) outside |= bit;
          else if (length !== 0) good |= bit;
        } else if (c === 0x6e && key !== KEY_UNKNOWN) {
          // null: absent, whatever the key.
          p = scanner.skipLiteral(p);
          if (p < 0) return this.#refuse(start, p);
        } else {
          switch (key) {
            case KEY_TYPE:
              if (c === 0x22) {
                const w = view.getInt32(p + 1, true);
                const next = view.getInt32(p + 5, true);
                if (w === WORD_TASK && next === WORD_DOT_END && bytes[p + 9] === 0x22) {
                  type = EVENT_TASK_END;
                  p += 10;
                  good |= bit;
                } else if (
                  w === WORD_TASK &&
                  next === WORD_DOT_STA &&
                  (view.getInt32(p + 9, true) & 0xffffff) === WORD_RT_QUOTE
                ) {
                  type = EVENT_TASK_START;
                  p += 12;
                  good |= bit;
                } else {
                  p = scanner.readString(p + 1);
                  if (p < 0) return this.#refuse(start, p);
                  if (scanner.textLength !== 0) {
                    type = indexOfName(
                      TYPE_BYTES,
                      scanner.textBytes(),
                      scanner.textStart(),
                      scanner.textLength,
                    );
                    if (type < 0) type = EVENT_UNKNOWN;
                    good |= bit;
                  }
                }
              } else {
                p = scanner.skipValue(p, ROOT_DEPTH);
                wrong |= bit;
              }
              break;
            case KEY_STATUS:
              if (c === 0x22) {
                const w = view.getInt32(p + 1, true);
                const next = view.getInt32(p + 5, true);
                if (
                  w === WORD_COMP &&
                  next === WORD_LETE &&
                  (view.getInt32(p + 9, true) & 0xffff) === WORD_D_QUOTE
                ) {
                  status = STATUS_COMPLETED;
                  p += 11;
                  good |= bit;
                } else if (w === WORD_FAIL && (next & 0xffffff) === WORD_ED_QUOTE) {
                  status = STATUS_FAILED;
                  p += 8;
                  good |= bit;
                } else {
                  p = scanner.readString(p + 1);
                  if (p < 0) return this.#refuse(start, p);
                  if (scanner.textLength !== 0) {
                    status = indexOfName(
                      STATUS_BYTES,
                      scanner.textBytes(),
                      scanner.textStart(),
                      scanner.textLength,
                    );
                    if (status < 0) status = STATUS_UNLISTED;
                    good |= bit;
                  }
                }
              } else {
                p = scanner.skipValue(p, ROOT_DEPTH);
                wrong |= bit;
              }
              break;
            case KEY_TS:
              if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
                p = scanner.readNumber(p);
                const number = scanner.number[0]!;
                event.ts = number;
                if (number >= 0 && number <= TS_MAX) good |= bit;
                else outside |= bit;
              } else {
                p = scanner.skipValue(p, ROOT_DEPTH);
                wrong |= bit;
              }
              break;
            case KEY_DURATION:
            case KEY_TOKENS:
            case KEY_VALUE:
            case KEY_FIRST:
              if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
                p = scanner.readNumber(p);
                const number = scanner.number[0]!;
                let isInside: boolean;
                if (key === KEY_DURATION) {
                  event.duration = number;
                  isInside = number >= 0 && number < Number.POSITIVE_INFINITY;
                } else if (key === KEY_TOKENS) {
                  event.tokens = number;
                  isInside = number >= 0 && number < Number.POSITIVE_INFINITY;
                } else if (key === KEY_VALUE) {
                  event.value = number;
                  isInside = number - number === 0;
                } else {
                  this.control.first = number;
                  isInside = number >= 1 && number <= CLIENT_FIRST_MAX && Math.floor(number) === number;
                }
                if (isInside) good |= bit;
                else outside |= bit;
              } else {
                p = scanner.skipValue(p, ROOT_DEPTH);
                wrong |= bit;
              }
              break;
            case KEY_PARALLEL:
              p = scanner.skipValue(p, ROOT_DEPTH);
              if (c === 0x74 || c === 0x66) {
                parallel = c === 0x74 ? PARALLEL_TRUE : PARALLEL_FALSE;
                good |= bit;
              } else wrong |= bit;
              break;
            case KEY_TASKS:
            case KEY_AGENTS:
              if (c === 0x5b) {
                const list = key === KEY_TASKS ? this.#tasks : this.#agents;
                p = list.read(scanner, p);
                if (list.verdict === VALUE_GOOD) good |= bit;
                else if (list.verdict === VALUE_WRONG_TYPE) wrong |= bit;
                else outside |= bit;
              } else {
                p = scanner.skipValue(p, ROOT_DEPTH);
                wrong |= bit;
              }
              break;
            case KEY_TAGS:
              if (c === 0x7b) {
                p = this.#tags.read(scanner, p);
                good |= bit;
              } else {
                p = scanner.skipValue(p, ROOT_DEPTH);
                wrong |= bit;
              }
              break;
            case KEY_ID:
            case KEY_CLIENT: {
              p = key === KEY_ID ? this.#readId(p, c) : this.#readClient(p, c);
              const verdict = this.#verdict;
              if (verdict === VALUE_GOOD) good |= bit;
              else if (verdict === VALUE_WRONG_TYPE) wrong |= bit;
              else if (verdict === VALUE_OUT_OF_RANGE) outside |= bit;
              break;
            }
            case KEY_OUTPUT:
              p = scanner.skipValue(p, ROOT_DEPTH);
              good |= bit;
              break;
            default:
              // request, description, error; unknown keys; and names that are no strings.
              if (c === 0x22) {
                if (bytes[p + 1] !== 0x22) good |= bit;
                p = scanner.skipString(p + 1);
              } else {
                p = scanner.skipValue(p, ROOT_DEPTH);
                wrong |= bit;
              }
          }
          if (p < 0) return this.#refuse(start, p);
        }

        c = bytes[p]!;
        if (c <= 0x20) {
          p = scanner.skipSpace(p);
          c = bytes[p]!;
        }
        p++;
        if (c === 0x2c) {
          if (bytes[p]! <= 0x20) p = scanner.skipSpace(p);
          continue;
        }
        if (c === 0x7d) break;
        return this.#refuse(start, BAD_JSON);
      }
    }
    if (bytes[p] !== 0x0a) {
      p = scanner.skipSpace(p);
      if (bytes[p] !== 0x0a) return this.#refuse(start, BAD_JSON);
    }
    this.lineEnd = p;

    if ((good & TYPE_BIT) === 0)
      return this.#refuseFields((wrong & TYPE_BIT) !== 0 ? WRONG_TYPE : MISSING_FIELD);
    event.tagCount = 0;
    event.memberCount = 0;
    if (type >= EVENT_GROUP) {
      if (type > EVENT_UNKNOWN) return this.#finishControl(type, good, wrong, outside, seen);
      if (type === EVENT_SAMPLE && (good & TAGS_BIT) !== 0) {
        const verdict = this.#tags.judge(scanner, event);
        if (verdict === VALUE_WRONG_TYPE) wrong |= TAGS_BIT;
        else if (verdict === VALUE_OUT_OF_RANGE) outside |= TAGS_BIT;
      }
    }
    const known = KNOWN_KEYS[type]!;
    const isStatusListed = (ALLOWED_STATUSES[type]! >>> status) & 1;
    if ((((wrong | outside) & known) | (REQUIRED_KEYS[type]! & ~good) | (isStatusListed ^ 1)) !== 0) {
      if ((wrong & known) !== 0) return this.#refuseFields(WRONG_TYPE);
      const isStatusOutside = isStatusListed === 0 && (good & STATUS_BIT) !== 0;
      return this.#refuseFields((outside & known) !== 0 || isStatusOutside ? OUT_OF_RANGE : MISSING_FIELD);
    }
    const present = good & known;
    if (type === EVENT_GROUP && !this.#takeMembers(present)) return this.#refuseFields(MISSING_FIELD);

    this.#clearFields(seen, present);
    event.status = (present & STATUS_BIT) !== 0 ? status : STATUS_NONE;
    event.parallel = (present & PARALLEL_BIT) !== 0 ? parallel : PARALLEL_ABSENT;
    event.texts = (present >>> KEY_REQUEST) & TEXTS_MASK;
    if ((present & TS_BIT) === 0) event.ts = Number.NaN;
    if ((present & DURATION_BIT) === 0) event.duration = Number.NaN;
    if ((present & TOKENS_BIT) === 0) event.tokens = Number.NaN;
    if ((present & VALUE_BIT) === 0) event.value = Number.NaN;
    return type;
  }

  /** A key that is not written the usual way, or not known. Leaves it in `#key`; returns where its value starts. */
  #readKey(start: number): number {
    const scanner = this.#scanner;
    const scratchLength = scanner.scratchLength;
    const p = scanner.readString(start);
    if (p < 0) return p;
    this.#key = keyOfName(scanner.textBytes(), scanner.textStart(), scanner.textLength);
    scanner.scratchLength = scratchLength;
    return scanner.skipColon(p);
  }

  #verdict = VALUE_GOOD;

  #readId(start: number, c: number): number {
    const scanner = this.#scanner;
    const { control } = this;
    let p: number;
    if (c === 0x22) {
      p = scanner.readString(start + 1);
      control.idKind = ID_STRING;
      control.idOffset = scanner.textOffset;
      control.idLength = scanner.textLength;
      this.#verdict = scanner.textLength > NAME_BYTES_MAX ? VALUE_OUT_OF_RANGE : VALUE_GOOD;
    } else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) {
      p = scanner.readNumber(start);
      control.idKind = ID_NUMBER;
      control.idOffset = start;
      control.idLength = p - start;
      const isInside = p - start <= NAME_BYTES_MAX && scanner.number[0]! < Number.POSITIVE_INFINITY;
      this.#verdict =
        isInside && scanner.number[0]! > Number.NEGATIVE_INFINITY ? VALUE_GOOD : VALUE_OUT_OF_RANGE;
    } else {
      p = scanner.skipValue(start, ROOT_DEPTH);
      this.#verdict = VALUE_WRONG_TYPE;
    }
    return p;
  }

  #readClient(start: number, c: number): number {
    const scanner = this.#scanner;
    const { control } = this;
    if (c !== 0x22) {
      this.#verdict = VALUE_WRONG_TYPE;
      return scanner.skipValue(start, ROOT_DEPTH);
    }
    const p = scanner.readName(start + 1);
    const length = scanner.textLength;
    control.clientOffset = scanner.textOffset;
    control.clientLength = length;
    control.clientHash = scanner.textHash;
    this.#verdict = length === 0 || length > NAME_BYTES_MAX ? VALUE_OUT_OF_RANGE : VALUE_GOOD;
    return p;
  }

  /** @returns whether the group names tasks or agents */
  #takeMembers(present: number): boolean {
    if ((present & (TASKS_BIT | AGENTS_BIT)) === 0) return false;
    const { event, members } = this;
    members.areTasks = (present & TASKS_BIT) !== 0;
    const list = members.areTasks ? this.#tasks : this.#agents;
    members.offset = list.offset;
    members.length = list.length;
    members.hash = list.hash;
    event.memberCount = list.count;
    return true;
  }

  /** Makes absent what this line or an earlier one has written and this line's type does not bring. */
  #clearFields(seen: number, present: number): void {
    const brought = present & FIELDS_MASK;
    let stale = (this.#filled | seen) & FIELDS_MASK & ~brought;
    this.#filled = brought;
    while (stale !== 0) {
      this.event.length[31 - Math.clz32(stale & -stale)] = 0;
      stale &= stale - 1;
    }
  }

  #finishControl(type: number, good: number, wrong: number, outside: number, seen: number): number {
    const { event, control } = this;
    this.#clearFields(seen, 0);
    event.status = STATUS_NONE;
    event.parallel = PARALLEL_ABSENT;
    event.texts = 0;
    event.ts = Number.NaN;
    event.duration = Number.NaN;
    event.tokens = Number.NaN;
    event.value = Number.NaN;
    if (type !== CONTROL_SYNC || (good & ID_BIT) === 0) control.idKind = ID_NONE;
    if (control.idKind === ID_NONE) control.idLength = 0;
    if (type !== CONTROL_HELLO || (good & CLIENT_BIT) === 0) control.clientLength = 0;
    if (type !== CONTROL_HELLO || (good & FIRST_BIT) === 0) control.first = Number.NaN;
    control.reason = '';
    if (type === CONTROL_SYNC) {
      if ((good & ID_BIT) !== 0) return type;
      control.reason = 'sync: id must be a string or a number of at most 256 bytes';
    } else if ((good & CLIENT_BIT) === 0) {
      control.reason = 'hello: client must be a string of 1 to 256 bytes';
    } else {
      if (((wrong | outside) & FIRST_BIT) === 0) return type;
      control.reason = 'hello: first must be a whole number from 1 to 2^53';
    }
    return CONTROL_MALFORMED;
  }

  /** Valid JSON, but not an event: `lineEnd` is known. */
  #refuseFields(refusal: number): number {
    this.#filled = FIELDS_MASK;
    return refusal;
  }

  /** Not scanned to its end: what is wrong first says nothing about the bytes behind it. */
  #refuse(start: number, refusal: number): number {
    const { bytes, view } = this.#scanner;
    this.#filled = FIELDS_MASK;
    this.lineEnd = findLineEnd(bytes, view, start, bytes.length);
    if (refusal === UNSUPPORTED || isUtf8(bytes, start, this.lineEnd)) return refusal;
    return BAD_UTF8;
  }
}
