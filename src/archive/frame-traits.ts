/**
 * What the index says of the lines of a frame: which types they have, and the keys of the workflows, agents and parents that
 * they name. A key is the hash of a name (`hashBytes`), told apart by what the name is: two names may have one key, so a
 * frame that a key leads to has to be looked into. One more key leads to the frames that have ticks.
 */

import { FIELD_AGENT, FIELD_PARENT, FIELD_WORKFLOW } from '../decode/decoded-event.js';
import { Decoder } from '../decode/decoder.js';
import { EVENT_UNKNOWN } from '../model/event.js';
import { hashBytes } from '../model/hash.js';

/** What a key is mixed with, so that a workflow and an agent of one name have different ones. Part of the format. */
export const KEY_OF_WORKFLOW = 0;
export const KEY_OF_AGENT = 0x9e3779b9;
export const KEY_OF_PARENT = 0x85ebca6b;
/** Of the frames that have ticks; it is a whole key. */
export const KEY_OF_TICKS = 0xc2b2ae35;

/** Bit in `kinds`: the frame has ticks. Bit n is set where a line of EVENT_n is in it. */
export const KIND_TICKS = 1;

export interface FrameTraits {
  readonly kinds: number;
  /** Ascending, each once. A view, until the next frame. */
  readonly keys: Uint32Array;
}

/** @param salt KEY_OF_* */
export function keyOfName(name: string | Uint8Array, salt: number): number {
  const bytes = typeof name === 'string' ? Buffer.from(name) : name;
  return (hashBytes(bytes, 0, bytes.length) ^ salt) >>> 0;
}

/** Most lines name what a line shortly before them has named: so many of the last keys are not collected again. */
const RECENT = 4096;

export class FrameTraitsReader {
  readonly #decoder = new Decoder();
  readonly #recent = new Float64Array(RECENT);
  #keys = new Uint32Array(16 * 1024);
  #used = 0;

  /** @param raw whole lines that were accepted once; what this program refuses has no traits */
  read(raw: Uint8Array, hasTicks: boolean): FrameTraits {
    const decoder = this.#decoder;
    const { event } = decoder;
    const { length, hash } = event;
    decoder.attach(raw.buffer, raw.byteOffset, raw.byteLength);
    this.#recent.fill(-1);
    this.#used = 0;
    let kinds = hasTicks ? KIND_TICKS : 0;
    if (hasTicks) this.#add(KEY_OF_TICKS);
    const end = raw.length;
    for (let at = 0; at < end; at = decoder.lineEnd + 1) {
      const code = decoder.decodeNext(at, end);
      if (code <= 0 || code > EVENT_UNKNOWN) continue;
      kinds |= 1 << code;
      if (length[FIELD_WORKFLOW]! > 0) this.#add(hash[FIELD_WORKFLOW]! ^ KEY_OF_WORKFLOW);
      if (length[FIELD_AGENT]! > 0) this.#add(hash[FIELD_AGENT]! ^ KEY_OF_AGENT);
      if (length[FIELD_PARENT]! > 0) this.#add(hash[FIELD_PARENT]! ^ KEY_OF_PARENT);
    }
    const keys = this.#keys.subarray(0, this.#used).sort();
    let count = 0;
    for (const key of keys) if (count === 0 || keys[count - 1] !== key) keys[count++] = key;
    return { kinds, keys: keys.subarray(0, count) };
  }

  #add(hash: number): void {
    const key = hash >>> 0;
    const recent = key & (RECENT - 1);
    if (this.#recent[recent] === key) return;
    this.#recent[recent] = key;
    if (this.#used === this.#keys.length) {
      const grown = new Uint32Array(this.#used * 2);
      grown.set(this.#keys);
      this.#keys = grown;
    }
    this.#keys[this.#used++] = key;
  }
}
