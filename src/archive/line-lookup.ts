/**
 * Lines by their numbers: the segment by its name, the frame by the heads, and each frame that is needed decompressed once.
 */

import assert from 'node:assert';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import type { FrameHead } from './frame-header.js';
import { type LogPosition, openUnlessRemoved, segmentsUpTo } from './log-reader.js';
import { freeNativeMemory, nativeMemoryIsHeld } from './lz4.js';
import { listSegments, segmentIndexOfLine } from './segment-name.js';

const LINE_END = 0x0a;

export interface ReadLinesOptions {
  readonly upTo?: LogPosition | null;
  readonly files?: ArchiveFiles;
}

/**
 * @param lineNumbers ascending
 * @returns the lines without their line ends; one that is removed, damaged or not there yet is left out
 */
export async function readLines(
  directory: string,
  lineNumbers: readonly number[],
  { upTo = null, files = NODE_FILES }: ReadLinesOptions = {},
): Promise<Map<number, Buffer>> {
  const found = new Map<number, Buffer>();
  const segments = segmentsUpTo(listSegments(directory, files), upTo);
  let next = 0;
  while (next < lineNumbers.length) {
    assert(next === 0 || lineNumbers[next]! >= lineNumbers[next - 1]!);
    const index = segmentIndexOfLine(segments, lineNumbers[next]!);
    const end = segments[index + 1]?.firstLine ?? Number.POSITIVE_INFINITY;
    let wanted = next;
    while (wanted < lineNumbers.length && lineNumbers[wanted]! < end) wanted++;
    const segment = segments[index];
    const reader = segment === undefined ? null : openUnlessRemoved(segment, upTo, files, 'damage');
    try {
      for (const item of reader?.frames() ?? []) {
        if (item.kind !== 'frame') continue;
        const { firstLine, lineCount } = item.head;
        while (next < wanted && lineNumbers[next]! < firstLine) next++;
        if (next === wanted) break;
        const first = next;
        while (next < wanted && lineNumbers[next]! < firstLine + lineCount) next++;
        if (next === first) continue;
        if (nativeMemoryIsHeld()) await freeNativeMemory();
        const content = reader!.readFrame(item);
        if (content.kind === 'content')
          cutLines(item.head, content.raw, lineNumbers.slice(first, next), found);
      }
    } finally {
      reader?.close();
    }
    next = wanted;
  }
  return found;
}

/** @param lineNumbers ascending, of lines of this frame */
export function cutLines(
  head: FrameHead,
  raw: Buffer,
  lineNumbers: readonly number[],
  found: Map<number, Buffer>,
): void {
  let line = head.firstLine;
  let start = 0;
  for (const wanted of lineNumbers) {
    for (; line < wanted && start < raw.length; line++) start = lineEnd(raw, start) + 1;
    // A copy: a view would keep the whole frame in memory.
    if (start < raw.length) found.set(wanted, Buffer.from(raw.subarray(start, lineEnd(raw, start))));
  }
}

/** A frame ends in a line end, so there always is one. */
function lineEnd(raw: Buffer, start: number): number {
  return raw.indexOf(LINE_END, start);
}
