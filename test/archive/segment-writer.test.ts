import * as nodeFs from 'node:fs';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ArchiveFiles } from '../../src/archive/archive-files.js';
import { segmentName } from '../../src/archive/segment-name.js';
import { SegmentWriter } from '../../src/archive/segment-writer.js';
import { eventLines, LogBuilder, readLog, temporaryDirectory } from './log-fixture.js';

function threeFrames() {
  const builder = new LogBuilder();
  return [builder.frame(eventLines(3)), builder.frame([]), builder.frame(eventLines(2, 4))];
}

test('appended frames stand one after the other, and read back', async () => {
  const directory = temporaryDirectory();
  const frames = threeFrames();
  const writer = SegmentWriter.create(directory, 1);
  const offsets = frames.map(({ header, data }) => writer.append(header, data));
  writer.sync();
  writer.close();
  expect(writer.path).toBe(join(directory, segmentName(1)));
  expect(offsets).toEqual([0, frames[0]!.bytes.length, frames[0]!.bytes.length + frames[1]!.bytes.length]);
  expect(readFileSync(writer.path)).toEqual(Buffer.concat(frames.map(({ bytes }) => bytes)));
  expect(writer.bytes).toBe(statSync(writer.path).size);
  expect((await readLog(directory)).text).toBe(frames.map(({ text }) => text).join(''));
});

test('the name of a new segment is durable before anything is written to it', () => {
  const directory = temporaryDirectory();
  const calls: string[] = [];
  const files: ArchiveFiles = {
    ...nodeFs,
    fsyncSync: (fd) => {
      calls.push(nodeFs.fstatSync(fd).isDirectory() ? 'sync folder' : 'sync file');
      nodeFs.fsyncSync(fd);
    },
    writevSync: (fd, buffers, position) => {
      calls.push('write');
      return nodeFs.writevSync(fd, buffers, position ?? undefined);
    },
  };
  const [frame] = threeFrames();
  const writer = SegmentWriter.create(directory, 1, files);
  writer.append(frame!.header, frame!.data);
  writer.close();
  expect(calls).toEqual(['sync folder', 'write']);
});

test('a segment that exists is not created again', () => {
  const directory = temporaryDirectory();
  SegmentWriter.create(directory, 7).close();
  expect(() => SegmentWriter.create(directory, 7)).toThrow(
    expect.objectContaining({ code: 'ERR_TAKEN', message: expect.stringContaining(segmentName(7)) }),
  );
});

test('a segment goes on after a whole frame, and what stood after it is gone', () => {
  const directory = temporaryDirectory();
  const [first, , last] = threeFrames();
  const writer = SegmentWriter.create(directory, 1);
  writer.append(first!.header, first!.data);
  writer.append(last!.header, last!.data);
  writer.close();
  const again = SegmentWriter.open(writer.path, first!.bytes.length);
  expect(statSync(writer.path).size).toBe(first!.bytes.length);
  again.append(last!.header, last!.data);
  again.close();
  expect(readFileSync(writer.path)).toEqual(Buffer.concat([first!.bytes, last!.bytes]));
  expect(() => SegmentWriter.open(writer.path, 10_000)).toThrow(/and should have 10000/);
});

test('truncateTo takes back frames', () => {
  const directory = temporaryDirectory();
  const frames = threeFrames();
  const writer = SegmentWriter.create(directory, 1);
  const offsets = frames.map(({ header, data }) => writer.append(header, data));
  writer.truncateTo(offsets[1]!);
  expect(writer.bytes).toBe(offsets[1]);
  writer.append(frames[2]!.header, frames[2]!.data);
  writer.close();
  expect(readFileSync(writer.path)).toEqual(Buffer.concat([frames[0]!.bytes, frames[2]!.bytes]));
});

describe('on a disk that fails', () => {
  /** `writevSync` of these files does the first `allowed` calls, then what `then` says. */
  function failingFiles(plan: { writev?: number[]; truncate?: boolean; fsync?: boolean }): ArchiveFiles {
    const error = (code: string) => Object.assign(new Error(code), { code });
    return {
      ...nodeFs,
      writevSync: (fd, buffers, position) => {
        const bytes = plan.writev?.shift();
        if (bytes === undefined) return nodeFs.writevSync(fd, buffers, position ?? undefined);
        if (bytes < 0) throw error('ENOSPC');
        const all = Buffer.concat(buffers as Uint8Array[]).subarray(0, bytes);
        return nodeFs.writeSync(fd, all, 0, all.length, position ?? null);
      },
      ftruncateSync: (fd, length) => {
        if (plan.truncate) throw error('EIO');
        nodeFs.ftruncateSync(fd, length);
      },
      fdatasyncSync: (fd) => {
        if (plan.fsync) throw error('EIO');
        nodeFs.fdatasyncSync(fd);
      },
    };
  }

  test('short writes are gone on with, at any byte', () => {
    const [, , frame] = threeFrames();
    for (let bytes = 1; bytes < frame!.bytes.length; bytes++) {
      const directory = temporaryDirectory();
      const writer = SegmentWriter.create(directory, 4, failingFiles({ writev: [bytes, 1] }));
      writer.append(frame!.header, frame!.data);
      writer.close();
      expect(readFileSync(writer.path).equals(frame!.bytes)).toBe(true);
    }
  });

  test('a failed append leaves the segment as it was, and names the cause', () => {
    const directory = temporaryDirectory();
    const [first, , last] = threeFrames();
    const writer = SegmentWriter.create(directory, 1, failingFiles({ writev: [1e9, 50, -1] }));
    writer.append(first!.header, first!.data);
    expect(() => writer.append(last!.header, last!.data)).toThrow(
      expect.objectContaining({
        code: 'ERR_IO',
        message: expect.stringMatching(/append to segment .*ENOSPC/),
      }),
    );
    expect(writer.bytes).toBe(first!.bytes.length);
    expect(statSync(writer.path).size).toBe(first!.bytes.length);
  });

  test('a stale tail that could not be cut off is cut off before the next append', () => {
    const directory = temporaryDirectory();
    const [first, , last] = threeFrames();
    const plan = { writev: [150, -1], truncate: true };
    const writer = SegmentWriter.create(directory, 1, failingFiles(plan));
    expect(() => writer.append(first!.header, first!.data)).toThrow(/ENOSPC/);
    expect(statSync(writer.path).size).toBe(150);
    expect(() => writer.append(last!.header, last!.data)).toThrow(/truncate segment/);
    plan.truncate = false;
    writer.append(last!.header, last!.data);
    writer.close();
    expect(readFileSync(writer.path).equals(last!.bytes)).toBe(true);
  });

  test('a write of nothing is a failure, not an endless loop', () => {
    const [first] = threeFrames();
    const writer = SegmentWriter.create(temporaryDirectory(), 1, failingFiles({ writev: [0] }));
    expect(() => writer.append(first!.header, first!.data)).toThrow(/EIO/);
  });

  test('a failed sync is a failure with its cause', () => {
    const writer = SegmentWriter.create(temporaryDirectory(), 1, failingFiles({ fsync: true }));
    expect(() => writer.sync()).toThrow(
      expect.objectContaining({ code: 'ERR_IO', cause: expect.objectContaining({ code: 'EIO' }) }),
    );
  });
});
