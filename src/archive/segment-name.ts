/** Names of segment files: the number of the first line in 20 digits, so that the order of names is that of lines. */

import { join } from 'node:path';
import { failureOfSystemError } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';

const SEGMENT_SUFFIX = '.ndjson.lz4';
const SEGMENT_NAME = /^(\d{20})\.ndjson\.lz4$/;
const INDEX_SUFFIX = '.index';
const INDEX_NAME = /^(\d{20})\.index(?:\.tmp)?$/;

export interface Segment {
  readonly path: string;
  /** The number of its first line, or of the line to come if it has none. */
  readonly firstLine: number;
}

export function segmentName(firstLine: number): string {
  return `${String(firstLine).padStart(20, '0')}${SEGMENT_SUFFIX}`;
}

/** The path of the index of a segment. */
export function indexPathOf(segmentPath: string): string {
  return segmentPath.slice(0, -SEGMENT_SUFFIX.length) + INDEX_SUFFIX;
}

/** @returns null for a name that is no segment's */
export function firstLineOfSegmentName(name: string): number | null {
  const digits = SEGMENT_NAME.exec(name)?.[1];
  if (digits === undefined) return null;
  const firstLine = Number(digits);
  return firstLine >= 1 && Number.isSafeInteger(firstLine) ? firstLine : null;
}

/** The segments of a folder, in the order of their lines. Other files are passed over. */
export function listSegments(directory: string, files: ArchiveFiles = NODE_FILES): Segment[] {
  const segments: Segment[] = [];
  for (const name of namesIn(directory, files)) {
    const firstLine = firstLineOfSegmentName(name);
    if (firstLine !== null) segments.push({ path: join(directory, name), firstLine });
  }
  return segments.sort((a, b) => a.firstLine - b.firstLine);
}

/** The indexes in a folder with the numbers of their segments, in no order; also such as were never finished. */
export function listIndexes(directory: string, files: ArchiveFiles = NODE_FILES): Segment[] {
  const indexes: Segment[] = [];
  for (const name of namesIn(directory, files)) {
    const digits = INDEX_NAME.exec(name)?.[1];
    if (digits !== undefined) indexes.push({ path: join(directory, name), firstLine: Number(digits) });
  }
  return indexes;
}

/** The index of the last segment whose number is at most `line`: the one that holds it, if any does. −1: none. */
export function segmentIndexOfLine(segments: readonly Segment[], line: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (segments[middle]!.firstLine <= line) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function namesIn(directory: string, files: ArchiveFiles): string[] {
  try {
    return files.readdirSync(directory);
  } catch (error) {
    throw failureOfSystemError(error, 'list the archive', directory);
  }
}
