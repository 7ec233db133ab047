/**
 * The tables out of the newest checkpoint that is whole, and the log after it: what the daemon does at its start, and when a
 * fold died inside a line's changes.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { type ArchiveFiles, NODE_FILES } from '../archive/archive-files.js';
import { ArchiveBoard, type Written } from '../archive/board.js';
import { faultNumberOf } from '../archive/disk-fault.js';
import { decodeClients } from '../archive/frame-clients.js';
import type { FrameFacts, FrameSections } from '../archive/frame-header.js';
import { RecordCursor } from '../archive/frame-records.js';
import { decodeTicks } from '../archive/frame-ticks.js';
import { type LogFlaw, type LogFrame, type LogPosition, readFrames } from '../archive/log-reader.js';
import { listCheckpoints } from '../checkpoint/checkpoint-files.js';
import type { CheckpointFile } from '../checkpoint/checkpoint-format.js';
import { loadCheckpoint } from '../checkpoint/checkpoint-reader.js';
import type { OnHour } from '../fold/hours.js';
import { Replay } from '../fold/replay.js';
import type { Tables } from '../state/tables.js';

const WAIT_MS = 5;
/** After an error of the disk. */
const RETRY_MS = 500;

/** What a rebuild reads. */
export interface RebuildSources {
  readonly archiveDirectory: string;
  readonly checkpointDirectory: string;
  readonly archiveBoard: SharedArrayBuffer;
  /** Who keeps the hours that are over. */
  readonly onHour?: OnHour;
  readonly files?: ArchiveFiles;
}

/** What a rebuild has done, and met. Crosses threads as a message. */
export interface Rebuilt {
  /** What it began with; null: with line 1. */
  readonly checkpoint: (CheckpointFile & { readonly copiedUs: number }) | null;
  /** Checkpoints that are newer, and could not be used. */
  readonly unfit: readonly { readonly path: string; readonly reason: string }[];
  /** Of the frames that were read. */
  readonly flaws: readonly LogFlaw[];
  /** Lines folded, and how many of them this program refuses. */
  readonly lines: number;
  readonly refused: number;
  readonly durationMs: number;
}

/** What the fold's thread tells main: what a rebuild has done, that the disk takes no roll-ups, and (null) that it does again. */
export type FoldNews =
  | { readonly kind: 'rebuilt'; readonly rebuilt: Rebuilt }
  | { readonly kind: 'rollups'; readonly error: Error | null };

/**
 * Clears the tables and fills them up to and with `lastLine`, and the ticks of the records before `position`. What the archive
 * stage has not written yet is waited for: it was asked to (the fold's `wanted`), and needs nothing of the fold for it. Nothing
 * behind that position is in the log, since the archive follows the fold. What the system does not let it read it tries again,
 * since it may come right, and tables without those lines never would.
 */
export async function rebuildTables(
  tables: Tables,
  sources: RebuildSources,
  lastLine: number,
  position = 0,
): Promise<Rebuilt> {
  const startedMs = performance.now();
  const board = new ArchiveBoard(sources.archiveBoard);
  const idle = new Int32Array(new SharedArrayBuffer(4));
  const isWritten = ({ line, position: at }: Written) => line >= lastLine && at >= position;
  while (!isWritten(board.written())) Atomics.wait(idle, 0, 0, WAIT_MS);
  for (;;) {
    const written = board.written();
    const rebuilt = await tryRebuildFrom(tables, sources, written, lastLine);
    board.setReadError(typeof rebuilt === 'number' ? rebuilt : 0);
    if (typeof rebuilt === 'number') {
      await sleep(RETRY_MS);
      continue;
    }
    // After a failed sync the end of the log is cut and written again, maybe under the reader.
    if (board.syncFailures === written.rewrites) {
      return { ...rebuilt, durationMs: performance.now() - startedMs };
    }
    await sleep(WAIT_MS);
  }
}

/** @returns the number of the system's error where it refuses */
async function tryRebuildFrom(
  ...args: Parameters<typeof rebuildFrom>
): Promise<number | Awaited<ReturnType<typeof rebuildFrom>>> {
  try {
    return await rebuildFrom(...args);
  } catch (error) {
    const number = faultNumberOf(error);
    if (number === 0) throw error;
    return number;
  }
}

async function rebuildFrom(
  tables: Tables,
  { archiveDirectory, checkpointDirectory, onHour, files = NODE_FILES }: RebuildSources,
  { segment, segmentBytes, lastArrivedUs }: Written,
  lastLine: number,
): Promise<Omit<Rebuilt, 'durationMs'>> {
  const { checkpoint, unfit } = await loadNewest(tables, checkpointDirectory, lastLine, files);
  const flaws: LogFlaw[] = [];
  const { lines, refused } = await foldLog(tables, archiveDirectory, {
    fromLine: (checkpoint?.line ?? 0) + 1,
    toLine: lastLine,
    clientsToLine: Number.POSITIVE_INFINITY,
    upTo: { segment, offset: segmentBytes },
    files,
    ...(onHour && { onHour }),
    onFlaw: (flaw) => flaws.push(flaw),
  });
  // Lines at the end of the log may be damaged; their numbers are not given twice.
  if (tables.board.line < lastLine) tables.board.setLine(lastLine, lastArrivedUs);
  return { checkpoint, unfit, flaws, lines, refused };
}

