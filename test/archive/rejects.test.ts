/** The files of refused lines: what stands in them, how large they get, and what a disk that refuses costs. */

import * as nodeFs from 'node:fs';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { REJECTS_FILE_BYTES, type RejectFiles, Rejects, RejectsBoard } from '../../src/archive/rejects.js';
import {
  REFUSAL_INVALID_JSON,
  REFUSAL_INVALID_UTF8,
  REFUSAL_MISSING_FIELD,
  REFUSAL_TOO_LONG,
} from '../../src/model/refusal.js';
import { temporaryDirectory } from './log-fixture.js';

const ARRIVED_US = 1_732_000_000_123_456;

class Fixture {
  readonly directory = join(temporaryDirectory(), 'rejects');
  readonly board = new RejectsBoard(RejectsBoard.allocate());
  nowMs = 1000;
  readonly rejects: Rejects;

  constructor(files: Partial<RejectFiles> = {}) {
    this.rejects = new Rejects(this.directory, this.board, { ...nodeFs, ...files }, () => this.nowMs);
  }

  add(reason: number, lines: readonly (string | Uint8Array)[], wholeBytes = 0): void {
    const parts = lines.flatMap((line) => [Buffer.from(line as string), Buffer.from('\n')]);
    // As the ring's: shared, and other bytes a moment later.
    const bytes = Buffer.concat(parts);
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
    shared.set(bytes);
    this.rejects.add(reason, lines.length, ARRIVED_US, shared, wholeBytes);
    shared.fill(0);
  }

  path(name = 'rejects.ndjson'): string {
    return join(this.directory, name);
  }

  // biome-ignore lint/suspicious/noExplicitAny: what a line says is what the tests are about
  lines(name?: string): any[] {
    const text = readFileSync(this.path(name), 'utf8');
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  }
}

test('each refused line is an object with its reason, its arrival and its bytes, also where those are no UTF-8', () => {
  const it = new Fixture();
  it.add(REFUSAL_MISSING_FIELD, ['{"type":"sample"}', '{"type":"group","é":"\u2028\\"}\r']);
  it.add(REFUSAL_INVALID_UTF8, [Uint8Array.from([0x7b, 0xff, 0x00, 0x7d])]);
  it.add(REFUSAL_INVALID_JSON, ['']);
  expect(existsSync(it.directory)).toBe(false);
  it.rejects.flush();
  const arrived = 1_732_000_000.123456;
  expect(it.lines()).toEqual([
    { reason: 'missing_field', arrived, line: '{"type":"sample"}' },
    { reason: 'missing_field', arrived, line: '{"type":"group","é":"\u2028\\"}\r' },
    { reason: 'invalid_utf8', arrived, line_base64: 'e/8AfQ==' },
    { reason: 'invalid_json', arrived, line: '' },
  ]);
  expect(it.board.counts()).toEqual({ written: 4, skipped: 0, failed: 0 });
  expect(statSync(it.path()).mode & 0o777).toBe(0o640);
});

test('of an over-long line the beginning is there, without half a character at its end, and its length', () => {
  const it = new Fixture();
  it.add(REFUSAL_TOO_LONG, ['x'.repeat(1000)], 5000);
  it.add(REFUSAL_TOO_LONG, [`${'y'.repeat(1022)}${'é'.repeat(300)}`]);
  it.add(REFUSAL_TOO_LONG, [`${'y'.repeat(1023)}${'😀'.repeat(300)}`]);
  it.add(REFUSAL_INVALID_JSON, ['z'.repeat(65 * 1024)]);
  it.rejects.flush();
  expect(it.lines()).toMatchObject([
    { line: 'x'.repeat(1000), truncated: true, bytes: 5000 },
    { line: `${'y'.repeat(1022)}é`, truncated: true, bytes: 1622 },
    { line: 'y'.repeat(1023), truncated: true, bytes: 2223 },
    { line: 'z'.repeat(64 * 1024), truncated: true, bytes: 65 * 1024 },
  ]);
});

