/** What a segment says of itself without its lines: for `archive ls`, and for retention. */

import { Failure } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import type { FrameHead } from './frame-header.js';
import { IndexFile } from './index-file.js';
import { indexPathOf, listSegments, type Segment } from './segment-name.js';
import { SegmentReader } from './segment-reader.js';

export interface SegmentFacts {
  readonly path: string;
  /** The number in its name. */
  readonly firstLine: number;
  readonly lineCount: number;
  readonly frameCount: number;
  readonly rawBytes: number;
  /** Of the file. */
  readonly bytes: number;
  /** Of its index; null: it has none that can be used. */
  readonly indexBytes: number | null;
  /** µs; null: it has no frame that can be read. */
  readonly firstArrivalUs: number | null;
  readonly lastArrivalUs: number | null;
  /** The last segment, which a daemon goes on with. */
  readonly isActive: boolean;
}

/** All of them, in the order of their lines; one that retention removes meanwhile is left out. @throws Failure */
export function readSegmentFacts(directory: string, files: ArchiveFiles = NODE_FILES): SegmentFacts[] {
  const segments = listSegments(directory, files);
  return segments.flatMap((segment, i) => {
    try {
      return [factsOf(segment, i === segments.length - 1, files)];
    } catch (error) {
      if (error instanceof Failure && error.code === 'ERR_NOT_FOUND') return [];
      throw error;
    }
  });
}

function factsOf(segment: Segment, isActive: boolean, files: ArchiveFiles): SegmentFacts {
  const { path, firstLine } = segment;
  const reader = SegmentReader.open(path, undefined, files, 'damage');
  try {
    let lineCount = 0;
    let frameCount = 0;
    let rawBytes = 0;
    let first: FrameHead | null = null;
    let last: FrameHead | null = null;
    for (const item of reader.frames()) {
      if (item.kind !== 'frame') continue;
      first ??= item.head;
      last = item.head;
      lineCount += item.head.lineCount;
      rawBytes += item.head.rawBytes;
      frameCount++;
    }
    const index = IndexFile.open(indexPathOf(path), firstLine, reader.bytes, files);
    return {
      path,
      firstLine,
      lineCount,
      frameCount,
      rawBytes,
      bytes: reader.bytes,
      indexBytes: typeof index === 'string' ? null : index.fileBytes,
      firstArrivalUs: first?.firstArrivalUs ?? null,
      lastArrivalUs: last?.lastArrivalUs ?? null,
      isActive,
    };
  } finally {
    reader.close();
  }
}
