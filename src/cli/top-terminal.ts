/**
 * The terminal as a screen of lines. It draws only lines that changed, all of a frame at once, and gives the terminal back as it was:
 * at the end, at a signal that ends the process, at a crash, and while it is suspended.
 */

import type { EventEmitter } from 'node:events';
import { emitKeypressEvents } from 'node:readline';
import {
  beginSynchronizedOutput,
  cursorHide,
  cursorShow,
  cursorTo,
  endSynchronizedOutput,
  enterAlternativeScreen,
  eraseEndLine,
  eraseScreen,
  exitAlternativeScreen,
} from 'ansi-escapes';
import type { Io } from './io.js';

/** `up`, `return`, `c` with Ctrl as `ctrl+c`, and a character that was typed as itself. */
export type Key = string;

export interface TerminalEvents {
  onKey(key: Key): void;
  /** The size has changed, or the screen was not ours for a while: draw again. */
  onRedraw(): void;
  /** A signal that ends the process, or a terminal that is gone. */
  onEnd(signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void;
}

interface Keypress {
  readonly name?: string;
  readonly sequence?: string;
  readonly ctrl?: boolean;
  readonly meta?: boolean;
}

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** What a terminal has that does not tell its size. */
const SIZE_DEFAULT = { columns: 80, rows: 24 };

export class TopTerminal {
  readonly #stdin: NodeJS.ReadStream;
  readonly #stdout: NodeJS.WriteStream;
  readonly #signals: EventEmitter;
  readonly #listeners: (() => void)[] = [];
  #shown: string[] = [];
  #isOpen = false;

  /** @param io whose streams are a terminal */
  constructor(io: Io, events: TerminalEvents) {
    this.#stdin = io.stdin as NodeJS.ReadStream;
    this.#stdout = io.stdout as NodeJS.WriteStream;
    this.#signals = io.signals;
    emitKeypressEvents(this.#stdin);
    this.#listen(this.#stdin, 'keypress', (text: string | undefined, key: Keypress) => {
      const name = keyOf(text, key);
      if (name === 'ctrl+z') this.#suspend(() => process.kill(0, 'SIGTSTP'));
      else if (name !== null) events.onKey(name);
    });
    this.#listen(this.#stdin, 'end', () => events.onEnd('SIGHUP'));
    this.#listen(this.#stdout, 'resize', () => {
      this.#shown = [];
      events.onRedraw();
    });
    for (const signal of ENDING) this.#listen(this.#signals, signal, () => events.onEnd(signal));
    // Told by another process; as a key it does not arrive as a signal, since the terminal is raw.
    this.#listen(this.#signals, 'SIGTSTP', () => this.#suspend(() => process.kill(process.pid, 'SIGSTOP')));
    this.#listen(this.#signals, 'SIGCONT', () => {
      this.open();
      events.onRedraw();
    });
    // Before others write why the process ends: on the screen that will be there afterwards.
    const restore = () => this.#restore();
    this.#signals.prependListener('uncaughtException', restore);
    this.#signals.prependListener('exit', restore);
    this.#listeners.push(() => {
      this.#signals.off('uncaughtException', restore);
      this.#signals.off('exit', restore);
    });
  }

  get columns(): number {
    return this.#stdout.columns || SIZE_DEFAULT.columns;
  }

  get rows(): number {
    return this.#stdout.rows || SIZE_DEFAULT.rows;
  }

  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#shown = [];
    this.#stdin.setRawMode(true);
    this.#stdin.resume();
    this.#stdout.write(enterAlternativeScreen + cursorHide + eraseScreen + cursorTo(0, 0));
  }

  /** @param lines no wider than the screen; those below it are left out, and what is left of it is empty */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return;
    let out = '';
    for (let row = 0; row < this.rows; row++) {
      const line = lines[row] ?? '';
      if (line === this.#shown[row]) continue;
      this.#shown[row] = line;
      out += cursorTo(0, row) + line + eraseEndLine;
    }
    if (out !== '') this.#stdout.write(beginSynchronizedOutput + out + endSynchronizedOutput);
  }

  close(): void {
    this.#restore();
    for (const unlisten of this.#listeners.splice(0)) unlisten();
    this.#stdin.pause();
  }

  /** Writes to a terminal are synchronous, so this is done when it returns, also in an exit handler. */
  #restore(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stdout.write(endSynchronizedOutput + cursorShow + exitAlternativeScreen);
    this.#stdin.setRawMode(false);
  }

  /** @param stop stops this process; when it goes on, SIGCONT opens the screen again */
  #suspend(stop: () => void): void {
    this.#restore();
    // A listener of ours would keep the signal from stopping the process.
    const [listener] = this.#signals.listeners('SIGTSTP');
    this.#signals.removeAllListeners('SIGTSTP');
    stop();
    if (listener !== undefined) this.#signals.on('SIGTSTP', listener as () => void);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as EventEmitter has it
  #listen(emitter: EventEmitter, event: string, listener: (...args: any[]) => void): void {
    emitter.on(event, listener);
    this.#listeners.push(() => emitter.off(event, listener));
  }
}

function keyOf(text: string | undefined, { name, sequence, ctrl, meta }: Keypress): Key | null {
  if (meta === true && name !== 'escape') return null;
  if (ctrl === true) return name === undefined ? null : `ctrl+${name}`;
  // A letter by itself, so that `G` is not `g`, and what no key is named for as it was typed.
  if (text !== undefined && [...text].length === 1 && text >= ' ' && text !== '\x7f') return text;
  return name ?? sequence ?? null;
}
