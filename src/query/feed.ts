/**
 * The live feed: every accepted line as a message of Server-Sent Events, out of the ring and behind the fold. It is an
 * onlooker (ring/tap.ts), so ingestion does not know of it; what has been written over before it came is told as a gap.
 *
 * Which lines are accepted: the record says how many, and the decoder which. Where the two disagree (a line that the
 * decoder takes and the fold refused, because it died at it twice) the record's lines are told as a gap. Records that do
 * not count, as those of a connection that another one has replaced, say that none is accepted.
 *
 * Line numbers: what the archive has written is a position in the ring and the number of the last line before it, which
 * belong together (archive/board.ts). From there each folded record adds the lines accepted of it.
 *
 * A message: `id`, the number of the line; `event`, its type; `data`, the line byte for byte, but for carriage returns: to SSE
 * they end a line. They are white space there, one at the end is left out, and any other begins a `data` line of its
 * own. A gap is an `event: gap` with `{"missed":N,"first":A,"last":B}`, which has no `type`, as every accepted line has.
 */

import assert from 'node:assert/strict';
import { ArchiveBoard } from '../archive/board.js';
import { Decoder } from '../decode/decoder.js';
import { parseAcceptedLine } from '../decode/field-text.js';
import { TYPE_NAMES } from '../decode/type-rules.js';
import { EVENT_UNKNOWN } from '../model/event.js';
import { type RingMemory, readBytesMax } from '../ring/layout.js';
import { RingTap, TAP_EMPTY, TAP_LAPPED, TAP_TAKEN } from '../ring/tap.js';
import type { FeedFilter } from './feed-filter.js';

export interface FeedMemory {
  readonly ring: RingMemory;
  readonly archiveBoard: SharedArrayBuffer;
  readonly maxLineBytes: number;
}

export interface FeedListener {
  readonly filter: FeedFilter;
  /** Number of the last line that it does not want. */
  readonly after: number;
  send(messages: Buffer): void;
}

/** Bytes of the ring in one turn: about a thousand lines, so that questions to the same thread wait a millisecond or two. */
const TURN_BYTES = 128 * 1024;
/** Line ends of one read, and what a record adds to the line that was begun before it. */
const SPARE_BYTES = 4096;
const CARRIAGE_RETURN = 0x0d;
const MESSAGE_HEAD_BYTES = 64;

export class Feed {
  readonly #board: ArchiveBoard;
  readonly #maxLineBytes: number;
  readonly #tap: RingTap;
  readonly #scout: RingTap;
  readonly #decoder = new Decoder();
  #attached: Uint8Array | null = null;
  /** Number of the last line before the tap. */
  #line = 0;
  readonly #messages = new MessageBuffer();

  constructor({ ring, archiveBoard, maxLineBytes }: FeedMemory) {
    this.#board = new ArchiveBoard(archiveBoard);
    this.#maxLineBytes = maxLineBytes;
    const payloadBytesMax = readBytesMax(ring.capacityBytes) + maxLineBytes + SPARE_BYTES;
    this.#tap = new RingTap(ring, payloadBytesMax);
    this.#scout = new RingTap(ring, payloadBytesMax);
  }

