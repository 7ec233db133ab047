/**
 * Limits of the state that the log speaks of. They change where a segment begins, and each segment begins with those in
 * force, so the first frames of the segments tell all of them: how much memory a replay needs.
 */

import { TICK_LIMITS } from '../model/tick.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import { decodeTicks, type FrameTick } from './frame-ticks.js';
import { openUnlessRemoved } from './log-reader.js';
import { listSegments, type Segment } from './segment-name.js';

/** The ticks with limits at the beginning of a segment: more than one where no line came between changes. */
export function limitsOfSegment(segment: Segment, files: ArchiveFiles = NODE_FILES): FrameTick[] {
  const reader = openUnlessRemoved(segment, null, files, 'damage');
  if (reader === null) return [];
  const found: FrameTick[] = [];
  try {
    for (const item of reader.frames()) {
      if (item.kind !== 'frame') continue;
      const sections = reader.readSections(item);
      if (sections !== null) {
        found.push(...decodeTicks(item.head, sections.ticks).filter(({ kind }) => kind === TICK_LIMITS));
      }
      if (item.head.lineCount > 0) break;
    }
  } finally {
    reader.close();
  }
  return found;
}

/** The payloads of all of them. */
export function limitsOfLog(directory: string, files: ArchiveFiles = NODE_FILES): Uint8Array[] {
  return listSegments(directory, files).flatMap((segment) => {
    return limitsOfSegment(segment, files).map(({ payload }) => payload);
  });
}
