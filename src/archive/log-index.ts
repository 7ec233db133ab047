/**
 * Where in the log the lines of a workflow are: over all segments, by their indexes. Those of closed segments lie in files,
 * of which the directories are kept in memory; that of the active one grows here, frame by frame, and becomes a file
 * when the segment is closed. One that is missing or cannot be used is built when it is asked for.
 */

import { Failure, failureOfSystemError } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import { KEY_OF_PARENT, KEY_OF_TICKS, KEY_OF_WORKFLOW, keyOfName } from './frame-traits.js';
import { GrowingIndex } from './growing-index.js';
import { type IndexBuilder, indexBuilderHere } from './index-builder.js';
import { IndexFile } from './index-file.js';
import type { LogPosition } from './log-reader.js';
import type { IndexedFrame, SegmentIndex } from './segment-index.js';
import { indexPathOf, listIndexes, listSegments, type Segment } from './segment-name.js';

/** A frame in a segment. */
export interface LogFramePlace extends IndexedFrame {
  readonly path: string;
  /** The number in the name of the segment. */
  readonly segment: number;
}

export interface LogIndexOptions {
  /** What indexes large parts; by default this thread does. */
  readonly builder?: IndexBuilder;
  /** Told of each index that the disk does not take, and by null of each that it takes. */
  readonly onWritten?: (failure: Failure | null) => void;
  readonly files?: ArchiveFiles;
}

/** Directories of index files that are kept in memory: at 30 KiB for a segment of 256 MiB, those of 100 GiB. */
const DIRECTORIES_BYTES_MAX = 16 * 1024 * 1024;
/** A part of the log that is smaller is indexed by whoever asks, in some 10 ms: a thread may have to be made first. */
const SMALL_BYTES = 1024 * 1024;

export class LogIndex {
  readonly #directory: string;
  readonly #here: IndexBuilder;
  readonly #builder: IndexBuilder;
  readonly #onWritten: (failure: Failure | null) => void;
  readonly #files: ArchiveFiles;
  /** Of segments without a file, by their numbers: of the active one, and of those before it until they have one. */
  readonly #growing = new Map<number, GrowingIndex>();
  /** The one that was asked last stands last. */
  readonly #opened = new Map<number, IndexFile>();
  #openedBytes = 0;
  /** Indexes grow one at a time, whoever asks for them. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    directory: string,
    { files = NODE_FILES, builder, onWritten = () => {} }: LogIndexOptions = {},
  ) {
    this.#directory = directory;
    this.#files = files;
    this.#here = indexBuilderHere(files);
    this.#builder = builder ?? this.#here;
    this.#onWritten = onWritten;
  }

  /**
   * The frames that may hold lines of a workflow, in the order of the log. Its lines are in these and in no others, but
   * each has to be looked into: other names may have the same key.
   * @param upTo what the writer has committed
   * @throws Failure ERR_ARCHIVE_FORMAT, and those of the system
   */
  framesOfWorkflow(workflow: string, upTo: LogPosition): Promise<LogFramePlace[]> {
    return this.#framesOf(keyOfName(workflow, KEY_OF_WORKFLOW), upTo);
  }

  /** The same of lines that name this workflow as their parent. */
  framesOfChildren(workflow: string, upTo: LogPosition): Promise<LogFramePlace[]> {
    return this.#framesOf(keyOfName(workflow, KEY_OF_PARENT), upTo);
  }

  /** The frames of a segment that may have ticks. */
  framesWithTicks(segment: number, upTo: LogPosition): Promise<LogFramePlace[]> {
    return this.#framesOf(KEY_OF_TICKS, upTo, (one) => one.firstLine === segment);
  }

  /** The numbers of the segments from one on and up to another, both with them. */
  segmentsBetween(from: number, to: number): number[] {
    const numbers = listSegments(this.#directory, this.#files).map(({ firstLine }) => firstLine);
    return numbers.filter((number) => number >= from && number <= to);
  }

  /** Whether what is not indexed yet is so little that whoever asks does not wait for it. */
  isNear(upTo: LogPosition): boolean {
    return this.#segments(upTo).every((segment) => {
      if (segment.firstLine !== upTo.segment) return this.#isAtHand(segment);
      return upTo.offset - (this.#growing.get(segment.firstLine)?.bytes ?? 0) <= SMALL_BYTES;
    });
  }

