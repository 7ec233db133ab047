/** The frames of the log that an index has named, with their lines: read once where all of them have room, else each time. */

import { type ArchiveFiles, NODE_FILES } from '../archive/archive-files.js';
import type { FrameHead } from '../archive/frame-header.js';
import { cutLines } from '../archive/line-lookup.js';
import { freeNativeMemory, nativeMemoryIsHeld } from '../archive/lz4.js';
import { type FrameContent, SegmentReader } from '../archive/segment-reader.js';
import { parseAcceptedLine } from '../decode/field-text.js';
import { Failure } from '../model/failure.js';
import type { Line, Texts } from './texts.js';

/** Where a frame is. Crosses threads as a message. */
export interface NamedFrame {
  readonly path: string;
  readonly offset: number;
  readonly firstLine: number;
  readonly lineCount: number;
}

export type FrameWithLines = FrameContent & { readonly head: FrameHead };

/** Raw: a workflow of usual length is in one to three frames, each of 1 MiB at most. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

export class HistoryFrames<T extends NamedFrame> implements Pick<Texts, 'lines'> {
  readonly list: readonly T[];
  readonly #files: ArchiveFiles;
  readonly #kept = new Map<T, FrameWithLines | null>();
  #keptBytes = 0;

  /** @param list in the order of the log */
  constructor(list: readonly T[], files: ArchiveFiles = NODE_FILES) {
    this.list = list;
    this.#files = files;
  }

  /** null where it is damaged, or retention has removed it. @throws Failure ERR_ARCHIVE_FORMAT, and those of the system */
  async read(frame: T): Promise<FrameWithLines | null> {
    const kept = this.#kept.get(frame);
    if (kept !== undefined) return kept;
    const content = this.#open(frame);
    if (nativeMemoryIsHeld()) await freeNativeMemory();
    const bytes = content?.raw.length ?? 0;
    if (this.#keptBytes + bytes > KEPT_BYTES_MAX) return content;
    this.#kept.set(frame, content);
    this.#keptBytes += bytes;
    return content;
  }

  /** The lines of these numbers, parsed, as far as they are in these frames. 0 stands for none. */
  async lines(numbers: Iterable<number>): Promise<Map<number, Line>> {
    const wanted = [...new Set(numbers)].filter((line) => line > 0).sort((a, b) => a - b);
    const found = new Map<number, Buffer>();
    let next = 0;
    for (const frame of this.list) {
      while (next < wanted.length && wanted[next]! < frame.firstLine) next++;
      const first = next;
      while (next < wanted.length && wanted[next]! < frame.firstLine + frame.lineCount) next++;
      const content = next === first ? null : await this.read(frame);
      if (content !== null) cutLines(content.head, content.raw, wanted.slice(first, next), found);
    }
    return new Map([...found].map(([line, bytes]) => [line, parseAcceptedLine(bytes)]));
  }

  #open({ path, offset }: T): FrameWithLines | null {
    try {
      const reader = SegmentReader.open(path, undefined, this.#files);
      try {
        const place = reader.frameAt(offset);
        const content = place.kind === 'frame' ? reader.readFrame(place) : place;
        return place.kind === 'frame' && content.kind === 'content' ? { ...content, head: place.head } : null;
      } finally {
        reader.close();
      }
    } catch (error) {
      if (error instanceof Failure && error.code === 'ERR_NOT_FOUND') return null;
      throw error;
    }
  }
}
