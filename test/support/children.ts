/** Child processes of a test: none of them outlives it, however it ends. */

import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Any program. Its standard input is what `write` gives it. */
export class Program {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #process: ChildProcessWithoutNullStreams;

  constructor(file: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(file, args, { stdio: 'pipe', env: { ...environment(), ...env } });
    this.#process = child;
    this.pid = child.pid!;
    living.add(child);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        living.delete(child);
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get isAlive(): boolean {
    return living.has(this.#process);
  }

  write(text: string): void {
    this.#process.stdin.write(text);
  }

  endInput(): void {
    this.#process.stdin.end();
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.ended;
  }
}

/** A script of ours, without an input. */
export class Child extends Program {
  /**
   * @param script path below dist/
   * @param before what a shell does before it becomes the process: `ulimit -n 200`
   */
  constructor(
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    before: string | null = null,
  ) {
    const command = [process.execPath, builtFile(script), ...args];
    const shell = before === null ? [] : ['sh', '-c', `${before}; exec "$@"`, 'sh'];
    const [file = '', ...rest] = [...shell, ...command];
    super(file, rest, env);
    this.endInput();
  }
}

/** @param script path below dist/ */
export function builtFile(script: string): string {
  return fileURLToPath(new URL(`../../dist/${script}`, import.meta.url));
}

/** Without what would configure a daemon: the tests say all that they mean. */
function environment(): Record<string, string | undefined> {
  const entries = Object.entries(process.env);
  const foreign =
    /^(TALLYD_|XDG_|RUNTIME_DIRECTORY$|STATE_DIRECTORY$|JOURNAL_STREAM$|NOTIFY_SOCKET$|WATCHDOG_|LISTEN_|NODE_OPTIONS$)/;
  return Object.fromEntries(entries.filter(([name]) => !foreign.test(name)));
}
