import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { NODE_FILES } from '../../src/archive/archive-files.js';
import { DurableMark, readDurableMark } from '../../src/archive/durable-mark.js';
import { recoverLog } from '../../src/archive/log-recovery.js';
import { segmentName } from '../../src/archive/segment-name.js';
import { SegmentWriter } from '../../src/archive/segment-writer.js';
import {
  type BuiltFrame,
  eventLines,
  FIRST_ARRIVAL_US,
  LogBuilder,
  readLog,
  temporaryDirectory,
  writeSegment,
} from './log-fixture.js';

function size(frames: readonly BuiltFrame[]): number {
  return frames.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** Two segments: lines 1 to 5, and 6 to 12 with a frame without lines between. */
function twoSegments(): [BuiltFrame[], BuiltFrame[]] {
  const builder = new LogBuilder();
  return [
    [builder.frame(eventLines(3)), builder.frame(eventLines(2, 4))],
    [builder.frame(eventLines(4, 6)), builder.frame([]), builder.frame(eventLines(3, 10))],
  ];
}

test('a log that is not there is created, empty, with its folders', () => {
  const directory = join(temporaryDirectory(), 'state', 'archive');
  expect(recoverLog(directory)).toEqual({
    nextLine: 1,
    segment: null,
    segmentBytes: 0,
    segmentHasLines: false,
    segmentFirstArrivalUs: 0,
    lastArrivalUs: 0,
    oldestArrivalUs: 0,
    rawBytesEnd: 0,
    rawBytes: 0,
    compressedBytes: 0,
    segmentCount: 0,
    cuts: [],
    damage: [],
  });
  expect(statSync(directory).isDirectory()).toBe(true);
});

test('a whole log says where it ends, how large it is, and is left as it was', () => {
  const directory = temporaryDirectory();
  const [first, second] = twoSegments();
  const paths = [writeSegment(directory, first), writeSegment(directory, second)];
  const before = paths.map((path) => readFileSync(path));
  const rawBytes = [...first, ...second].reduce((sum, { facts }) => sum + facts.rawBytes, 0);
  expect(recoverLog(directory)).toEqual({
    nextLine: 13,
    segment: { path: paths[1], firstLine: 6 },
    segmentBytes: size(second),
    segmentHasLines: true,
    segmentFirstArrivalUs: FIRST_ARRIVAL_US + 6000,
    lastArrivalUs: FIRST_ARRIVAL_US + 12_000,
    oldestArrivalUs: FIRST_ARRIVAL_US + 1000,
    rawBytesEnd: rawBytes,
    rawBytes,
    compressedBytes: size(first) + size(second),
    segmentCount: 2,
    cuts: [],
    damage: [],
  });
  expect(paths.map((path) => readFileSync(path))).toEqual(before);
});

test('the raw bytes of a log whose oldest segments are removed are those that are kept', () => {
  const directory = temporaryDirectory();
  const [first, second] = twoSegments();
  writeSegment(directory, second);
  const rawBytes = second.reduce((sum, { facts }) => sum + facts.rawBytes, 0);
  const recovered = recoverLog(directory);
  expect(recovered.rawBytes).toBe(rawBytes);
  expect(recovered.rawBytesEnd).toBe(rawBytes + first.reduce((sum, { facts }) => sum + facts.rawBytes, 0));
});

test('a last segment that is empty or torn before its first frame ends is removed, and the one before it goes on', () => {
  for (const bytes of [0, 1, 79, 80, 150]) {
    const directory = temporaryDirectory();
    const [first, second] = twoSegments();
    const path = writeSegment(directory, first);
    const last = join(directory, segmentName(6));
    writeFileSync(last, second[0]!.bytes.subarray(0, bytes));
    const recovered = recoverLog(directory);
    expect(recovered).toMatchObject({ nextLine: 6, segment: { path }, segmentBytes: size(first) });
    expect(recovered.cuts).toMatchObject([{ path: last, offset: 0, bytes, done: 'removed' }]);
    expect(readdirSync(directory)).toEqual([segmentName(1)]);
  }
});

test('a last segment without a whole frame that is no torn write is set aside, not removed, and its line numbers are not given again', () => {
  const directory = temporaryDirectory();
  const [first] = twoSegments();
  writeSegment(directory, first.slice(0, 1));
  const last = join(directory, segmentName(6));
  writeFileSync(last, Buffer.alloc(4096));
  const recovered = recoverLog(directory);
  expect(recovered).toMatchObject({ nextLine: 6, segmentBytes: first[0]!.bytes.length, segmentCount: 1 });
  expect(recovered.cuts).toMatchObject([{ path: last, offset: 0, bytes: 4096, done: 'aside' }]);
  expect(readFileSync(`${last}.unreadable`)).toEqual(Buffer.alloc(4096));
  expect(existsSync(last)).toBe(false);
  expect(recoverLog(directory).cuts).toEqual([]);
});

test('a last segment whose only frame is there to its last byte, but changed, is set aside', () => {
  const directory = temporaryDirectory();
  const { bytes } = new LogBuilder().frame(eventLines(3));
  bytes[bytes.length - 20]! ^= 1;
  const path = join(directory, segmentName(1));
  writeFileSync(path, bytes);
  expect(recoverLog(directory).cuts).toMatchObject([{ path, bytes: bytes.length, done: 'aside' }]);
  expect(readdirSync(directory)).toEqual([`${segmentName(1)}.unreadable`]);
});

test('what recovery does is durable when it returns', () => {
  const calls: string[] = [];
  const note = <Name extends 'ftruncateSync' | 'fdatasyncSync' | 'fsyncSync' | 'unlinkSync' | 'renameSync'>(
    name: Name,
  ) => {
    const call = NODE_FILES[name] as (...args: unknown[]) => void;
    return (...args: unknown[]) => {
      calls.push(name);
      call(...args);
    };
  };
  const files = {
    ...NODE_FILES,
    ftruncateSync: note('ftruncateSync'),
    fdatasyncSync: note('fdatasyncSync'),
    fsyncSync: note('fsyncSync'),
    unlinkSync: note('unlinkSync'),
    renameSync: note('renameSync'),
  } as typeof NODE_FILES;
  const callsFor = (act: (directory: string) => void) => {
    const directory = temporaryDirectory();
    act(directory);
    calls.length = 0;
    recoverLog(directory, null, files);
    return [...calls];
  };
  const [first] = twoSegments();
  const last = (directory: string) => join(directory, segmentName(6));
  expect(callsFor((directory) => writeSegment(directory, first, Buffer.alloc(9)))).toEqual([
    'ftruncateSync',
    'fsyncSync',
  ]);
  // A process that was killed may have written and not synced.
  expect(callsFor((directory) => writeSegment(directory, first))).toEqual(['fdatasyncSync']);
  expect(callsFor((directory) => writeFileSync(last(directory), ''))).toEqual(['unlinkSync', 'fsyncSync']);
  expect(callsFor((directory) => writeFileSync(last(directory), 'x'))).toEqual(['renameSync', 'fsyncSync']);
  // Three folders are new: each is synced in the one around it.
  calls.length = 0;
  recoverLog(join(temporaryDirectory(), 'a', 'b', 'archive'), null, files);
  expect(calls).toEqual(['fsyncSync', 'fsyncSync', 'fsyncSync']);
});

test('an only segment without a whole frame leaves an empty log', () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, segmentName(100)), '');
  expect(recoverLog(directory)).toMatchObject({ nextLine: 100, segment: null, segmentCount: 0 });
});

