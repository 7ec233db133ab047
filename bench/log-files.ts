/** A log on disk as the archive stage would have left it, and a checkpoint of its state, made in this process. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { encodeFrameHeader } from '../src/archive/frame-header.js';
import { FrameRecords } from '../src/archive/frame-records.js';
import { compressFrame, freeNativeMemory, nativeMemoryIsHeld } from '../src/archive/lz4.js';
import { SegmentWriter } from '../src/archive/segment-writer.js';
import { writeCheckpoint } from '../src/checkpoint/checkpoint-writer.js';
import { foldLog } from '../src/daemon/rebuild.js';
import { allocateCompiledTables } from '../src/fold/compiled-events.js';
import { Tables } from '../src/state/tables.js';
import { check } from './harness.js';
import { DEFAULT_LIMITS } from './limits.js';

/** What one read of a busy socket brings, and how many of them the archive stage puts into a frame. */
const RECORD_BYTES = 64 * 1024;
const RECORDS_PER_FRAME = 8;
const FIRST_ARRIVAL_US = 1_700_000_000_000_000;

/** @param chunks of whole lines @param segmentRawBytes after which a segment is closed @returns how many lines */
export async function writeLog(
  directory: string,
  chunks: Iterable<Buffer>,
  segmentRawBytes = Number.POSITIVE_INFINITY,
): Promise<number> {
  mkdirSync(directory, { recursive: true });
  let writer = SegmentWriter.create(directory, 1);
  let segmentFrom = 0;
  const records = new FrameRecords();
  let arrivalUs = FIRST_ARRIVAL_US;
  let line = 1;
  let rawBytesBefore = 0;
  let parts: Buffer[] = [];
  const closeFrame = () => {
    const raw = Buffer.concat(parts);
    if (rawBytesBefore - segmentFrom >= segmentRawBytes) {
      writer.close();
      writer = SegmentWriter.create(directory, line);
      segmentFrom = rawBytesBefore;
    }
    const data = compressFrame(raw);
    const facts = {
      firstLine: line,
      lineCount: records.lineCount,
      rawBytes: raw.length,
      rawBytesBefore,
      firstArrivalUs: records.firstArrivalUs,
      lastArrivalUs: records.lastArrivalUs,
    };
    writer.append(encodeFrameHeader(facts, { records: records.bytes }, data), data);
    line += facts.lineCount;
    rawBytesBefore += raw.length;
    records.reset();
    parts = [];
  };
  for (const chunk of chunks) {
    for (const record of recordsOf(chunk)) {
      arrivalUs += 500;
      records.add(countLines(record), arrivalUs);
      parts.push(record);
      if (parts.length === RECORDS_PER_FRAME) closeFrame();
    }
    if (nativeMemoryIsHeld()) await freeNativeMemory();
  }
  if (parts.length > 0) closeFrame();
  writer.sync();
  writer.close();
  return line - 1;
}

/** Folds the log in `state`/archive, and writes the state down beside it. */
export async function writeCheckpointOf(state: string, lines: number): Promise<void> {
  const directory = join(state, 'checkpoint');
  mkdirSync(directory, { recursive: true });
  const tables = new Tables(allocateCompiledTables(DEFAULT_LIMITS));
  const folded = await foldLog(tables, join(state, 'archive'), {
    fromLine: 1,
    toLine: lines,
    clientsToLine: 0,
    upTo: null,
    onFlaw: ({ reason }) => check('the log', reason, 'whole'),
  });
  check('lines folded', folded.lines, lines);
  await writeCheckpoint(tables.memory, {
    directory,
    copiedUs: Date.now() * 1000,
    whenDurable: async () => {},
  });
}

function* recordsOf(chunk: Buffer): Generator<Buffer> {
  for (let from = 0; from < chunk.length; ) {
    const near = Math.min(from + RECORD_BYTES, chunk.length) - 1;
    const to = chunk.lastIndexOf(10, near) + 1;
    yield chunk.subarray(from, to);
    from = to;
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count++;
  return count;
}
