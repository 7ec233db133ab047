/**
 * Makes what the archive stage has written durable, on a thread of its own, so that the compressor does not wait for the
 * disk. One fdatasync serves all that wait (group commit): the position is taken before the call, and said after it.
 *
 * After one that failed the next one says nothing: the system may have thrown away what it could not write, or take it for
 * clean. So nothing is synced here before the archive stage has written all of it again (log-writer.ts).
 */

import { constants } from 'node:fs';
import { join } from 'node:path';
import { Bell } from '../ring/bell.js';
import { CURSOR_DURABLE, type RingMemory } from '../ring/layout.js';
import { STAGE_ARCHIVE, STAGE_DONE, STAGE_RUNNING, STAGE_SYNC, Vitals } from '../ring/vitals.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import { ArchiveBoard, type Durable } from './board.js';
import { faultNumberOf } from './disk-fault.js';
import { DurableMark } from './durable-mark.js';
import { Pause } from './pause.js';
import { segmentName } from './segment-name.js';

export interface SyncMemory {
  readonly ring: RingMemory;
  readonly vitals: SharedArrayBuffer;
  readonly archiveBoard: SharedArrayBuffer;
  readonly archiveBell: SharedArrayBuffer;
  readonly syncBell: SharedArrayBuffer;
  readonly mainBell: SharedArrayBuffer;
}

export interface SyncOptions {
  /** Of the segments. */
  readonly directory: string;
  /** See durable-mark.ts. */
  readonly markPath: string;
}

/** Syncs until the archive is done and everything is durable. */
export function runSync(memory: SyncMemory, options: SyncOptions, files: ArchiveFiles = NODE_FILES): void {
  new Sync(memory, options, files).run();
}

class Sync {
  readonly #options: SyncOptions;
  readonly #files: ArchiveFiles;
  readonly #board: ArchiveBoard;
  readonly #vitals: Vitals;
  readonly #cursors: Int32Array;
  readonly #bell: Bell;
  readonly #archiveBell: Bell;
  readonly #mainBell: Bell;
  readonly #pause = new Pause();
  #durable: Durable;
  #mark: DurableMark | null = null;
  #fd = -1;
  /** What the descriptor is of. */
  #segment = 0;

  constructor(memory: SyncMemory, options: SyncOptions, files: ArchiveFiles) {
    this.#options = options;
    this.#files = files;
    this.#board = new ArchiveBoard(memory.archiveBoard);
    this.#vitals = new Vitals(memory.vitals);
    this.#cursors = new Int32Array(memory.ring.cursors);
    this.#bell = new Bell(memory.syncBell);
    this.#archiveBell = new Bell(memory.archiveBell);
    this.#mainBell = new Bell(memory.mainBell);
    this.#durable = this.#board.durable();
  }

  run(): void {
    // One that died within a sync has not seen it come back.
    if (this.#board.syncIsInFlight) this.#fail(0);
    this.#setMark();
    this.#publish();
    this.#vitals.setState(STAGE_SYNC, STAGE_RUNNING);
    try {
      for (;;) {
        if (this.#hasWork()) this.#work();
        const archiveIsDone = () => this.#vitals.state(STAGE_ARCHIVE) === STAGE_DONE;
        if (archiveIsDone()) break;
        this.#bell.sleep(() => this.#hasWork() || archiveIsDone(), Number.POSITIVE_INFINITY);
      }
    } finally {
      this.#close();
      this.#mark?.close();
    }
    this.#vitals.setState(STAGE_SYNC, STAGE_DONE);
  }

  #hasWork(): boolean {
    return (
      this.#board.syncWanted > this.#durable.position &&
      this.#board.syncFailures === this.#board.written().rewrites
    );
  }

  #work(): void {
    const startedMs = performance.now();
    const written = this.#board.written();
    // A position may move by refused lines alone.
    if (written.frameBytes > this.#durable.frameBytes) {
      if (!this.#tryOpen(written.segment) || !this.#trySync()) return;
      this.#board.setDurable(written, performance.now() - startedMs);
      this.#board.endSync();
      this.#board.setSyncError(0);
      this.#pause.reset();
      this.#durable = written;
      this.#setMark();
    } else {
      this.#board.setDurable(written, this.#board.durable().syncMs);
      this.#durable = written;
    }
    this.#publish();
    this.#vitals.addBusyMs(STAGE_SYNC, performance.now() - startedMs);
  }

  #publish(): void {
    Atomics.store(this.#cursors, CURSOR_DURABLE, this.#durable.position | 0);
    this.#mainBell.ring();
    if (this.#board.waitsForSync) this.#archiveBell.ring();
  }

  /** Where the disk does not take it the old one says less than it could, and nobody has to wait for that. */
  #setMark(): void {
    const { line } = this.#durable;
    try {
      if (this.#mark === null) this.#mark = DurableMark.create(this.#options.markPath, line, this.#files);
      else this.#mark.set(line);
    } catch (error) {
      if (faultNumberOf(error) === 0) throw error;
    }
  }

  /** False: it is to be tried again. */
  #tryOpen(segment: number): boolean {
    if (segment === this.#segment) return true;
    this.#close();
    try {
      this.#fd = this.#files.openSync(
        join(this.#options.directory, segmentName(segment)),
        constants.O_RDONLY,
      );
    } catch (error) {
      const number = faultNumberOf(error);
      if (number === 0) throw error;
      this.#board.setSyncError(number);
      this.#pause.take();
      return false;
    }
    this.#segment = segment;
    return true;
  }

  #trySync(): boolean {
    this.#board.beginSync(process.uptime() * 1000);
    try {
      this.#files.fdatasyncSync(this.#fd);
      return true;
    } catch (error) {
      const number = faultNumberOf(error);
      if (number === 0) throw error;
      this.#fail(number);
      return false;
    }
  }

  /** Hands over to the archive stage. */
  #fail(number: number): void {
    this.#board.setSyncError(number);
    this.#board.countSyncFailure();
    this.#board.endSync();
    this.#archiveBell.ring();
  }

  #close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    this.#segment = 0;
    this.#files.closeSync(fd);
  }
}
