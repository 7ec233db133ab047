/** Cuts chunks of bytes into lines, each without its line end. */

const LINE_END = 0x0a;

export class LineSplitter {
  #carry: Buffer[] = [];
  #carriedBytes = 0;

  /** Bytes of the line that has no end yet. */
  get carriedBytes(): number {
    return this.#carriedBytes;
  }

  /** The lines that end in this chunk; they are views of it. */
  take(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let from = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, from)) {
      lines.push(this.#joined(chunk.subarray(from, end)));
      from = end + 1;
    }
    if (from < chunk.length) {
      this.#carry.push(chunk.subarray(from));
      this.#carriedBytes += chunk.length - from;
    }
    return lines;
  }

  /** The line without an end, if there is one. */
  end(): Buffer | undefined {
    return this.#carriedBytes === 0 ? undefined : this.#joined(Buffer.alloc(0));
  }

  #joined(last: Buffer): Buffer {
    if (this.#carriedBytes === 0) return last;
    const line = Buffer.concat([...this.#carry, last]);
    this.#carry = [];
    this.#carriedBytes = 0;
    return line;
  }
}
