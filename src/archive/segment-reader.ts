/**
 * Reads the frames of one segment, by their heads in order, or one at a time with its lines. Only the head of a frame and
 * one frame are ever in memory.
 *
 * Where a frame is not whole the walk looks for the next header that is, and says what it left out: so damage costs the
 * frames it touches and no other. A segment that stops within a frame (a write still under way, or cut off by a crash)
 * ends in a `torn` stretch: what stands there is how a frame starts. Everything else that is no frame is `damage`.
 */

import { crc32 } from 'node:zlib';
import { Failure, failureOfSystemError } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import {
  ARCHIVE_FORMAT,
  type DecodedHead,
  decodeHead,
  decodeSections,
  type FrameHead,
  type FrameSections,
  HEAD_BYTES,
  isStartOfHead,
  OWN_MAGIC,
  OWN_MAGIC_OFFSET,
  statedHeadBytes,
} from './frame-header.js';
import { flawOfRecords } from './frame-records.js';
import { decompressFrame, decompressFrameElsewhere } from './lz4.js';

/** A frame is mostly larger than this: a walk over heads then reads one window a frame. Small ones share a window. */
const WINDOW_BYTES = 16 * 1024;
const SEARCH_BYTES = 256 * 1024;
/** What a disk cannot read it mostly cannot read by blocks of this. */
const BLOCK_BYTES = 4096;

/** A frame whose head is right. Its sections and data are looked at by `readFrame` only. */
export interface FramePlace {
  readonly kind: 'frame';
  readonly offset: number;
  readonly head: FrameHead;
  readonly dataOffset: number;
  readonly nextOffset: number;
}

/** A stretch of a segment that holds no whole frame. */
export interface FlawedStretch {
  readonly kind: 'damage' | 'torn';
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  readonly reason: string;
  /** What its first frame says of itself, where that much can be read. */
  readonly head: FrameHead | null;
}

export interface FrameContent {
  readonly kind: 'content';
  readonly sections: FrameSections;
  /** The lines with their line ends. */
  readonly raw: Buffer;
}

type DamagedStretch = FlawedStretch & { readonly kind: 'damage' };

/** All of a frame but its lines. */
interface CheckedBody {
  readonly kind: 'body';
  readonly sections: FrameSections;
  readonly data: Buffer;
}

/** What of a segment a disk cannot read is an error, or damage like any other. */
export type OnUnreadable = 'fail' | 'damage';

const NO_LINES = Buffer.alloc(0);

export class SegmentReader {
  readonly path: string;
  /** What is read of the segment: up to its size when it was opened, or less. */
  readonly bytes: number;
  readonly #files: ArchiveFiles;
  readonly #fd: number;
  readonly #onUnreadable: OnUnreadable;
  /** Offsets of blocks that were not read. */
  readonly #unreadable = new Set<number>();
  readonly #window = Buffer.allocUnsafe(WINDOW_BYTES);
  #windowOffset = 0;
  #windowBytes = 0;

  private constructor(
    path: string,
    fd: number,
    bytes: number,
    files: ArchiveFiles,
    onUnreadable: OnUnreadable,
  ) {
    this.path = path;
    this.#fd = fd;
    this.bytes = bytes;
    this.#files = files;
    this.#onUnreadable = onUnreadable;
  }

  /**
   * @param bytesMax reads no further than this offset
   * @param onUnreadable `damage`: who only looks wants all the rest. What is built on the log (a state, an index) fails: the
   * next try may read what this one could not
   * @throws Failure ERR_NOT_FOUND where the segment is gone, others of the system
   */
  static open(
    path: string,
    bytesMax = Number.POSITIVE_INFINITY,
    files: ArchiveFiles = NODE_FILES,
    onUnreadable: OnUnreadable = 'fail',
  ): SegmentReader {
    let fd: number;
    try {
      fd = files.openSync(path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        throw new Failure('ERR_NOT_FOUND', `segment ${path} is not there; retention may have removed it`, {
          cause: error,
        });
      }
      throw failureOfSystemError(error, 'open segment', path);
    }
    try {
      const bytes = Math.min(files.fstatSync(fd).size, bytesMax);
      return new SegmentReader(path, fd, bytes, files, onUnreadable);
    } catch (error) {
      files.closeSync(fd);
      throw failureOfSystemError(error, 'read segment', path);
    }
  }

