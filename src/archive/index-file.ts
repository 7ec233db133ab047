/**
 * The index of a closed segment as a file beside it, `NNNNNNNNNNNNNNNNNNNN.index`: which frames hold lines of a name, and what
 * frames there are. README.md has the bytes. It says nothing that the segment does not say, so a file that is damaged, of
 * another format, or not of this segment's size is as one that is missing: it is built anew.
 *
 * A question reads the directory, which stays in memory (40 bytes for 64 frames, 16 for about 4 KiB of keys), then one block
 * of keys, and the blocks of the frames that it leads to.
 */

import { constants } from 'node:fs';
import { crc32 } from 'node:zlib';
import { Failure, failureOfSystemError } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import {
  decodeFrames,
  decodeIndexHead,
  FRAME_BLOCK_ENTRY,
  FRAMES_A_BLOCK,
  framesOfKey,
  INDEX_HEAD_BYTES,
  type IndexHead,
  KEY_BLOCK_ENTRY,
} from './index-format.js';
import type { IndexedFrame, SegmentIndex } from './segment-index.js';
import { readU64 } from './u64.js';

/** As a reason. */
export const INDEX_MISSING = 'it is not there';
const INDEX_MODE = 0o640;
const UNFINISHED_SUFFIX = '.tmp';

/** The file is there whole or not at all; it is not synced, since it can be built anew. @throws Failure */
export function writeIndex(path: string, bytes: Uint8Array, files: ArchiveFiles = NODE_FILES): void {
  const unfinished = path + UNFINISHED_SUFFIX;
  try {
    const fd = files.openSync(
      unfinished,
      constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
      INDEX_MODE,
    );
    try {
      for (let at = 0; at < bytes.length; ) at += files.writevSync(fd, [bytes.subarray(at)], at);
    } finally {
      files.closeSync(fd);
    }
    files.renameSync(unfinished, path);
  } catch (error) {
    throw failureOfSystemError(error, 'write the index', path);
  }
}

export class IndexFile implements SegmentIndex {
  readonly path: string;
  readonly #files: ArchiveFiles;
  readonly #head: IndexHead;
  readonly #directory: Buffer;

  private constructor(path: string, head: IndexHead, directory: Buffer, files: ArchiveFiles) {
    this.path = path;
    this.#head = head;
    this.#directory = directory;
    this.#files = files;
  }

  /**
   * @param segment the number in the name of its segment @param segmentBytes the size of that
   * @returns why there is none that can be used
   */
  static open(
    path: string,
    segment: number,
    segmentBytes: number,
    files: ArchiveFiles = NODE_FILES,
  ): IndexFile | string {
    return withFile(path, files, (read, size) => {
      const head = decodeIndexHead(read(0, INDEX_HEAD_BYTES));
      if (typeof head === 'string') return head;
      if (head.segment !== segment) return 'it is of another segment';
      if (head.segmentBytes !== segmentBytes) {
        return `it is of ${head.segmentBytes} bytes of a segment of ${segmentBytes}`;
      }
      if (size !== head.fileBytes) return `it has ${size} bytes, its head says ${head.fileBytes}`;
      if (INDEX_HEAD_BYTES + head.directoryBytes > size) return 'its directory does not fit into it';
      const directory = read(INDEX_HEAD_BYTES, head.directoryBytes);
      if (crc32(directory) !== head.directoryCrc) return 'its directory does not match its checksum';
      return new IndexFile(path, head, directory, files);
    });
  }

  get bytes(): number {
    return this.#head.segmentBytes;
  }

  get frameCount(): number {
    return this.#head.frameCount;
  }

  get leftOut(): number {
    return this.#head.leftOut;
  }

  get fileBytes(): number {
    return this.#head.fileBytes;
  }

  /** What it takes in memory. */
  get directoryBytes(): number {
    return this.#directory.length;
  }

