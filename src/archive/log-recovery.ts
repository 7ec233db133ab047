/**
 * Brings the log on disk to a state that can be written on: at the start of the daemon, before anything else reads it. The
 * last segment is cut back to its last whole frame, whatever stands after it.
 *
 * A power cut may also take a frame of those that no sync had covered yet, and leave one behind it. To go on after that
 * one would be to count lines as known that nobody has, so the log is cut at the first hole. Up to the line that
 * is known to have been durable (durable-mark.ts) a hole is damage: it is told and stays.
 *
 * What is whole behind that line is written once more before it is synced. A sync of the process before may have failed:
 * then the system shows what it never got to the disk, and takes it for clean.
 */

import { dirname, resolve } from 'node:path';
import { failureOfSystemError } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES, syncDirectory } from './archive-files.js';
import type { FoundLog } from './board.js';
import { readDurableMark } from './durable-mark.js';
import type { FrameHead } from './frame-header.js';
import { listSegments, type Segment } from './segment-name.js';
import { type FlawedStretch, type FramePlace, SegmentReader } from './segment-reader.js';

const DIRECTORY_MODE = 0o750;
const COPY_BYTES = 256 * 1024;
/** Appended to the name of a segment that holds no whole frame, and more than the start of one. */
export const UNREADABLE_SUFFIX = '.unreadable';

/** What recovery took off the end of the log. */
interface LogCut {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  readonly reason: string;
  /** `cut`: the segment ends at `offset` now; `removed`: it had nothing before it; `aside`: renamed to `.unreadable`. */
  readonly done: 'cut' | 'removed' | 'aside';
}

export interface RecoveredLog {
  /** The number of the next accepted line. */
  readonly nextLine: number;
  /** The segment to go on with, or null. */
  readonly segment: Segment | null;
  readonly segmentBytes: number;
  /** Whether the segment has lines. One without cannot be rotated: the next would have its name. */
  readonly segmentHasLines: boolean;
  /** µs; of the segment's first frame: its age. 0 without a segment. */
  readonly segmentFirstArrivalUs: number;
  /** µs; 0 in an empty log. Arrivals to come must not be before it. */
  readonly lastArrivalUs: number;
  /** µs; of the oldest frame that is kept. */
  readonly oldestArrivalUs: number;
  /** `rawBytesBefore` of the next frame. */
  readonly rawBytesEnd: number;
  /** Of all kept segments. */
  readonly rawBytes: number;
  readonly compressedBytes: number;
  readonly segmentCount: number;
  /** In the order in which it was done: from the end of the log backwards. */
  readonly cuts: readonly LogCut[];
  /** Damage in the last segment before its last whole frame. Found by heads only: data is checked when it is read. */
  readonly damage: readonly FlawedStretch[];
}

/**
 * What it hands over is durable.
 * @param markPath of the durable mark; null, or where there is none: all that is whole is kept
 * @throws Failure ERR_ARCHIVE_FORMAT, and those of the system
 */
export function recoverLog(
  directory: string,
  markPath: string | null = null,
  files: ArchiveFiles = NODE_FILES,
): RecoveredLog {
  createDirectory(directory, files);
  const segments = listSegments(directory, files);
  const cuts: LogCut[] = [];
  let nextLineMin = 1;
  const mark = markPath === null ? null : readDurableMark(markPath, files);
  const durableLine = mark ?? Number.POSITIVE_INFINITY;
  for (let segment = segments.pop(); segment !== undefined; segment = segments.pop()) {
    // A segment is made only when the one before it is durable.
    const end = lastWholeFrame(segment, Math.max(durableLine, nextLineMin - 1), files);
    if (end.last === null) {
      // Its name says that all lines before it were accepted, even if the segment before it has lost some.
      nextLineMin = Math.max(nextLineMin, segment.firstLine);
      cuts.push(discard(directory, segment, end, files));
      continue;
    }
    const segmentBytes = end.last.nextOffset;
    if (end.bytes > segmentBytes) cuts.push(cut(segment, end, files));
    else syncSegment(segment, end, files);
    const oldest = segments.length === 0 ? end.first : firstFrame(segments, files);
    const { head } = end.last;
    const rawBytesEnd = head.rawBytesBefore + head.rawBytes;
    return {
      nextLine: Math.max(nextLineMin, head.firstLine + head.lineCount),
      segment,
      segmentBytes,
      segmentHasLines: end.hasLines,
      segmentFirstArrivalUs: end.first!.firstArrivalUs,
      lastArrivalUs: head.lastArrivalUs,
      oldestArrivalUs: (oldest ?? end.first!).firstArrivalUs,
      rawBytesEnd,
      rawBytes: rawBytesEnd - (oldest ?? end.first!).rawBytesBefore,
      compressedBytes: segments.reduce((sum, { path }) => sum + sizeOf(path, files), segmentBytes),
      segmentCount: segments.length + 1,
      cuts,
      damage: end.damage.filter((stretch) => stretch.offset < segmentBytes),
    };
  }
  return {
    nextLine: nextLineMin,
    segment: null,
    segmentBytes: 0,
    segmentHasLines: false,
    segmentFirstArrivalUs: 0,
    lastArrivalUs: 0,
    oldestArrivalUs: 0,
    rawBytesEnd: 0,
    rawBytes: 0,
    compressedBytes: 0,
    segmentCount: 0,
    cuts,
    damage: [],
  };
}

