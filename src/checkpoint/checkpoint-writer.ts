/**
 * A copy of the tables into a checkpoint file. Under its name there is only ever a whole one: it is written under another,
 * made durable, and renamed; and not before the log is durable up to its line and its last tick, so that no checkpoint
 * knows of what a power cut took from the log.
 */

import { constants } from 'node:fs';
import { join } from 'node:path';
import { type ArchiveFiles, NODE_FILES, syncDirectory } from '../archive/archive-files.js';
import { compressFrame, freeNativeMemory, nativeMemoryIsHeld } from '../archive/lz4.js';
import { failureOfSystemError } from '../model/failure.js';
import type { TableName, TablesMemory } from '../state/layout.js';
import { Tables } from '../state/tables.js';
import { checkpointName, pruneCheckpoints, UNFINISHED_SUFFIX } from './checkpoint-files.js';
import { CHUNK_RAW_BYTES, encodeChunkHead, encodeDescription } from './checkpoint-format.js';

const CHECKPOINT_MODE = 0o640;

export interface WriteOptions {
  readonly directory: string;
  /** When the copy was taken, µs. */
  readonly copiedUs: number;
  /** Resolves when the log is durable up to and with this line, and the ticks that the copy has after it. */
  readonly whenDurable: (line: number) => Promise<void>;
  readonly files?: ArchiveFiles;
}

export interface WrittenCheckpoint {
  readonly path: string;
  readonly line: number;
  readonly bytes: number;
}

/** @throws Failure where the disk refuses; then nothing of it is left, and what was there before stays */
export async function writeCheckpoint(
  copy: TablesMemory,
  { directory, copiedUs, whenDurable, files = NODE_FILES }: WriteOptions,
): Promise<WrittenCheckpoint> {
  const tables = new Tables(copy);
  const { line } = tables.board;
  const path = join(directory, checkpointName(line));
  const unfinished = path + UNFINISHED_SUFFIX;
  try {
    const bytes = await writeFile(unfinished, tables, copiedUs, files);
    await whenDurable(line);
    files.renameSync(unfinished, path);
    syncDirectory(directory, files);
    pruneCheckpoints(directory, files);
    return { path, line, bytes };
  } catch (error) {
    removeQuietly(unfinished, files);
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw failureOfSystemError(error, 'write checkpoint', path);
  }
}

async function writeFile(
  path: string,
  tables: Tables,
  copiedUs: number,
  files: ArchiveFiles,
): Promise<number> {
  const { O_WRONLY, O_CREAT, O_TRUNC } = constants;
  const fd = files.openSync(path, O_WRONLY | O_CREAT | O_TRUNC, CHECKPOINT_MODE);
  try {
    const { board, memory } = tables;
    const memories = Object.entries(tables.usedRanges()).map(([name, bytes]) => ({ name, bytes }));
    const { line, arrivedUs } = board;
    const head = encodeDescription({
      line,
      arrived_us: arrivedUs,
      copied_us: copiedUs,
      limits: memory.limits,
      memories,
    });
    let at = append(fd, [head], 0, files);
    for (const { name, bytes } of memories) {
      for (let from = 0; from < bytes; from += CHUNK_RAW_BYTES) {
        const raw = memory[name as TableName].subarray(from, Math.min(from + CHUNK_RAW_BYTES, bytes));
        const data = compressFrame(raw);
        at = append(fd, [encodeChunkHead(raw.length, data), data], at, files);
        if (nativeMemoryIsHeld()) await freeNativeMemory();
      }
    }
    files.fdatasyncSync(fd);
    return at;
  } finally {
    files.closeSync(fd);
  }
}

/** Throws what the system throws. @returns the offset behind the parts */
function append(fd: number, parts: readonly Uint8Array[], offset: number, files: ArchiveFiles): number {
  let rest = Buffer.concat(parts);
  let at = offset;
  // A write may be short (a disk that is nearly full): the rest follows, until the system says an error.
  while (rest.length > 0) {
    const written = files.writevSync(fd, [rest], at);
    if (written === 0) throw Object.assign(new Error('wrote 0 bytes'), { code: 'EIO', syscall: 'write' });
    rest = rest.subarray(written);
    at += written;
  }
  return at;
}

function removeQuietly(path: string, files: ArchiveFiles): void {
  try {
    files.unlinkSync(path);
  } catch {
    // It is not there, or the next start removes it; the first failure is the one to tell.
  }
}
