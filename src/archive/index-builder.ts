/**
 * Indexes out of segments: each frame is decompressed, and its lines are decoded. That is work for another thread than one
 * that answers questions, so what is done crosses threads as a message.
 */

import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import { FrameTraitsReader } from './frame-traits.js';
import { GrowingIndex, type IndexEnd, type IndexPart } from './growing-index.js';
import { writeIndex } from './index-file.js';
import { encodeIndex } from './index-format.js';
import { freeNativeMemory, nativeMemoryIsHeld } from './lz4.js';
import { indexPathOf, type Segment } from './segment-name.js';
import { SegmentReader } from './segment-reader.js';

/** Both reject as the functions below throw. */
export interface IndexBuilder {
  read(segment: Segment, from: IndexEnd, bytesMax: number): Promise<IndexPart>;
  write(segment: Segment, index: IndexPart): Promise<void>;
}

/** One for all of a thread: it has a decoder, and what it says of a frame is taken before it reads the next. */
const traits = new FrameTraitsReader();

/** On the thread of the caller. */
export function indexBuilderHere(files: ArchiveFiles = NODE_FILES): IndexBuilder {
  return {
    read: (segment, from, bytesMax) => readIndexPart(segment, from, bytesMax, files),
    write: async (segment, index) => writeIndexPart(segment, index, files),
  };
}

/**
 * What an index gets that ends at `from`. A frame that cannot be read is left out, as readers leave it out.
 * @param bytesMax of the segment: what the writer has committed, or its size
 * @throws Failure ERR_NOT_FOUND where the segment is gone, ERR_ARCHIVE_FORMAT, and those of the system
 */
export async function readIndexPart(
  { path, firstLine }: Segment,
  from?: IndexEnd,
  bytesMax?: number,
  files: ArchiveFiles = NODE_FILES,
): Promise<IndexPart> {
  const index = new GrowingIndex(firstLine, from);
  const reader = SegmentReader.open(path, bytesMax, files);
  try {
    for (const item of reader.frames(index.bytes)) {
      const content = item.kind === 'frame' ? reader.readFrame(item) : null;
      if (item.kind === 'frame' && content?.kind === 'content') {
        index.add(item, traits.read(content.raw, content.sections.ticks.length > 0));
      } else {
        index.leaveOut();
      }
      if (nativeMemoryIsHeld()) await freeNativeMemory();
    }
    if (reader.bytes > index.bytes) index.passTo(reader.bytes);
    return index.part();
  } finally {
    reader.close();
  }
}

/** The index of a whole segment into its file. @throws Failure */
export function writeIndexPart(segment: Segment, whole: IndexPart, files: ArchiveFiles = NODE_FILES): void {
  const index = new GrowingIndex(whole.segment);
  index.append(whole);
  writeIndex(indexPathOf(segment.path), encodeIndex(index), files);
}
