/**
 * The keys that some event or control line knows, each with its number: the bit of the key in the decoder's masks.
 * The first eight are the FIELD_* of decoded-event.ts, the next four lie in the order of the TEXT_* bits.
 *
 * A key written the usual way (no escape, `:` right behind the quote) is found by its first four bytes: a
 * multiplication spreads them over 64 slots without a collision, and the rest of `key":` is compared as words under
 * a mask. `tasks` and `agents` share their first word with `task` and `agent`; they, and every unusual way of
 * writing a key, go through `keyOfName`.
 */
import assert from 'node:assert';

export const KEY_REQUEST = 8;
export const KEY_OUTPUT = 11;
export const KEY_TYPE = 12;
export const KEY_STATUS = 13;
export const KEY_PARALLEL = 14;
export const KEY_TS = 15;
export const KEY_DURATION = 16;
export const KEY_TOKENS = 17;
export const KEY_VALUE = 18;
export const KEY_FIRST = 19;
export const KEY_TASKS = 20;
export const KEY_AGENTS = 21;
export const KEY_TAGS = 22;
export const KEY_ID = 23;
export const KEY_CLIENT = 24;
export const KEY_UNKNOWN = 25;

export const KEY_NAMES = [
  'workflow',
  'task',
  'agent',
  'kind',
  'name',
  'project',
  'phase',
  'parent',
  'request',
  'description',
  'error',
  'output',
  'type',
  'status',
  'parallel',
  'ts',
  'duration',
  'tokens',
  'value',
  'first',
  'tasks',
  'agents',
  'tags',
  'id',
  'client',
] as const;

/** Found by search: the first words of all keys fall into different slots. */
export const KEY_MULTIPLIER = 0xb904c0c7 | 0;
export const KEY_SHIFT = 26;
const SLOT_COUNT = 1 << (32 - KEY_SHIFT);

/** Columns of the slot table: key, length of `key":` and its words 0 to 3, the last three with their masks. */
export const SLOT_KEY = 0;
export const SLOT_LENGTH = 1;
export const SLOT_WORD0 = 2;
export const SLOT_WORD1 = 3;
export const SLOT_MASK1 = 4;
export const SLOT_WORD2 = 5;
export const SLOT_MASK2 = 6;
export const SLOT_WORD3 = 7;
export const SLOT_MASK3 = 8;
/** A power of two, so that the row is found by a shift. */
export const SLOT_ROW_SHIFT = 4;

/** Keys found by `keyOfName` only. */
const NOT_IN_SLOTS: readonly string[] = ['tasks', 'agents'];

const encoder = new TextEncoder();

const FIRST_WORD_OF_SOME_KEY = 0x6b726f77; // 'work'

export const KEY_SLOTS: Int32Array = buildSlots();

function buildSlots(): Int32Array {
  const slots = new Int32Array(SLOT_COUNT << SLOT_ROW_SHIFT);
  // A row that holds no key gets the first word of a key, which falls into that key's row: no text meets it here.
  for (let row = 0; row < slots.length; row += 1 << SLOT_ROW_SHIFT) {
    slots[row + SLOT_WORD0] = FIRST_WORD_OF_SOME_KEY;
  }
  KEY_NAMES.forEach((name, key) => {
    if (NOT_IN_SLOTS.includes(name)) return;
    const text = encoder.encode(`${name}":`);
    const words = new Int32Array(4);
    const masks = new Int32Array(4);
    text.forEach((byte, i) => {
      words[i >> 2] = words[i >> 2]! | (byte << ((i & 3) * 8));
      masks[i >> 2] = masks[i >> 2]! | (0xff << ((i & 3) * 8));
    });
    const row = (Math.imul(words[0]!, KEY_MULTIPLIER) >>> KEY_SHIFT) << SLOT_ROW_SHIFT;
    assert(slots[row + SLOT_LENGTH] === 0, 'two keys share a slot');
    slots.set(
      [key, text.length, words[0]!, words[1]!, masks[1]!, words[2]!, masks[2]!, words[3]!, masks[3]!],
      row,
    );
  });
  return slots;
}

const NAME_BYTES = KEY_NAMES.map((name) => encoder.encode(name));

/** The key whose name is these decoded bytes, or KEY_UNKNOWN. */
export function keyOfName(bytes: Uint8Array, offset: number, length: number): number {
  for (let key = 0; key < NAME_BYTES.length; key++) {
    const name = NAME_BYTES[key]!;
    if (name.length === length && name[0] === bytes[offset] && isEqual(name, bytes, offset)) return key;
  }
  return KEY_UNKNOWN;
}

/** The index of the name that is these decoded bytes, or -1. */
export function indexOfName(
  names: readonly Uint8Array[],
  bytes: Uint8Array,
  offset: number,
  length: number,
): number {
  for (let i = 0; i < names.length; i++) {
    if (names[i]!.length === length && isEqual(names[i]!, bytes, offset)) return i;
  }
  return -1;
}

function isEqual(name: Uint8Array, bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[offset + i]) return false;
  return true;
}
