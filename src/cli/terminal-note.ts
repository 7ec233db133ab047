/** One line on standard error that says how far something is: on a terminal only, drawn over itself. */

import { type Io, widthOf } from './io.js';

const INTERVAL_MS = 200;

export class TerminalNote {
  readonly #stderr: Io['stderr'];
  #drawnMs = performance.now();
  #isDrawn = false;

  constructor({ stderr }: Pick<Io, 'stderr'>) {
    this.#stderr = stderr;
  }

  /** @param text made only when it is drawn */
  update(text: () => string): void {
    const nowMs = performance.now();
    if (this.#stderr.isTTY !== true || nowMs - this.#drawnMs < INTERVAL_MS) return;
    this.#drawnMs = nowMs;
    this.#isDrawn = true;
    this.#stderr.write(`\r${text().slice(0, widthOf(this.#stderr) - 1)}\x1b[K`);
  }

  clear(): void {
    if (this.#isDrawn) this.#stderr.write('\r\x1b[K');
    this.#isDrawn = false;
  }
}
