/**
 * What the fold tells main about control lines: which connection wants an answer once which position is durable, and
 * which one has lost its client to a newer one.
 * A single-writer, single-reader ring of messages in shared memory, bounded; the fold waits while it is full.
 *
 *   ┌───────┬──────┬────────────┬────────────┬───────────┬───────┬──────────┬───────┬───────────────────┬──────┐
 *   │ bytes │ kind │ connection │ generation │ text kind │ known │ position │ order │ A, R, seq, gap    │ text │
 *   │ i32   │ i32  │ i32        │ i32        │ i32       │ i32   │ f64      │ f64   │ f64 each          │      │
 *   └───────┴──────┴────────────┴────────────┴───────────┴───────┴──────────┴───────┴───────────────────┴──────┘
 *
 * `order` is the position of the line in the stream of bytes, and a half more for a second message about one line. It grows
 * from message to message; a fold that died after it had posted a message and before it had noted the line as done posts it
 * again, and main knows it by that.
 */

export const MAIL_SYNC = 1;
export const MAIL_ERROR = 2;
export const MAIL_WELCOME = 3;
/** A newer connection has said hello for the client of this one, which is to be closed. */
export const MAIL_SUPERSEDED = 4;
/** `seq` of a connection without a client. */
export const SEQ_NONE = -1;

/** What `text` is: nothing, the characters of a string, or the digits of a number. */
export const TEXT_NONE = 0;
export const TEXT_STRING = 1;
export const TEXT_NUMBER = 2;

const HEADER_BYTES = 72;
const POSTED = 0;
const TAKEN = 32;

export interface MailboxMemory {
  readonly capacityBytes: number;
  /** [0]: bytes posted, by the fold; [32]: bytes taken, by main; both modulo 2^32 */
  readonly cursors: SharedArrayBuffer;
  readonly data: SharedArrayBuffer;
}

/** @param capacityBytes a power of two, at least 64 KiB */
export function allocateMailbox(capacityBytes: number): MailboxMemory {
  return { capacityBytes, cursors: new SharedArrayBuffer(256), data: new SharedArrayBuffer(capacityBytes) };
}

export interface Letter {
  readonly kind: number;
  readonly connection: number;
  readonly generation: number;
  /** Position in the ring that has to be durable before the answer. */
  readonly position: number;
  readonly accepted: number;
  readonly rejected: number;
  /** The client's number of its last line. */
  readonly seq: number;
  /** Of a welcome. */
  readonly gap: number;
  readonly known: boolean;
  readonly textKind: number;
}

export interface Mail extends Letter {
  readonly text: string;
}

export class MailboxWriter {
  readonly #cursors: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #mask: number;

  constructor(memory: MailboxMemory) {
    this.#cursors = new Int32Array(memory.cursors);
    this.#bytes = new Uint8Array(memory.data);
    this.#words = new Int32Array(memory.data);
    this.#doubles = new Float64Array(memory.data);
    this.#mask = memory.capacityBytes - 1;
  }

  /** @returns false if there is no room until main has taken some */
  tryPost(letter: Letter, order: number, text: Uint8Array): boolean {
    const posted = this.#cursors[POSTED]!;
    const capacity = this.#mask + 1;
    const size = (HEADER_BYTES + text.length + 7) & ~7;
    const at = posted & this.#mask;
    const pad = capacity - at < size ? capacity - at : 0;
    const used = (posted - Atomics.load(this.#cursors, TAKEN)) | 0;
    if (capacity - used < size + pad) return false;
    if (pad > 0) this.#words[at >> 2] = -pad;
    const start = pad > 0 ? 0 : at;
    const word = start >> 2;
    this.#words[word] = text.length;
    this.#words[word + 1] = letter.kind;
    this.#words[word + 2] = letter.connection;
    this.#words[word + 3] = letter.generation;
    this.#words[word + 4] = letter.textKind;
    this.#words[word + 5] = letter.known ? 1 : 0;
    const double = start >> 3;
    this.#doubles[double + 3] = letter.position;
    this.#doubles[double + 4] = order;
    this.#doubles[double + 5] = letter.accepted;
    this.#doubles[double + 6] = letter.rejected;
    this.#doubles[double + 7] = letter.seq;
    this.#doubles[double + 8] = letter.gap;
    this.#bytes.set(text, start + HEADER_BYTES);
    Atomics.store(this.#cursors, POSTED, (posted + pad + size) | 0);
    return true;
  }
}

export class MailboxReader {
  readonly #cursors: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #mask: number;
  #lastOrder = -1;

  constructor(memory: MailboxMemory) {
    this.#cursors = new Int32Array(memory.cursors);
    this.#bytes = new Uint8Array(memory.data);
    this.#words = new Int32Array(memory.data);
    this.#doubles = new Float64Array(memory.data);
    this.#mask = memory.capacityBytes - 1;
  }

  /** Takes everything that is there, oldest first. */
  takeAll(take: (mail: Mail) => void): void {
    for (;;) {
      const taken = this.#cursors[TAKEN]!;
      if (taken === Atomics.load(this.#cursors, POSTED)) return;
      const at = taken & this.#mask;
      const textBytes = this.#words[at >> 2]!;
      if (textBytes < 0) {
        Atomics.store(this.#cursors, TAKEN, (taken - textBytes) | 0);
        continue;
      }
      const word = at >> 2;
      const order = this.#doubles[(at >> 3) + 4]!;
      const mail: Mail = {
        kind: this.#words[word + 1]!,
        connection: this.#words[word + 2]!,
        generation: this.#words[word + 3]!,
        textKind: this.#words[word + 4]!,
        position: this.#doubles[(at >> 3) + 3]!,
        accepted: this.#doubles[(at >> 3) + 5]!,
        rejected: this.#doubles[(at >> 3) + 6]!,
        seq: this.#doubles[(at >> 3) + 7]!,
        gap: this.#doubles[(at >> 3) + 8]!,
        known: this.#words[word + 5] !== 0,
        // A copy first: a decoder does not take shared memory.
        text: Buffer.from(this.#bytes.slice(at + HEADER_BYTES, at + HEADER_BYTES + textBytes)).toString(
          'utf8',
        ),
      };
      Atomics.store(this.#cursors, TAKEN, (taken + ((HEADER_BYTES + textBytes + 7) & ~7)) | 0);
      if (order > this.#lastOrder) {
        this.#lastOrder = order;
        take(mail);
      }
    }
  }
}
