/** Frames that an index names, with what else of the log the fold of their lines needs: the limits in force, and ticks of time. */

import { decodeTicks, type FrameTick } from '../archive/frame-ticks.js';
import type { LogFramePlace, LogIndex } from '../archive/log-index.js';
import { isBefore, type LogPosition } from '../archive/log-reader.js';
import { SegmentReader } from '../archive/segment-reader.js';
import { Failure } from '../model/failure.js';
import { TICK_LIMITS, TICK_TIME } from '../model/tick.js';
import { decodeLimits } from '../state/limits.js';
import type { HistoryFrame, HistoryLimits } from './workflow-history.js';

/** @param limits where a segment does not say which are in force */
export async function historyFrames(
  index: LogIndex,
  places: readonly LogFramePlace[],
  upTo: LogPosition,
  limits: HistoryLimits,
): Promise<HistoryFrame[]> {
  const bySegment = new Map<number, HistoryLimits>();
  const ticks = new TimeTicks(index, upTo);
  const frames: HistoryFrame[] = [];
  let before: LogFramePlace | null = null;
  for (const place of places) {
    const { path, segment, offset, firstLine, lineCount } = place;
    const inForce = bySegment.get(segment) ?? limitsOf(path, limits);
    bySegment.set(segment, inForce);
    const gapMs = before === null ? 0 : (place.lastArrivalUs - before.firstArrivalUs) / 1000;
    const mayBeStale = before !== null && gapMs >= inForce.staleAfterMs;
    const tickedUs = mayBeStale ? await ticks.lastBetween(before!, place) : 0;
    frames.push({ path, offset, firstLine, lineCount, limits: inForce, tickedUs });
    before = place;
  }
  return frames;
}

/** Limits change only where a segment begins, and each begins with those in force. */
function limitsOf(path: string, otherwise: HistoryLimits): HistoryLimits {
  const tick = ticksAt(path, 0).findLast(({ kind }) => kind === TICK_LIMITS);
  if (tick === undefined) return otherwise;
  const { maxTasksPerWorkflow, staleAfterMs } = { ...otherwise, ...decodeLimits(tick.payload) };
  return { maxTasksPerWorkflow, staleAfterMs };
}

class TimeTicks {
  readonly #index: LogIndex;
  readonly #upTo: LogPosition;
  readonly #frames = new Map<number, LogFramePlace[]>();

  constructor(index: LogIndex, upTo: LogPosition) {
    this.#index = index;
    this.#upTo = upTo;
  }

  /** Arrival of the last tick of time in the frames between these two, µs; 0: there is none. */
  async lastBetween(before: LogFramePlace, after: LogFramePlace): Promise<number> {
    const isBetween = (frame: LogFramePlace) => isBefore(before, frame) && isBefore(frame, after);
    for (const segment of this.#index.segmentsBetween(before.segment, after.segment).reverse()) {
      for (const frame of (await this.#framesOf(segment)).filter(isBetween).reverse()) {
        const tick = ticksAt(frame.path, frame.offset).findLast(({ kind }) => kind === TICK_TIME);
        if (tick !== undefined) return tick.arrivalUs;
      }
    }
    return 0;
  }

  async #framesOf(segment: number): Promise<LogFramePlace[]> {
    const known = this.#frames.get(segment);
    if (known !== undefined) return known;
    const frames = await this.#index.framesWithTicks(segment, this.#upTo);
    this.#frames.set(segment, frames);
    return frames;
  }
}

/** None where the frame is damaged, or retention has removed it. */
function ticksAt(path: string, offset: number): FrameTick[] {
  try {
    const reader = SegmentReader.open(path);
    try {
      const frame = reader.frameAt(offset);
      const sections = frame.kind === 'frame' ? reader.readSections(frame) : null;
      return frame.kind === 'frame' && sections !== null ? decodeTicks(frame.head, sections.ticks) : [];
    } finally {
      reader.close();
    }
  } catch (error) {
    if (error instanceof Failure && (error.code === 'ERR_NOT_FOUND' || error.code === 'ERR_DAMAGE'))
      return [];
    throw error;
  }
}
