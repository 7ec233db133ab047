/**
 * What of the log cannot be read, as the start of the daemon has met it: in shared memory, as a JSON text, since it is read
 * rarely and its entries are few.
 *
 *   ┌─────────┬───────┬──────────────┐   version: odd while the text changes, another number afterwards
 *   │ version │ bytes │ JSON, UTF-8  │   One writer at a time: main before the stages start, then the fold that rebuilds
 *   └─────────┴───────┴──────────────┘
 */

import { basename } from 'node:path';
import type { LogFlaw } from './log-reader.js';

const VERSION = 0;
const BYTES = 1;
const HEAD_BYTES = 8;
const MEMORY_BYTES = 64 * 1024;
/** An entry has a file name and five numbers, so all of them fit. The counts go on. */
const ENTRIES_MAX = 200;
/** A change takes microseconds, unless its thread died within it. */
const READ_TRIES = 1000;

export interface DamagedStretch {
  /** The name of the file. */
  readonly segment: string;
  readonly offset: number;
  readonly bytes: number;
  /** The lines that it costs, as far as they are known. */
  readonly first_line: number | null;
  readonly last_line: number | null;
}

export interface Damage {
  readonly stretches: readonly DamagedStretch[];
  /** Of these, and of those that the list has no room for. */
  readonly count: number;
  readonly bytes: number;
}

const NO_DAMAGE: Damage = { stretches: [], count: 0, bytes: 0 };

export function allocateDamageList(): SharedArrayBuffer {
  return new SharedArrayBuffer(MEMORY_BYTES);
}

export class DamageList {
  readonly #words: Int32Array;
  readonly #text: Uint8Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#text = new Uint8Array(memory, HEAD_BYTES);
  }

  read(): Damage {
    for (let tries = 0; tries < READ_TRIES; tries++) {
      const version = Atomics.load(this.#words, VERSION);
      const text = Buffer.from(this.#text.slice(0, this.#words[BYTES]!)).toString('utf8');
      if ((version & 1) === 0 && Atomics.load(this.#words, VERSION) === version) {
        return text === '' ? NO_DAMAGE : (JSON.parse(text) as Damage);
      }
    }
    return NO_DAMAGE;
  }

  /** One that is known already is known better now. */
  add(flaws: readonly Pick<LogFlaw, 'path' | 'offset' | 'bytes' | 'firstLine' | 'lastLine'>[]): void {
    const before = this.read();
    const stretches = new Map(before.stretches.map((stretch) => [keyOf(stretch), stretch]));
    let { count, bytes } = before;
    for (const flaw of flaws) {
      const stretch: DamagedStretch = {
        segment: basename(flaw.path),
        offset: flaw.offset,
        bytes: flaw.bytes,
        first_line: flaw.firstLine,
        last_line: flaw.lastLine,
      };
      const known = stretches.get(keyOf(stretch));
      if (known === undefined) count++;
      bytes += stretch.bytes - (known?.bytes ?? 0);
      if (known !== undefined || stretches.size < ENTRIES_MAX) stretches.set(keyOf(stretch), stretch);
    }
    this.#write({ stretches: [...stretches.values()], count, bytes });
  }

  #write(damage: Damage): void {
    const text = Buffer.from(JSON.stringify(damage));
    // Also odd where one that died within it has left it so.
    const changing = Atomics.load(this.#words, VERSION) | 1;
    Atomics.store(this.#words, VERSION, changing);
    this.#text.set(text);
    this.#words[BYTES] = text.length;
    Atomics.store(this.#words, VERSION, changing + 1);
  }
}

function keyOf({ segment, offset }: DamagedStretch): string {
  return `${segment} ${offset}`;
}
