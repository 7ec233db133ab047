/**
 * Lines of the archive in the order of the log: `GET /v1/archive`, and `archive cat`. The frames are found here, by indexes
 * where there are any and by heads else; what is in them is looked at elsewhere, a few lots of frames at a time and in
 * parallel, and put in order again.
 */

import { setImmediate } from 'node:timers/promises';
import { type ArchiveFiles, NODE_FILES } from '../archive/archive-files.js';
import { IndexFile } from '../archive/index-file.js';
import {
  type LogFlaw,
  type LogPlace,
  type LogPosition,
  type SelectedFrames,
  walkLog,
} from '../archive/log-reader.js';
import type { SegmentIndex } from '../archive/segment-index.js';
import { indexPathOf, listSegments, type Segment, segmentIndexOfLine } from '../archive/segment-name.js';
import { SegmentReader } from '../archive/segment-reader.js';
import { Failure } from '../model/failure.js';
import { type ArchiveFilter, framesOfFilter, isAllLines, overlaps } from './archive-filter.js';
import type { FrameScanResult, FrameScanTask } from './frame-scan.js';

/** Raw bytes of a lot: a message to another thread costs 0.1 ms, and a lot of this size some 3. */
const LOT_BYTES = 2 * 1024 * 1024;
/** Small frames are dear to open. */
const LOT_FRAMES = 256;
/** Frames that are passed over before others of this thread have their turn. */
const TURN_FRAMES = 256;

export interface ScannedLines {
  readonly kind: 'lines';
  readonly bytes: Uint8Array;
}

/** What a scan could not give. */
export type ScanFlaw = LogFlaw;

/** Runs the tasks of scans. */
export interface FrameScanner {
  scan(task: FrameScanTask): Promise<FrameScanResult>;
  /** So many can run at once. */
  readonly parallel: number;
}

/** The index of a segment, of so many bytes of it or fewer; null: there is none at hand. */
export type IndexOf = (segment: Segment, bytes: number) => SegmentIndex | null;

export interface ArchiveScanOptions {
  readonly filter: ArchiveFilter;
  readonly json: boolean;
  readonly upTo: LogPosition | null;
  readonly scanner: FrameScanner;
  /** By default those that lie in files. */
  readonly indexOf?: IndexOf;
  /** Asked before each lot, since a scan that finds nothing has no other moment to end at. */
  readonly isCancelled?: () => boolean;
  readonly files?: ArchiveFiles;
}

/**
 * A few lots are in memory at a time, however slowly the caller takes them. Where it stops early, no more is begun.
 * @throws Failure ERR_ARCHIVE_FORMAT, ERR_NOT_FOUND where retention removes what is read, and those of the system
 */
export async function* scanArchive(
  directory: string,
  options: ArchiveScanOptions,
): AsyncGenerator<ScannedLines | ScanFlaw> {
  const { scanner, isCancelled = () => false } = options;
  const ahead: (LogFlaw | Promise<FrameScanResult>)[] = [];
  let failure: unknown = null;
  try {
    for (const item of lotsOf(directory, options)) {
      if (isCancelled()) return;
      if (item.kind === 'lot') {
        const { filter, json } = options;
        const { path, offsets, lines, rawBytes } = item;
        const result = scanner.scan({ path, offsets, lines, rawBytes, filter, json });
        result.catch(() => {});
        ahead.push(result);
      } else if (item.kind === 'turn') {
        await setImmediate();
        continue;
      } else {
        ahead.push(item);
      }
      if (ahead.length > scanner.parallel + 1) yield* taken(await ahead.shift()!);
    }
  } catch (error) {
    // What was before it is whole.
    failure = error;
  }
  for (const item of ahead) yield* taken(await item);
  if (failure !== null) throw failure;
}

function* taken(result: LogFlaw | FrameScanResult): Generator<ScannedLines | LogFlaw> {
  if ('kind' in result) {
    yield result;
    return;
  }
  const { bytes, flaws, failure } = result;
  if (bytes.length > 0) yield { kind: 'lines', bytes };
  yield* flaws;
  if (failure !== null) throw new Failure(failure.code, failure.text);
}

