/** What the commands have in common that read the archive without the daemon. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkFrames } from '../archive/frame-check.js';
import type { FrameChecker } from '../archive/log-check.js';
import type { LogFlaw } from '../archive/log-reader.js';
import type { Config } from '../config/config.js';
import { ArchivePool, PARALLEL } from '../daemon/archive-pool.js';
import { Failure } from '../model/failure.js';
import { escapeControls } from '../model/human.js';
import type { FrameScanner } from '../query/archive-scan.js';
import { scanFrames } from '../query/frame-scan.js';

/** Raw: to make threads takes as long as to look into so much. */
const SMALL_BYTES = 8 * 1024 * 1024;

/** @throws Failure ERR_NOT_FOUND */
export function archiveOf({ stateDir }: Pick<Config, 'stateDir'>): string {
  const directory = join(stateDir, 'archive');
  if (existsSync(directory)) return directory;
  throw new Failure('ERR_NOT_FOUND', `no archive in ${stateDir}; name the state directory with --state-dir`);
}

/**
 * With threads that look into frames. They are made when there is enough to do for them, and ended in the end: what is found
 * by an index is printed before they would have begun.
 */
export async function withFrameThreads<T>(
  use: (threads: FrameScanner & FrameChecker) => Promise<T>,
): Promise<T> {
  let pool: ArchivePool | null = null;
  let rawBytesHere = 0;
  const poolFor = ({ rawBytes }: { readonly rawBytes: number }) => {
    rawBytesHere += rawBytes;
    if (rawBytesHere > SMALL_BYTES) pool ??= new ArchivePool();
    return pool;
  };
  try {
    return await use({
      parallel: PARALLEL,
      scan: (task) => poolFor(task)?.scan(task) ?? scanFrames(task),
      check: (task) => poolFor(task)?.check(task) ?? checkFrames(task),
    });
  } finally {
    await (pool as ArchivePool | null)?.close();
  }
}

/** One line. */
export function flawText({ kind, path, offset, bytes, reason }: LogFlaw): string {
  const what = { damage: 'damage', unfinished: 'a frame that is not finished', removed: 'lines are gone' }[
    kind
  ];
  const where = bytes === 0 ? `at byte ${offset}` : `at byte ${offset} (${bytes} bytes)`;
  return `${what} in ${escapeControls(path)} ${where}: ${escapeControls(reason)}`;
}
