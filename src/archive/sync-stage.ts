/**
 * Makes what the archive stage has written durable, on a thread of its own, so that the compressor does not wait for the
 * disk. One fdatasync serves all that wait (group commit): the position is taken before the call, and said after it.
 */

import { constants } from 'node:fs';
import { join } from 'node:path';
import { failureOfSystemError } from '../model/failure.js';
import { Bell } from '../ring/bell.js';
import { CURSOR_DURABLE, positionOf, type RingMemory } from '../ring/layout.js';
import { STAGE_ARCHIVE, STAGE_DONE, STAGE_RUNNING, STAGE_SYNC, Vitals } from '../ring/vitals.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import { ArchiveBoard } from './board.js';
import { DurableMark } from './durable-mark.js';
import { segmentName } from './segment-name.js';

export interface SyncMemory {
  readonly ring: RingMemory;
  readonly vitals: SharedArrayBuffer;
  readonly archiveBoard: SharedArrayBuffer;
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
export function runSync(
  memory: SyncMemory,
  { directory, markPath }: SyncOptions,
  files: ArchiveFiles = NODE_FILES,
): void {
  const board = new ArchiveBoard(memory.archiveBoard);
  const vitals = new Vitals(memory.vitals);
  const bell = new Bell(memory.syncBell);
  const mainBell = new Bell(memory.mainBell);
  const cursors = new Int32Array(memory.ring.cursors);
  let durable = positionOf(Atomics.load(cursors, CURSOR_DURABLE), board.written().position);
  // Nothing is known of what others have written before: it is synced with the first that follows.
  let segment = 0;
  let syncedBytes = 0;
  let fd = -1;
  const mark = DurableMark.create(markPath, board.durableLine, files);
  vitals.setState(STAGE_SYNC, STAGE_RUNNING);
  try {
    for (;;) {
      const startedMs = performance.now();
      if (board.syncWanted > durable) {
        const written = board.written();
        // Lines, or numbers of clients in a frame without lines.
        if (written.segment !== segment || written.segmentBytes !== syncedBytes) {
          const path = join(directory, segmentName(written.segment));
          try {
            if (segment !== written.segment) {
              if (fd >= 0) files.closeSync(fd);
              fd = -1;
              fd = files.openSync(path, constants.O_RDONLY);
              segment = written.segment;
            }
            files.fdatasyncSync(fd);
          } catch (error) {
            throw failureOfSystemError(error, 'make durable', path);
          }
          syncedBytes = written.segmentBytes;
          board.setDurable(written.line, performance.now() - startedMs);
          mark.set(written.line);
        }
        durable = written.position;
        board.setDurablePosition(durable);
        Atomics.store(cursors, CURSOR_DURABLE, durable | 0);
        mainBell.ring();
        vitals.addBusyMs(STAGE_SYNC, performance.now() - startedMs);
      }
      const archiveIsDone = () => vitals.state(STAGE_ARCHIVE) === STAGE_DONE;
      if (archiveIsDone() && board.syncWanted <= durable) break;
      bell.sleep(() => board.syncWanted > durable || archiveIsDone(), Number.POSITIVE_INFINITY);
    }
  } finally {
    if (fd >= 0) files.closeSync(fd);
    mark.close();
  }
  vitals.setState(STAGE_SYNC, STAGE_DONE);
}
