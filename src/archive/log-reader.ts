/**
 * The frames of the whole log in order, with their lines: for replay, and for `archive cat`. What cannot be read is an item
 * of its own, and the rest follows: damage, lines that are missing, and a last frame that is not finished.
 */

import { Failure } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import type { FrameHead, FrameSections } from './frame-header.js';
import { freeNativeMemory, nativeMemoryIsHeld } from './lz4.js';
import { listSegments, type Segment, segmentIndexOfLine } from './segment-name.js';
import { type FlawedStretch, type FramePlace, SegmentReader } from './segment-reader.js';

/** A place in the log: an offset in the segment with this first line. */
export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

export interface LogFrame {
  readonly kind: 'frame';
  readonly path: string;
  readonly offset: number;
  readonly facts: FrameHead;
  readonly sections: FrameSections;
  /** The lines with their line ends. */
  readonly raw: Buffer;
}

export interface LogFlaw {
  /** `unfinished`: the last frame of the log, whose rest is not there (yet). */
  readonly kind: 'damage' | 'unfinished';
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  readonly reason: string;
}

export interface ReadFramesOptions {
  /** Leaves out the frames whose lines are all before this one. */
  readonly fromLine?: number;
  /** Reads nothing from there on: what the writer has committed, or what there was at some moment. */
  readonly upTo?: LogPosition | null;
  readonly files?: ArchiveFiles;
}

/** Where the log ends now. null: it has no segment. */
export function endOfLog(directory: string, files: ArchiveFiles = NODE_FILES): LogPosition | null {
  const last = listSegments(directory, files).at(-1);
  if (last === undefined) return null;
  const reader = SegmentReader.open(last.path, undefined, files);
  reader.close();
  return { segment: last.firstLine, offset: reader.bytes };
}

/**
 * One frame is in memory at a time, and the event loop turns now and then (see lz4.ts: that is why it is asynchronous).
 * @throws Failure ERR_ARCHIVE_FORMAT, and those of the system
 */
export async function* readFrames(
  directory: string,
  { fromLine = 1, upTo = null, files = NODE_FILES }: ReadFramesOptions = {},
): AsyncGenerator<LogFrame | LogFlaw> {
  const segments = segmentsUpTo(listSegments(directory, files), upTo);
  const order = new LineOrder();
  for (let i = Math.max(0, segmentIndexOfLine(segments, fromLine)); i < segments.length; i++) {
    const segment = segments[i]!;
    const reader = openUnlessRemoved(segment, upTo, files);
    if (reader === null) continue;
    try {
      const missing = order.missingBefore(segment.firstLine);
      if (missing !== null)
        yield { kind: 'damage', path: segment.path, offset: 0, bytes: 0, reason: missing };
      for (const item of reader.frames()) {
        if (item.kind !== 'frame') {
          order.lost(item);
          const isLast = item.kind === 'torn' && i === segments.length - 1;
          yield logFlaw(item, isLast ? 'unfinished' : 'damage');
          continue;
        }
        const disorder = order.place(item);
        if (disorder !== null) yield { ...frameFlaw(segment, item), reason: disorder.reason };
        if (disorder?.leaveOut || endsBefore(item, fromLine)) continue;
        if (nativeMemoryIsHeld()) await freeNativeMemory();
        const content = reader.readFrame(item);
        if (content.kind === 'content') {
          const { sections, raw } = content;
          yield { kind: 'frame', path: segment.path, offset: item.offset, facts: item.head, sections, raw };
        } else {
          yield logFlaw(content, 'damage');
        }
      }
    } finally {
      reader.close();
    }
  }
}

export function segmentsUpTo(segments: Segment[], upTo: LogPosition | null): Segment[] {
  return upTo === null ? segments : segments.filter((segment) => segment.firstLine <= upTo.segment);
}

/** null where retention has removed the segment since it was listed. */
export function openUnlessRemoved(
  segment: Segment,
  upTo: LogPosition | null,
  files: ArchiveFiles,
): SegmentReader | null {
  try {
    const bytesMax = upTo !== null && upTo.segment === segment.firstLine ? upTo.offset : undefined;
    return SegmentReader.open(segment.path, bytesMax, files);
  } catch (error) {
    if (error instanceof Failure && error.code === 'ERR_NOT_FOUND') return null;
    throw error;
  }
}

/**
 * Lines are numbered without a gap from the first one that is kept. A gap that a damaged stretch explains is told with
 * that stretch; a frame that repeats lines is left out.
 */
class LineOrder {
  /** null: nothing read yet, or after damage. */
  #expected: number | null = null;
  #seen = 1;

  missingBefore(firstLine: number): string | null {
    const expected = this.#expected;
    this.#expected = expected === null ? null : Math.max(expected, firstLine);
    return expected !== null && firstLine > expected ? missingText(expected, firstLine) : null;
  }

  lost(_stretch: FlawedStretch): void {
    this.#expected = null;
  }

  place({ head }: FramePlace): { reason: string; leaveOut: boolean } | null {
    if (head.firstLine < this.#seen) {
      const reason = `the frame starts again at line ${head.firstLine}, and line ${this.#seen - 1} was before it`;
      return { reason, leaveOut: true };
    }
    const missing = this.missingBefore(head.firstLine);
    this.#seen = head.firstLine + head.lineCount;
    this.#expected = this.#seen;
    return missing === null ? null : { reason: missing, leaveOut: false };
  }
}

function missingText(expected: number, firstLine: number): string {
  return `lines ${expected} to ${firstLine - 1} are missing before it`;
}

function endsBefore({ head }: FramePlace, line: number): boolean {
  return head.firstLine < line && head.firstLine + head.lineCount <= line;
}

function frameFlaw(segment: Segment, { offset, nextOffset }: FramePlace): Omit<LogFlaw, 'reason'> {
  return { kind: 'damage', path: segment.path, offset, bytes: nextOffset - offset };
}

function logFlaw(stretch: FlawedStretch, kind: LogFlaw['kind']): LogFlaw {
  const { path, offset, bytes, head } = stretch;
  const lost =
    head === null || head.lineCount === 0
      ? ''
      : `; lines ${head.firstLine} to ${head.firstLine + head.lineCount - 1} are lost`;
  return { kind, path, offset, bytes, reason: stretch.reason + (kind === 'damage' ? lost : '') };
}
