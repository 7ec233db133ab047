/**
 * The archive's loop over the ring: follows the fold, puts the accepted lines of whole records together, and closes a frame
 * when it is large enough, when the interval is over, when a client waits for a `sync`, or when the ring needs room.
 * Room in the ring is free once the frame is written (log-writer.ts, which also knows what to do where the disk refuses it);
 * the sync stage makes it durable meanwhile (sync-stage.ts).
 *
 * Ticks (model/tick.ts) ride in the frame among whose lines they have their places. The limits in force begin each segment, and
 * change only where one begins (segment-limits.ts). New limits alone are no reason to write a frame: they go with what
 * comes next, or with the end; and a daemon that never got a line leaves no segment.
 *
 * A stage that died is run again: it goes on at the last frame that the board says, and what the dead one has appended
 * behind that is cut off first.
 */

import { join } from 'node:path';
import { TICK_LIMITS } from '../model/tick.js';
import { Bell } from '../ring/bell.js';
import { CUT_SILENT, type CutsMemory, CutsReader } from '../ring/cuts.js';
import {
  CURSOR_ARCHIVED,
  CURSOR_ASKED,
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  CURSOR_RESUME_AT,
  CURSOR_WAKE_AT,
  CURSOR_WANTED,
  FLAG_STALLED,
  KIND_TICK,
  positionOf,
  type RingMemory,
  readBytesMax,
} from '../ring/layout.js';
import { RingReader } from '../ring/reader.js';
import { STAGE_ARCHIVE, STAGE_DONE, STAGE_FOLD, STAGE_RUNNING, Vitals } from '../ring/vitals.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import { ArchiveBoard, type Written } from './board.js';
import { FrameClients } from './frame-clients.js';
import { encodeFrameHeader } from './frame-header.js';
import { FrameRecords } from './frame-records.js';
import { encodeTicks, type FrameTick } from './frame-ticks.js';
import { LogWriter } from './log-writer.js';
import { compressFrame, freeNativeMemory, nativeMemoryIsHeld } from './lz4.js';
import { Rejects, RejectsBoard } from './rejects.js';
import { limitsOfSegment } from './segment-limits.js';
import { segmentName } from './segment-name.js';
import { UpkeepBoard } from './upkeep-board.js';

export interface ArchiveMemory {
  readonly ring: RingMemory;
  readonly cuts: CutsMemory;
  readonly vitals: SharedArrayBuffer;
  readonly archiveBoard: SharedArrayBuffer;
  readonly upkeep: SharedArrayBuffer;
  readonly unsynced: SharedArrayBuffer;
  readonly rejects: SharedArrayBuffer;
  readonly archiveBell: SharedArrayBuffer;
  readonly syncBell: SharedArrayBuffer;
  readonly mainBell: SharedArrayBuffer;
}

export interface ArchiveOptions {
  readonly directory: string;
  readonly rejectsDirectory: string;
  readonly segmentBytes: number;
  readonly segmentAgeMs: number;
  readonly syncIntervalMs: number;
}

export interface ArchiveParts {
  /** The id of the client in a slot, whose lines a record has counted that is not archived yet. */
  readonly clientIdOf: (slot: number) => Uint8Array;
  /** Asked where the disk is full: whether it has removed something that the log can do without. */
  readonly makeRoom?: () => boolean;
  /** For tests that make the disk fail. */
  readonly files?: ArchiveFiles;
}

/**
 * Raw bytes at which a frame is closed. Larger ones compress no better (LZ4 looks back 64 KiB), smaller ones cost a header
 * and a write more often.
 */
const FRAME_RAW_BYTES = 512 * 1024;
/** More than the ticks of a frame are, which come a few a day. */
const TICKS_BYTES_MAX = 64 * 1024;

function frameRawBytes(ringBytes: number): number {
  return Math.min(FRAME_RAW_BYTES, ringBytes / 8);
}

/**
 * No frame is larger: the lines, of which the last record may be over the limit, hardly compressed; a few bytes a record,
 * of which each has a line; of each client an id and two numbers; ticks.
 */
export function frameBytesMax(ringBytes: number, maxLineBytes: number, maxClients: number): number {
  const usual = frameRawBytes(ringBytes);
  const rawBytes = usual + readBytesMax(ringBytes) + maxLineBytes;
  return Math.ceil(rawBytes * 1.01) + usual + maxClients * 288 + TICKS_BYTES_MAX;
}

/** Archives until the fold is done and everything is written. */
export function runArchive(
  memory: ArchiveMemory,
  options: ArchiveOptions,
  parts: ArchiveParts,
): Promise<void> {
  return new Archive(memory, options, parts).run();
}

