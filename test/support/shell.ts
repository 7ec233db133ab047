/** A bash that lives as long as a test, and is given one command after the other. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Program } from './children.js';

const DEADLINE_MS = 120_000;

export interface Printed {
  readonly code: number;
  /** both outputs, as a terminal would have them */
  readonly lines: readonly string[];
}

export class Shell {
  readonly program: Program;
  #count = 0;

  constructor(env: Record<string, string>) {
    this.program = new Program('bash', ['--norc', '-o', 'pipefail'], env);
    this.program.write('exec 2>&1\n');
  }

  async run(command: string): Promise<Printed> {
    const mark = `command ${++this.#count} ended:`;
    const from = this.program.stdout.length;
    // A command that reads its input must not read the commands that follow.
    this.program.write(`{ ${command}\n} < /dev/null; printf '%s %s\\n' '${mark}' "$?"\n`);
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const text = this.program.stdout.slice(from);
      const end = new RegExp(`${mark} (\\d+)\\n$`).exec(text);
      if (end !== null) {
        const lines = text.slice(0, end.index).split('\n');
        return { code: Number(end[1]), lines: lines.at(-1) === '' ? lines.slice(0, -1) : lines };
      }
      if (performance.now() > deadline || !this.program.isAlive) {
        throw new Error(`${command} did not end; it printed:\n${text}`);
      }
      await sleep(10);
    }
  }

  async end(): Promise<void> {
    await this.program.kill();
  }
}
