import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  firstLineOfSegmentName,
  listSegments,
  segmentIndexOfLine,
  segmentName,
} from '../../src/archive/segment-name.js';
import { temporaryDirectory } from './log-fixture.js';

test('a segment is named by the number of its first line, in 20 digits', () => {
  expect(segmentName(1)).toBe('00000000000000000001.ndjson.lz4');
  expect(firstLineOfSegmentName(segmentName(Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER);
});

test.each([
  '1.ndjson.lz4',
  '00000000000000000000.ndjson.lz4',
  '00009007199254740993.ndjson.lz4',
  '00000000000000000001.ndjson.lz4.unreadable',
  '00000000000000000001.ndjson.lz4.index',
])('%s is the name of no segment', (name) => {
  expect(firstLineOfSegmentName(name)).toBeNull();
});

test('segments are listed in the order of their lines, and other files are passed over', () => {
  const directory = temporaryDirectory();
  for (const line of [1000, 1, 20]) writeFileSync(join(directory, segmentName(line)), '');
  writeFileSync(join(directory, 'notes.txt'), '');
  mkdirSync(join(directory, 'index'));
  const segments = listSegments(directory);
  expect(segments.map(({ firstLine }) => firstLine)).toEqual([1, 20, 1000]);
  expect([0, 1, 19, 20, 999, 1000, 2 ** 52].map((line) => segmentIndexOfLine(segments, line))).toEqual([
    -1, 0, 0, 1, 1, 2, 2,
  ]);
});

test('a folder that is not there is a failure that names it', () => {
  expect(() => listSegments('/nonexistent/archive')).toThrow(
    /list the archive \/nonexistent\/archive: ENOENT/,
  );
});
