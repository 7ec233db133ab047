/**
 * The part of `archive verify` that runs on many threads: everything that a frame says of itself, and what the index of its
 * segment has to say of it.
 */

import { Failure } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import { decodeClients, type FrameClient } from './frame-clients.js';
import type { FrameHead } from './frame-header.js';
import { decodeTicks } from './frame-ticks.js';
import { FrameTraitsReader } from './frame-traits.js';
import { GrowingIndex, type IndexEnd, type IndexPart } from './growing-index.js';
import { damagedFrame, type LogFlaw, wrongFrame } from './log-reader.js';
import { freeNativeMemory, nativeMemoryIsHeld } from './lz4.js';
import type { Segment } from './segment-name.js';
import { type FrameContent, SegmentReader } from './segment-reader.js';

const LINE_END = 0x0a;
const CLIENT_ID_BYTES_MAX = 256;

/** Crosses threads as a message, as does the result. */
export interface FrameCheckTask {
  readonly segment: Segment;
  /** Of the frames, which were found by their heads. */
  readonly offsets: readonly number[];
  /** Of their lines. */
  readonly rawBytes: number;
  /** Where the index of the segment is before the first of them. */
  readonly from: IndexEnd;
}

export interface FrameCheckResult {
  readonly flaws: readonly LogFlaw[];
  readonly clients: readonly CheckedClient[];
  /** Of the frames that are whole. */
  readonly index: IndexPart;
}

export interface CheckedClient extends FrameClient {
  /** Of the frame that tells it. */
  readonly offset: number;
}

/** @throws Failure ERR_NOT_FOUND where the segment is gone, ERR_ARCHIVE_FORMAT, and those of the system */
export async function checkFrames(
  { segment, offsets, from }: FrameCheckTask,
  files: ArchiveFiles = NODE_FILES,
): Promise<FrameCheckResult> {
  const flaws: LogFlaw[] = [];
  const clients: CheckedClient[] = [];
  const index = new GrowingIndex(segment.firstLine, from);
  const traits = new FrameTraitsReader();
  const reader = SegmentReader.open(segment.path, undefined, files, 'damage');
  try {
    for (const offset of offsets) {
      const frame = reader.frameAt(offset);
      if (frame.kind !== 'frame') {
        flaws.push(damagedFrame(frame));
        continue;
      }
      const content = reader.readFrame(frame);
      if (content.kind !== 'content') {
        flaws.push(damagedFrame(content));
        continue;
      }
      const flaw = flawOfContent(frame.head, content);
      if (typeof flaw === 'string') {
        flaws.push(wrongFrame(reader.path, frame, flaw));
      } else {
        for (const client of flaw) clients.push({ ...client, id: client.id.slice(), offset });
        index.add(frame, traits.read(content.raw, content.sections.ticks.length > 0));
      }
      if (nativeMemoryIsHeld()) await freeNativeMemory();
    }
    return { flaws, clients, index: index.part() };
  } finally {
    reader.close();
  }
}

/** What no checksum says. @returns the clients, or what is wrong */
function flawOfContent(head: FrameHead, { raw, sections }: FrameContent): FrameClient[] | string {
  let lines = 0;
  for (let at = raw.indexOf(LINE_END); at !== -1; at = raw.indexOf(LINE_END, at + 1)) lines++;
  if (lines !== head.lineCount) return `the frame has ${lines} lines, its header says ${head.lineCount}`;
  try {
    decodeTicks(head, sections.ticks);
    const clients = decodeClients(head, sections.clients);
    const ids = new Set(clients.map(({ id }) => Buffer.from(id).toString('latin1')));
    if (ids.size < clients.length) return 'the frame header names a client twice';
    const isOne = ({ id, lastLine, arrivalUs }: FrameClient) =>
      id.length > 0 && id.length <= CLIENT_ID_BYTES_MAX && lastLine > 0 && arrivalUs >= 0;
    return clients.every(isOne) ? clients : 'the frame header states numbers of a client out of range';
  } catch (error) {
    if (error instanceof Failure && error.code === 'ERR_DAMAGE') return error.message;
    throw error;
  }
}
