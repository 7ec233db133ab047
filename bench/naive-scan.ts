/**
 * What one would write first to read the archive, as the baseline of the scan: one thread, a frame after the other, and an
 * object a line where only one type is wanted. Arguments: the folder; a type, or nothing. Prints the lines.
 */

import { writeSync } from 'node:fs';
import { freeNativeMemory, nativeMemoryIsHeld } from '../src/archive/lz4.js';
import { listSegments } from '../src/archive/segment-name.js';
import { SegmentReader } from '../src/archive/segment-reader.js';

const [directory, type] = process.argv.slice(2);
for (const { path } of listSegments(directory!)) {
  const reader = SegmentReader.open(path);
  for (const frame of reader.frames()) {
    const content = frame.kind === 'frame' ? reader.readFrame(frame) : frame;
    if (content.kind !== 'content') throw new Error(`${path} is damaged`);
    print(type === undefined ? content.raw : linesOfType(content.raw, type));
    if (nativeMemoryIsHeld()) await freeNativeMemory();
  }
  reader.close();
}

function linesOfType(raw: Buffer, wanted: string): Buffer {
  const lines = raw.toString().split('\n');
  return Buffer.from(
    lines
      .filter((line) => line !== '' && JSON.parse(line).type === wanted)
      .map((line) => `${line}\n`)
      .join(''),
  );
}

function print(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}