interface Lot {
  readonly kind: 'lot';
  readonly path: string;
  readonly offsets: number[];
  readonly lines: { readonly from: number; to: number };
  rawBytes: number;
}

interface Turn {
  readonly kind: 'turn';
}

function* lotsOf(directory: string, options: ArchiveScanOptions): Generator<Lot | LogFlaw | Turn> {
  let lot: Lot | null = null;
  for (const item of wantedPlaces(directory, options)) {
    if (item.kind !== 'place') {
      if (lot !== null && item.kind !== 'turn') {
        yield lot;
        lot = null;
      }
      yield item;
      continue;
    }
    const { path, frame } = item;
    if (
      lot !== null &&
      (lot.path !== path ||
        lot.rawBytes + frame.head.rawBytes > LOT_BYTES ||
        lot.offsets.length === LOT_FRAMES)
    ) {
      yield lot;
      lot = null;
    }
    const { firstLine, lineCount, rawBytes } = frame.head;
    lot ??= { kind: 'lot', path, offsets: [], lines: { from: firstLine, to: 0 }, rawBytes: 0 };
    lot.offsets.push(frame.offset);
    lot.lines.to = firstLine + lineCount - 1;
    lot.rawBytes += rawBytes;
  }
  if (lot !== null) yield lot;
}

function* wantedPlaces(
  directory: string,
  {
    filter,
    upTo,
    files = NODE_FILES,
    indexOf = (segment, bytes) => indexFileOf(segment, bytes, files),
  }: ArchiveScanOptions,
): Generator<LogPlace | LogFlaw | Turn> {
  let passed = 0;
  const select = isAllLines(filter) ? undefined : selectorOf(directory, { filter, indexOf, files });
  for (const item of walkLog(directory, { upTo, files, onUnreadable: 'damage', ...(select && { select }) })) {
    if (item.kind !== 'place') {
      yield item;
      continue;
    }
    const { head } = item.frame;
    if (head.firstArrivalUs >= filter.untilUs) return;
    if (head.lineCount > 0 && overlaps(filter, head)) yield item;
    else if (++passed % TURN_FRAMES === 0) yield { kind: 'turn' };
  }
}

interface SelectorParts {
  readonly filter: ArchiveFilter;
  readonly indexOf: IndexOf;
  readonly files: ArchiveFiles;
}

/** By the index where that is whole, as far as it goes, and else by the arrivals alone. */
function selectorOf(directory: string, { filter, indexOf, files }: SelectorParts) {
  const segments = listSegments(directory, files);
  return (segment: Segment, bytes: number): SelectedFrames | null => {
    const next = segments[segmentIndexOfLine(segments, segment.firstLine) + 1];
    if (next !== undefined && firstArrivalOf(next, files) < filter.sinceUs)
      return { frames: [], from: bytes };
    const index = indexOf(segment, bytes);
    return index === null ? null : trySelect(index, filter, bytes);
  };
}

function indexFileOf({ path, firstLine }: Segment, bytes: number, files: ArchiveFiles): SegmentIndex | null {
  const index = IndexFile.open(indexPathOf(path), firstLine, bytes, files);
  return typeof index === 'string' ? null : index;
}

function trySelect(index: SegmentIndex, filter: ArchiveFilter, bytes: number): SelectedFrames | null {
  if (index.leftOut > 0) return null;
  try {
    // It may know more by now than the scan is to read.
    const frames = framesOfFilter(index, filter).filter(({ offset }) => offset < bytes);
    return { frames, from: Math.min(index.bytes, bytes) };
  } catch (error) {
    if (error instanceof Failure && error.code === 'ERR_DAMAGE') return null;
    throw error;
  }
}

/** µs; +∞ where it is not known. */
function firstArrivalOf({ path }: Segment, files: ArchiveFiles): number {
  try {
    const reader = SegmentReader.open(path, undefined, files, 'damage');
    try {
      const first = reader.frameAt(0);
      return first.head?.firstArrivalUs ?? Number.POSITIVE_INFINITY;
    } finally {
      reader.close();
    }
  } catch (error) {
    if (error instanceof Failure && error.code === 'ERR_NOT_FOUND') return Number.POSITIVE_INFINITY;
    throw error;
  }
}
