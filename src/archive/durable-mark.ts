/**
 * The file `durable` beside the archive: the number of the last line that is known to be on the disk, 20 digits, a space, the
 * crc32 of the digits in hexadecimal, and a line end. The sync stage writes it after each fdatasync of the log.
 *
 * It is for the case that a frame is gone or damaged, and frames after it are whole. Up to the mark every line was durable
 * once: that is damage, and the rest of the log counts. After it a power cut may have taken what no sync had covered
 * yet and left what was written later: the log ends before the hole, since nobody was told of more.
 *
 * The mark is never synced but when it is made. Killed with its process it is exact; after a power cut it may be an older
 * one, which is less than it could say, and never wrong. Where there is none nothing is known, and nothing is cut.
 */

import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { failureOfSystemError } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES, syncDirectory } from './archive-files.js';

const MARK = /^(\d{20}) ([0-9a-f]{8})\n$/;
const MARK_BYTES = 30;
const MODE = 0o640;

export class DurableMark {
  readonly #files: ArchiveFiles;
  readonly #fd: number;

  private constructor(fd: number, files: ArchiveFiles) {
    this.#fd = fd;
    this.#files = files;
  }

  /** The mark is there and durable on return. */
  static create(path: string, line: number, files: ArchiveFiles = NODE_FILES): DurableMark {
    let fd: number;
    try {
      fd = files.openSync(path, constants.O_WRONLY | constants.O_CREAT, MODE);
    } catch (error) {
      throw failureOfSystemError(error, 'open the mark', path);
    }
    const mark = new DurableMark(fd, files);
    try {
      mark.set(line);
      files.fdatasyncSync(fd);
      syncDirectory(dirname(path), files);
    } catch (error) {
      files.closeSync(fd);
      throw failureOfSystemError(error, 'write the mark', path);
    }
    return mark;
  }

  /** One write within one block of the disk: it is the old one or the new one. Throws what the system throws. */
  set(line: number): void {
    this.#files.writevSync(this.#fd, [Buffer.from(textOf(line))], 0);
  }

  close(): void {
    this.#files.closeSync(this.#fd);
  }
}

/** @returns null where there is no mark, or none that can be read */
export function readDurableMark(path: string, files: ArchiveFiles = NODE_FILES): number | null {
  try {
    const fd = files.openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(MARK_BYTES + 1);
      const text = bytes.toString('latin1', 0, files.readSync(fd, bytes, 0, bytes.length, 0));
      const digits = MARK.exec(text)?.[1];
      return digits !== undefined && textOf(Number(digits)) === text ? Number(digits) : null;
    } finally {
      files.closeSync(fd);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw failureOfSystemError(error, 'read the mark', path);
  }
}

function textOf(line: number): string {
  const digits = String(line).padStart(20, '0');
  return `${digits} ${crc32(digits).toString(16).padStart(8, '0')}\n`;
}
