/**
 * The frames of the whole log in order, with their lines: for replay, and for `archive cat`. What cannot be read is an item
 * of its own, and the rest follows: damage, lines that are missing, and a last frame that is not finished.
 */

import { Failure } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import type { FrameHead, FrameSections } from './frame-header.js';
import { freeNativeMemory, nativeMemoryIsHeld } from './lz4.js';
import { listSegments, type Segment, segmentIndexOfLine } from './segment-name.js';
import { type FlawedStretch, type FramePlace, type OnUnreadable, SegmentReader } from './segment-reader.js';

/** A place in the log: an offset in the segment with this first line. */
export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

/** Whether what begins at the one lies before what begins at the other. */
export function isBefore(one: LogPosition, other: LogPosition): boolean {
  return one.segment < other.segment || (one.segment === other.segment && one.offset < other.offset);
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
  /**
   * `unfinished`: the last frame of the log, whose rest is not there (yet). `removed`: retention has removed what was there
   * when the reading began.
   */
  readonly kind: 'damage' | 'unfinished' | 'removed';
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  readonly reason: string;
  /** The lines that it costs, as far as they are known: a stretch that no frame follows has a first one alone. */
  readonly firstLine: number | null;
  readonly lastLine: number | null;
}

/** A frame that was found by its head, and nothing of it read but that. */
export interface LogPlace {
  readonly kind: 'place';
  readonly path: string;
  readonly frame: FramePlace;
  /** Open until the walk goes on. */
  readonly reader: SegmentReader;
}

export interface ReadFramesOptions {
  /** Leaves out the frames whose lines are all before this one. */
  readonly fromLine?: number;
  /** Reads nothing from there on: what the writer has committed, or what there was at some moment. */
  readonly upTo?: LogPosition | null;
  /** By default an error (segment-reader.ts). */
  readonly onUnreadable?: OnUnreadable;
  readonly files?: ArchiveFiles;
}

/** The frames of a segment that are wanted: these, and from an offset on all, with what stands between them. */
export interface SelectedFrames {
  readonly frames: readonly { readonly offset: number }[];
  readonly from: number;
}

export interface WalkOptions extends ReadFramesOptions {
  /** Which frames of a segment are wanted; null: all. @param bytes what is read of the segment */
  readonly select?: (segment: Segment, bytes: number) => SelectedFrames | null;
}

/** Where the log ends now. null: it has no segment. */
export function endOfLog(directory: string, files: ArchiveFiles = NODE_FILES): LogPosition | null {
  const last = listSegments(directory, files).at(-1);
  if (last === undefined) return null;
  const reader = SegmentReader.open(last.path, undefined, files);
  reader.close();
  return { segment: last.firstLine, offset: reader.bytes };
}

const REMOVED = 'retention has removed the segment since the reading began';

/** Frames that other threads decompress while the caller works on one. */
const FRAMES_AHEAD = 3;

/**
 * A few frames are in memory at a time, and the event loop turns now and then (see lz4.ts).
 * @throws Failure ERR_ARCHIVE_FORMAT, and those of the system
 */
export async function* readFrames(
  directory: string,
  options: ReadFramesOptions = {},
): AsyncGenerator<LogFrame | LogFlaw> {
  const ahead: (LogFlaw | Promise<LogFrame | LogFlaw>)[] = [];
  let failure: unknown = null;
  try {
    for (const item of walkLog(directory, options)) {
      if (item.kind === 'place') {
        const content = readFrame(item);
        // Where the caller stops early nobody waits for it.
        content.catch(() => {});
        ahead.push(content);
      } else {
        ahead.push(item);
      }
      if (ahead.length <= FRAMES_AHEAD) continue;
      if (nativeMemoryIsHeld()) await freeNativeMemory();
      yield await ahead.shift()!;
    }
  } catch (error) {
    // What was before it is whole.
    failure = error;
  }
  for (const item of ahead) yield await item;
  if (failure !== null) throw failure;
}