test('a file that is full becomes the older one, and the two hold the newest lines, also over a restart', () => {
  const it = new Fixture();
  const line = 'x'.repeat(60_000);
  const perFile = Math.floor(REJECTS_FILE_BYTES / (line.length + 80));
  for (let n = 0; n < 3 * perFile; n++) {
    it.nowMs += 1000;
    it.add(REFUSAL_INVALID_JSON, [`${n} ${line}`]);
    it.rejects.flush();
  }
  it.rejects.close();
  const again = new Rejects(it.directory, it.board, nodeFs, () => it.nowMs);
  again.add(REFUSAL_INVALID_JSON, 1, ARRIVED_US, Buffer.from('last'), 0);
  again.flush();
  again.close();
  expect(readdirSync(it.directory).sort()).toEqual(['rejects.1.ndjson', 'rejects.ndjson']);
  const lines = [...it.lines('rejects.1.ndjson'), ...it.lines()].map(({ line }) => Number.parseInt(line, 10));
  expect(lines.at(-1)).toBeNaN();
  expect(lines.at(-2)).toBe(3 * perFile - 1);
  expect(lines.slice(0, -1).every((n, i) => i === 0 || n === lines[i - 1]! + 1)).toBe(true);
  for (const name of readdirSync(it.directory)) {
    expect(statSync(it.path(name)).size).toBeLessThanOrEqual(REJECTS_FILE_BYTES);
  }
});

test('a flood leaves its beginning and some of the rest, and counts what it does not write', () => {
  const it = new Fixture();
  const lines = Array.from({ length: 1000 }, (_, n) => `${n} ${'x'.repeat(90)}`);
  for (let i = 0; i < 300; i++) it.add(REFUSAL_INVALID_JSON, lines);
  it.rejects.flush();
  const before = it.board.counts();
  expect(before.skipped).toBeGreaterThan(100_000);
  expect(before.written).toBeGreaterThan(50_000);
  expect(before.written + before.skipped).toBe(300_000);
  it.nowMs += 1000;
  it.add(REFUSAL_INVALID_JSON, lines);
  it.rejects.flush();
  expect(it.board.counts().written).toBe(before.written + 1000);
});

test('a disk that refuses costs the lines and nothing else, and is tried again later', () => {
  let full = true;
  const it = new Fixture({
    writeSync: ((...args: Parameters<typeof nodeFs.writeSync>) => {
      if (full) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      return nodeFs.writeSync(...args);
    }) as typeof nodeFs.writeSync,
  });
  it.add(REFUSAL_INVALID_JSON, ['one', 'two']);
  it.rejects.flush();
  full = false;
  it.add(REFUSAL_INVALID_JSON, ['three']);
  it.rejects.flush();
  expect(it.board.counts()).toEqual({ written: 0, skipped: 0, failed: 3 });
  it.nowMs += 10_000;
  it.add(REFUSAL_INVALID_JSON, ['four']);
  it.rejects.flush();
  expect(it.board.counts()).toEqual({ written: 1, skipped: 0, failed: 3 });
  expect(it.lines()).toMatchObject([{ line: 'four' }]);
});

test('a file in the place of the folder costs the lines and nothing else', () => {
  const it = new Fixture();
  mkdirSync(join(it.directory, '..'), { recursive: true });
  writeFileSync(it.directory, 'in the way');
  it.add(REFUSAL_INVALID_JSON, ['one']);
  it.rejects.flush();
  it.rejects.close();
  expect(it.board.counts()).toEqual({ written: 0, skipped: 0, failed: 1 });
});

test('half a line that a crash has left takes no other line with it', () => {
  const it = new Fixture();
  mkdirSync(it.directory);
  writeFileSync(it.path(), '{"reason":"too_deep","arr');
  it.add(REFUSAL_INVALID_JSON, ['one']);
  it.rejects.flush();
  expect(readFileSync(it.path(), 'utf8')).toMatch(/^\{"reason":"too_deep","arr\n\{.*"line":"one"\}\n$/);
});

test('a short write goes on where it stopped', () => {
  const it = new Fixture({
    writeSync: ((fd: number, bytes: Buffer, at: number, length: number) =>
      nodeFs.writeSync(fd, bytes, at, Math.min(length, 7))) as typeof nodeFs.writeSync,
  });
  it.add(REFUSAL_INVALID_JSON, ['a line of some length', 'and another']);
  it.rejects.flush();
  expect(it.lines().map(({ line }) => line)).toEqual(['a line of some length', 'and another']);
});
