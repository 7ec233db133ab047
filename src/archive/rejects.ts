/**
 * Refused lines, in `rejects/` of the state directory, for whoever wonders what became of them: one JSON object a line,
 *
 *     {"reason":"missing_field","arrived":1732000000.123456,"line":"{\"type\":\"sample\"}"}
 *
 * `line_base64` in place of `line` where it is not UTF-8; `"truncated":true` and `bytes`, the whole length, where only the
 * beginning of the line is there. The newest are at the end of `rejects.ndjson`; when that is full it becomes
 * `rejects.1.ndjson`, in place of the one before.
 *
 * They are told, not kept: the archive's thread writes them beside its frames, nothing waits for them or is synced, and a
 * disk that refuses costs rejects and no more. A flood of them has a budget of bytes, so that it slows no accepted line;
 * what is over it is counted. A stage that dies may have written the last ones, and writes them again.
 */

import { isUtf8 } from 'node:buffer';
import * as nodeFs from 'node:fs';
import { join } from 'node:path';
import { REFUSAL_REASONS, REFUSAL_TOO_LONG } from '../model/refusal.js';

/** Of each of the two files. */
export const REJECTS_FILE_BYTES = 16 * 1024 * 1024;
/** So much at once, and so much a second: a flood leaves its beginning and samples of the rest. */
const BUDGET_BYTES = REJECTS_FILE_BYTES;
const BUDGET_BYTES_PER_SECOND = 1024 * 1024;
/** More of one line is not written; over-long ones are said to be over-long by less. */
const LINE_BYTES_MAX = 64 * 1024;
const TOO_LONG_BYTES_MAX = 1024;
/** What is held between two writes. */
const HELD_CHARS_MAX = 256 * 1024;
/** After the disk has refused. */
const RETRY_MS = 10_000;
/** So long it is said after that. */
const FAILURE_SECONDS = 60;
const FILE_MODE = 0o640;
const DIRECTORY_MODE = 0o750;
const LINE_END = 10;

export type RejectFiles = Pick<
  typeof nodeFs,
  'closeSync' | 'fstatSync' | 'mkdirSync' | 'openSync' | 'readSync' | 'renameSync' | 'writeSync'
>;

const WRITTEN = 0;
const SKIPPED = 1;
const FAILED = 2;
const FAILED_AT = 3;

export interface RejectCounts {
  /** Lines in the files, or there until later ones took their place. */
  readonly written: number;
  /** Over the budget. */
  readonly skipped: number;
  /** Not taken by the disk. */
  readonly failed: number;
}

/** The counts, in shared memory: the archive's stage writes them. */
export class RejectsBoard {
  readonly #doubles: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#doubles = new Float64Array(memory);
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(64);
  }

  counts(): RejectCounts {
    const [written, skipped, failed] = this.#doubles;
    return { written: written!, skipped: skipped!, failed: failed! };
  }

  add(which: number, lines: number): void {
    this.#doubles[which]! += lines;
  }

  /** Whether the disk has not taken the last ones. Where no more come that is over after a while. */
  get fail(): boolean {
    const failedAt = this.#doubles[FAILED_AT]!;
    return failedAt > 0 && process.uptime() - failedAt < FAILURE_SECONDS;
  }

  setFail(fail: boolean): void {
    this.#doubles[FAILED_AT] = fail ? process.uptime() : 0;
  }
}

