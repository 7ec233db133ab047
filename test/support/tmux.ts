/** A terminal that a test types into and reads, by a tmux server of its own. */

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createFolder } from './folder.js';

const run = promisify(execFile);
const POLL_MS = 50;
const WITHIN_MS = 20_000;

export class Terminal {
  readonly #folder = createFolder();

  /** A shell in a terminal of this size. */
  static async start(
    columns: number,
    rows: number,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Terminal> {
    const terminal = new Terminal();
    const set = Object.entries({ LC_ALL: 'C.UTF-8', ...env }).flatMap(([name, value]) => [
      '-e',
      `${name}=${value}`,
    ]);
    const size = ['-x', String(columns), '-y', String(rows)];
    await terminal.#tmux(
      '-f',
      '/dev/null',
      '-u',
      'new-session',
      '-d',
      ...size,
      ...set,
      'bash --norc --noprofile -i',
    );
    await terminal.until((screen) => screen.trim() !== '');
    return terminal;
  }

  /** Types a line for the shell. */
  async line(text: string): Promise<void> {
    await this.#tmux('send-keys', '-l', text);
    await this.keys('Enter');
  }

  /** Keys by the names that tmux has for them; a character is itself. */
  async keys(...names: string[]): Promise<void> {
    await this.#tmux('send-keys', ...names);
  }

  /** The lines of the screen. */
  async screen(): Promise<string> {
    return this.#tmux('capture-pane', '-p');
  }

  /** With the sequences that colour it. */
  async coloredScreen(): Promise<string> {
    return this.#tmux('capture-pane', '-p', '-e');
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** The screen, once it is as `holds` wants it. @throws where that takes too long */
  async until(holds: (screen: string) => boolean): Promise<string> {
    const until = performance.now() + WITHIN_MS;
    for (;;) {
      const screen = await this.screen();
      if (holds(screen)) return screen;
      if (performance.now() > until)
        throw new Error(`the screen does not become what it should be:\n${screen}`);
      await sleep(POLL_MS);
    }
  }

  async end(): Promise<void> {
    await this.#tmux('kill-server').catch(() => {});
    this.#folder.remove();
  }

  async #tmux(...args: string[]): Promise<string> {
    const { stdout } = await run('tmux', ['-S', join(this.#folder.path, 's'), ...args]);
    return stdout;
  }
}
