/**
 * The process that measures round trips of syncs, by blocking calls. Arguments: path of the socket, a folder on the disk of
 * the archive, how many. One every 10 ms, or later where the one before took longer; each is checked.
 */

import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BlockingSocket } from '../src/load/blocking-socket.js';
import { check } from './harness.js';

export interface Probed {
  readonly syncMs: readonly number[];
  readonly fdatasyncMs: readonly number[];
}

const PERIOD_MS = 10;
const APPENDED_BYTES = 4096;

const [path, directory, countText] = process.argv.slice(2);
const socket = await BlockingSocket.connect(path!);
const fd = openSync(join(directory!, 'bare'), 'a');
const idle = new Int32Array(new SharedArrayBuffer(4));
const syncMs: number[] = [];
const fdatasyncMs: number[] = [];
const block = Buffer.alloc(APPENDED_BYTES, 'x');
for (let i = 1; i <= Number(countText); i++) {
  const startedMs = performance.now();
  const lines = Buffer.from(`{"type":"sample","name":"probe","value":${i}}\n{"type":"sync","id":${i}}\n`);
  socket.write(lines, 0, lines.length);
  const { type, id, accepted } = JSON.parse(socket.readLine());
  const answeredMs = performance.now();
  syncMs.push(answeredMs - startedMs);
  check('answer', `${type} ${id} ${accepted}`, `synced ${i} ${i}`);
  writeSync(fd, block);
  const writtenMs = performance.now();
  fdatasyncSync(fd);
  fdatasyncMs.push(performance.now() - writtenMs);
  const restMs = PERIOD_MS - (performance.now() - startedMs);
  if (restMs > 0) Atomics.wait(idle, 0, 0, restMs);
}
closeSync(fd);
socket.close();
const probed: Probed = { syncMs, fdatasyncMs };
process.send!(probed);
process.disconnect();
