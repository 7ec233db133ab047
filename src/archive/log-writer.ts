/**
 * The end of the log on disk, as the archive stage writes it: appends frames to the active segment, begins the next one, and
 * holds out where the disk does not take them. Holding blocks the thread, so nothing moves on: the ring fills, and the kernel
 * holds the senders back. What came right is noticed by trying again.
 *
 * A failed sync. The system may take for clean what never got to the disk, and the next fdatasync then succeeds without
 * it. So the active segment is cut back to what is durable of it, which throws away whatever the system holds of the
 * rest, and the frames since the last good sync are appended again, out of their copy (unsynced-frames.ts): to new
 * blocks of the disk, at the offsets where they were. A crash in between finds a log that ends earlier, by lines of which
 * nobody was told. Rejected: to let them begin a new segment. It takes the same cut, durable before the new name is,
 * lest lines stand twice after a power cut; and it moves frames under readers and indexes that know their places.
 *
 * All that is not durable is in the active segment: it is waited for before the next one begins.
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { Bell } from '../ring/bell.js';
import type { ArchiveFiles } from './archive-files.js';
import { ArchiveBoard, type Written } from './board.js';
import { faultNumberOf, isDiskFull } from './disk-fault.js';
import { Pause } from './pause.js';
import { listSegments, segmentName } from './segment-name.js';
import { SegmentWriter } from './segment-writer.js';
import { UnsyncedFrames } from './unsynced-frames.js';

export interface LogWriterMemory {
  readonly archiveBoard: SharedArrayBuffer;
  readonly unsynced: SharedArrayBuffer;
  readonly archiveBell: SharedArrayBuffer;
  readonly syncBell: SharedArrayBuffer;
}

export interface LogWriterOptions {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
}

export interface LogWriterParts {
  readonly files: ArchiveFiles;
  /** Asked where the disk is full: whether it has removed something that the log can do without. */
  readonly makeRoom: () => boolean;
}

