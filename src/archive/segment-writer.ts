/**
 * Appends frames to one segment. `bytes` counts whole frames only: what a failed append has left behind is cut off
 * before the next one, so a stale tail can never stand after a shorter frame. Nothing is durable before `sync`,
 * but the file's name, which is when it is created.
 */

import assert from 'node:assert';
import { constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure, failureOfSystemError } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES, syncDirectory } from './archive-files.js';
import { segmentName } from './segment-name.js';

const SEGMENT_MODE = 0o640;

export class SegmentWriter {
  readonly path: string;
  readonly #fd: number;
  readonly #files: ArchiveFiles;
  #bytes: number;
  #tailIsStale = false;
  #closed = false;

  private constructor(path: string, fd: number, bytes: number, files: ArchiveFiles) {
    this.path = path;
    this.#fd = fd;
    this.#bytes = bytes;
    this.#files = files;
  }

  /** A new segment, whose name is durable on return. @throws Failure ERR_TAKEN where it already exists */
  static create(directory: string, firstLine: number, files: ArchiveFiles = NODE_FILES): SegmentWriter {
    const path = join(directory, segmentName(firstLine));
    let fd: number;
    try {
      fd = files.openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, SEGMENT_MODE);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
        throw new Failure(
          'ERR_TAKEN',
          `cannot create segment ${path}: it exists already; see that no other daemon uses this state directory`,
          { cause: error },
        );
      }
      throw failureOfSystemError(error, 'create segment', path);
    }
    try {
      syncDirectory(directory, files);
    } catch (error) {
      files.closeSync(fd);
      try {
        files.unlinkSync(path);
      } catch {
        // It is in the way of the next attempt, which says so.
      }
      throw failureOfSystemError(error, 'sync the folder', directory);
    }
    return new SegmentWriter(path, fd, 0, files);
  }

  /** Goes on with a segment after its first `bytes`, which end a whole frame; what stands after them is cut off. */
  static open(path: string, bytes: number, files: ArchiveFiles = NODE_FILES): SegmentWriter {
    let fd: number;
    try {
      fd = files.openSync(path, constants.O_WRONLY);
    } catch (error) {
      throw failureOfSystemError(error, 'open segment', path);
    }
    try {
      const { size } = files.fstatSync(fd);
      if (size < bytes) {
        throw new Failure(
          'ERR_DAMAGE',
          `segment ${path} has ${size} bytes, and should have ${bytes}; restart the daemon`,
        );
      }
      const writer = new SegmentWriter(path, fd, bytes, files);
      if (size > bytes) writer.truncateTo(bytes);
      return writer;
    } catch (error) {
      files.closeSync(fd);
      if (error instanceof Failure) throw error;
      throw failureOfSystemError(error, 'open segment', path);
    }
  }

  /** The size in whole frames: the offset of the frame to come. */
  get bytes(): number {
    return this.#bytes;
  }

  get directory(): string {
    return dirname(this.path);
  }

  /**
   * Appends a header and the data frame after it (none for a frame without lines), or whole frames in one piece or two, as
   * one write where the system allows. On a failure nothing is appended. @returns the offset of the frame
   */
  append(header: Uint8Array, data: Uint8Array | null): number {
    assert(!this.#closed && header.length > 0);
    if (this.#tailIsStale) this.truncateTo(this.#bytes);
    const offset = this.#bytes;
    const total = header.length + (data?.length ?? 0);
    this.#tailIsStale = true;
    try {
      this.#writeAll(data === null ? [header] : [header, data], offset);
    } catch (error) {
      try {
        this.truncateTo(offset);
      } catch {
        // The next append cuts it, or the next start does; the first failure is the one to tell.
      }
      throw failureOfSystemError(error, 'append to segment', this.path);
    }
    this.#tailIsStale = false;
    this.#bytes = offset + total;
    return offset;
  }

  /** Makes everything appended so far durable. */
  sync(): void {
    assert(!this.#closed);
    try {
      this.#files.fdatasyncSync(this.#fd);
    } catch (error) {
      throw failureOfSystemError(error, 'sync segment', this.path);
    }
  }

  /** Takes back what was appended after `offset`, which must be the end of a frame. */
  truncateTo(offset: number): void {
    assert(!this.#closed && offset >= 0 && offset <= this.#bytes);
    try {
      this.#files.ftruncateSync(this.#fd, offset);
    } catch (error) {
      throw failureOfSystemError(error, 'truncate segment', this.path);
    }
    this.#bytes = offset;
    this.#tailIsStale = false;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#files.closeSync(this.#fd);
    } catch (error) {
      throw failureOfSystemError(error, 'close segment', this.path);
    }
  }

  /** A write may be short (a signal, a disk that is nearly full): the rest follows, until the system says an error. */
  #writeAll(parts: readonly Uint8Array[], offset: number): void {
    let rest = parts;
    let at = offset;
    while (rest.length > 0) {
      let written = this.#files.writevSync(this.#fd, rest, at);
      if (written === 0) throw Object.assign(new Error('wrote 0 bytes'), { code: 'EIO' });
      at += written;
      const left: Uint8Array[] = [];
      for (const part of rest) {
        if (written < part.length) left.push(part.subarray(written));
        written = Math.max(0, written - part.length);
      }
      rest = left;
    }
  }
}
