/**
 * The lines that are not yet durable, bounded by their bytes:
 *
 *     oldest ──▶ [ in flight: numbered, written to the daemon ][ waiting: not numbered yet ] ◀── newest
 *
 * A line gets its number when it is taken to be written, so one that is dropped while it waits leaves no hole in the numbers.
 * In flight it is dropped no more: the daemon may have it already, and only its number can tell.
 *
 * Lines are copied into slabs, one behind the other, and leave as spans of them: whoever writes a span to a socket need not
 * copy it, since nothing is written over a slab.
 */

import assert from 'node:assert';

const LINE_END = 0x0a;
const SLAB_BYTES_MAX = 64 * 1024;
/** A slab is kept by its last line, so many of them hold little more than their lines. */
const SLABS_MIN = 16;

/** Whole lines in [from, to) of a slab. */
interface Span {
  readonly slab: Buffer;
  from: number;
  to: number;
  lines: number;
}

export interface TakenLines {
  readonly bytes: Buffer;
  readonly lines: number;
}

/** A place between two lines. */
export interface Mark {
  /** That of a line at or behind the last one before it; undefined while one before it waits. */
  readonly number: number | undefined;
}

export class LineQueue {
  readonly capacityBytes: number;
  /** In flight is at most half of the queue, so what waits can always make room for a line of this size. */
  readonly lineBytesMax: number;
  readonly #slabBytes: number;
  readonly #inFlight: Span[] = [];
  readonly #waiting: Span[] = [];
  /** The span in flight that is to be written next; at the end of the list none is. */
  #next = 0;
  /** Those before which lines wait, oldest first, each with the count of lines that had come in before it. */
  readonly #marks: { number: number | undefined; readonly pushedLines: number }[] = [];
  #slab: Buffer = Buffer.alloc(0);
  #slabUsed = 0;
  #inFlightBytes = 0;
  #waitingBytes = 0;
  #waitingLines = 0;
  #pushedLines = 0;
  #durable = 0;
  #numbered = 0;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
    this.lineBytesMax = Math.floor(capacityBytes / 2);
    this.#slabBytes = Math.min(SLAB_BYTES_MAX, Math.ceil(capacityBytes / SLABS_MIN));
  }

  /** The number of the last line that is durable, or that the daemon has said it goes on behind. */
  get durable(): number {
    return this.#durable;
  }

  /** The number of the last line that has one. */
  get numbered(): number {
    return this.#numbered;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** All that ever came in. */
  get pushedLines(): number {
    return this.#pushedLines;
  }

  get lines(): number {
    return this.#numbered - this.#durable + this.#waitingLines;
  }

  get bytes(): number {
    return this.#inFlightBytes + this.#waitingBytes;
  }

  /** What `take` would bring has no room in flight. */
  get isWindowFull(): boolean {
    const next = this.#waiting[0];
    if (next === undefined || this.#isResending) return false;
    return this.#inFlightBytes + next.to - next.from > this.lineBytesMax;
  }

  get #isResending(): boolean {
    return this.#next < this.#inFlight.length;
  }

  /** Numbers go on behind this one. */
  start(number: number): void {
    assert(this.#inFlight.length === 0, 'numbers start before the first line has one');
    this.#durable = number;
    this.#numbered = number;
  }

  /** @returns false where there is no room for it */
  tryPush(line: string | Uint8Array): boolean {
    const size = sizeOfLine(line);
    if (this.bytes + size > this.capacityBytes) return false;
    if (this.#slabUsed + size > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(this.#slabBytes, size));
      this.#slabUsed = 0;
    }
    const from = this.#slabUsed;
    if (typeof line === 'string') this.#slab.write(line, from);
    else this.#slab.set(line, from);
    const to = from + size;
    this.#slab[to - 1] = LINE_END;
    this.#slabUsed = to;
    this.#waitingBytes += size;
    this.#waitingLines++;
    this.#pushedLines++;
    const last = this.#waiting.at(-1);
    if (last?.slab === this.#slab && last.to === from) {
      last.to = to;
      last.lines++;
    } else {
      this.#waiting.push({ slab: this.#slab, from, to, lines: 1 });
    }
    return true;
  }

  /** Of the place behind all lines that are here. */
  mark(): Mark {
    const mark = { number: undefined, pushedLines: this.#pushedLines };
    this.#marks.push(mark);
    this.#numberMarks();
    return mark;
  }

  /** Drops waiting lines, oldest first, until there is room for this one. @returns how many */
  dropFor(line: string | Uint8Array): number {
    const size = sizeOfLine(line);
    assert(this.#inFlightBytes + size <= this.capacityBytes, 'a line has room beside what is in flight');
    const before = this.#waitingLines;
    while (this.bytes + size > this.capacityBytes) {
      const span = this.#waiting[0]!;
      this.#waitingBytes -= cutFirstLine(span);
      this.#waitingLines--;
      if (span.lines === 0) this.#waiting.shift();
    }
    this.#numberMarks();
    return before - this.#waitingLines;
  }

  /** The next lines to be written, numbered from now on; undefined where all are. Not while the window is full. */
  take(): TakenLines | undefined {
    if (!this.#isResending) {
      const span = this.#waiting.shift();
      if (span === undefined) return undefined;
      const size = span.to - span.from;
      this.#inFlight.push(span);
      this.#inFlightBytes += size;
      this.#waitingBytes -= size;
      this.#waitingLines -= span.lines;
      this.#numbered += span.lines;
      this.#numberMarks();
    }
    const { slab, from, to, lines } = this.#inFlight[this.#next++]!;
    return { bytes: slab.subarray(from, to), lines };
  }

  /** Forgets all lines up to this number. */
  settle(number: number): void {
    assert(number >= this.#durable && number <= this.#numbered, 'only what is in flight becomes durable');
    let count = number - this.#durable;
    this.#durable = number;
    while (count > 0) {
      const span = this.#inFlight[0]!;
      if (span.lines > count) {
        for (; count > 0; count--) this.#inFlightBytes -= cutFirstLine(span);
        return;
      }
      count -= span.lines;
      this.#inFlightBytes -= span.to - span.from;
      this.#inFlight.shift();
      this.#next = Math.max(0, this.#next - 1);
    }
  }

  /** All that is in flight is to be written again. */
  rewind(): void {
    this.#next = 0;
  }

  #numberMarks(): void {
    const left = this.#pushedLines - this.#waitingLines;
    while (this.#marks.length > 0 && this.#marks[0]!.pushedLines <= left) {
      this.#marks.shift()!.number = this.#numbered;
    }
  }
}

/** In bytes, with its line end. */
export function sizeOfLine(line: string | Uint8Array): number {
  return 1 + (typeof line === 'string' ? Buffer.byteLength(line) : line.length);
}

/** @returns its bytes */
function cutFirstLine(span: Span): number {
  const size = span.slab.indexOf(LINE_END, span.from) + 1 - span.from;
  span.from += size;
  span.lines--;
  return size;
}
