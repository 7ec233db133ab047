import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encodeClients } from '../../src/archive/frame-clients.js';
import { encodeFrameHeader } from '../../src/archive/frame-header.js';
import { GrowingIndex } from '../../src/archive/growing-index.js';
import { readIndexPart } from '../../src/archive/index-builder.js';
import { encodeIndex } from '../../src/archive/index-format.js';
import { LogIndex } from '../../src/archive/log-index.js';
import { endOfLog } from '../../src/archive/log-reader.js';
import { compressFrame } from '../../src/archive/lz4.js';
import { indexPathOf } from '../../src/archive/segment-name.js';
import { archiveCat } from '../../src/cli/archive-cat.js';
import { archiveVerify } from '../../src/cli/archive-verify.js';
import {
  type BuiltFrame,
  eventLines,
  FIRST_ARRIVAL_US,
  LogBuilder,
  temporaryDirectory,
  writeSegment,
} from '../archive/log-fixture.js';
import { tallyd, testIo } from './terminal.js';

/** Two segments of two frames and one, the first with an index. */
async function smallArchive() {
  const stateDir = temporaryDirectory();
  const directory = join(stateDir, 'archive');
  mkdirSync(directory);
  const builder = new LogBuilder();
  const client = (id: string, lastLine: number) =>
    encodeClients(builder.arrivalUs + 2000, [
      { id: Buffer.from(id), lastLine, arrivalUs: builder.arrivalUs },
    ]);
  const frames = [
    [builder.frame(eventLines(2), { clients: client('c', 2) }), builder.frame(eventLines(2, 3))],
    [builder.frame(eventLines(2, 5), { clients: client('c', 4) })],
  ];
  const paths = frames.map((segment) => writeSegment(directory, segment));
  await new LogIndex(directory).follow(endOfLog(directory)!);
  return { stateDir, directory, frames, paths, indexPath: indexPathOf(paths[0]!) };
}

async function verify(stateDir: string) {
  const io = testIo();
  const ingest = { clientMemoryMs: 1000, maxClients: 3 };
  const exitCode = await archiveVerify({ stateDir, ingest } as never, { json: true }, io);
  return { exitCode, ...JSON.parse(io.texts.stdout) };
}

function textOf(frames: readonly BuiltFrame[]): string {
  return frames.map(({ text }) => text).join('');
}

test('verify of an archive that is whole counts what is there, and exits 0', async () => {
  const { stateDir, frames, paths } = await smallArchive();
  expect(await verify(stateDir)).toMatchObject({
    exitCode: 0,
    ok: true,
    segments: 2,
    frames: 3,
    lines: 6,
    bytes_raw: textOf(frames.flat()).length,
    bytes_compressed: paths.reduce((sum, path) => sum + statSync(path).size, 0),
    damage: [],
    indexes: [],
    unfinished: [],
  });
  const said = await tallyd(['archive', 'verify', '--state-dir', stateDir]);
  expect(said).toMatchObject({ exitCode: 0, stderr: '' });
  expect(said.stdout).toMatch(/^whole: 2 segments, 3 frames, 6 lines, /);
});

test('any byte of a segment that is flipped: verify names segment and frame, and cat prints all else and exits 1', async () => {
  const { stateDir, frames, paths } = await smallArchive();
  for (const [segment, path] of paths.entries()) {
    const whole = readFileSync(path);
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 1 << (at % 8);
      writeFileSync(path, changed);
      let end = 0;
      const hit = frames[segment]!.findIndex(({ bytes }) => {
        end += bytes.length;
        return at < end;
      });
      const frame = frames[segment]![hit]!;
      const offset = end - frame.bytes.length;
      const { exitCode, damage, indexes } = await verify(stateDir);
      expect(exitCode).toBe(1);
      expect(damage).toMatchObject([{ path, offset, bytes: frame.bytes.length }]);
      expect(indexes).toEqual([]);
      const io = testIo();
      expect(await archiveCat({ stateDir }, {}, io)).toBe(1);
      expect(io.texts.stdout).toBe(textOf(frames.flat().filter((one) => one !== frame)));
      expect(io.texts.stderr).toContain(`damage in ${path} at byte ${offset} (${frame.bytes.length} bytes)`);
    }
    writeFileSync(path, whole);
  }
  expect((await verify(stateDir)).exitCode).toBe(0);
});