  close(): void {
    this.#files.closeSync(this.#fd);
  }

  /**
   * All frames in order, and what stands between them. A frame is only checked further than its head where no frame follows it.
   * @param from where a frame starts
   * @throws Failure ERR_ARCHIVE_FORMAT at a frame of another format
   */
  *frames(from = 0): Generator<FramePlace | FlawedStretch> {
    let offset = from;
    while (offset < this.bytes) {
      const frame = this.frameAt(offset);
      if (frame.kind === 'frame' && (this.#continuesAt(frame.nextOffset) || this.#isWhole(frame))) {
        yield frame;
        offset = frame.nextOffset;
        continue;
      }
      const flaw: FlawedStretch =
        frame.kind === 'frame'
          ? {
              ...this.#flaw(frame, 'the frame does not match its checksum, and no frame follows it'),
              bytes: 0,
            }
          : frame;
      // The head says where its frame ends, but bytes may be missing or added: the next frame can be anywhere after the head.
      const next = this.#search(flaw.head === null ? offset + 1 : offset + HEAD_BYTES);
      const reason = this.#reason(offset, next === -1 ? this.bytes : next, flaw.reason);
      if (next === -1) {
        yield { ...flaw, reason, bytes: this.bytes - offset };
        return;
      }
      // What a whole frame follows was not cut off there.
      yield { ...flaw, reason, kind: 'damage', bytes: next - offset };
      offset = next;
    }
  }

  /** The frame whose header starts at `offset`, by its head alone; of a flaw `bytes` is the rest of the segment. */
  frameAt(offset: number): FramePlace | FlawedStretch {
    const rest = this.bytes - offset;
    const flaw = (kind: 'damage' | 'torn', what: string, head: FrameHead | null): FlawedStretch => {
      const reason = this.#reason(offset, offset + HEAD_BYTES, what);
      return { kind, path: this.path, offset, bytes: rest, reason, head };
    };
    const decoded = this.#headAt(offset);
    if (decoded.kind === 'flaw') {
      const isStart = rest < HEAD_BYTES && isStartOfHead(this.#read(offset, HEAD_BYTES));
      if (isStart) return flaw('torn', 'the segment ends within the head of a frame', null);
      return flaw('damage', decoded.reason, null);
    }
    if (decoded.kind === 'format') {
      throw new Failure(
        'ERR_ARCHIVE_FORMAT',
        `segment ${this.path} has a frame of archive format ${decoded.format} at byte ${offset}, and this tallyd knows format ${ARCHIVE_FORMAT}; use the tallyd that wrote it, or a newer one`,
      );
    }
    const { head } = decoded;
    const dataOffset = offset + head.headerBytes;
    const nextOffset = dataOffset + head.dataBytes;
    if (nextOffset > this.bytes) {
      return flaw(
        'torn',
        `the segment ends ${nextOffset - this.bytes} bytes before the end of a frame`,
        head,
      );
    }
    return { kind: 'frame', offset, head, dataOffset, nextOffset };
  }

  /**
   * The sections and lines of a frame, checked against everything that its head says of them.
   * @throws Failure ERR_ARCHIVE_FORMAT at a section that this program does not know
   */
  readFrame(frame: FramePlace): FrameContent | FlawedStretch {
    const body = this.#checkedBody(frame);
    if (body.kind === 'damage') return body;
    if (frame.head.dataBytes === 0) return { kind: 'content', sections: body.sections, raw: NO_LINES };
    try {
      return this.#content(frame, body, decompressFrame(body.data, frame.head.rawBytes));
    } catch (error) {
      return this.#flawOf(frame, error);
    }
  }

  /** The same: reads the frame now, and lets another thread decompress it. Throws like it, and does not reject. */
  readFrameElsewhere(frame: FramePlace): Promise<FrameContent | FlawedStretch> {
    const body = this.#checkedBody(frame);
    if (body.kind === 'damage') return Promise.resolve(body);
    if (frame.head.dataBytes === 0) {
      return Promise.resolve({ kind: 'content', sections: body.sections, raw: NO_LINES });
    }
    return decompressFrameElsewhere(body.data, frame.head.rawBytes).then(
      (raw) => this.#content(frame, body, raw),
      (error) => this.#flawOf(frame, error),
    );
  }

  #checkedBody(frame: FramePlace): CheckedBody | DamagedStretch {
    const { head } = frame;
    const bytes = this.#readFrameBody(frame);
    if (typeof bytes === 'string') return this.#flaw(frame, bytes);
    const sectionsBytes = head.headerBytes - HEAD_BYTES;
    const decoded = decodeSections(bytes.subarray(0, sectionsBytes));
    if (decoded.kind === 'unknown') {
      throw new Failure(
        'ERR_ARCHIVE_FORMAT',
        `segment ${this.path} has a frame with section ${decoded.tag}, flags ${decoded.flags}, at byte ${frame.offset}, which archive format ${ARCHIVE_FORMAT} does not know; use the tallyd that wrote it, or a newer one`,
      );
    }
    if (decoded.kind === 'flaw') return this.#flaw(frame, decoded.reason);
    const flaw = flawOfRecords(head, decoded.sections.records);
    if (flaw !== null) return this.#flaw(frame, flaw);
    return { kind: 'body', sections: decoded.sections, data: bytes.subarray(sectionsBytes) };
  }

  #content(frame: FramePlace, { sections }: CheckedBody, raw: Buffer): FrameContent | FlawedStretch {
    if (raw[raw.length - 1] === 0x0a) return { kind: 'content', sections, raw };
    return this.#flaw(frame, 'the last line of the frame has no line end');
  }

