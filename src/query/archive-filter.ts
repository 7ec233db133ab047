/** Which lines of the archive are asked for: by their arrival, and by type, workflow and agent as a listener of the feed asks. */

import { KEY_OF_AGENT, KEY_OF_WORKFLOW, keyOfName } from '../archive/frame-traits.js';
import type { IndexedFrame, SegmentIndex } from '../archive/segment-index.js';
import { TYPE_NAMES } from '../decode/type-rules.js';
import { EVENT_UNKNOWN } from '../model/event.js';
import type { FeedFilterValues } from './feed-filter.js';

/** Crosses threads as a message. */
export interface ArchiveFilter extends FeedFilterValues {
  /** Lines that arrived from here on, µs. */
  readonly sinceUs: number;
  /** Lines that arrived before this, µs. */
  readonly untilUs: number;
}

export const ALL_LINES: ArchiveFilter = {
  sinceUs: 0,
  untilUs: Number.POSITIVE_INFINITY,
  types: [],
  workflows: [],
  agents: [],
};

export function namesFields({ types, workflows, agents }: ArchiveFilter): boolean {
  return types.length + workflows.length + agents.length > 0;
}

export function isAllLines(filter: ArchiveFilter): boolean {
  return !namesFields(filter) && filter.sinceUs <= 0 && filter.untilUs === Number.POSITIVE_INFINITY;
}

type Arrivals = Pick<IndexedFrame, 'firstArrivalUs' | 'lastArrivalUs'>;

export function overlaps({ sinceUs, untilUs }: ArchiveFilter, frame: Arrivals): boolean {
  return frame.lastArrivalUs >= sinceUs && frame.firstArrivalUs < untilUs;
}

export function contains({ sinceUs, untilUs }: ArchiveFilter, frame: Arrivals): boolean {
  return frame.firstArrivalUs >= sinceUs && frame.lastArrivalUs < untilUs;
}

/** The frames of a segment that may hold lines of the filter, in order. @throws Failure ERR_DAMAGE */
export function framesOfFilter(index: SegmentIndex, filter: ArchiveFilter): IndexedFrame[] {
  const byWorkflow = framesOfNames(index, filter.workflows, KEY_OF_WORKFLOW);
  const byAgent = framesOfNames(index, filter.agents, KEY_OF_AGENT);
  let frames = byWorkflow ?? byAgent ?? [...index.frames()];
  if (byWorkflow !== null && byAgent !== null) {
    const offsets = new Set(byAgent.map(({ offset }) => offset));
    frames = byWorkflow.filter(({ offset }) => offsets.has(offset));
  }
  const kinds = kindsOf(filter.types);
  return frames.filter((frame) => {
    return frame.lineCount > 0 && (kinds === 0 || (frame.kinds & kinds) !== 0) && overlaps(filter, frame);
  });
}

/** null: no name is given, so all frames will do */
function framesOfNames(index: SegmentIndex, names: readonly string[], salt: number): IndexedFrame[] | null {
  if (names.length === 0) return null;
  const byOffset = new Map<number, IndexedFrame>();
  for (const name of names) {
    for (const frame of index.framesOf(keyOfName(name, salt))) byOffset.set(frame.offset, frame);
  }
  return [...byOffset.values()].sort((a, b) => a.offset - b.offset);
}

/** As the index has them: a bit for each known type, and one for all others. */
function kindsOf(types: readonly string[]): number {
  let kinds = 0;
  for (const type of types) {
    const event = TYPE_NAMES.findIndex((name) => name === type && name !== '');
    kinds |= 1 << (event > 0 && event < EVENT_UNKNOWN ? event : EVENT_UNKNOWN);
  }
  return kinds;
}