test('any byte of an index that is flipped is named, and cat needs none', async () => {
  const { stateDir, frames, indexPath } = await smallArchive();
  const whole = readFileSync(indexPath);
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at]! ^= 1 << (at % 8);
    writeFileSync(indexPath, changed);
    expect(await verify(stateDir), `byte ${at}`).toMatchObject({
      exitCode: 1,
      damage: [],
      indexes: [{ path: indexPath }],
    });
  }
  const io = testIo();
  expect(await archiveCat({ stateDir }, { workflow: ['none'], since: '0' }, io)).toBe(0);
  expect(await archiveCat({ stateDir }, {}, io)).toBe(0);
  expect(io.texts.stdout).toBe(textOf(frames.flat()));
});

test('an index with right checksums that says something else than its segment is named; one that is missing is not', async () => {
  const { stateDir, indexPath, paths } = await smallArchive();
  const { size } = statSync(indexPath);
  const growing = new GrowingIndex(1);
  const part = await readIndexPart({ path: paths[0]!, firstLine: 1 });
  part.keys[0]!++;
  growing.append(part);
  writeFileSync(indexPath, encodeIndex(growing));
  expect(statSync(indexPath).size).toBe(size);
  const said = await tallyd(['archive', 'verify', '--state-dir', stateDir]);
  expect(said.exitCode).toBe(1);
  expect(said.stdout).toContain(`the index ${indexPath} cannot be trusted: it says something else`);
  expect(said.stdout).toContain('remove it, and the daemon builds it again');
  unlinkSync(indexPath);
  expect((await verify(stateDir)).exitCode).toBe(0);
});

test('a last frame that is not finished is told, and exits 0', async () => {
  const { stateDir, paths } = await smallArchive();
  truncateSync(paths[1]!, statSync(paths[1]!).size - 1);
  expect(await verify(stateDir)).toMatchObject({
    exitCode: 0,
    damage: [],
    unfinished: [{ path: paths[1], offset: 0, first_line: 5 }],
  });
  const said = await tallyd(['archive', 'verify', '--state-dir', stateDir]);
  expect(said.exitCode).toBe(0);
  expect(said.stdout).toMatch(/^a frame that is not finished in .* at byte 0 /);
});

test('lines that are missing between segments are named', async () => {
  const { stateDir } = await smallArchive();
  const builder = new LogBuilder(9);
  const frame = builder.frame(eventLines(1, 9));
  writeSegment(join(stateDir, 'archive'), [frame]);
  const { exitCode, damage } = await verify(stateDir);
  expect(exitCode).toBe(1);
  expect(damage[0]).toMatchObject({ first_line: 7, last_line: 8 });
});

/** A frame as the archive stage would write it, with facts of one's own. */
function frameOf(text: string, facts: object, sections: object = {}): Buffer {
  const data = compressFrame(Buffer.from(text));
  const stated = {
    firstLine: 7,
    lineCount: 1,
    rawBytes: text.length,
    rawBytesBefore: 0,
    firstArrivalUs: FIRST_ARRIVAL_US + 60_000_000,
    lastArrivalUs: FIRST_ARRIVAL_US + 60_000_000,
    ...facts,
  };
  const records = Buffer.from([stated.lineCount, 0]);
  return Buffer.concat([encodeFrameHeader(stated, { records, ...sections }, data), data]);
}

