/** A daemon for one command: on the defaults, in a temporary folder of its own, gone afterwards whatever happened. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/config.js';
import { Failure, failureOfSystemError } from '../model/failure.js';
import { request } from './control-client.js';

const START_MS_MAX = 30_000;
const LOOK_MS = 20;
/** From dist/src/cli. */
const PROGRAM = fileURLToPath(new URL('./main.js', import.meta.url));

export class PrivateDaemon {
  readonly config: Config;
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #kill = () => this.#process.kill('SIGKILL');
  #log = '';

  private constructor(config: Config, folder: string, env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.config = { ...config, stateDir: join(folder, 'state'), runtimeDir: join(folder, 'run') };
    const file = join(folder, 'tallyd.toml');
    writeFileSync(file, '[log]\nlevel = "warn"\n');
    const { stateDir, runtimeDir } = this.config;
    const folders = ['--state-dir', stateDir, '--runtime-dir', runtimeDir];
    // Not in our process group: Ctrl-C is for us, and we end it in order.
    this.#process = spawn(process.execPath, [PROGRAM, 'run', '--config', file, ...folders], {
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
      env,
    });
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-2000);
    });
    process.on('exit', this.#kill);
  }

  /** @throws Failure ERR_IO and ERR_DENIED for the folder, ERR_NO_DAEMON where it does not start */
  static async start(config: Config, env: NodeJS.ProcessEnv, over: AbortSignal): Promise<PrivateDaemon> {
    let folder: string;
    try {
      folder = mkdtempSync(join(tmpdir(), 'tallyd-bench-'));
    } catch (error) {
      throw failureOfSystemError(error, 'make a folder in', tmpdir());
    }
    // What the environment says of the real one is not for this one.
    const own = Object.entries(env).filter(([name]) => !/^TALLYD_|^NOTIFY_SOCKET$|^LISTEN_/.test(name));
    const daemon = new PrivateDaemon(config, folder, Object.fromEntries(own));
    try {
      await daemon.#ready(over);
      return daemon;
    } catch (error) {
      await daemon.end();
      throw error;
    }
  }

  /** Ends it and removes its folder: what it has is of no use to anybody. */
  async end(): Promise<void> {
    process.off('exit', this.#kill);
    if (!this.#isOver) {
      const exit = once(this.#process, 'exit');
      this.#kill();
      await exit;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #isOver(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  async #ready(over: AbortSignal): Promise<void> {
    for (const endMs = performance.now() + START_MS_MAX; performance.now() < endMs; await sleep(LOOK_MS)) {
      over.throwIfAborted();
      if (this.#isOver) break;
      try {
        await request(this.config, 'GET', '/readyz');
        return;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
      }
    }
    throw new Failure('ERR_NO_DAEMON', `the private daemon did not start; it said: ${this.#log.trim()}`);
  }
}