  framesOf(key: number): IndexedFrame[] {
    const block = this.#keyBlockOf(key);
    if (block < 0) return [];
    return this.#withFile((read) => {
      const frames = framesOfKey(this.#keyBlock(block, read), this.#firstKey(block), key);
      const found: IndexedFrame[] = [];
      let loaded = -1;
      let loadedFrames: IndexedFrame[] = [];
      for (const frame of frames) {
        const wanted = Math.floor(frame / FRAMES_A_BLOCK);
        if (wanted !== loaded) loadedFrames = this.#frameBlock(wanted, read);
        loaded = wanted;
        found.push(
          loadedFrames[frame % FRAMES_A_BLOCK] ?? this.#fail('it names a frame that it does not have'),
        );
      }
      return found;
    });
  }

  *frames(): Generator<IndexedFrame> {
    for (let block = 0; block < this.#head.frameBlocks; block++) {
      yield* this.#withFile((read) => this.#frameBlock(block, read));
    }
  }

  /** The whole file, each block of which matches its checksum. @throws Failure ERR_DAMAGE */
  readAll(): Buffer {
    return this.#withFile((read) => {
      for (let block = 0; block < this.#head.frameBlocks; block++) this.#frameBlock(block, read);
      for (let block = 0; block < this.#head.keyBlocks; block++) this.#keyBlock(block, read);
      return read(0, this.#head.fileBytes);
    });
  }

  #withFile<T>(use: (read: Read) => T): T {
    const result = withFile(this.path, this.#files, (read) => ({ value: use(read) }));
    return typeof result === 'string' ? this.#fail(result) : result.value;
  }

  #fail(reason: string): never {
    throw new Failure('ERR_DAMAGE', `the index ${this.path} cannot be used: ${reason}`);
  }

  /** The last block whose first key is not above this one; −1: there is none. */
  #keyBlockOf(key: number): number {
    let low = 0;
    let high = this.#head.keyBlocks;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firstKey(middle) <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #firstKey(block: number): number {
    return this.#directory.readUInt32LE(this.#keyEntry(block) + 8);
  }

  #keyEntry(block: number): number {
    return this.#head.frameBlocks * FRAME_BLOCK_ENTRY + block * KEY_BLOCK_ENTRY;
  }

  #keyBlock(block: number, read: Read): Uint8Array {
    const at = this.#keyEntry(block);
    const end =
      block + 1 < this.#head.keyBlocks
        ? readU64(this.#directory, at + KEY_BLOCK_ENTRY)
        : this.#head.fileBytes;
    return this.#block(readU64(this.#directory, at), end, this.#directory.readUInt32LE(at + 12), read);
  }

  #frameBlock(block: number, read: Read): IndexedFrame[] {
    if (block >= this.#head.frameBlocks) this.#fail('it names a frame that it does not have');
    const directory = this.#directory;
    const at = block * FRAME_BLOCK_ENTRY;
    const next = at + FRAME_BLOCK_ENTRY;
    // What follows the last one is the first block of keys, if there are keys.
    const end = next < directory.length ? readU64(directory, next) : this.#head.fileBytes;
    const bytes = this.#block(readU64(directory, at), end, directory.readUInt32LE(at + 32), read);
    const count = Math.min(FRAMES_A_BLOCK, this.frameCount - block * FRAMES_A_BLOCK);
    return decodeFrames(bytes, count, {
      offset: readU64(directory, at + 8),
      firstLine: readU64(directory, at + 16),
      firstArrivalUs: readU64(directory, at + 24),
    });
  }

  #block(from: number, to: number, crc: number, read: Read): Uint8Array {
    if (to < from || to > this.#head.fileBytes) this.#fail('a block has no place');
    const bytes = read(from, to - from);
    if (bytes.length < to - from || crc32(bytes) !== crc) this.#fail('a block does not match its checksum');
    return bytes;
  }
}

type Read = (offset: number, bytes: number) => Buffer;

/** @returns a reason where it is not there, or the system refuses */
function withFile<T>(path: string, files: ArchiveFiles, use: (read: Read, size: number) => T): T | string {
  let fd: number;
  try {
    fd = files.openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return INDEX_MISSING;
    return unreadable(error);
  }
  try {
    const read: Read = (offset, bytes) => {
      const buffer = Buffer.allocUnsafe(bytes);
      let count = 0;
      while (count < bytes) {
        const got = files.readSync(fd, buffer, count, bytes - count, offset + count);
        if (got === 0) break;
        count += got;
      }
      return buffer.subarray(0, count);
    };
    return use(read, files.fstatSync(fd).size);
  } catch (error) {
    return unreadable(error);
  } finally {
    files.closeSync(fd);
  }
}

/** The segment says all that the index does, so nothing fails for it. */
function unreadable(error: unknown): string {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall === undefined) throw error;
  return `it cannot be read (${code})`;
}