  #flawOf(frame: FramePlace, error: unknown): FlawedStretch {
    if (error instanceof Failure) return this.#flaw(frame, error.message);
    throw error;
  }

  /** The sections of a frame, without a look at its lines; null where they are not what the head says. */
  readSections({ head, offset }: FramePlace): FrameSections | null {
    const bytes = Buffer.allocUnsafe(head.headerBytes - HEAD_BYTES);
    if (this.#pread(bytes, offset + HEAD_BYTES) < bytes.length) return null;
    if (crc32(bytes) !== head.sectionsCrc) return null;
    const decoded = decodeSections(bytes);
    return decoded.kind === 'sections' ? decoded.sections : null;
  }

  #flaw({ offset, nextOffset, head }: FramePlace, what: string): DamagedStretch {
    const reason = this.#reason(offset, nextOffset, what);
    return { kind: 'damage', path: this.path, offset, bytes: nextOffset - offset, reason, head };
  }

  /** Of a stretch with blocks that cannot be read that is all there is to say. */
  #reason(from: number, to: number, reason: string): string {
    for (const block of this.#unreadable) {
      if (block < to && block + BLOCK_BYTES > from) return `the disk cannot read it at byte ${block} (EIO)`;
    }
    return reason;
  }

  #headAt(offset: number): DecodedHead {
    const bytes = this.#read(offset, HEAD_BYTES);
    const headBytes = statedHeadBytes(bytes);
    return decodeHead(
      headBytes === null || headBytes <= bytes.length ? bytes : this.#read(offset, headBytes),
    );
  }

  #continuesAt(offset: number): boolean {
    return offset === this.bytes || this.#headAt(offset).kind !== 'flaw';
  }

  #isWhole(frame: FramePlace): boolean {
    return typeof this.#readFrameBody(frame) !== 'string';
  }

  /** Everything of the frame after its head, or why it is not what the head says. Never more than the segment has. */
  #readFrameBody(frame: FramePlace): Buffer | string {
    const { head } = frame;
    const sectionsBytes = head.headerBytes - HEAD_BYTES;
    const bytes = Buffer.allocUnsafe(sectionsBytes + head.dataBytes);
    if (this.#pread(bytes, frame.offset + HEAD_BYTES) < bytes.length) return 'the segment became shorter';
    if (crc32(bytes.subarray(0, sectionsBytes)) !== head.sectionsCrc) {
      return 'the sections of the frame header do not match their checksum';
    }
    if (head.dataBytes > 0 && crc32(bytes.subarray(sectionsBytes)) !== head.dataCrc) {
      return 'the data frame does not match its checksum';
    }
    return bytes;
  }

  /** The offset of the next header with a right head, from `from` on. −1: none. */
  #search(from: number): number {
    const chunk = Buffer.allocUnsafe(Math.min(SEARCH_BYTES, Math.max(0, this.bytes - from)));
    for (let at = from; at < this.bytes; ) {
      const bytes = chunk.subarray(0, this.#pread(chunk.subarray(0, this.bytes - at), at));
      if (bytes.length < OWN_MAGIC.length) return -1;
      for (let i = bytes.indexOf(OWN_MAGIC); i !== -1; i = bytes.indexOf(OWN_MAGIC, i + 1)) {
        const offset = at + i - OWN_MAGIC_OFFSET;
        if (offset >= from && this.#headAt(offset).kind !== 'flaw') return offset;
      }
      at += bytes.length - OWN_MAGIC.length + 1;
    }
    return -1;
  }

  /** Up to `length` bytes, fewer at the end of the segment: a view, until the next call. */
  #read(offset: number, length: number): Buffer {
    const wanted = Math.min(length, this.bytes - offset);
    let start = offset - this.#windowOffset;
    if (start < 0 || start + wanted > this.#windowBytes) {
      const window = this.#window.subarray(0, Math.min(WINDOW_BYTES, this.bytes - offset));
      if (wanted > window.length) {
        const bytes = Buffer.allocUnsafe(wanted);
        return bytes.subarray(0, this.#pread(bytes, offset));
      }
      this.#windowOffset = offset;
      this.#windowBytes = this.#pread(window, offset);
      start = 0;
    }
    return this.#window.subarray(start, Math.min(start + wanted, this.#windowBytes));
  }

  #pread(target: Buffer, offset: number): number {
    let count = 0;
    try {
      while (count < target.length) {
        const read = this.#files.readSync(this.#fd, target, count, target.length - count, offset + count);
        if (read === 0) break;
        count += read;
      }
    } catch (error) {
      if (this.#onUnreadable === 'damage' && isUnreadable(error)) return this.#preadBlocks(target, offset);
      throw failureOfSystemError(error, 'read segment', this.path);
    }
    return count;
  }

  /** Block by block, and zeros for those that the disk cannot read: no checksum matches them. */
  #preadBlocks(target: Buffer, offset: number): number {
    let count = 0;
    while (count < target.length) {
      const at = offset + count;
      const block = at - (at % BLOCK_BYTES);
      const wanted = Math.min(target.length - count, block + BLOCK_BYTES - at);
      try {
        const read = this.#files.readSync(this.#fd, target, count, wanted, at);
        if (read === 0) break;
        count += read;
      } catch (error) {
        if (!isUnreadable(error)) throw failureOfSystemError(error, 'read segment', this.path);
        this.#unreadable.add(block);
        target.fill(0, count, count + wanted);
        count += wanted;
      }
    }
    return count;
  }
}

function isUnreadable(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EIO';
}