export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #parts: LogWriterParts;
  readonly #written: Written;
  readonly #board: ArchiveBoard;
  readonly #unsynced: UnsyncedFrames;
  readonly #bell: Bell;
  readonly #syncBell: Bell;
  readonly #pause = new Pause();
  #segment: SegmentWriter | null = null;
  /** Where the last failed sync had to begin again. */
  #rewrittenFrom = -1;
  #blockedMs = 0;

  /** @param written of the board; what stands in it when a method is called is on the board, too */
  constructor(memory: LogWriterMemory, options: LogWriterOptions, written: Written, parts: LogWriterParts) {
    this.#options = options;
    this.#parts = parts;
    this.#written = written;
    this.#board = new ArchiveBoard(memory.archiveBoard);
    this.#unsynced = new UnsyncedFrames(memory.unsynced);
    this.#bell = new Bell(memory.archiveBell);
    this.#syncBell = new Bell(memory.syncBell);
    this.#board.setWaitsForSync(false);
  }

  /** Goes on where the board says. What one that died has appended behind that is cut off. */
  open(): void {
    this.#untilTaken(() => {
      if (this.syncHasFailed) this.#rewrite();
      else this.#reopen();
      return true;
    });
  }

  /** What the system refuses is tried again, however long it does. */
  attempt<Result>(act: () => Result): Result {
    let result: Result;
    this.#untilTaken(() => {
      result = act();
      return true;
    });
    return result!;
  }

  /**
   * Makes ready for a frame that begins with the next line.
   * @param rotate whether it should begin a segment, where it can
   * @returns whether it does: the active one is full or old, or there is none
   */
  prepare(firstArrivalUs: number, rotate: boolean): boolean {
    this.#untilTaken(() => {
      if (this.syncHasFailed) this.#rewrite();
      if (!this.#isOver(firstArrivalUs, rotate)) return true;
      if (!this.#isDurableTo(this.#written.frameBytes)) return false;
      this.#close();
      return true;
    });
    return this.#segment === null;
  }

  /**
   * Appends the frame, and sets in `written` which segment it is in. Returns when the system has taken it, however long that
   * is.
   */
  append(firstArrivalUs: number, header: Uint8Array, data: Uint8Array | null): void {
    const written = this.#written;
    const bytes = header.length + (data?.length ?? 0);
    assert(bytes <= this.#unsynced.capacityBytes, `a frame of ${bytes} bytes is larger than could be`);
    this.#untilTaken(() => {
      if (this.syncHasFailed) this.#rewrite();
      if (!this.#isDurableTo(written.frameBytes + bytes - this.#unsynced.capacityBytes)) return false;
      this.#segment ??= SegmentWriter.create(this.#options.directory, written.line + 1, this.#parts.files);
      this.#segment.append(header, data);
      return true;
    });
    const segment = this.#segment!;
    if (segment.bytes === bytes) {
      written.segment = written.line + 1;
      written.segmentSinceUs = firstArrivalUs;
      written.segments++;
    }
    written.segmentBytes = segment.bytes;
    written.frameBytes = this.#unsynced.put(written.frameBytes, header);
    if (data !== null) written.frameBytes = this.#unsynced.put(written.frameBytes, data);
  }

  get syncHasFailed(): boolean {
    return this.#board.syncFailures !== this.#written.rewrites;
  }

  /** Answers a failed sync. */
  mend(): void {
    if (!this.syncHasFailed) return;
    this.#untilTaken(() => {
      this.#rewrite();
      return true;
    });
  }

  /** Whether so much waits for a sync that one should be asked for. */
  get wantsSync(): boolean {
    return this.#written.frameBytes - this.#board.durable().frameBytes > this.#unsynced.capacityBytes / 4;
  }

  /** Returns when everything is on the disk. */
  finish(): void {
    this.#untilTaken(() => {
      if (this.syncHasFailed) this.#rewrite();
      return this.#isDurable(() => this.#board.durable().position >= this.#written.position);
    });
  }

  close(): void {
    this.#close();
  }

  /** How long this thread was blocked here since the last call. */
  takeBlockedMs(): number {
    const blockedMs = this.#blockedMs;
    this.#blockedMs = 0;
    return blockedMs;
  }

  // Attempts

  /** Tries until the attempt says that it is done. What the system refuses is tried again; anything else is thrown. */
  #untilTaken(attempt: () => boolean): void {
    for (;;) {
      try {
        if (attempt()) break;
      } catch (error) {
        this.#hold(error);
      }
    }
    this.#board.goOn();
    this.#pause.reset();
  }

  #hold(error: unknown): void {
    const number = faultNumberOf(error);
    if (number === 0) throw error;
    this.#board.hold(number);
    this.#askForSync();
    if (isDiskFull(number) && this.#hasMadeRoom()) return;
    this.#takePause();
  }

  #hasMadeRoom(): boolean {
    try {
      return this.#parts.makeRoom();
    } catch (error) {
      if (faultNumberOf(error) === 0) throw error;
      return false;
    }
  }

  #takePause(): void {
    const sinceMs = performance.now();
    this.#pause.take();
    this.#blockedMs += performance.now() - sinceMs;
  }

  #isDurableTo(frameBytes: number): boolean {
    return this.#isDurable(() => this.#board.durable().frameBytes >= frameBytes);
  }

  /** Waits for the sync stage. False: the sync has failed. */
  #isDurable(isEnough: () => boolean): boolean {
    if (isEnough()) return true;
    this.#askForSync();
    const sinceMs = performance.now();
    this.#board.setWaitsForSync(true);
    const isOver = () => isEnough() || this.syncHasFailed;
    while (!isOver()) this.#bell.sleep(isOver, Number.POSITIVE_INFINITY);
    this.#board.setWaitsForSync(false);
    this.#blockedMs += performance.now() - sinceMs;
    return isEnough();
  }

  #askForSync(): void {
    this.#board.wantSync(this.#written.position);
    this.#syncBell.ring();
  }

  // Segments

  #reopen(): void {
    const { segment, segmentBytes } = this.#written;
    this.#close();
    this.#removeUnfinished();
    if (segment > 0) this.#openActive(segmentBytes);
  }

  /** @param bytes of it that are kept */
  #openActive(bytes: number): void {
    const path = join(this.#options.directory, segmentName(this.#written.segment));
    this.#segment = SegmentWriter.open(path, bytes, this.#parts.files);
  }

  /** Whether the next frame belongs into the next segment. One without lines has the name that the next would have. */
  #isOver(firstArrivalUs: number, rotate: boolean): boolean {
    const { segment, line, segmentSinceUs } = this.#written;
    if (this.#segment === null || line < segment) return false;
    const { segmentBytes, segmentAgeMs } = this.#options;
    const ageMs = (firstArrivalUs - segmentSinceUs) / 1000;
    return rotate || this.#segment.bytes >= segmentBytes || ageMs >= segmentAgeMs;
  }

  /** A new segment of which nothing was said yet: of a stage that died then, or of an attempt that failed. */
  #removeUnfinished(): void {
    const { line, segment } = this.#written;
    const { directory } = this.#options;
    const last = listSegments(directory, this.#parts.files).at(-1);
    if (last === undefined || last.firstLine <= segment) return;
    assert(last.firstLine <= line + 1, `segment ${last.path} is not of this log`);
    this.#parts.files.unlinkSync(last.path);
  }

  #rewrite(): void {
    const written = this.#written;
    const failures = this.#board.syncFailures;
    const durable = this.#board.durable().frameBytes;
    const unsynced = written.frameBytes - durable;
    if (unsynced > 0) {
      // The sync fails again and again.
      if (this.#rewrittenFrom === durable) this.#takePause();
      this.#rewrittenFrom = durable;
      this.#close();
      this.#openActive(written.segmentBytes - unsynced);
      const [part, rest = null] = this.#unsynced.parts(durable, written.frameBytes);
      this.#segment!.append(part!, rest);
    } else if (this.#segment === null) {
      this.#reopen();
    }
    written.rewrites = failures;
    this.#board.setWritten(written);
    this.#syncBell.ring();
  }

  /** All that was written is said or written again: an error tells nothing more. */
  #close(): void {
    const segment = this.#segment;
    this.#segment = null;
    try {
      segment?.close();
    } catch (error) {
      if (faultNumberOf(error) === 0) throw error;
    }
  }
}
