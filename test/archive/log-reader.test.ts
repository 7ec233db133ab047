import { readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NODE_FILES } from '../../src/archive/archive-files.js';
import { RecordCursor } from '../../src/archive/frame-records.js';
import { readLines } from '../../src/archive/line-lookup.js';
import { endOfLog, readFrames } from '../../src/archive/log-reader.js';
import { segmentName } from '../../src/archive/segment-name.js';
import {
  type BuiltFrame,
  eventLines,
  FIRST_ARRIVAL_US,
  LogBuilder,
  readLog,
  temporaryDirectory,
  writeSegment,
} from './log-fixture.js';

/** Segments of lines 1 to 5, 6 to 12 and 13 to 16. */
function threeSegments(): BuiltFrame[][] {
  const builder = new LogBuilder();
  return [
    [builder.frame(eventLines(3)), builder.frame(eventLines(2, 4))],
    [builder.frame(eventLines(4, 6)), builder.frame([]), builder.frame(eventLines(3, 10))],
    [builder.frame(eventLines(4, 13))],
  ];
}

function writeLog(segments: readonly BuiltFrame[][]): { directory: string; paths: string[] } {
  const directory = temporaryDirectory();
  return { directory, paths: segments.map((frames) => writeSegment(directory, frames)) };
}

const ALL_LINES = eventLines(16).map((line) => `${line}\n`);

test('several segments read as one log, each frame with its facts and arrivals', async () => {
  const { directory } = writeLog(threeSegments());
  const read = await readLog(directory);
  expect(read.flaws).toEqual([]);
  expect(read.text).toBe(ALL_LINES.join(''));
  expect(read.frames.map(({ facts }) => [facts.firstLine, facts.lineCount])).toEqual([
    [1, 3],
    [4, 2],
    [6, 4],
    [10, 0],
    [10, 3],
    [13, 4],
  ]);
  const arrivals = read.frames.flatMap(({ facts, sections }) => {
    const cursor = new RecordCursor(facts, sections.records);
    const found: number[] = [];
    while (cursor.next()) found.push(cursor.arrivalUs);
    return found;
  });
  expect(arrivals).toEqual(ALL_LINES.map((_, i) => FIRST_ARRIVAL_US + (i + 1) * 1000));
});

test('from a line on, the frames that end before it are left out', async () => {
  const { directory } = writeLog(threeSegments());
  const firstLines = async (fromLine: number) =>
    (await readLog(directory, { fromLine })).frames.map(({ facts }) => facts.firstLine);
  expect(await firstLines(1)).toEqual([1, 4, 6, 10, 10, 13]);
  expect(await firstLines(3)).toEqual([1, 4, 6, 10, 10, 13]);
  expect(await firstLines(4)).toEqual([4, 6, 10, 10, 13]);
  expect(await firstLines(10)).toEqual([10, 10, 13]);
  expect(await firstLines(11)).toEqual([10, 13]);
  expect(await firstLines(16)).toEqual([13]);
  expect(await firstLines(17)).toEqual([]);
});

test('nothing is read from the bound on, be it at the end of a frame or within one', async () => {
  const segments = threeSegments();
  const { directory } = writeLog(segments);
  const committed = segments[1]![0]!.bytes.length;
  const read = await readLog(directory, { upTo: { segment: 6, offset: committed } });
  expect(read).toMatchObject({ text: ALL_LINES.slice(0, 9).join(''), flaws: [] });
  expect(await readLog(directory, { upTo: { segment: 6, offset: committed + 5 } })).toMatchObject({
    text: read.text,
    flaws: [{ kind: 'unfinished', offset: committed, bytes: 5 }],
  });
  expect(endOfLog(directory)).toEqual({ segment: 13, offset: segments[2]![0]!.bytes.length });
  expect(endOfLog(temporaryDirectory())).toBeNull();
});

test('a frame that is cut off is unfinished in the last segment, and damage in any other', async () => {
  const segments = threeSegments();
  const { directory, paths } = writeLog(segments);
  for (const path of paths) writeFileSync(path, readFileSync(path).subarray(0, -3));
  const read = await readLog(directory);
  expect(read.flaws.map(({ kind, path }) => [kind, path])).toEqual([
    ['damage', paths[0]],
    ['damage', paths[1]],
    ['unfinished', paths[2]],
  ]);
  expect(read.flaws[0]!.reason).toMatch(/ends 3 bytes before the end of a frame; lines 4 to 5 are lost/);
  expect(read.frames.map(({ facts }) => facts.firstLine)).toEqual([1, 6, 10]);
});

test('lines that are missing are named, where a segment is gone and where a frame is', async () => {
  const segments = threeSegments();
  const { directory, paths } = writeLog(segments);
  unlinkSync(paths[1]!);
  expect((await readLog(directory)).flaws).toMatchObject([
    { kind: 'damage', path: paths[2], offset: 0, reason: 'lines 6 to 12 are missing before it' },
  ]);
  const other = writeLog([[segments[0]![0]!, segments[1]![0]!]]);
  expect((await readLog(other.directory)).flaws).toMatchObject([
    { offset: segments[0]![0]!.bytes.length, reason: 'lines 4 to 5 are missing before it' },
  ]);
});

test('a log whose oldest segments are removed misses nothing', async () => {
  const { directory, paths } = writeLog(threeSegments());
  unlinkSync(paths[0]!);
  expect(await readLog(directory)).toMatchObject({ text: ALL_LINES.slice(5).join(''), flaws: [] });
});