/** The tables are empty where no checkpoint is fit. */
async function loadNewest(
  tables: Tables,
  directory: string,
  lastLine: number,
  files: ArchiveFiles,
): Promise<Pick<Rebuilt, 'checkpoint' | 'unfit'>> {
  tables.clear();
  const unfit: { path: string; reason: string }[] = [];
  for (const checkpoint of listCheckpoints(directory, files)) {
    if (checkpoint.line > lastLine) continue;
    const result = await loadCheckpoint(checkpoint, tables, files);
    if (result.kind === 'loaded') {
      return { checkpoint: { ...checkpoint, copiedUs: result.description.copied_us }, unfit };
    }
    unfit.push({ path: checkpoint.path, reason: result.reason });
  }
  return { checkpoint: null, unfit };
}

export interface FoldLogOptions {
  /** The line after the last one that the tables hold. */
  readonly fromLine: number;
  readonly toLine: number;
  /** Ticks after the last line are applied up to this number; by default all that the log has before the line to come. */
  readonly toTick?: number;
  /** Numbers of clients are taken from frames whose last line is at most this one. */
  readonly clientsToLine: number;
  readonly upTo: LogPosition | null;
  readonly files?: ArchiveFiles;
  readonly onFlaw: (flaw: LogFlaw) => void;
  readonly onHour?: OnHour;
  /** Asked after each frame: whether the rest is not needed. */
  readonly isDone?: () => boolean;
  /** Told after each frame how far it is. */
  readonly onProgress?: (line: number) => void;
}

/** Folds lines of the log into the tables; what cannot be read is told and jumped over. */
export async function foldLog(
  tables: Tables,
  directory: string,
  {
    fromLine,
    toLine,
    toTick = Number.POSITIVE_INFINITY,
    clientsToLine,
    upTo,
    files = NODE_FILES,
    onFlaw,
    onHour,
    isDone = () => false,
    onProgress,
  }: FoldLogOptions,
): Promise<{ lines: number; refused: number }> {
  const replay = new Replay(tables, fromLine - 1, onHour);
  let lines = 0;
  // Also the frame that ends with the line before: its clients may have had refused lines after that.
  for await (const item of readFrames(directory, { fromLine: Math.max(1, fromLine - 1), upTo, files })) {
    if (item.kind !== 'frame') {
      onFlaw(item);
      continue;
    }
    const { facts, sections } = item;
    if (facts.lineCount > 0 && facts.firstLine > toLine) break;
    if (facts.firstLine + facts.lineCount - 1 <= clientsToLine) restoreClients(tables, facts, sections);
    lines += foldFrame(replay, item, { fromLine, toLine, toTick });
    onProgress?.(replay.line);
    if (isDone()) break;
  }
  return { lines, refused: replay.refused };
}

function restoreClients({ clients }: Tables, facts: FrameFacts, sections: FrameSections): void {
  for (const { id, lastLine, arrivalUs } of decodeClients(facts, sections.clients)) {
    clients.restore(id, lastLine, arrivalUs);
  }
}

/** Those lines and ticks of a frame that are asked for. A tick stands behind whole records. @returns how many lines */
function foldFrame(
  replay: Replay,
  { facts, sections, raw }: LogFrame,
  { fromLine, toLine, toTick }: { fromLine: number; toLine: number; toTick: number },
): number {
  const ticks = decodeTicks(facts, sections.ticks);
  let nextTick = 0;
  const applyTicks = (beforeLine: number) => {
    for (; nextTick < ticks.length; nextTick++) {
      const { lineOffset, kind, payload, number, arrivalUs } = ticks[nextTick]!;
      if (facts.firstLine + lineOffset > beforeLine) return;
      // Those that the tables have in them already are known by their numbers.
      if (number <= toTick) replay.tick(kind, payload, number, arrivalUs);
    }
  };
  let line = facts.firstLine;
  let at = 0;
  let count = 0;
  replay.attach(raw);
  const records = new RecordCursor(facts, sections.records);
  while (records.next() && line <= toLine) {
    const { lineCount, arrivalUs } = records;
    applyTicks(line);
    const before = Math.min(lineCount, Math.max(0, fromLine - line));
    const wanted = Math.min(lineCount - before, toLine + 1 - line - before);
    at = lineOffset(raw, at, before);
    if (wanted > 0) {
      replay.skipTo(line + before - 1);
      at = replay.fold(at, raw.length, wanted, arrivalUs);
      count += wanted;
    }
    line += lineCount;
  }
  if (line <= toLine + 1) applyTicks(line);
  return count;
}

/** @returns the offset behind so many lines */
function lineOffset(raw: Buffer, offset: number, lines: number): number {
  let at = offset;
  for (let i = 0; i < lines; i++) at = raw.indexOf(10, at) + 1;
  return at;
}
