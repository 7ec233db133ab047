/** Child processes of a bench that talk by messages: one message from the child is waited for at a time. */

import { type ChildProcess, fork } from 'node:child_process';
import { CheckFailure } from './harness.js';

export class Child {
  readonly process: ChildProcess;
  readonly #name: string;

  /** @param file of the compiled bench */
  constructor(file: URL, args: readonly string[]) {
    this.#name = file.pathname.slice(file.pathname.lastIndexOf('/') + 1);
    this.process = fork(file, [...args]);
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** The next message. @throws CheckFailure where the child ends instead */
  receive<T>(): Promise<T> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null) => {
        this.process.off('message', onMessage);
        reject(new CheckFailure(`${this.#name} ended with ${code} instead of an answer`));
      };
      const onMessage = (message: unknown) => {
        this.process.off('exit', onExit);
        resolve(message as T);
      };
      this.process.once('message', onMessage);
      this.process.once('exit', onExit);
    });
  }

  send(message: object | string): void {
    this.process.send(message);
  }

  /** Ends it, whatever it does. Harmless where it has ended. */
  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    this.process.kill('SIGKILL');
    await ended;
  }
}