test.each([
  [
    'has other lines than its header says',
    { lineCount: 2 },
    '{"type":"a" }\n',
    /has 1 lines, its header says 2/,
  ],
  [
    'states arrivals that go back',
    { firstArrivalUs: 5, lastArrivalUs: 5 },
    '{"type":"a"}\n',
    /arrivals of the frame go back/,
  ],
  [
    'states other bytes before it than there are',
    { rawBytesBefore: 12 },
    '{"type":"a"}\n',
    /states 12 bytes of lines before it/,
  ],
])('a frame with right checksums that %s is named', async (_, facts, text, reason) => {
  const { stateDir, paths, frames } = await smallArchive();
  const rawBytesBefore = textOf(frames.flat()).length;
  const offset = statSync(paths[1]!).size;
  appendFileSync(paths[1]!, frameOf(text, { rawBytesBefore, ...facts }));
  const { exitCode, damage } = await verify(stateDir);
  expect(exitCode).toBe(1);
  expect(damage).toMatchObject([{ path: paths[1], offset, reason: expect.stringMatching(reason) }]);
});

test.each([
  ['goes back', 'c', 4, 1, /client "c" is at line 4 there, and was at line 4 before/],
  ['goes up', 'c', 5, 1, null],
  ['goes back after it was forgotten', 'c', 1, 120_000_000, null],
])('a number of a client that %s', async (_, id, lastLine, afterUs, reason) => {
  const { stateDir, paths, frames } = await smallArchive();
  const rawBytesBefore = textOf(frames.flat()).length;
  const arrivalUs = FIRST_ARRIVAL_US + 6000 + afterUs;
  const clients = encodeClients(arrivalUs, [{ id: Buffer.from(id), lastLine, arrivalUs }]);
  const facts = { rawBytesBefore, firstArrivalUs: arrivalUs, lastArrivalUs: arrivalUs };
  appendFileSync(paths[1]!, frameOf('{"type":"a"}\n', facts, { clients }));
  const { exitCode, damage } = await verify(stateDir);
  expect(exitCode).toBe(reason === null ? 0 : 1);
  expect(damage).toMatchObject(reason === null ? [] : [{ reason: expect.stringMatching(reason) }]);
});

test('a client that made room for others may count from 1 again', async () => {
  const { stateDir, paths, frames } = await smallArchive();
  let rawBytesBefore = textOf(frames.flat()).length;
  const arrivalUs = FIRST_ARRIVAL_US + 7000;
  for (const [i, id] of ['d', 'e', 'f', 'c'].entries()) {
    const clients = encodeClients(arrivalUs, [{ id: Buffer.from(id), lastLine: 1, arrivalUs }]);
    const facts = { firstLine: 7 + i, rawBytesBefore, firstArrivalUs: arrivalUs, lastArrivalUs: arrivalUs };
    appendFileSync(paths[1]!, frameOf('{"type":"a"}\n', facts, { clients }));
    rawBytesBefore += 13;
  }
  expect(await verify(stateDir)).toMatchObject({ exitCode: 0, damage: [] });
});

test('a clients section with right checksums that names a client twice is named', async () => {
  const { stateDir, paths, frames } = await smallArchive();
  const arrivalUs = FIRST_ARRIVAL_US + 7000;
  const one = { id: Buffer.from('d'), lastLine: 1, arrivalUs };
  const clients = encodeClients(arrivalUs, [one, one]);
  const rawBytesBefore = textOf(frames.flat()).length;
  const facts = { rawBytesBefore, firstArrivalUs: arrivalUs, lastArrivalUs: arrivalUs };
  appendFileSync(paths[1]!, frameOf('{"type":"a"}\n', facts, { clients }));
  expect((await verify(stateDir)).damage).toMatchObject([
    { reason: 'the frame header names a client twice' },
  ]);
});

test('verify without an archive is a failure that says so', async () => {
  const said = await tallyd(['archive', 'verify', '--state-dir', temporaryDirectory()]);
  expect(said.exitCode).toBe(1);
  expect(said.stderr).toMatch(/^ERR_NOT_FOUND: no archive in /);
});
