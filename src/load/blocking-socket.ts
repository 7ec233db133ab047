/**
 * Connections for senders that have nothing else to do: the descriptor is made blocking, and writes and reads are the
 * system calls themselves. A sender that shares the machine with what it measures must cost little: this way 64 KiB cost
 * one `write`, and waiting costs nothing. `_handle` is not documented, and good enough for a bench.
 */

import { readSync, writeSync } from 'node:fs';
import net from 'node:net';

interface Handle {
  readonly fd: number;
  setBlocking(blocking: boolean): number;
}

export class BlockingSocket {
  readonly #socket: net.Socket;
  readonly #fd: number;
  #rest = '';

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    const handle = (socket as unknown as { _handle: Handle })._handle;
    if (handle.setBlocking(true) !== 0) throw new Error('the socket cannot be made blocking');
    this.#fd = handle.fd;
  }

  static async connect(path: string): Promise<BlockingSocket> {
    const socket = new net.Socket();
    // Else Node would begin to read what `readLine` waits for.
    socket.pause();
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(path, resolve);
    });
    return new BlockingSocket(socket);
  }

  /** Returns when the kernel has taken all of it. */
  write(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; ) at += writeSync(this.#fd, bytes, at, to - at);
  }

  /** Waits for a line. @throws Error where the other side closed instead */
  readLine(): string {
    const chunk = Buffer.alloc(4096);
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const count = readSync(this.#fd, chunk, 0, chunk.length, null);
      if (count === 0) throw new Error('the daemon closed the connection');
      this.#rest += chunk.toString('utf8', 0, count);
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
