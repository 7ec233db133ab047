/** The files of the checkpoint folder: `NNNNNNNNNNNNNNNNNNNN.checkpoint`, N the number of the last line that is in it. */

import { join } from 'node:path';
import { type ArchiveFiles, NODE_FILES, syncDirectory } from '../archive/archive-files.js';
import { failureOfSystemError } from '../model/failure.js';
import type { CheckpointFile } from './checkpoint-format.js';
import { readDescription } from './checkpoint-reader.js';

const CHECKPOINT_NAME = /^(\d{20})\.checkpoint$/;
export const UNFINISHED_SUFFIX = '.tmp';
/** Appended to the name of a checkpoint that counts lines which the log does not have. */
const AHEAD_SUFFIX = '.ahead';
const DIRECTORY_MODE = 0o750;
/** The newest, and the one that takes its place where it is damaged. */
const KEPT = 2;

export function checkpointName(line: number): string {
  return `${String(line).padStart(20, '0')}.checkpoint`;
}

/** The newest first. A folder that is not there has none. */
export function listCheckpoints(directory: string, files: ArchiveFiles = NODE_FILES): CheckpointFile[] {
  let names: string[];
  try {
    names = files.readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw failureOfSystemError(error, 'list the checkpoints', directory);
  }
  const found: CheckpointFile[] = [];
  for (const name of names) {
    const digits = CHECKPOINT_NAME.exec(name)?.[1];
    if (digits !== undefined) found.push({ path: join(directory, name), line: Number(digits) });
  }
  return found.sort((a, b) => b.line - a.line);
}

/**
 * Makes the folder fit for a start: it is there, without what a write that was cut off has left, and no checkpoint in it is
 * ahead of the log. One that is would fit again when the log has grown past its line, and then bring lines that are not
 * in the log, so it is renamed.
 * @returns the checkpoints that were renamed, by their old names
 * @throws Failure ERR_CHECKPOINT_FORMAT at one of another format or version, and those of the system
 */
export function recoverCheckpoints(
  directory: string,
  lastLine: number,
  files: ArchiveFiles = NODE_FILES,
): CheckpointFile[] {
  try {
    files.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    const checkpoints = listCheckpoints(directory, files);
    for (const { path } of checkpoints) readDescription(path, files);
    const ahead = checkpoints.filter(({ line }) => line > lastLine);
    const unfinished = files.readdirSync(directory).filter((name) => name.endsWith(UNFINISHED_SUFFIX));
    for (const name of unfinished) files.unlinkSync(join(directory, name));
    for (const { path } of ahead) files.renameSync(path, path + AHEAD_SUFFIX);
    if (ahead.length > 0 || unfinished.length > 0) syncDirectory(directory, files);
    return ahead;
  } catch (error) {
    if (isOfSystem(error)) throw failureOfSystemError(error, 'prepare the checkpoint folder', directory);
    throw error;
  }
}

/** Removes all but the newest two. */
export function pruneCheckpoints(directory: string, files: ArchiveFiles): void {
  for (const { path } of listCheckpoints(directory, files).slice(KEPT)) files.unlinkSync(path);
}

/**
 * The first line that a start may need: that after the older of the two checkpoints, since the newer one may turn out to
 * be damaged. With fewer than two it is the first of all.
 */
export function firstLineNeeded(directory: string, files: ArchiveFiles = NODE_FILES): number {
  return (listCheckpoints(directory, files)[KEPT - 1]?.line ?? 0) + 1;
}

function isOfSystem(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall !== undefined;
}