test.each([
  ['zeros', Buffer.alloc(5000)],
  ['text', Buffer.from('{"type":"sample"}\n'.repeat(20))],
])('a tail of %s is cut', (_, tail) => {
  const directory = temporaryDirectory();
  const [, second] = twoSegments();
  const path = writeSegment(directory, second, tail);
  const recovered = recoverLog(directory);
  expect(recovered.cuts).toMatchObject([{ path, offset: size(second), bytes: tail.length, done: 'cut' }]);
  expect(statSync(path).size).toBe(size(second));
});

test('last frames whose data did not reach the disk are cut, though their headers did', () => {
  const directory = temporaryDirectory();
  const [, second] = twoSegments();
  const blank = ({ header, data }: BuiltFrame) => Buffer.concat([header, Buffer.alloc(data!.length)]);
  const path = writeSegment(
    directory,
    second.slice(0, 1),
    Buffer.concat([blank(second[2]!), blank(second[2]!)]),
  );
  const recovered = recoverLog(directory);
  expect(recovered.nextLine).toBe(10);
  expect(recovered.cuts).toMatchObject([{ offset: second[0]!.bytes.length, done: 'cut' }]);
  expect(statSync(path).size).toBe(second[0]!.bytes.length);
});

test('damage before the last whole frame is told and stays', () => {
  const directory = temporaryDirectory();
  const [, second] = twoSegments();
  const path = writeSegment(directory, second);
  const bytes = readFileSync(path);
  bytes[second[0]!.bytes.length + 20]! ^= 4;
  writeFileSync(path, bytes);
  const recovered = recoverLog(directory);
  expect(recovered).toMatchObject({ nextLine: 13, segmentBytes: size(second), cuts: [] });
  expect(recovered.damage).toMatchObject([
    { kind: 'damage', path, offset: second[0]!.bytes.length, bytes: second[1]!.bytes.length },
  ]);
  expect(readFileSync(path)).toEqual(bytes);
});

