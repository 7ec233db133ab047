/** systemd's side of a service, played by service-manager.py: the socket that outlives the daemon, and what the daemon tells. */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { builtFile, Program } from './children.js';
import { PROGRAM, type Settings } from './daemon.js';
import { createFolder } from './folder.js';

const SCRIPT = fileURLToPath(new URL('service-manager.py', import.meta.url));
const DEADLINE_MS = 60_000;

interface Fact {
  readonly message?: readonly string[];
  readonly from?: number;
  readonly exited?: number;
  readonly pid?: number;
}

export interface ServiceOptions {
  /** Whether notifications go to a name without a file. */
  readonly abstract?: boolean;
  readonly settings?: Settings;
  readonly env?: Record<string, string>;
  /** The daemon's runtime directory, below the folder of its socket. */
  readonly runtimeFolder?: string;
}

export class ServiceManager {
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly ingestPath: string;
  readonly #program: Program;

  constructor(folder: string, notifyAddress: string, options: ServiceOptions) {
    const { settings = {}, env = {}, runtimeFolder = '.' } = options;
    this.stateDir = join(folder, 's');
    this.runtimeDir = join(folder, runtimeFolder);
    this.ingestPath = join(folder, 'ingest.sock');
    const sets = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const command = [process.execPath, builtFile(PROGRAM), 'run', ...this.folderFlags, ...sets];
    this.#program = new Program('python3', [SCRIPT, this.ingestPath, notifyAddress, ...command], env);
  }

  get folderFlags(): string[] {
    return ['--state-dir', this.stateDir, '--runtime-dir', this.runtimeDir];
  }

  /** The daemon's log. */
  get log(): string {
    return this.#program.stderr;
  }

  /** All that was told, in its order. */
  get facts(): Fact[] {
    const lines = this.#program.stdout.split('\n');
    return lines.slice(0, -1).map((line) => JSON.parse(line));
  }

  get assignments(): string[] {
    return this.facts.flatMap(({ message }) => message ?? []);
  }

  start(): void {
    this.#program.write('start\n');
  }

  signal(name: 'TERM' | 'KILL' | 'STOP' | 'CONT' | 'HUP'): void {
    this.#program.write(`${name}\n`);
  }

  /** Starts the daemon, and waits until it has said that it is ready. @returns its pid */
  async startReady(): Promise<number> {
    const before = this.facts.length;
    this.start();
    const ready = (fact: Fact) => fact.message?.includes('READY=1') === true;
    await this.until(() => this.facts.slice(before).some(ready));
    return this.facts.slice(before).find(ready)!.from!;
  }

  /** Drains the daemon. @returns its exit code */
  async stop(): Promise<number> {
    const before = this.facts.length;
    this.signal('TERM');
    const exited = () => this.facts.slice(before).find((fact) => fact.exited !== undefined);
    await this.until(() => exited() !== undefined);
    return exited()!.exited!;
  }

  async until(holds: () => boolean): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (!holds()) {
      if (performance.now() > deadline || !this.#program.isAlive) {
        throw new Error(`it did not come to pass: ${holds}\n${this.#program.stdout}\n${this.log}`);
      }
      await sleep(10);
    }
  }

  async end(): Promise<void> {
    this.#program.endInput();
    await this.#program.ended;
  }
}

export function serviceManager(options: ServiceOptions = {}): ServiceManager {
  const folder = createFolder();
  const address = options.abstract ? `@${folder.path}/notify` : join(folder.path, 'notify');
  const manager = new ServiceManager(folder.path, address, options);
  onTestFinished(async () => {
    await manager.end();
    folder.remove();
  });
  return manager;
}
