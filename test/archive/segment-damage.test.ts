/** What becomes of a segment that is cut, changed, shortened or lengthened anywhere: by all bytes, not by samples. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NODE_FILES } from '../../src/archive/archive-files.js';
import { encodeClients } from '../../src/archive/frame-clients.js';
import { OWN_MAGIC } from '../../src/archive/frame-header.js';
import { recoverLog } from '../../src/archive/log-recovery.js';
import { compressFrame } from '../../src/archive/lz4.js';
import { segmentName } from '../../src/archive/segment-name.js';
import { SegmentReader } from '../../src/archive/segment-reader.js';
import { type BuiltFrame, eventLines, LogBuilder, readLog, temporaryDirectory } from './log-fixture.js';

function fiveFrames(): BuiltFrame[] {
  const builder = new LogBuilder();
  return [
    builder.frame(eventLines(3)),
    builder.frame(eventLines(1, 4)),
    builder.frame([]),
    builder.frame(eventLines(8, 5)),
    builder.frame(eventLines(2, 13)),
  ];
}

const FRAMES = fiveFrames();
const SEGMENT = Buffer.concat(FRAMES.map(({ bytes }) => bytes));
const ENDS = FRAMES.map((_, i) => FRAMES.slice(0, i + 1).reduce((sum, { bytes }) => sum + bytes.length, 0));

function textOf(frames: readonly BuiltFrame[]): string {
  return frames.map(({ text }) => text).join('');
}

test('a segment cut at any byte yields every frame before the cut, says where it stopped, and recovery cuts to there', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, segmentName(1));
  for (let length = 1; length <= SEGMENT.length; length++) {
    writeFileSync(path, SEGMENT.subarray(0, length));
    const whole = FRAMES.filter((_, i) => ENDS[i]! <= length);
    const end = ENDS[whole.length - 1] ?? 0;
    const read = await readLog(directory);
    expect(read.text).toBe(textOf(whole));
    expect(read.flaws.map(({ kind, offset, bytes }) => [kind, offset, bytes])).toEqual(
      end === length ? [] : [['unfinished', end, length - end]],
    );
    const recovered = recoverLog(directory);
    expect(recovered.nextLine).toBe(1 + whole.reduce((sum, { facts }) => sum + facts.lineCount, 0));
    expect(recovered.segmentBytes).toBe(end);
    expect(recovered.cuts).toHaveLength(end === length ? 0 : 1);
    if (end !== length) {
      const done = end === 0 ? 'removed' : 'cut';
      expect(recovered.cuts[0]).toMatchObject({ path, offset: end, bytes: length - end, done });
    }
    expect(await readLog(directory)).toMatchObject({ text: textOf(whole), flaws: [] });
  }
});

test.each([0x01, 0x80, 0xff])(
  'with any byte changed by %d every line of the other frames is read, nothing is invented, and the place is named',
  async (mask) => {
    const directory = temporaryDirectory();
    for (let at = 0; at < SEGMENT.length; at++) {
      const changed = Buffer.from(SEGMENT);
      changed[at]! ^= mask;
      writeFileSync(join(directory, segmentName(1)), changed);
      const read = await readLog(directory);
      const hit = ENDS.findIndex((end) => at < end);
      expect(read.text, `byte ${at}`).toBe(textOf(FRAMES.filter((_, i) => i !== hit)));
      expect(read.flaws.map(({ kind, offset, bytes }) => [kind, offset, bytes])).toEqual([
        ['damage', ENDS[hit]! - FRAMES[hit]!.bytes.length, FRAMES[hit]!.bytes.length],
      ]);
    }
  },
);

test('with bytes missing, added or overwritten anywhere every frame that they leave alone is read, and no other', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, segmentName(1));
  const change = fc.record({
    at: fc.nat(SEGMENT.length - 1),
    removed: fc.nat(400),
    added: fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.nat(300).map((length) => Buffer.alloc(length)),
      fc.constant(OWN_MAGIC),
      fc.constant(FRAMES[0]!.header),
    ),
  });
  await fc.assert(
    fc.asyncProperty(change, async ({ at, removed, added }) => {
      const end = Math.min(SEGMENT.length, at + removed);
      const changed = Buffer.concat([SEGMENT.subarray(0, at), added, SEGMENT.subarray(end)]);
      fc.pre(!changed.equals(SEGMENT));
      writeFileSync(path, changed);
      const read = await readLog(directory);
      const untouched = FRAMES.filter((frame, i) => ENDS[i]! <= at || ENDS[i]! - frame.bytes.length >= end);
      // Bytes that were put between two frames touch neither; those that happen to restore a frame are right again.
      for (const { text } of untouched) expect(read.text).toContain(text);
      for (const { raw } of read.frames) expect(FRAMES.map(({ text }) => text)).toContain(raw.toString());
      // Frames that are missing as wholes are told by line numbers, where lines follow: see log-reader.test.ts.
      // Judged by what is left: headers begin alike, so a cut that begins a byte later can leave the same.
      if (!isRunOfFramesCutOut(changed)) expect(read.flaws.length).toBeGreaterThan(0);
    }),
    { numRuns: 3000 },
  );
});

function isRunOfFramesCutOut(changed: Buffer): boolean {
  const starts = [0, ...ENDS];
  return starts.some((from) =>
    ENDS.some((to) => Buffer.concat([SEGMENT.subarray(0, from), SEGMENT.subarray(to)]).equals(changed)),
  );
}

test('the next header is found wherever it stands, also across the border of what a search reads at once', async () => {
  const directory = temporaryDirectory();
  const searchBytes = 256 * 1024;
  const noise = Buffer.alloc(searchBytes + 20, 'noise');
  for (let bytes = searchBytes - 30; bytes <= searchBytes + 20; bytes++) {
    writeFileSync(join(directory, segmentName(1)), Buffer.concat([noise.subarray(0, bytes), SEGMENT]));
    const read = await readLog(directory);
    expect(read.text).toBe(textOf(FRAMES));
    expect(read.flaws).toMatchObject([{ kind: 'damage', offset: 0, bytes }]);
  }
});

test('a header planted in lines or in the id of a client is never taken for a frame', async () => {
  const directory = temporaryDirectory();
  const planted = new LogBuilder(1000).frame(['{"planted":true}']);
  const builder = new LogBuilder();
  // Neither can be in a line that the decoder accepts; even so the walk jumps over them, and only a search could meet them.
  const id = Buffer.concat([Buffer.from('tallyd'), Buffer.from('\u00ff\0\0\0\0\0')]);
  const clients = encodeClients(FRAMES[0]!.facts.lastArrivalUs + 1e6, [{ id, lastLine: 1, arrivalUs: 0 }]);
  const frames = [
    builder.frame([planted.header.toString('latin1').replaceAll('\0', ' ')]),
    builder.frame(eventLines(2), { clients }),
    builder.frame(eventLines(2)),
  ];
  for (const { header } of frames.slice(1, 2)) expect(header.indexOf(OWN_MAGIC, 9)).toBe(-1);
  const segment = Buffer.concat(frames.map(({ bytes }) => bytes));
  for (const at of [30, frames[0]!.bytes.length + 30]) {
    const changed = Buffer.from(segment);
    changed[at]! ^= 1;
    writeFileSync(join(directory, segmentName(1)), changed);
    expect((await readLog(directory)).text).not.toContain('"planted"');
    expect((await readLog(directory)).frames).toHaveLength(2);
  }
});

test('compressed text never holds the own magic, nor five zeros in a row before its end mark', () => {
  const word = fc.constantFrom(
    'a',
    'b',
    'tallyd',
    '{"type":"',
    '"}',
    'ÿ',
    ' ',
    'x'.repeat(15),
    'y'.repeat(270),
    '\n',
  );
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 400 }), (words) => {
      const frame = compressFrame(Buffer.from(words.join('')));
      expect(frame.indexOf(OWN_MAGIC)).toBe(-1);
      expect(frame.subarray(11, -8).indexOf(Buffer.alloc(5))).toBe(-1);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['data', 32, 0xfffffff0],
  ['raw', 40, 0xfffffff0],
  ['header', 4, 0xfffffff0],
])('a forged header that states huge %s bytes allocates nothing', async (_, at, value) => {
  const directory = temporaryDirectory();
  const path = join(directory, segmentName(1));
  const forged = Buffer.from(SEGMENT);
  forged.writeUInt32LE(value, at);
  forged.writeUInt32LE(crc32(forged.subarray(28, 80), crc32(forged.subarray(0, 24))), 24);
  writeFileSync(path, forged);
  let readMax = 0;
  const files = {
    ...NODE_FILES,
    readSync: (fd: number, target: Buffer, start: number, length: number, position: number) => {
      readMax = Math.max(readMax, target.buffer.byteLength);
      return NODE_FILES.readSync(fd, target, start, length, position);
    },
  } as typeof NODE_FILES;
  const read = await readLog(directory, { files });
  expect(read.text).toBe(textOf(FRAMES.slice(1)));
  expect(read.flaws).toMatchObject([{ kind: 'damage', offset: 0, bytes: ENDS[0] }]);
  expect(readMax).toBeLessThan(300_000);
});

test.each([
  ['format', 20, 2, /frame of archive format 2 at byte 0, and this tallyd knows format 1/],
  ['section', 80, 9, /frame with section 9, flags 0, at byte 0, which archive format 1 does not know/],
])('an unknown %s is a failure that names file, place and numbers', async (_, at, value, message) => {
  const directory = temporaryDirectory();
  const path = join(directory, segmentName(1));
  const changed = Buffer.from(SEGMENT);
  changed.writeUInt16LE(value, at);
  changed.writeUInt32LE(crc32(changed.subarray(80, FRAMES[0]!.header.length)), 28);
  changed.writeUInt32LE(crc32(changed.subarray(28, 80), crc32(changed.subarray(0, 24))), 24);
  writeFileSync(path, changed);
  const failure = expect.objectContaining({
    code: 'ERR_ARCHIVE_FORMAT',
    message: expect.stringMatching(message),
  });
  await expect(readLog(directory)).rejects.toThrow(failure);
  await expect(readLog(directory)).rejects.toThrow(path);
});

test('the frames before one of a later format are read, and recovery leaves that one alone', () => {
  const directory = temporaryDirectory();
  const path = join(directory, segmentName(1));
  const changed = Buffer.from(SEGMENT);
  const last = ENDS[3]!;
  changed.writeUInt16LE(2, last + 20);
  const head = changed.subarray(last, last + 80);
  head.writeUInt32LE(crc32(head.subarray(28), crc32(head.subarray(0, 24))), 24);
  writeFileSync(path, changed);
  const reader = SegmentReader.open(path);
  const offsets: number[] = [];
  expect(() => {
    for (const item of reader.frames()) offsets.push(item.offset);
  }).toThrow(/format 2/);
  reader.close();
  expect(offsets).toEqual([0, ...ENDS.slice(0, 3)]);
  expect(() => recoverLog(directory)).toThrow(/format 2/);
});

test('a walk over heads reads a small part of a segment', () => {
  const directory = temporaryDirectory();
  const builder = new LogBuilder();
  const noise = () =>
    Array.from({ length: 2000 }, () => `{"n":"${Math.random()}${Math.random()}${Math.random()}"}`);
  const frames = Array.from({ length: 20 }, () => builder.frame(noise()));
  const path = join(directory, segmentName(1));
  writeFileSync(path, Buffer.concat(frames.map(({ bytes }) => bytes)));
  let bytesRead = 0;
  const files = {
    ...NODE_FILES,
    readSync: (fd: number, target: Buffer, start: number, length: number, position: number) => {
      const read = NODE_FILES.readSync(fd, target, start, length, position);
      bytesRead += read;
      return read;
    },
  } as typeof NODE_FILES;
  const reader = SegmentReader.open(path, undefined, files);
  expect([...reader.frames()].map(({ kind }) => kind)).toEqual(frames.map(() => 'frame'));
  reader.close();
  expect(bytesRead).toBeLessThan(reader.bytes / 4);
});