test('after recovery the log goes on where it was cut', async () => {
  const directory = temporaryDirectory();
  const [first, second] = twoSegments();
  writeSegment(directory, first);
  writeSegment(directory, second.slice(0, 2), second[2]!.bytes.subarray(0, -1));
  const { segment, segmentBytes, nextLine } = recoverLog(directory);
  expect(nextLine).toBe(10);
  const writer = SegmentWriter.open(segment!.path, segmentBytes);
  writer.append(second[2]!.header, second[2]!.data);
  writer.close();
  const all = [...first, ...second];
  expect(await readLog(directory)).toMatchObject({ text: all.map(({ text }) => text).join(''), flaws: [] });
});

test('a segment with frames but without lines says so', () => {
  const directory = temporaryDirectory();
  writeSegment(directory, [new LogBuilder(50).frame([])]);
  expect(recoverLog(directory)).toMatchObject({ nextLine: 50, segmentHasLines: false, segmentCount: 1 });
});

test('a cut that the disk refuses is a failure that names the segment', () => {
  const directory = temporaryDirectory();
  const [, second] = twoSegments();
  const path = writeSegment(directory, second, Buffer.alloc(10));
  const files = {
    ...NODE_FILES,
    ftruncateSync: (): never => {
      throw Object.assign(new Error('EIO'), { code: 'EIO' });
    },
  };
  expect(() => recoverLog(directory, null, files)).toThrow(`cannot cut segment ${path}: EIO`);
});

function markOf(directory: string): string {
  return join(directory, 'durable');
}

/** As the sync stage leaves it. */
function setMark(directory: string, line: number): void {
  DurableMark.create(markOf(directory), line).close();
}

/** Of the five frames of lines 1 to 3, 4 and 5, 6 to 9, none, 10 to 12: with this one damaged. */
function damagedLog(
  damaged: number,
  at: 'head' | 'data',
): { directory: string; frames: BuiltFrame[]; path: string } {
  const directory = temporaryDirectory();
  const frames = twoSegments().flat();
  const bytes = frames.map((frame) => Buffer.from(frame.bytes));
  bytes[damaged]![at === 'head' ? 20 : frames[damaged]!.bytes.length - 20]! ^= 1;
  const path = join(directory, segmentName(1));
  writeFileSync(path, Buffer.concat(bytes));
  return { directory, frames, path };
}