  /** Number of the last line that is folded now. */
  lastLine(): number {
    for (;;) {
      const { position, line } = this.#board.written();
      this.#scout.seek(position);
      this.#scout.look(position);
      let last = line;
      let taken = this.#scout.tryTakeHeader();
      for (; taken === TAP_TAKEN; taken = this.#scout.tryTakeHeader()) last += this.#scout.accepted;
      // Lapped: the archive has gone on meanwhile, and the next try begins where it is now.
      if (taken === TAP_EMPTY) return last;
    }
  }

  /** Lines folded from now on are those that `pump` sends. */
  start(): void {
    this.#line = this.lastLine();
    this.#tap.seek(this.#scout.end);
  }

  /** Sends what was folded since, but not much more than a turn's bytes. @returns whether there is more */
  pump(listeners: ReadonlySet<FeedListener>): boolean {
    const tap = this.#tap;
    // Absolute, and never far from the fold, however long this thread has slept.
    tap.look(this.#board.written().position);
    const readers = [...listeners].map((listener) => new Reader(listener));
    const from = tap.end;
    let taken = TAP_TAKEN;
    while (taken === TAP_TAKEN && tap.end - from < TURN_BYTES) {
      taken = tap.tryTake();
      if (taken === TAP_TAKEN) this.#record(readers);
      else if (taken === TAP_LAPPED) this.#goOnAtTheEnd(readers);
    }
    for (const reader of readers) reader.flush(this.#messages);
    this.#messages.clear();
    return taken !== TAP_EMPTY;
  }

  #goOnAtTheEnd(readers: readonly Reader[]): void {
    const first = this.#line + 1;
    this.start();
    this.#gap(readers, first);
  }

  #record(readers: readonly Reader[]): void {
    const { accepted, cuts, bytes } = this.#tap;
    if (accepted === 0) return;
    if (this.#attached !== bytes) {
      this.#decoder.attach(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      this.#attached = bytes;
    }
    if (cuts > 0 && this.#lines(null) !== accepted) {
      const first = this.#line + 1;
      this.#line += accepted;
      this.#gap(readers, first);
      return;
    }
    assert.equal(this.#lines(readers), accepted, 'the fold and the feed differ on which lines are accepted');
    this.#line += accepted;
  }

  /** Goes through the lines of the record. @param readers null: only counts @returns how many are accepted */
  #lines(readers: readonly Reader[] | null): number {
    const { payloadFrom, payloadBytes } = this.#tap;
    const decoder = this.#decoder;
    const end = payloadFrom + payloadBytes;
    let accepted = 0;
    for (let at = payloadFrom; at < end; at = decoder.lineEnd + 1) {
      const code = decoder.decodeNext(at, end);
      if (code <= 0 || code > EVENT_UNKNOWN || decoder.lineEnd - at > this.#maxLineBytes) continue;
      accepted++;
      if (readers !== null) this.#send(readers, code, at, this.#line + accepted);
    }
    return accepted;
  }

  #send(readers: readonly Reader[], code: number, at: number, line: number): void {
    const decoder = this.#decoder;
    const { bytes } = this.#tap;
    const text = bytes.subarray(at, decoder.lineEnd);
    const type = code === EVENT_UNKNOWN ? String(parseAcceptedLine(text).type) : TYPE_NAMES[code]!;
    let from = -1;
    for (const reader of readers) {
      const { after, filter } = reader.listener;
      if (line <= after || !filter.matches(decoder, bytes, type)) continue;
      if (from < 0) {
        from = this.#messages.used;
        this.#messages.add(line, type, text);
      }
      reader.add(from, this.#messages.used);
    }
  }

  /** Tells that lines are missing: from this one on, up to the current one. */
  #gap(readers: readonly Reader[], first: number): void {
    for (const reader of readers) {
      const from = this.#messages.used;
      this.#messages.addGap(Math.max(first, reader.listener.after + 1), this.#line);
      reader.add(from, this.#messages.used);
    }
  }
}

/** The message for a reader that asks to go on behind a line, and is too late. */
export function gapMessage(first: number, last: number): Buffer {
  const messages = new MessageBuffer();
  messages.addGap(first, last);
  return messages.copy(0, messages.used);
}

/** What of a turn's messages goes to one listener, neighbours joined. */
class Reader {
  readonly listener: FeedListener;
  readonly #spans: number[] = [];

  constructor(listener: FeedListener) {
    this.listener = listener;
  }

  add(from: number, to: number): void {
    if (from === to) return;
    if (this.#spans.at(-1) === from) this.#spans[this.#spans.length - 1] = to;
    else this.#spans.push(from, to);
  }

  flush(messages: MessageBuffer): void {
    const parts: Buffer[] = [];
    for (let i = 0; i < this.#spans.length; i += 2) {
      parts.push(messages.copy(this.#spans[i]!, this.#spans[i + 1]!));
    }
    if (parts.length > 0) this.listener.send(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
  }
}

/** Messages one after another, made once for all listeners. */
class MessageBuffer {
  #bytes = Buffer.alloc(256 * 1024);
  used = 0;

  clear(): void {
    this.used = 0;
  }

  copy(from: number, to: number): Buffer {
    return Buffer.from(this.#bytes.subarray(from, to));
  }

  add(line: number, type: string, text: Uint8Array): void {
    this.#makeRoom(MESSAGE_HEAD_BYTES + 3 * type.length + text.length);
    // A type that SSE cannot carry makes a message without one.
    const event = /[\r\n\0]/.test(type) || type === '' ? '' : `event: ${type}\n`;
    this.#write(`id: ${line}\n${event}data: `);
    const length = text.at(-1) === CARRIAGE_RETURN ? text.length - 1 : text.length;
    let from = 0;
    for (let cr = text.indexOf(CARRIAGE_RETURN); cr >= 0 && cr < length; ) {
      this.#put(text.subarray(from, cr));
      this.#makeRoom(MESSAGE_HEAD_BYTES + text.length);
      this.#write('\ndata: ');
      from = cr + 1;
      cr = text.indexOf(CARRIAGE_RETURN, from);
    }
    this.#put(text.subarray(from, length));
    this.#write('\n\n');
  }

  addGap(first: number, last: number): void {
    if (first > last) return;
    this.#makeRoom(4 * MESSAGE_HEAD_BYTES);
    const data = JSON.stringify({ missed: last - first + 1, first, last });
    this.#write(`id: ${last}\nevent: gap\ndata: ${data}\n\n`);
  }

  #write(text: string): void {
    this.used += this.#bytes.write(text, this.used);
  }

  #put(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.used);
    this.used += bytes.length;
  }

  #makeRoom(bytes: number): void {
    if (this.used + bytes <= this.#bytes.length) return;
    const larger = Buffer.alloc(2 * (this.used + bytes));
    larger.set(this.#bytes.subarray(0, this.used));
    this.#bytes = larger;
  }
}
