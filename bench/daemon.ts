/** A real daemon of its own for a bench: started from the built program, asked over its control socket, ended by SIGTERM. */

import { type ChildProcess, spawn } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { CheckFailure } from './harness.js';

const START_MS_MAX = 20_000;
const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

export class Daemon {
  readonly #process: ChildProcess;
  readonly controlPath: string;
  readonly ingestPath: string;
  readonly stateDirectory: string;
  #errors = '';

  /** @param nodeFlags for the process itself */
  constructor(directory: string, settings: readonly string[], nodeFlags: readonly string[]) {
    this.stateDirectory = join(directory, 'state');
    const runtimeDirectory = join(directory, 'run');
    this.ingestPath = join(runtimeDirectory, 'ingest.sock');
    this.controlPath = join(runtimeDirectory, 'control.sock');
    const folders = ['--state-dir', this.stateDirectory, '--runtime-dir', runtimeDirectory];
    const sets = settings.flatMap((setting) => ['--set', setting]);
    this.#process = spawn(process.execPath, [...nodeFlags, MAIN, 'run', ...folders, ...sets], {
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  async ready(): Promise<void> {
    for (const endMs = performance.now() + START_MS_MAX; performance.now() < endMs; await sleep(20)) {
      if (this.#process.exitCode !== null) break;
      const { status } = await this.#request('GET', '/readyz').catch(() => ({ status: 0 }));
      if (status === 200) return;
    }
    throw new CheckFailure(`the daemon is not ready:\n${this.#errors}`);
  }

  // biome-ignore lint/suspicious/noExplicitAny: the answers are JSON as the contract describes it
  get(path: string): Promise<any> {
    return this.#ask('GET', path);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  post(path: string): Promise<any> {
    return this.#ask('POST', path);
  }

  async #ask(method: string, path: string): Promise<unknown> {
    const { status, text } = await this.#request(method, path);
    if (status !== 200) throw new CheckFailure(`${method} ${path} answers ${status}: ${text}`);
    return JSON.parse(text);
  }

  /** SIGTERM, and its drain. @returns the exit code */
  async stop(): Promise<number | null> {
    if (this.#process.exitCode !== null) return this.#process.exitCode;
    const ended = new Promise<number | null>((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGTERM');
    return ended;
  }

  /** Ends it whatever it does, and waits until it has. Harmless where it has ended. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.kill();
    await ended;
  }

  /** Ends it whatever it does. Harmless where it has ended. */
  kill(): void {
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGKILL');
  }

  #request(method: string, path: string): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: this.controlPath, method, path, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }
}