describe.each(['head', 'data'] as const)('a frame that is damaged in its %s', (at) => {
  test('was never said to be durable where it is behind the mark: the log ends before it, whatever comes after', () => {
    const { directory, frames, path } = damagedLog(2, at);
    for (const line of [8, 5, 0]) {
      setMark(directory, line);
      writeFileSync(path, Buffer.concat(frames.map(({ bytes }) => bytes)));
      expect(recoverLog(directory, markOf(directory))).toMatchObject({ nextLine: 13, cuts: [] });
      writeFileSync(path, readFileSync(damagedLog(2, at).path));
      const recovered = recoverLog(directory, markOf(directory));
      expect(recovered).toMatchObject({ nextLine: 6, segmentBytes: size(frames.slice(0, 2)), damage: [] });
      expect(recovered.cuts).toMatchObject([{ path, offset: size(frames.slice(0, 2)), done: 'cut' }]);
      expect(statSync(path).size).toBe(size(frames.slice(0, 2)));
    }
  });

  test('was durable once where it is before the mark: it is damage, and the rest of the log stays', () => {
    for (const line of [9, 12, 1000]) {
      const { directory, frames } = damagedLog(2, at);
      setMark(directory, line);
      expect(recoverLog(directory, markOf(directory))).toMatchObject({
        nextLine: 13,
        segmentBytes: size(frames),
        cuts: [],
      });
    }
  });

  test('is damage where there is no mark, or none that can be read', () => {
    for (const mark of [null, '', '00000000000000000000 00000000\n', `${'0'.repeat(20)} zzzzzzzz\n`]) {
      const { directory, frames } = damagedLog(2, at);
      if (mark !== null) writeFileSync(markOf(directory), mark);
      expect(recoverLog(directory, markOf(directory))).toMatchObject({
        nextLine: 13,
        segmentBytes: size(frames),
        cuts: [],
      });
    }
  });
});

test('what is whole behind the mark is written again, byte for byte, and then synced', () => {
  const frames = twoSegments()[0];
  const [durable, unsure] = frames;
  for (const tail of [Buffer.alloc(0), Buffer.alloc(9)]) {
    const directory = temporaryDirectory();
    const path = writeSegment(directory, frames, tail);
    setMark(directory, 3);
    const calls: string[] = [];
    const sync = (name: 'fdatasyncSync' | 'fsyncSync') => (fd: number) => {
      calls.push('sync');
      NODE_FILES[name](fd);
    };
    const writevSync: typeof NODE_FILES.writevSync = (fd, parts, position) => {
      calls.push(`write ${position}: ${Buffer.concat(parts as Uint8Array[]).equals(unsure!.bytes)}`);
      return NODE_FILES.writevSync(fd, parts, position ?? undefined);
    };
    const fdatasyncSync = sync('fdatasyncSync');
    const files = { ...NODE_FILES, writevSync, fdatasyncSync, fsyncSync: sync('fsyncSync') };
    recoverLog(directory, markOf(directory), files);
    expect(calls).toEqual([`write ${durable!.bytes.length}: true`, 'sync']);
    expect(readFileSync(path)).toEqual(Buffer.concat(frames.map(({ bytes }) => bytes)));
  }
});

test('a frame without lines that is missing right behind the mark was not durable either', () => {
  const { directory, frames } = damagedLog(3, 'head');
  setMark(directory, 9);
  expect(recoverLog(directory, markOf(directory))).toMatchObject({
    nextLine: 10,
    segmentBytes: size(frames.slice(0, 3)),
  });
});

test('a segment whose first frame is missing behind the mark is set aside, and the one before it was durable', () => {
  const directory = temporaryDirectory();
  const [first, second] = twoSegments();
  writeSegment(directory, first);
  const path = writeSegment(directory, second);
  const bytes = readFileSync(path);
  bytes[30]! ^= 1;
  writeFileSync(path, bytes);
  const damaged = readFileSync(join(directory, segmentName(1)));
  damaged[30]! ^= 1;
  writeFileSync(join(directory, segmentName(1)), damaged);
  setMark(directory, 0);
  const recovered = recoverLog(directory, markOf(directory));
  expect(recovered).toMatchObject({ nextLine: 6, segmentBytes: size(first) });
  expect(recovered.cuts).toMatchObject([{ path, done: 'aside' }]);
  expect(recovered.damage).toMatchObject([{ offset: 0, bytes: first[0]!.bytes.length }]);
});

test('a mark says the last line that was set, also over a larger one', () => {
  const directory = temporaryDirectory();
  expect(readDurableMark(markOf(directory))).toBeNull();
  const mark = DurableMark.create(markOf(directory), 7);
  for (const line of [7, 123_456_789_012, 2 ** 53 - 1, 9]) {
    mark.set(line);
    expect(readDurableMark(markOf(directory))).toBe(line);
  }
  mark.close();
});
