/**
 * A process that writes numbered lines to a socket as fast as it can, until the other side takes no more, and then prints how
 * many bytes its write() calls had returned for.
 *
 * `socket.write` cannot tell: libuv writes behind its back, and a callback that says "failed" does not say after how many
 * bytes. fs.writeSync on the socket's own descriptor is write(2) itself: it returns what the kernel has taken, part of the
 * buffer too, or throws EAGAIN (the socket is non-blocking, as all of libuv's) or EPIPE, and then it has taken nothing.
 *
 * Arguments: the socket's path, the name of this sender.
 */

import { writeSync } from 'node:fs';
import net from 'node:net';
import { numberedLines } from './numbered-lines.js';

const LINES_PER_BLOCK = 1000;

const [path, name] = process.argv.slice(2);
const idle = new Int32Array(new SharedArrayBuffer(4));
const socket = net.connect(path!);
socket.on('error', () => {});
socket.once('connect', () => {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  process.stdout.write(`${writeUntilRefused(fd)}\n`, () => process.exit(0));
});

function writeUntilRefused(fd: number): number {
  let written = 0;
  for (let first = 0; ; first += LINES_PER_BLOCK) {
    const block = Buffer.from(numberedLines(name!, first, LINES_PER_BLOCK));
    let at = 0;
    while (at < block.length) {
      try {
        at += writeSync(fd, block, at);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EPIPE' || code === 'ECONNRESET') return written + at;
        if (code !== 'EAGAIN') throw error;
        Atomics.wait(idle, 0, 0, 1);
      }
    }
    written += block.length;
  }
}
