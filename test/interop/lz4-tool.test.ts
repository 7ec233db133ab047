/** The archive as its users see it: through the `lz4` tool of the distribution. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeClients } from '../../src/archive/frame-clients.js';
import { encodeFrameHeader } from '../../src/archive/frame-header.js';
import { FrameRecords } from '../../src/archive/frame-records.js';
import { encodeTicks } from '../../src/archive/frame-ticks.js';
import { compressFrame } from '../../src/archive/lz4.js';
import { SegmentWriter } from '../../src/archive/segment-writer.js';

const MAX_BUFFER = 256 * 1024 * 1024;
let directory: string;
const accepted: Buffer[] = [];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tallyd-lz4-'));
  const records = new FrameRecords();
  let firstLine = 1;
  let rawBytesBefore = 0;
  let arrivalUs = 1_732_000_000_000_000;
  const append = (writer: SegmentWriter, lineCount: number) => {
    records.reset(arrivalUs);
    let text = '';
    for (let i = 0; i < lineCount; i++) {
      arrivalUs += 7;
      text += `{"type":"sample","name":"größe","value":${Math.sin(firstLine + i)},"line":${firstLine + i}}\n`;
      records.add(1, arrivalUs);
    }
    const raw = Buffer.from(text);
    const data = lineCount === 0 ? null : compressFrame(raw);
    const { firstArrivalUs, lastArrivalUs } = records;
    const facts = {
      firstLine,
      lineCount,
      rawBytes: raw.length,
      rawBytesBefore,
      firstArrivalUs,
      lastArrivalUs,
    };
    const clients = encodeClients(lastArrivalUs, [{ id: Buffer.from('c'), lastLine: firstLine, arrivalUs }]);
    const ticks = encodeTicks(lastArrivalUs, [
      { lineOffset: 0, kind: 1, number: 1, arrivalUs: firstArrivalUs, payload: Buffer.from('tick') },
    ]);
    writer.append(encodeFrameHeader(facts, { records: records.bytes, clients, ticks }, data), data);
    accepted.push(raw);
    firstLine += lineCount;
    rawBytesBefore += raw.length;
  };
  // Frames without lines at the start, in the middle and at the end; one of several blocks of 4 MiB.
  for (const lineCounts of [[0, 5000, 1], [1, 0, 80_000, 0], [3], [0]]) {
    const writer = SegmentWriter.create(directory, firstLine);
    for (const lineCount of lineCounts) append(writer, lineCount);
    writer.sync();
    writer.close();
  }
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('the lz4 tool is here', () => {
  expect(execFileSync('lz4', ['--version'], { encoding: 'utf8' })).toMatch(/LZ4/i);
});

test.each([
  ['cat *.lz4 | lz4 -dc'],
  ['lz4 -dcm *.lz4'],
  ['for segment in *.lz4; do lz4 -dc "$segment"; done'],
])('%s prints every accepted line, byte for byte, and nothing else', (command) => {
  const script = `set -eo pipefail; ${command}`;
  const printed = execFileSync('bash', ['-c', script], { cwd: directory, maxBuffer: MAX_BUFFER });
  expect(printed.equals(Buffer.concat(accepted))).toBe(true);
});

test('lz4 -t finds every segment whole', () => {
  execFileSync('bash', ['-c', 'for segment in *.lz4; do lz4 -t "$segment"; done'], {
    cwd: directory,
    stdio: 'pipe',
  });
});
