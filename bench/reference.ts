/** The C program reference.c, compiled for this machine and run as the pipeline's reference. It needs a C compiler. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check } from './harness.js';

export interface ReferenceTotals {
  readonly lines: number;
  readonly malformed: number;
  readonly ends: number;
  readonly tokens: number;
  /** Values in its moments: one a line. */
  readonly samples: number;
}

/** From dist/bench. */
const SOURCE = fileURLToPath(new URL('../../bench/reference.c', import.meta.url));
const COMPILER = process.env.CC ?? 'cc';

export function compilerIsThere(): boolean {
  return spawnSync(COMPILER, ['--version'], { stdio: 'ignore' }).status === 0;
}

export class Reference {
  readonly #process: ChildProcess;
  readonly #output: AsyncIterator<string>;

  private constructor(program: string, socketPath: string) {
    this.#process = spawn(program, [socketPath], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#output = this.#process.stdout!.setEncoding('utf8')[Symbol.asyncIterator]();
  }

  /** Compiles it into this folder, and resolves when it listens. @throws CheckFailure where it cannot be compiled */
  static async start(directory: string, socketPath: string): Promise<Reference> {
    const program = join(directory, 'reference');
    const { status, stderr } = spawnSync(COMPILER, ['-O2', '-o', program, SOURCE], { encoding: 'utf8' });
    check(`the exit code of ${COMPILER} (${stderr})`, status, 0);
    const reference = new Reference(program, socketPath);
    check('its first words', (await reference.#output.next()).value, 'ready\n');
    return reference;
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** Ends it. @returns what it has counted */
  async stop(): Promise<ReferenceTotals> {
    const ended = once(this.#process, 'exit');
    this.#process.stdin!.end();
    const { value } = await this.#output.next();
    const [code] = await ended;
    check('its exit code', code, 0);
    return JSON.parse(String(value));
  }

  /** Harmless where it has ended. */
  kill(): void {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGKILL');
  }
}
