/**
 * Answers to one client. They are written to the file descriptor and not through the stream: a failed write of a stream
 * destroys its reading side too, where lines may wait of a client that has sent a `sync`, more lines, and left.
 */

import { writeSync } from 'node:fs';

/** Answers are joined to writes of about this size. */
const WRITE_BYTES = 64 * 1024;

export class Outbox {
  readonly #fd: () => number;
  /** Oldest first. Thousands may wait: each is copied once, when its write comes. */
  #waiting: Buffer[] = [];
  #pendingBytes = 0;
  #broken = false;

  /** @param fd of the socket; below 0 once it is closed */
  constructor(fd: () => number) {
    this.#fd = fd;
  }

  /** Bytes that the client has yet to make room for. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Writes it, or keeps it for `flush` where others wait already: a call that finds no room is dear. */
  send(text: string): void {
    const bytes = Buffer.from(text);
    this.#waiting.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#waiting.length === 1) this.flush();
  }

  /** Writes what the client has room for. */
  flush(): void {
    while (this.#pendingBytes > 0) {
      const fd = this.#fd();
      if (this.#broken || fd < 0) {
        this.#waiting = [];
        this.#pendingBytes = 0;
        return;
      }
      const bytes = this.#takeOldest();
      try {
        const written = writeSync(fd, bytes);
        this.#pendingBytes -= written;
        if (written < bytes.length) this.#waiting.unshift(bytes.subarray(written));
      } catch (error) {
        this.#waiting.unshift(bytes);
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return;
        // The client is gone, or does not want answers: what it wrote before is read all the same.
        this.#broken = true;
      }
    }
  }

  #takeOldest(): Buffer {
    let count = 0;
    for (let bytes = 0; count < this.#waiting.length && bytes < WRITE_BYTES; count++) {
      bytes += this.#waiting[count]!.length;
    }
    const oldest = this.#waiting.splice(0, count);
    return oldest.length === 1 ? oldest[0]! : Buffer.concat(oldest);
  }
}