/** All frames in the order of the log by their heads, and what cannot be read, as far as that is seen by heads. */
export function* walkLog(
  directory: string,
  { fromLine = 1, upTo = null, files = NODE_FILES, onUnreadable = 'fail', select }: WalkOptions = {},
): Generator<LogFlaw | LogPlace> {
  const segments = segmentsUpTo(listSegments(directory, files), upTo);
  const order = new LineOrder();
  for (let i = Math.max(0, segmentIndexOfLine(segments, fromLine)); i < segments.length; i++) {
    const segment = segments[i]!;
    const reader = openUnlessRemoved(segment, upTo, files, onUnreadable);
    if (reader === null) {
      order.loseSegment(segment.path);
      continue;
    }
    try {
      const selected = select?.(segment, reader.bytes) ?? null;
      const isLast = i === segments.length - 1;
      if (selected === null) {
        yield* order.goOn(segment.firstLine, { path: segment.path, offset: 0, bytes: 0 });
        yield* walkSegment(segment, reader, { order, fromLine, from: 0, isLast });
      } else {
        yield* order.end();
        order.forget();
        for (const { offset } of selected.frames) yield placeAt(reader, offset);
        yield* walkSegment(segment, reader, { order, fromLine, from: selected.from, isLast });
      }
    } finally {
      reader.close();
    }
  }
  yield* order.end();
}

interface SegmentWalk {
  readonly order: LineOrder;
  readonly fromLine: number;
  /** Where a frame starts. */
  readonly from: number;
  readonly isLast: boolean;
}

function* walkSegment(
  segment: Segment,
  reader: SegmentReader,
  { order, fromLine, from, isLast }: SegmentWalk,
): Generator<LogFlaw | LogPlace> {
  const { path } = segment;
  for (const item of reader.frames(from)) {
    if (item.kind !== 'frame') {
      order.lose(item, item.kind === 'torn' && isLast ? 'unfinished' : 'damage');
      continue;
    }
    const place = placeOf(segment, item);
    const repeats = order.repeats(item);
    if (repeats !== null) {
      yield { kind: 'damage', ...place, reason: repeats, firstLine: null, lastLine: null };
      continue;
    }
    yield* order.goOn(item.head.firstLine, place);
    order.pass(item);
    if (!endsBefore(item, fromLine)) yield { kind: 'place', path, frame: item, reader };
  }
}

function placeAt(reader: SegmentReader, offset: number): LogFlaw | LogPlace {
  const frame = reader.frameAt(offset);
  if (frame.kind === 'frame') return { kind: 'place', path: reader.path, frame, reader };
  return damagedFrame({ ...frame, bytes: 0 });
}

function readFrame({ path, frame, reader }: LogPlace): Promise<LogFrame | LogFlaw> {
  const { head, offset } = frame;
  return reader.readFrameElsewhere(frame).then((content) => {
    if (content.kind !== 'content') return damagedFrame(content);
    const { sections, raw } = content;
    return { kind: 'frame', path, offset, facts: head, sections, raw };
  });
}

/** A frame whose lines can be read, though something about it is wrong. */
export function wrongFrame(path: string, { offset, nextOffset, head }: FramePlace, reason: string): LogFlaw {
  const { from, to } = linesOf(head) ?? { from: null, to: null };
  return { kind: 'damage', path, offset, bytes: nextOffset - offset, reason, firstLine: from, lastLine: to };
}

/** Lines that were found by the heads of their frames, and are gone. */
export function removedLines(path: string, offset: number, lines: LineRange): LogFlaw {
  return logFlaw({ kind: 'damage', path, offset, bytes: 0, reason: REMOVED, head: null }, 'removed', lines);
}

/** What a frame has cost of which no more is right than its head, or not even that. */
export function damagedFrame(stretch: FlawedStretch): LogFlaw {
  return logFlaw(stretch, 'damage', stretch.head && linesOf(stretch.head));
}

export function segmentsUpTo(segments: Segment[], upTo: LogPosition | null): Segment[] {
  return upTo === null ? segments : segments.filter((segment) => segment.firstLine <= upTo.segment);
}

