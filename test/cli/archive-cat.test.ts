import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { recoverLog } from '../../src/archive/log-recovery.js';
import { type ArchiveCatOptions, archiveCat } from '../../src/cli/archive-cat.js';
import {
  type BuiltFrame,
  eventLines,
  LogBuilder,
  temporaryDirectory,
  writeSegment,
} from '../archive/log-fixture.js';

class Sink extends Writable {
  text = '';
  pending = 0;

  readonly #fail: (text: string) => string | undefined;

  constructor(fail: (text: string) => string | undefined = () => undefined) {
    super({ highWaterMark: 1 });
    this.#fail = fail;
  }

  override _write(chunk: Buffer, _: string, done: (error?: Error) => void): void {
    // Later, so that a writer that does not wait is seen.
    expect(this.pending++).toBe(0);
    setImmediate(() => {
      this.pending--;
      this.text += chunk.toString();
      const code = this.#fail(this.text);
      done(code === undefined ? undefined : Object.assign(new Error(code), { code }));
    });
  }
}

function state(): { stateDir: string; paths: string[]; frames: BuiltFrame[]; text: string } {
  const stateDir = temporaryDirectory();
  recoverLog(join(stateDir, 'archive'));
  const builder = new LogBuilder();
  const frames = [builder.frame(eventLines(3)), builder.frame([]), builder.frame(['{"text":"ü\\u0000"}\r'])];
  const second = [builder.frame(eventLines(2, 5))];
  const paths = [frames, second].map((segment) => writeSegment(join(stateDir, 'archive'), segment));
  return { stateDir, paths, frames, text: [...frames, ...second].map(({ text }) => text).join('') };
}

async function cat(stateDir: string, options: ArchiveCatOptions = {}, stdout = new Sink()) {
  const stderr = new Sink();
  const exitCode = await archiveCat({ stateDir }, options, { stdout, stderr });
  if (stderr.writableLength > 0) await new Promise((resolve) => stderr.end(resolve));
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}

test('cat prints every accepted line, byte for byte, in order', async () => {
  const { stateDir, text } = state();
  expect(await cat(stateDir)).toEqual({ exitCode: 0, stdout: text, stderr: '' });
});

test('cat --json gives each line its number and its arrival in seconds', async () => {
  const { stateDir, text } = state();
  const { stdout } = await cat(stateDir, { json: true });
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toBe(`{"line":1,"arrived":1732000000.124456,"event":${eventLines(1)[0]}}`);
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    text
      .trimEnd()
      .split('\n')
      .map((line, i) => ({ line: i + 1, arrived: 1732000000.124456 + i / 1000, event: JSON.parse(line) }))
      .map((item) => ({ ...item, arrived: Number(item.arrived.toFixed(6)) })),
  );
});

test('cat prints what is whole, names what is not, and exits 1', async () => {
  const { stateDir, paths, frames, text } = state();
  const bytes = readFileSync(paths[0]!);
  bytes[frames[0]!.header.length + 20]! ^= 1;
  writeFileSync(paths[0]!, bytes);
  const { exitCode, stdout, stderr } = await cat(stateDir);
  expect(exitCode).toBe(1);
  expect(stdout).toBe(text.slice(frames[0]!.text.length));
  expect(stderr).toBe(
    `tallyd: damage in ${paths[0]} at byte 0 (${frames[0]!.bytes.length} bytes): the data frame does not match its checksum; lines 1 to 3 are lost\n`,
  );
});

test('cat names a last frame that is not finished, and exits 0', async () => {
  const { stateDir, paths, frames } = state();
  writeFileSync(paths[1]!, readFileSync(paths[1]!).subarray(0, -1));
  const { exitCode, stdout, stderr } = await cat(stateDir);
  expect(exitCode).toBe(0);
  expect(stdout).toBe(frames.map(({ text }) => text).join(''));
  expect(stderr).toMatch(/a frame that is not finished in .* at byte 0 .*ends 1 bytes before/);
});

test('cat ends quietly when its reader goes away, and not quietly when the disk is full', async () => {
  const { stateDir, frames } = state();
  const gone = await cat(stateDir, {}, new Sink(() => 'EPIPE'));
  expect(gone).toMatchObject({ exitCode: 0, stdout: `${frames[0]!.text}${frames[2]!.text}`, stderr: '' });
  await expect(cat(stateDir, {}, new Sink(() => 'ENOSPC'))).rejects.toMatchObject({ code: 'ERR_IO' });
});

test('cat of an empty archive prints nothing, and of none is a failure that says so', async () => {
  const stateDir = temporaryDirectory();
  await expect(cat(stateDir)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' });
  recoverLog(join(stateDir, 'archive'));
  expect(await cat(stateDir)).toEqual({ exitCode: 0, stdout: '', stderr: '' });
});