export class Rejects {
  readonly #directory: string;
  readonly #board: RejectsBoard;
  readonly #files: RejectFiles;
  readonly #nowMs: () => number;
  #fd = -1;
  #fileBytes = 0;
  #held: string[] = [];
  #heldChars = 0;
  #budget = BUDGET_BYTES;
  #budgetAtMs: number;
  #retryAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    directory: string,
    board: RejectsBoard,
    files: RejectFiles = nodeFs,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#directory = directory;
    this.#board = board;
    this.#files = files;
    this.#nowMs = nowMs;
    this.#budgetAtMs = nowMs();
  }

  /**
   * Takes refused lines of one reason that stand behind each other.
   * @param span their bytes, shared or not, which may change after the call; the last line end may be missing
   * @param wholeBytes length of an over-long line of which the span has the beginning, else 0
   */
  add(reason: number, lineCount: number, arrivedUs: number, span: Uint8Array, wholeBytes: number): void {
    this.#refillBudget();
    let left = lineCount;
    for (let from = 0; left > 0 && this.#budget > 0; left--) {
      const end = span.indexOf(LINE_END, from);
      const to = end < 0 ? span.length : end;
      this.#hold(rejectText(reason, arrivedUs, span.subarray(from, to), wholeBytes));
      from = to + 1;
    }
    if (left > 0) this.#board.add(SKIPPED, left);
    if (this.#heldChars > HELD_CHARS_MAX) this.flush();
  }

  /** Appends what is held. Never throws. */
  flush(): void {
    if (this.#held.length === 0) return;
    const lines = this.#held;
    this.#held = [];
    this.#heldChars = 0;
    const nowMs = this.#nowMs();
    let done = false;
    if (nowMs >= this.#retryAtMs) {
      try {
        this.#append(Buffer.from(lines.join('')));
        done = true;
      } catch {
        // Whatever it is, accepted lines matter more. The status and the log of the daemon have the count.
        this.close();
        this.#retryAtMs = nowMs + RETRY_MS;
      }
    }
    this.#board.add(done ? WRITTEN : FAILED, lines.length);
    this.#board.setFail(!done);
  }

  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    try {
      this.#files.closeSync(fd);
    } catch {
      // Nothing of it is needed any more.
    }
  }

  #hold(text: string): void {
    this.#held.push(text);
    this.#heldChars += text.length;
    this.#budget -= text.length;
  }

  #refillBudget(): void {
    const nowMs = this.#nowMs();
    const refill = ((nowMs - this.#budgetAtMs) / 1000) * BUDGET_BYTES_PER_SECOND;
    this.#budget = Math.min(BUDGET_BYTES, this.#budget + refill);
    this.#budgetAtMs = nowMs;
  }

  #append(bytes: Buffer): void {
    if (this.#fd < 0) this.#open();
    if (this.#fileBytes > 0 && this.#fileBytes + bytes.length > REJECTS_FILE_BYTES) {
      this.#rotate();
      this.#open();
    }
    this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const written = this.#files.writeSync(this.#fd, bytes, at, bytes.length - at);
      this.#fileBytes += written;
      at += written;
    }
  }

  #open(): void {
    this.#files.mkdirSync(this.#directory, { recursive: true, mode: DIRECTORY_MODE });
    this.#fd = this.#files.openSync(join(this.#directory, 'rejects.ndjson'), 'a+', FILE_MODE);
    this.#fileBytes = this.#files.fstatSync(this.#fd).size;
    // Half a line, of a crash or a full disk, must not take the next one with it.
    const last = Buffer.from('\n');
    if (this.#fileBytes > 0) this.#files.readSync(this.#fd, last, 0, 1, this.#fileBytes - 1);
    if (last[0] !== LINE_END) this.#write(Buffer.from('\n'));
  }

  #rotate(): void {
    this.close();
    const path = (name: string) => join(this.#directory, name);
    this.#files.renameSync(path('rejects.ndjson'), path('rejects.1.ndjson'));
  }
}

function rejectText(reason: number, arrivedUs: number, line: Uint8Array, wholeBytes: number): string {
  const bytesMax = reason === REFUSAL_TOO_LONG ? TOO_LONG_BYTES_MAX : LINE_BYTES_MAX;
  const bytes = Math.max(wholeBytes, line.length);
  const isTruncated = bytes > Math.min(line.length, bytesMax);
  // A copy: a decoder does not take shared memory.
  const copy = Buffer.from(line.slice(0, bytesMax));
  const kept = isTruncated ? withoutHalfCharacter(copy) : copy;
  return `${JSON.stringify({
    reason: REFUSAL_REASONS[reason],
    arrived: arrivedUs / 1e6,
    ...(isUtf8(kept) ? { line: kept.toString('utf8') } : { line_base64: kept.toString('base64') }),
    ...(isTruncated ? { truncated: true, bytes } : {}),
  })}\n`;
}

/** A cut may go through a character, which would make the whole line look like no UTF-8. */
function withoutHalfCharacter(bytes: Buffer): Buffer {
  let start = bytes.length;
  while (start > 0 && bytes.length - start < 4 && (bytes[start - 1]! & 0xc0) === 0x80) start--;
  const lead = bytes[start - 1] ?? 0;
  const length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  const isWhole = bytes.length - (start - 1) >= length;
  return start === 0 || isWhole ? bytes : bytes.subarray(0, start - 1);
}
