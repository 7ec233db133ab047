/**
 * Answers to one client. They are written to the file descriptor and not through the stream: a failed write of a stream
 * destroys its reading side too, where lines may wait of a client that has sent a `sync`, more lines, and left.
 */

import { writeSync } from 'node:fs';

export class Outbox {
  readonly #fd: () => number;
  #pending = Buffer.alloc(0);
  #broken = false;

  /** @param fd of the socket; below 0 once it is closed */
  constructor(fd: () => number) {
    this.#fd = fd;
  }

  /** Bytes that the client has yet to make room for. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  send(text: string): void {
    const bytes = Buffer.from(text);
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    this.flush();
  }

  /** Writes what the client has room for. */
  flush(): void {
    while (this.#pending.length > 0) {
      const fd = this.#fd();
      if (this.#broken || fd < 0) {
        this.#pending = Buffer.alloc(0);
        return;
      }
      try {
        this.#pending = this.#pending.subarray(writeSync(fd, this.#pending));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return;
        // The client is gone, or does not want answers: what it wrote before is read all the same.
        this.#broken = true;
      }
    }
  }
}