  #isAtHand(segment: Segment): boolean {
    try {
      return this.atHand(segment, sizeOf(segment, this.#files)) !== null;
    } catch (error) {
      if (isFailure(error, 'ERR_NOT_FOUND')) return true;
      throw error;
    }
  }

  /** What is known of a segment without reading it: the index of so many bytes of it, or of fewer. null: nothing. */
  atHand(segment: Segment, bytes: number): SegmentIndex | null {
    return this.#openedFile(segment, bytes) ?? this.#growing.get(segment.firstLine) ?? null;
  }

  /**
   * Indexes what was written since, and what has no index; removes indexes whose segment is gone.
   * @returns whether each closed segment has its file
   */
  async follow(upTo: LogPosition): Promise<boolean> {
    this.#removeOrphans();
    for (const segment of this.#segments(upTo)) await this.#indexOf(segment, upTo);
    return [...this.#growing.keys()].every((segment) => segment === upTo.segment);
  }

  async #framesOf(
    key: number,
    upTo: LogPosition,
    isWanted: (segment: Segment) => boolean = () => true,
  ): Promise<LogFramePlace[]> {
    const found: LogFramePlace[] = [];
    for (const segment of this.#segments(upTo).filter(isWanted)) {
      for (const frame of await this.#framesIn(segment, key, upTo)) {
        // The index may know more by now.
        if (segment.firstLine === upTo.segment && frame.offset >= upTo.offset) break;
        found.push({ ...frame, path: segment.path, segment: segment.firstLine });
      }
    }
    return found;
  }

  async #framesIn(segment: Segment, key: number, upTo: LogPosition): Promise<IndexedFrame[]> {
    const index = await this.#indexOf(segment, upTo);
    try {
      return index?.framesOf(key) ?? [];
    } catch (error) {
      if (!isFailure(error, 'ERR_DAMAGE')) throw error;
      // Damaged since its directory was read, or removed together with its segment.
      this.#forget(segment.firstLine);
      removeIfThere(indexPathOf(segment.path), this.#files);
      return (await this.#indexOf(segment, upTo))?.framesOf(key) ?? [];
    }
  }

  #segments(upTo: LogPosition): Segment[] {
    return listSegments(this.#directory, this.#files).filter(({ firstLine }) => firstLine <= upTo.segment);
  }

  /** null where retention has removed the segment */
  async #indexOf(segment: Segment, upTo: LogPosition): Promise<SegmentIndex | null> {
    const isActive = segment.firstLine === upTo.segment;
    try {
      const bytes = isActive ? upTo.offset : sizeOf(segment, this.#files);
      const growing = this.#growing.get(segment.firstLine);
      if (isActive && growing !== undefined && growing.bytes >= bytes) return growing;
      return (
        this.#openedFile(segment, bytes) ?? (await this.#inTurn(() => this.#grow(segment, bytes, isActive)))
      );
    } catch (error) {
      if (isFailure(error, 'ERR_NOT_FOUND')) return null;
      throw error;
    }
  }

  async #grow(segment: Segment, bytes: number, isActive: boolean): Promise<SegmentIndex> {
    // Somebody else may have waited for the same.
    const opened = this.#openedFile(segment, bytes);
    if (opened !== null) return opened;
    let index = this.#growing.get(segment.firstLine);
    // A segment only grows, unless the archive has cut off what the disk refused to keep.
    if (index === undefined || (index.bytes > bytes && !isActive))
      index = new GrowingIndex(segment.firstLine);
    this.#growing.set(segment.firstLine, index);
    if (bytes > index.bytes) {
      const builder = bytes - index.bytes <= SMALL_BYTES ? this.#here : this.#builder;
      index.append(await builder.read(segment, index.end, bytes));
    }
    if (isActive || !(await this.#tryWrite(segment, index))) return index;
    this.#growing.delete(segment.firstLine);
    return this.#openedFile(segment, bytes) ?? index;
  }

  /** On a disk that is full or read-only the index stays in memory. */
  async #tryWrite(segment: Segment, index: GrowingIndex): Promise<boolean> {
    const builder = index.bytes <= SMALL_BYTES ? this.#here : this.#builder;
    try {
      await builder.write(segment, index.part());
      this.#onWritten(null);
      return true;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.#onWritten(error);
      return false;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  /** null where there is none for so many bytes of the segment */
  #openedFile(segment: Segment, bytes: number): IndexFile | null {
    const { firstLine, path } = segment;
    const known = this.#opened.get(firstLine);
    if (known !== undefined) this.#forget(firstLine);
    const index =
      known?.bytes === bytes ? known : IndexFile.open(indexPathOf(path), firstLine, bytes, this.#files);
    if (typeof index === 'string') return null;
    this.#opened.set(firstLine, index);
    this.#openedBytes += index.directoryBytes;
    for (const oldest of this.#opened.keys()) {
      if (this.#openedBytes <= DIRECTORIES_BYTES_MAX || oldest === firstLine) break;
      this.#forget(oldest);
    }
    return index;
  }

  #forget(segment: number): void {
    this.#openedBytes -= this.#opened.get(segment)?.directoryBytes ?? 0;
    this.#opened.delete(segment);
  }

  #removeOrphans(): void {
    const segments = new Set(listSegments(this.#directory, this.#files).map(({ firstLine }) => firstLine));
    const indexes = new Set<number>();
    for (const { path, firstLine } of listIndexes(this.#directory, this.#files)) {
      if (segments.has(firstLine)) indexes.add(firstLine);
      else removeIfThere(path, this.#files);
    }
    for (const known of [...this.#growing.keys()]) if (!segments.has(known)) this.#growing.delete(known);
    for (const known of [...this.#opened.keys()]) if (!indexes.has(known)) this.#forget(known);
  }
}

function sizeOf({ path }: Segment, files: ArchiveFiles): number {
  try {
    return files.statSync(path).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Failure('ERR_NOT_FOUND', `segment ${path} is not there; retention may have removed it`, {
        cause: error,
      });
    }
    throw failureOfSystemError(error, 'look at segment', path);
  }
}

function removeIfThere(path: string, files: ArchiveFiles): void {
  try {
    files.unlinkSync(path);
  } catch (error) {
    // Where it cannot be removed it is passed over, now as later.
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
  }
}

function isFailure(error: unknown, code: Failure['code']): boolean {
  return error instanceof Failure && error.code === code;
}