/** null where retention has removed the segment since it was listed. */
export function openUnlessRemoved(
  segment: Segment,
  upTo: LogPosition | null,
  files: ArchiveFiles,
  onUnreadable: OnUnreadable = 'fail',
): SegmentReader | null {
  try {
    const bytesMax = upTo !== null && upTo.segment === segment.firstLine ? upTo.offset : undefined;
    return SegmentReader.open(segment.path, bytesMax, files, onUnreadable);
  } catch (error) {
    if (error instanceof Failure && error.code === 'ERR_NOT_FOUND') return null;
    throw error;
  }
}

/**
 * Lines are numbered without a gap from the first one that is kept. What a damaged stretch has cost is known by the
 * frame behind it, so it is told then; a gap without one is told by itself. A frame that repeats lines is left out.
 */
class LineOrder {
  /** The line to come; 0: nothing read yet. */
  #next = 0;
  /** Stretches since the last frame. */
  #lost: [FlawedStretch, LogFlaw['kind']][] = [];

  lose(stretch: FlawedStretch, kind: LogFlaw['kind']): void {
    this.#lost.push([stretch, kind]);
  }

  /** Before the first frame it is as if the reading had begun later. */
  loseSegment(path: string): void {
    if (this.#next === 0) return;
    this.lose({ kind: 'damage', path, offset: 0, bytes: 0, reason: REMOVED, head: null }, 'removed');
  }

  /** What follows is not all that there is. */
  forget(): void {
    this.#next = 0;
  }

  repeats({ head }: FramePlace): string | null {
    if (head.firstLine >= this.#next) return null;
    return `the frame starts again at line ${head.firstLine}, and line ${this.#next - 1} was before it`;
  }

  /** @param place where the log goes on with `firstLine` */
  *goOn(firstLine: number, place: Place): Generator<LogFlaw> {
    const missing = this.#next > 0 && firstLine > this.#next ? { from: this.#next, to: firstLine - 1 } : null;
    this.#next = Math.max(this.#next, firstLine);
    if (this.#lost.length > 0) {
      yield* this.#tell(missing);
    } else if (missing !== null) {
      const { from, to } = missing;
      const reason = `lines ${from} to ${to} are missing before it`;
      yield { kind: 'damage', ...place, reason, firstLine: from, lastLine: to };
    }
  }

  pass({ head }: FramePlace): void {
    this.#next = head.firstLine + head.lineCount;
  }

  end(): Generator<LogFlaw> {
    return this.#tell(this.#next > 0 ? { from: this.#next, to: null } : null);
  }

  /** Where several stretches lie in one gap, those whose heads are right know their own lines. */
  *#tell(missing: LineRange | null): Generator<LogFlaw> {
    for (const [stretch, kind] of this.#lost) {
      yield logFlaw(stretch, kind, (stretch.head && linesOf(stretch.head)) ?? missing);
    }
    this.#lost = [];
  }
}

interface Place {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

export interface LineRange {
  readonly from: number;
  readonly to: number | null;
}

function linesOf({ firstLine, lineCount }: FrameHead): LineRange | null {
  return lineCount === 0 ? null : { from: firstLine, to: firstLine + lineCount - 1 };
}

function endsBefore({ head }: FramePlace, line: number): boolean {
  return head.firstLine < line && head.firstLine + head.lineCount <= line;
}

function placeOf(segment: Segment, { offset, nextOffset }: FramePlace): Place {
  return { path: segment.path, offset, bytes: nextOffset - offset };
}

function logFlaw(stretch: FlawedStretch, kind: LogFlaw['kind'], lines: LineRange | null): LogFlaw {
  const { path, offset, bytes, reason } = stretch;
  const isKnown = kind !== 'unfinished' && lines !== null && lines.to !== null;
  const gone = kind === 'removed' ? 'gone' : 'lost';
  const lost = isKnown ? `; lines ${lines.from} to ${lines.to} are ${gone}` : '';
  return {
    kind,
    path,
    offset,
    bytes,
    reason: reason + lost,
    firstLine: lines?.from ?? null,
    lastLine: lines?.to ?? null,
  };
}
