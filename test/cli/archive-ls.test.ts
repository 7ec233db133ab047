import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LogIndex } from '../../src/archive/log-index.js';
import { endOfLog } from '../../src/archive/log-reader.js';
import { indexPathOf } from '../../src/archive/segment-name.js';
import { eventLines, LogBuilder, temporaryDirectory, writeSegment } from '../archive/log-fixture.js';
import { tallyd } from './terminal.js';

async function state() {
  const stateDir = temporaryDirectory();
  const directory = join(stateDir, 'archive');
  mkdirSync(directory);
  const builder = new LogBuilder();
  const paths = [
    writeSegment(directory, [builder.frame(eventLines(1000)), builder.frame(eventLines(500, 1001))]),
    writeSegment(directory, [builder.frame(eventLines(3, 1501))]),
  ];
  await new LogIndex(directory).follow(endOfLog(directory)!);
  return { stateDir, paths, rawBytes: builder.rawBytes };
}

test('ls tells of each segment its lines, its times, what it takes and how well it is compressed', async () => {
  const { stateDir } = await state();
  const { exitCode, stdout, stderr } = await tallyd(['archive', 'ls', '--state-dir', stateDir]);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const lines = stdout.split('\n');
  expect(lines[0]).toMatch(/^first line +lines +from +to +raw +on disk +ratio +frames +index$/);
  expect(lines[1]).toMatch(
    /^ +1 +1,500 +2024-11-19 07:06:40Z +2024-11-19 07:06:41Z +\S+ KiB +\S+ KiB +\d+\.\d +2 +\S+ (KiB|B)$/,
  );
  expect(lines[2]).toMatch(/^ +1,501 +3 .* 1 +active$/);
  expect(lines[4]).toMatch(/^2 segments, 1,503 lines, .* raw, .* on disk, .* of indexes$/);
});

test('ls --json gives the same as numbers', async () => {
  const { stateDir, paths, rawBytes } = await state();
  const { stdout } = await tallyd(['archive', 'ls', '--json', '--state-dir', stateDir]);
  const sizes = paths.map((path) => statSync(path).size);
  expect(JSON.parse(stdout)).toMatchObject({
    segments: [
      {
        segment: '00000000000000000001.ndjson.lz4',
        active: false,
        first_line: 1,
        last_line: 1500,
        lines: 1500,
        frames: 2,
        first_ts: 1_732_000_000.124456,
        last_ts: 1_732_000_001.623456,
        bytes_compressed: sizes[0],
        bytes_index: statSync(indexPathOf(paths[0]!)).size,
      },
      {
        active: true,
        first_line: 1501,
        last_line: 1503,
        lines: 3,
        bytes_compressed: sizes[1],
        bytes_index: null,
      },
    ],
    lines: 1503,
    frames: 3,
    bytes_raw: rawBytes,
    bytes_compressed: sizes[0]! + sizes[1]!,
  });
});

test('ls of an empty archive says so, and of none is a failure', async () => {
  const stateDir = temporaryDirectory();
  expect(await tallyd(['archive', 'ls', '--state-dir', stateDir])).toMatchObject({ exitCode: 1 });
  mkdirSync(join(stateDir, 'archive'));
  expect(await tallyd(['archive', 'ls', '--state-dir', stateDir])).toEqual({
    exitCode: 0,
    stdout: 'the archive has no segment yet\n',
    stderr: '',
  });
});