/** Where the archive goes on; the ring begins anew. */
export function writtenOf(log: RecoveredLog): FoundLog {
  return {
    position: 0,
    line: log.nextLine - 1,
    cuts: 0,
    segment: log.segment?.firstLine ?? 0,
    segmentBytes: log.segmentBytes,
    segmentSinceUs: log.segmentFirstArrivalUs,
    segments: log.segmentCount,
    rawBytes: log.rawBytesEnd,
    compressedBytes: log.compressedBytes,
    lastArrivedUs: log.lastArrivalUs,
    oldestUs: log.oldestArrivalUs,
  };
}

interface SegmentEnd {
  readonly first: FrameHead | null;
  readonly last: FramePlace | null;
  /** Where the frames begin of which it is not known whether they were durable. */
  readonly unsureOffset: number;
  readonly hasLines: boolean;
  readonly bytes: number;
  readonly damage: readonly FlawedStretch[];
  /** Why what stands after the last whole frame is none. */
  readonly reason: string;
  /** Nothing but the start of one frame stands after the last whole one. */
  readonly isTorn: boolean;
}

/**
 * Goes through the heads, from the last one back to the first frame that is whole to its last byte, and from the first
 * line that may not have been durable on to the first hole.
 */
function lastWholeFrame(segment: Segment, durableLine: number, files: ArchiveFiles): SegmentEnd {
  const reader = SegmentReader.open(segment.path, undefined, files);
  try {
    const frames: FramePlace[] = [];
    const damage: FlawedStretch[] = [];
    for (const item of reader.frames()) {
      if (item.kind === 'frame') frames.push(item);
      else damage.push(item);
    }
    const after = damage.at(-1);
    let reason = after?.reason ?? '';
    let isTorn = damage.length === 0 || (damage.length === 1 && after!.kind === 'torn');
    for (let last = frames.at(-1); last !== undefined; last = frames.at(-1)) {
      const content = reader.readFrame(last);
      if (content.kind === 'content') break;
      reason = content.reason;
      isTorn = false;
      frames.pop();
    }
    const hole = firstHole(reader, frames, segment.firstLine, durableLine);
    if (hole !== null) {
      reason = hole.reason;
      isTorn = false;
      frames.length = hole.index;
    }
    const hasLines = frames.some(({ head }) => head.lineCount > 0);
    const first = frames[0]?.head ?? null;
    const last = frames.at(-1) ?? null;
    const unsureOffset = frames.find(({ head }) => !wasDurable(head, durableLine))?.offset ?? Infinity;
    return { first, last, unsureOffset, hasLines, bytes: reader.bytes, damage, reason, isTorn };
  } finally {
    reader.close();
  }
}