test('a frame that stands twice gives its lines once, and is named', async () => {
  const [first, second] = threeSegments();
  const { directory } = writeLog([[first![0]!, first![0]!, first![1]!, ...second!]]);
  const read = await readLog(directory);
  expect(read.text).toBe(ALL_LINES.slice(0, 12).join(''));
  expect(read.flaws).toMatchObject(
    [
      {
        kind: 'damage',
        offset: first![0]!.bytes.length,
        bytes: first![0]!.bytes.length,
        reason: /starts again at line 1/,
      },
    ].map((flaw) => ({ ...flaw, reason: expect.stringMatching(flaw.reason) })),
  );
});

test('segments that retention removes while they are read are named with their lines, and the others are read', async () => {
  const builder = new LogBuilder();
  // More frames than are read ahead.
  const first = Array.from({ length: 8 }, (_, i) => builder.frame(eventLines(1, i + 1)));
  const { directory, paths } = writeLog([
    first,
    [builder.frame(eventLines(2, 9))],
    [builder.frame(eventLines(1, 11))],
  ]);
  const reader = readFrames(directory);
  expect((await reader.next()).value).toMatchObject({ kind: 'frame' });
  for (const path of paths.slice(0, 2)) rmSync(path);
  const rest: (number | string)[] = [];
  for await (const item of reader) rest.push(item.kind === 'frame' ? item.facts.firstLine : item.reason);
  const gone = 'retention has removed the segment since the reading began; lines 9 to 10 are gone';
  expect(rest).toEqual([2, 3, 4, 5, 6, 7, 8, gone, 11]);
});

test('lines are found by their numbers, in any segments and frames, and no others', async () => {
  const { directory } = writeLog(threeSegments());
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.integer({ min: 1, max: 20 })), async (numbers) => {
      const sorted = numbers.sort((a, b) => a - b);
      const found = await readLines(directory, sorted);
      const expected = sorted.filter((n) => n <= 16).map((n) => [n, ALL_LINES[n - 1]!.slice(0, -1)]);
      expect([...found].map(([n, line]) => [n, line.toString()])).toEqual(expected);
    }),
  );
});

test('lines that are removed, damaged, missing or not committed are left out of what is found', async () => {
  const segments = threeSegments();
  const { directory, paths } = writeLog(segments);
  unlinkSync(paths[0]!);
  const bytes = readFileSync(paths[1]!);
  bytes[segments[1]![0]!.header.length + 10]! ^= 1;
  writeFileSync(paths[1]!, bytes);
  const numbers = Array.from({ length: 16 }, (_, i) => i + 1);
  expect([...(await readLines(directory, numbers)).keys()]).toEqual([10, 11, 12, 13, 14, 15, 16]);
  const upTo = { segment: 6, offset: bytes.length };
  expect([...(await readLines(directory, numbers, { upTo })).keys()]).toEqual([10, 11, 12]);
  expect((await readLines(temporaryDirectory(), numbers)).size).toBe(0);
});

test('a line asked for twice is found, and other files in the folder change nothing', async () => {
  const { directory } = writeLog(threeSegments());
  writeFileSync(join(directory, `${segmentName(6)}.unreadable`), 'noise');
  expect([...(await readLines(directory, [7, 7])).keys()]).toEqual([7]);
});

test('reading a log that is larger than the memory keeps a part of it only', async () => {
  const builder = new LogBuilder();
  const lines = Array.from({ length: 1000 }, () => `{"text":"${'x'.repeat(1000)}"}`);
  const { directory } = writeLog([Array.from({ length: 600 }, () => builder.frame(lines))]);
  const before = process.memoryUsage.rss();
  let rssMax = 0;
  let rawBytes = 0;
  for await (const item of readFrames(directory)) {
    if (item.kind === 'frame') rawBytes += item.raw.length;
    rssMax = Math.max(rssMax, process.memoryUsage.rss());
  }
  expect(rawBytes).toBe(builder.rawBytes);
  expect(rssMax - before).toBeLessThan(rawBytes / 2);
});

test('the frames before one of a later format are read, and then that one is a failure', async () => {
  const segments = threeSegments();
  const { directory, paths } = writeLog(segments);
  const bytes = readFileSync(paths[1]!);
  bytes.writeUInt16LE(2, 20);
  bytes.writeUInt32LE(crc32(bytes.subarray(28, 80), crc32(bytes.subarray(0, 24))), 24);
  writeFileSync(paths[1]!, bytes);
  const lines: number[] = [];
  const reading = async () => {
    for await (const item of readFrames(directory))
      if (item.kind === 'frame') lines.push(item.facts.firstLine);
  };
  await expect(reading()).rejects.toThrow(/format 2/);
  expect(lines).toEqual([1, 4]);
});

test('a reader that stops early leaves no file open', async () => {
  const { directory } = writeLog(threeSegments());
  let open = 0;
  const files = {
    ...NODE_FILES,
    openSync: (path: string, flags: string) => {
      open++;
      return NODE_FILES.openSync(path, flags);
    },
    closeSync: (fd: number) => {
      open--;
      NODE_FILES.closeSync(fd);
    },
  } as typeof NODE_FILES;
  for await (const item of readFrames(directory, { files })) if (item.kind === 'frame') break;
  expect(open).toBe(0);
});
