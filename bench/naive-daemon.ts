/**
 * The daemon that one would write first, as the pipeline's baseline: one thread, 'data', lines by split, an object a line,
 * Maps, and LZ4 frames appended to a file. It has no limits, no queries while it works and no recovery, all of which is in
 * its favour. Arguments: path of the socket, of the file. Says `ready`; at `stop` says what it has, and ends.
 */

import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import net from 'node:net';
import { compressFrame } from '../src/archive/lz4.js';
import { NaiveFold } from './naive-fold.js';

export interface NaiveTotals {
  readonly lines: number;
  readonly workflows: number;
  readonly tasks: number;
  readonly durationSum: number;
  readonly rawBytes: number;
  readonly compressedBytes: number;
}

const FRAME_RAW_BYTES = 512 * 1024;

const [socketPath, archivePath] = process.argv.slice(2);
const fold = new NaiveFold();
const fd = openSync(archivePath!, 'w');
let staged: Buffer[] = [];
let stagedBytes = 0;
let rawBytes = 0;
let compressedBytes = 0;

const server = net.createServer((socket) => {
  let carry = '';
  let accepted = 0;
  socket.setEncoding('utf8');
  socket.on('error', () => {});
  socket.on('data', (chunk) => {
    const lines = (carry + chunk).split('\n');
    carry = lines.pop()!;
    if (lines.at(-1)?.startsWith('{"type":"sync"')) {
      const { id } = JSON.parse(lines.pop()!);
      takeLines(lines);
      accepted += lines.length;
      closeFrame();
      fdatasyncSync(fd);
      socket.write(`${JSON.stringify({ type: 'synced', id, seq: null, accepted, rejected: 0 })}\n`);
      return;
    }
    takeLines(lines);
    accepted += lines.length;
  });
});

function takeLines(lines: readonly string[]): void {
  if (lines.length === 0) return;
  for (const line of lines) fold.take(line);
  const bytes = Buffer.from(`${lines.join('\n')}\n`);
  staged.push(bytes);
  stagedBytes += bytes.length;
  if (stagedBytes >= FRAME_RAW_BYTES) closeFrame();
}

function closeFrame(): void {
  if (stagedBytes === 0) return;
  const frame = compressFrame(Buffer.concat(staged));
  writeSync(fd, frame);
  rawBytes += stagedBytes;
  compressedBytes += frame.length;
  staged = [];
  stagedBytes = 0;
}

process.on('message', () => {
  closeFrame();
  closeSync(fd);
  server.close();
  const { count: tasks, sum: durationSum } = fold.total('task_duration_seconds');
  const { lines, workflowsOver: workflows } = fold;
  const totals: NaiveTotals = { lines, workflows, tasks, durationSum, rawBytes, compressedBytes };
  process.send!(totals);
  process.disconnect();
});

server.listen({ path: socketPath!, backlog: 4096 }, () => process.send!('ready'));