class Archive {
  readonly #options: ArchiveOptions;
  readonly #files: ArchiveFiles;
  readonly #board: ArchiveBoard;
  readonly #upkeep: UpkeepBoard;
  readonly #reader: RingReader;
  readonly #cuts: CutsReader;
  readonly #vitals: Vitals;
  readonly #bell: Bell;
  readonly #syncBell: Bell;
  readonly #mainBell: Bell;
  readonly #written: Written;
  readonly #log: LogWriter;
  readonly #frameRawBytes: number;
  readonly #records = new FrameRecords();
  readonly #clients = new FrameClients();
  readonly #clientIdOf: (slot: number) => Uint8Array;
  readonly #rejects: Rejects;
  #ticks: FrameTick[] = [];
  /** Those in force; null: the log has none yet. */
  #limits: FrameTick | null = null;
  /** The next frame begins a segment. */
  #rotate = false;
  #raw: Buffer;
  #rawUsed = 0;
  /** When the oldest line that no sync was asked for has waited for the interval. */
  #syncAtMs = Number.POSITIVE_INFINITY;

  constructor(memory: ArchiveMemory, options: ArchiveOptions, parts: ArchiveParts) {
    this.#options = options;
    this.#files = parts.files ?? NODE_FILES;
    this.#clientIdOf = parts.clientIdOf;
    this.#rejects = new Rejects(options.rejectsDirectory, new RejectsBoard(memory.rejects));
    this.#board = new ArchiveBoard(memory.archiveBoard);
    this.#upkeep = new UpkeepBoard(memory.upkeep);
    this.#written = this.#board.written();
    this.#log = new LogWriter(memory, options, this.#written, {
      files: this.#files,
      makeRoom: parts.makeRoom ?? (() => false),
    });
    this.#reader = new RingReader(memory.ring, CURSOR_FOLDED, this.#written.position);
    this.#cuts = new CutsReader(memory.cuts, this.#written.cuts);
    this.#vitals = new Vitals(memory.vitals);
    this.#bell = new Bell(memory.archiveBell);
    this.#syncBell = new Bell(memory.syncBell);
    this.#mainBell = new Bell(memory.mainBell);
    this.#frameRawBytes = frameRawBytes(memory.ring.capacityBytes);
    this.#raw = Buffer.allocUnsafeSlow(this.#frameRawBytes * 2);
  }

  async run(): Promise<void> {
    const written = this.#written;
    this.#records.reset(written.lastArrivedUs);
    try {
      this.#log.open();
      this.#limits = this.#log.attempt(() => this.#limitsInForce());
      this.#publish();
      // One that died may have written, and not asked for it to be made durable.
      if (this.#board.syncWanted < written.position) this.#beginInterval();
      this.#vitals.setState(STAGE_ARCHIVE, STAGE_RUNNING);
      await this.#loop();
      // The sync stage needs this one as long as it can fail.
      this.#log.finish();
    } finally {
      // Also where it dies: the one that is run again opens its own.
      this.#log.close();
      this.#rejects.close();
    }
    this.#vitals.setState(STAGE_ARCHIVE, STAGE_DONE);
    this.#syncBell.ring();
  }

  #limitsInForce(): FrameTick | null {
    const { segment } = this.#written;
    if (segment === 0) return null;
    const path = join(this.#options.directory, segmentName(segment));
    return limitsOfSegment({ path, firstLine: segment }, this.#files).at(-1) ?? null;
  }

  async #loop(): Promise<void> {
    let busySince = performance.now();
    for (;;) {
      while (this.#reader.tryNext()) {
        this.#stage();
        if (this.#rawUsed >= this.#frameRawBytes) {
          this.#closeFrame();
          this.#askForSync(performance.now());
          if (nativeMemoryIsHeld()) await freeNativeMemory();
          busySince = this.#countBusy(busySince);
        }
      }
      this.#log.mend();
      const nowMs = performance.now();
      if (this.#mustClose(nowMs)) this.#closeFrame();
      this.#askForSync(nowMs);
      if (this.#finished()) break;
      if (nativeMemoryIsHeld()) await freeNativeMemory();
      this.#countBusy(busySince);
      this.#sleep();
      busySince = performance.now();
    }
  }

  #countBusy(sinceMs: number): number {
    const nowMs = performance.now();
    this.#vitals.addBusyMs(STAGE_ARCHIVE, nowMs - sinceMs - this.#log.takeBlockedMs());
    return nowMs;
  }

  #hasStaged(): boolean {
    return this.#reader.end > this.#written.position;
  }

  #mustClose(nowMs: number): boolean {
    if (!this.#hasStaged()) return false;
    if (this.#wishedPosition(CURSOR_WANTED) > this.#written.position) return true;
    if (this.#wishedPosition(CURSOR_ASKED) > this.#written.position) return true;
    return nowMs >= this.#syncAtMs || this.#foldIsDone() || this.#ringIsFull();
  }

  /** Main waits for room and the fold has nothing left to do: what is staged is all that can free some. */
  #ringIsFull(): boolean {
    const { cursors } = this.#reader;
    return this.#isStalled() && (this.#reader.gatePosition() | 0) === Atomics.load(cursors, CURSOR_PUBLISHED);
  }

  #mainHasRoom(): boolean {
    const { position } = this.#written;
    return (((position | 0) - Atomics.load(this.#reader.cursors, CURSOR_RESUME_AT)) | 0) >= 0;
  }

  #isStalled(): boolean {
    return Atomics.load(this.#reader.cursors, FLAG_STALLED) !== 0;
  }

  /**
   * The position up to which somebody wishes the log to be written. Nobody wishes for what is not folded, so one that
   * seems to be ahead of the fold is an old one, 2^31 bytes or more behind.
   */
  #wishedPosition(cursor: number): number {
    const position = positionOf(Atomics.load(this.#reader.cursors, cursor), this.#written.position);
    return position > this.#reader.gatePosition() ? position - 2 ** 32 : position;
  }

  #foldIsDone(): boolean {
    return this.#vitals.state(STAGE_FOLD) === STAGE_DONE;
  }

  #finished(): boolean {
    return this.#foldIsDone() && !this.#reader.hasNext() && !this.#hasStaged();
  }

  /** Says from where on it wants to be woken: at once if nothing is staged, else when a frame is full. */
  #sleep(): void {
    const { cursors } = this.#reader;
    // Without an interval nothing is staged that has to be written, and whatever comes begins one.
    const staged = this.#hasStaged() && this.#syncAtMs !== Number.POSITIVE_INFINITY;
    const wakeAt = this.#reader.end + (staged ? Math.max(8, this.#frameRawBytes - this.#rawUsed) : 8);
    Atomics.store(cursors, CURSOR_WAKE_AT, wakeAt | 0);
    const hasWork = () =>
      this.#reader.gatePosition() >= wakeAt ||
      this.#finished() ||
      this.#mustClose(performance.now()) ||
      // The last that the fold took may have come since the last look, and nobody rings for it again.
      (this.#reader.hasNext() && this.#ringIsFull()) ||
      this.#log.syncHasFailed;
    this.#bell.sleep(hasWork, Math.max(0, this.#syncAtMs - performance.now()));
  }

  /** Takes the accepted lines of the current record. */
  #stage(): void {
    const reader = this.#reader;
    if (reader.kind === KIND_TICK) {
      this.#stageTick();
      return;
    }
    const accepted = reader.accepted;
    const from = reader.payloadFrom;
    if (accepted > 0) this.#makeRoom(reader.payloadBytes);
    let kept = 0;
    for (let cuts = reader.cuts; cuts > 0; cuts--) {
      this.#cuts.next();
      if (this.#cuts.reason !== CUT_SILENT) this.#reject();
      if (accepted > 0) this.#copy(from + kept, from + this.#cuts.from);
      kept = this.#cuts.from + this.#cuts.length;
    }
    if (accepted > 0) {
      this.#copy(from + kept, from + reader.payloadBytes);
      this.#records.add(accepted, reader.arrivedUs);
    }
    if (reader.client !== 0) this.#clients.note(reader.client, reader.clientLine, reader.arrivedUs);
    if (this.#syncAtMs === Number.POSITIVE_INFINITY) this.#beginInterval();
  }

  #stageTick(): void {
    const { bytes, payloadFrom, payloadBytes, arrivedUs, client, clientLine } = this.#reader;
    const isChange = client !== 0;
    if (!isChange) return;
    const kind = bytes[payloadFrom]!;
    const isLimits = kind === TICK_LIMITS;
    // The frame that it begins may begin a segment, which the lines before it do not belong to.
    if (isLimits && this.#hasContent()) this.#closeFrame(this.#reader.position);
    const payload = bytes.slice(payloadFrom + 1, payloadFrom + payloadBytes);
    const lineOffset = this.#records.lineCount;
    const tick = { lineOffset, kind, number: clientLine, arrivalUs: arrivedUs, payload };
    this.#ticks.push(tick);
    if (isLimits) {
      this.#limits = tick;
      this.#rotate = true;
    } else if (this.#syncAtMs === Number.POSITIVE_INFINITY) {
      this.#beginInterval();
    }
  }

  /** Whether the frame in work says more than new limits. */
  #hasContent(): boolean {
    const { recordCount } = this.#records;
    return recordCount > 0 || this.#clients.count > 0 || this.#ticks.some(({ kind }) => kind !== TICK_LIMITS);
  }

  /** The lines of the current cut. */
  #reject(): void {
    const { bytes, payloadFrom, arrivedUs, lineBytes } = this.#reader;
    const { from, length, reason, lines } = this.#cuts;
    const span = bytes.subarray(payloadFrom + from, payloadFrom + from + length);
    this.#rejects.add(reason, lines, arrivedUs, span, lineBytes);
  }

  #beginInterval(): void {
    this.#syncAtMs = performance.now() + this.#options.syncIntervalMs;
  }

  #copy(from: number, to: number): void {
    if (to <= from) return;
    this.#raw.set(this.#reader.bytes.subarray(from, to), this.#rawUsed);
    this.#rawUsed += to - from;
  }

  #makeRoom(bytes: number): void {
    if (this.#rawUsed + bytes <= this.#raw.length) return;
    const larger = Buffer.allocUnsafeSlow(this.#rawUsed + bytes);
    larger.set(this.#raw.subarray(0, this.#rawUsed));
    this.#raw = larger;
  }

  /** @param position behind what is in it */
  #closeFrame(position = this.#reader.end): void {
    const written = this.#written;
    this.#rejects.flush();
    if (this.#foldIsDone() && written.segment === 0 && !this.#hasContent()) this.#ticks = [];
    // Numbers of clients may be all that there is to say: refused lines have numbers, too.
    if (this.#clients.lastArrivalUs > this.#records.lastArrivalUs && this.#clients.count > 0) {
      this.#records.add(0, this.#clients.lastArrivalUs);
    }
    const lastTickUs = this.#ticks.at(-1)?.arrivalUs ?? 0;
    if (lastTickUs > this.#records.lastArrivalUs || (lastTickUs > 0 && this.#records.recordCount === 0)) {
      this.#records.add(0, lastTickUs);
    }
    if (this.#records.recordCount > 0) {
      const closes = this.#upkeep.wishedClose();
      const rotate = this.#rotate || closes !== null;
      const beginsSegment = this.#log.prepare(this.#records.firstArrivalUs, rotate);
      this.#rotate = false;
      if (closes !== null) this.#upkeep.answerClose(closes);
      const lines = this.#records.lineCount;
      const data = lines > 0 ? compressFrame(this.#raw.subarray(0, this.#rawUsed)) : null;
      const facts = {
        firstLine: written.line + 1,
        lineCount: lines,
        rawBytes: this.#rawUsed,
        rawBytesBefore: written.rawBytes,
        firstArrivalUs: this.#records.firstArrivalUs,
        lastArrivalUs: this.#records.lastArrivalUs,
      };
      const clients = this.#clients.encode(facts.lastArrivalUs, this.#clientIdOf);
      const ticks = encodeTicks(facts.lastArrivalUs, this.#ticksOfFrame(beginsSegment));
      const header = encodeFrameHeader(facts, { records: this.#records.bytes, clients, ticks }, data);
      this.#log.append(facts.firstArrivalUs, header, data);
      if (written.oldestUs === 0) written.oldestUs = facts.firstArrivalUs;
      written.line += lines;
      written.rawBytes += this.#rawUsed;
      written.compressedBytes += header.length + (data?.length ?? 0);
      written.lastArrivedUs = facts.lastArrivalUs;
      this.#rawUsed = 0;
      this.#records.reset();
      this.#clients.reset();
      this.#ticks = [];
      if (this.#raw.length > this.#frameRawBytes * 4) {
        this.#raw = Buffer.allocUnsafeSlow(this.#frameRawBytes * 2);
      }
    }
    written.position = position;
    written.cuts = this.#cuts.read;
    this.#board.setWritten(written);
    this.#publish();
  }

  #ticksOfFrame(beginsSegment: boolean): readonly FrameTick[] {
    if (!beginsSegment || this.#limits === null || this.#ticks[0]?.kind === TICK_LIMITS) return this.#ticks;
    return [{ ...this.#limits, lineOffset: 0 }, ...this.#ticks];
  }

  /** Sets from the board what frees room. */
  #publish(): void {
    const { cursors } = this.#reader;
    this.#cuts.free(this.#written.cuts);
    Atomics.store(cursors, CURSOR_ARCHIVED, this.#written.position | 0);
    if (this.#isStalled() && this.#mainHasRoom()) this.#mainBell.ring();
  }

  /**
   * A waiting client is synced for at once, what was written for nobody in particular when the interval is over, or there is
   * much of it.
   */
  #askForSync(nowMs: number): void {
    const { position } = this.#written;
    if (this.#board.syncWanted >= position) return;
    const waiting = this.#wishedPosition(CURSOR_WANTED) > this.#board.syncWanted;
    if (!waiting && !this.#log.wantsSync && nowMs < this.#syncAtMs && !this.#foldIsDone()) return;
    this.#syncAtMs = Number.POSITIVE_INFINITY;
    this.#board.wantSync(position);
    this.#syncBell.ring();
  }
}