/** The first frame that is not whole, or has something missing before it, behind the lines that were durable. */
function firstHole(
  reader: SegmentReader,
  frames: readonly FramePlace[],
  firstLine: number,
  durableLine: number,
): { index: number; reason: string } | null {
  let expected = firstLine;
  let offset = 0;
  for (const [index, frame] of frames.entries()) {
    const { head } = frame;
    // Of a frame without lines it is not known whether it was durable.
    const isLost = head.firstLine > expected ? head.firstLine - 1 > durableLine : expected > durableLine;
    if (frame.offset > offset && isLost) {
      return { index, reason: 'something that no sync had covered is missing before the last frames' };
    }
    expected = head.firstLine + head.lineCount;
    offset = frame.nextOffset;
    if (wasDurable(head, durableLine)) continue;
    const content = reader.readFrame(frame);
    if (content.kind !== 'content') return { index, reason: content.reason };
  }
  return null;
}

/** Of a frame without lines only where a line behind it was. */
function wasDurable({ firstLine, lineCount }: FrameHead, durableLine: number): boolean {
  return firstLine + Math.max(lineCount, 1) - 1 <= durableLine;
}

function cut(segment: Segment, end: SegmentEnd, files: ArchiveFiles): LogCut {
  const { path } = segment;
  const offset = end.last!.nextOffset;
  try {
    const fd = files.openSync(path, 'r+');
    try {
      files.ftruncateSync(fd, offset);
      writeAgain(fd, end.unsureOffset, offset, files);
      files.fsyncSync(fd);
    } finally {
      files.closeSync(fd);
    }
  } catch (error) {
    throw failureOfSystemError(error, 'cut segment', path);
  }
  return { path, offset, bytes: end.bytes - offset, reason: end.reason, done: 'cut' };
}

/** A process that was killed may have written and not synced. */
function syncSegment({ path }: Segment, end: SegmentEnd, files: ArchiveFiles): void {
  try {
    const fd = files.openSync(path, 'r+');
    try {
      writeAgain(fd, end.unsureOffset, end.bytes, files);
      files.fdatasyncSync(fd);
    } finally {
      files.closeSync(fd);
    }
  } catch (error) {
    throw failureOfSystemError(error, 'make durable', path);
  }
}

function writeAgain(fd: number, from: number, to: number, files: ArchiveFiles): void {
  const chunk = Buffer.allocUnsafe(Math.max(0, Math.min(COPY_BYTES, to - from)));
  for (let at = from; at < to; ) {
    const bytes = chunk.subarray(0, files.readSync(fd, chunk, 0, Math.min(chunk.length, to - at), at));
    if (bytes.length === 0) throw Object.assign(new Error('read 0 bytes'), { code: 'EIO' });
    for (let done = 0; done < bytes.length; ) {
      done += files.writevSync(fd, [bytes.subarray(done)], at + done);
    }
    at += bytes.length;
  }
}

/** A segment without a whole frame would stop the next start too. What may be more than a torn write is kept aside. */
function discard(directory: string, segment: Segment, end: SegmentEnd, files: ArchiveFiles): LogCut {
  const { path } = segment;
  try {
    if (end.isTorn) files.unlinkSync(path);
    else files.renameSync(path, path + UNREADABLE_SUFFIX);
    syncDirectory(directory, files);
  } catch (error) {
    throw failureOfSystemError(error, end.isTorn ? 'remove segment' : 'set aside segment', path);
  }
  const reason = end.bytes === 0 ? 'the segment is empty' : end.reason;
  return { path, offset: 0, bytes: end.bytes, reason, done: end.isTorn ? 'removed' : 'aside' };
}

/** The head of the first frame that has one, of the oldest segments first. */
function firstFrame(segments: readonly Segment[], files: ArchiveFiles): FrameHead | null {
  for (const { path } of segments) {
    const reader = SegmentReader.open(path, undefined, files);
    try {
      for (const item of reader.frames()) if (item.kind === 'frame') return item.head;
    } finally {
      reader.close();
    }
  }
  return null;
}

function sizeOf(path: string, files: ArchiveFiles): number {
  try {
    return files.statSync(path).size;
  } catch (error) {
    throw failureOfSystemError(error, 'look at segment', path);
  }
}

function createDirectory(directory: string, files: ArchiveFiles): void {
  try {
    const created = files.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    if (created === undefined) return;
    const outermost = dirname(created);
    for (let at = resolve(directory); at !== outermost; at = dirname(at)) syncDirectory(dirname(at), files);
  } catch (error) {
    throw failureOfSystemError(error, 'create the archive folder', directory);
  }
}
