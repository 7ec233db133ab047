/** The fold over lines that are in the log already: the same decoder and the same lifecycle as in the live fold. */

import { Decoder } from '../decode/decoder.js';
import { EVENT_UNKNOWN } from '../model/event.js';
import type { Tables } from '../state/tables.js';
import { decodedEventFor } from './compiled-events.js';
import type { OnHour } from './hours.js';
import { Lifecycle } from './lifecycle.js';

export class Replay {
  readonly #tables: Tables;
  readonly #decoder: Decoder;
  readonly #lifecycle: Lifecycle;
  #line: number;
  /** Lines of the log that this program refuses: an older one took them. They count, and change nothing. */
  refused = 0;

  /** @param tables that hold everything up to and with line `line` @param onHour who keeps the hours that are over */
  constructor(tables: Tables, line: number, onHour: OnHour | null = null) {
    this.#tables = tables;
    this.#line = line;
    this.#decoder = new Decoder(decodedEventFor(tables.memory));
    this.#lifecycle = new Lifecycle(tables, this.#decoder, onHour);
  }

  get line(): number {
    return this.#line;
  }

  /** The lines that follow lie in this memory. */
  attach(raw: Uint8Array): void {
    this.#lifecycle.attach(raw);
  }

  /** Jumps over lines that cannot be read any more. */
  skipTo(line: number): void {
    this.#line = line;
  }

  /** Applies a tick at its place among the lines, as `Lifecycle.tick` does. @param number as the log has it */
  tick(kind: number, payload: Uint8Array, number: number, arrivedUs: number): boolean {
    return this.#lifecycle.tick(kind, payload, number, arrivedUs);
  }

  /**
   * Folds lines of one arrival.
   * @param from offset of the first in the attached memory
   * @returns the offset behind the last
   */
  fold(from: number, end: number, lineCount: number, arrivedUs: number): number {
    let at = from;
    for (let i = 0; i < lineCount; i++) {
      const code = this.#decoder.decodeNext(at, end);
      at = this.#decoder.lineEnd + 1;
      this.#line++;
      if (code > 0 && code <= EVENT_UNKNOWN) this.#lifecycle.apply(code, this.#line, arrivedUs);
      else this.refused++;
    }
    if (lineCount > 0) this.#tables.board.setLine(this.#line, arrivedUs);
    return at;
  }
}
