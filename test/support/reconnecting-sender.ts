/**
 * A process that writes numbered lines to a socket, and when the other side takes no more connects again and goes on with the
 * first line that write() had not returned for. At the end of its input it prints how many whole lines the kernel has taken.
 * Why write(2) itself: full-speed-sender.ts.
 *
 * Arguments: the socket's path, the name of this sender.
 */

import { writeSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { NUMBERED_LINE_BYTES, numberedLines } from './numbered-lines.js';

const LINES_PER_BLOCK = 200;

const [path, name] = process.argv.slice(2);
let stopped = false;
process.stdin.resume().on('end', () => {
  stopped = true;
});

let lines = 0;
while (!stopped) lines += await sendUntilRefused(await connect(), lines);
process.stdout.write(`${lines}\n`, () => process.exit(0));

async function connect(): Promise<net.Socket> {
  for (;;) {
    const socket = net.connect(path!);
    const connected = await new Promise((resolve) => {
      socket.on('error', () => resolve(false));
      socket.once('connect', () => resolve(true));
    });
    if (connected) return socket;
    await sleep(5);
  }
}

/** @returns how many whole lines the kernel has taken */
async function sendUntilRefused(socket: net.Socket, first: number): Promise<number> {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  let taken = 0;
  for (let sent = 0; !stopped; sent += LINES_PER_BLOCK) {
    const block = Buffer.from(numberedLines(name!, first + sent, LINES_PER_BLOCK));
    for (let at = 0; at < block.length && !stopped; ) {
      try {
        const written = writeSync(fd, block, at);
        at += written;
        taken += written;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'EAGAIN') {
          socket.destroy();
          return Math.floor(taken / NUMBERED_LINE_BYTES);
        }
      }
      await sleep(1);
    }
  }
  socket.destroy();
  return Math.floor(taken / NUMBERED_LINE_BYTES);
}
