/** A folder on a real disk for a pass, gone afterwards. */

import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from './harness.js';

const SPARE_BYTES = 1e9;

/** @throws CheckFailure where the disk has no room for so many bytes */
export async function inFolder<T>(bytes: number, pass: (directory: string) => Promise<T>): Promise<T> {
  const { bavail, bsize } = statfsSync(tmpdir());
  const needed = bytes + SPARE_BYTES;
  check(
    `room for ${needed} bytes in ${tmpdir()} (TMPDIR chooses another folder)`,
    bavail * bsize >= needed,
    true,
  );
  const directory = mkdtempSync(join(tmpdir(), 'tallyd-bench-'));
  try {
    return await pass(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
