/**
 * The real daemon, as `npm run build` has built it, in folders of its own:
 *
 *     const daemon = await testDaemon({ 'ring.bytes': '1MiB' });
 *     const client = await daemon.connect();
 *
 * Process and folders are gone when the test is over. A daemon that several tests share is started by `TestDaemon.start`, and
 * ended by its `remove`.
 */

import { renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { readFrames } from '../../src/archive/log-reader.js';
import { Child, type Ended } from './children.js';
import { Client } from './client.js';
import { createFolder } from './folder.js';
import { BELOW_ENV, ORDERS_ENV, type Orders } from './moody-system.js';

export const PROGRAM = 'src/cli/main.js';
const READY_MS = 20_000;
const POLL_MS = 15;

export type Settings = Readonly<Record<string, string | number>>;

export interface Surroundings {
  /** Whether its system takes orders (`order`). */
  readonly isMoody?: boolean;
  readonly openFilesMax?: number;
  /** Called before it starts for the first time, with its state directory, which is not there yet. */
  readonly prepare?: (stateDir: string) => void;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the tests read it as the contract describes it
  readonly body: any;
}

export class TestDaemon {
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly #folder: { readonly path: string; remove(): void };
  readonly #clients: Client[] = [];
  readonly #surroundings: Surroundings;
  #child: Child;

  private constructor(settings: Settings, surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#folder = createFolder();
    this.stateDir = join(this.#folder.path, 's');
    this.runtimeDir = join(this.#folder.path, 'r');
    surroundings.prepare?.(this.stateDir);
    this.#child = this.spawn(settings);
  }

  /** Resolves when it says that it is ready. */
  static async start(settings: Settings = {}, surroundings: Surroundings = {}): Promise<TestDaemon> {
    const daemon = new TestDaemon(settings, surroundings);
    try {
      await daemon.#ready();
    } catch (error) {
      await daemon.remove();
      throw error;
    }
    return daemon;
  }

  /** A process on the same folders, without a look at what becomes of it. */
  spawn(settings: Settings = {}, folders: { stateDir?: string; runtimeDir?: string } = {}): Child {
    const sets = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const args = ['run', ...this.#folderFlags(folders), ...sets];
    const { openFilesMax } = this.#surroundings;
    const before = openFilesMax === undefined ? undefined : `ulimit -n ${openFilesMax}`;
    return new Child(PROGRAM, args, this.#moodyEnvironment(), before);
  }

  /** What its system does from now on, to what it does in its state directory. */
  order(orders: Orders): void {
    // Renamed into place: it is read at any moment.
    writeFileSync(`${this.#ordersPath}.new`, JSON.stringify(orders));
    renameSync(`${this.#ordersPath}.new`, this.#ordersPath);
  }

  /** Another command of the program, with the folders of this daemon. */
  command(...args: readonly string[]): Promise<Ended> {
    return new Child(PROGRAM, [...args, ...this.#folderFlags({})]).ended;
  }

  /** Starts the daemon again on its folders, after `stop` or `kill`. */
  async restart(settings: Settings = {}): Promise<void> {
    this.#child = this.spawn(settings);
    await this.#ready();
  }

  get pid(): number {
    return this.#child.pid;
  }

  get stderr(): string {
    return this.#child.stderr;
  }

  /** What the log has said so far, warnings and worse. */
  get complaints(): string[] {
    return this.stderr.split('\n').filter((line) => /"level":"(warn|error|fatal)"/.test(line));
  }

  get ingestPath(): string {
    return join(this.runtimeDir, 'ingest.sock');
  }

  get archiveDir(): string {
    return join(this.stateDir, 'archive');
  }

  async connect(): Promise<Client> {
    const client = await Client.connect(this.ingestPath);
    this.#clients.push(client);
    return client;
  }

  /** Sends lines over a connection of their own. @returns the answer to a sync behind them */
  async send(...lines: readonly (string | object)[]) {
    const client = await this.connect();
    await client.send(...lines);
    const synced = await client.sync();
    client.end();
    await client.closed;
    return synced;
  }

  get(path: string, method = 'GET', headers: Record<string, string> = {}): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const socketPath = join(this.runtimeDir, 'control.sock');
      const options = { socketPath, path, method, headers, agent: false };
      const asked = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('error', reject);
        response.on('end', () => {
          const { statusCode, headers } = response;
          const isJson = /\bjson\b/.test(headers['content-type'] ?? '') && text !== '';
          resolve({ status: statusCode!, headers, text, body: isJson ? JSON.parse(text) : undefined });
        });
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: the tests read it as the contract describes it
  async status(): Promise<any> {
    return (await this.get('/v1/status')).body;
  }

  /** The status, once it is as `holds` wants it; the last one where that takes too long. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async statusWhere(holds: (status: any) => boolean, withinMs = 10_000): Promise<any> {
    const until = performance.now() + withinMs;
    for (;;) {
      const status = await this.status();
      if (holds(status) || performance.now() > until) return status;
      await sleep(POLL_MS);
    }
  }

  /** The groups of a metric in full detail, or by labels. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async groups(metric: string, by = '*'): Promise<any[]> {
    const query = new URLSearchParams({ metric, by, limit: '100000' });
    return (await this.get(`/v1/stats?${query}`)).body.groups;
  }

  workflow(id: string): Promise<HttpAnswer> {
    return this.get(`/v1/workflows/${encodeURIComponent(id)}`);
  }

  /** All lines of the archive, each without its line end. @throws where anything in it is damaged */
  async archiveLines(): Promise<string[]> {
    const lines = (await this.archiveBytes()).toString('utf8').split('\n');
    lines.pop();
    return lines;
  }

  async archiveBytes(): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const item of readFrames(this.archiveDir)) {
      if (item.kind !== 'frame') throw new Error(`${item.kind} in ${item.path}: ${item.reason}`);
      parts.push(item.raw);
    }
    return Buffer.concat(parts);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.signal(signal);
  }

  /** @returns the exit code */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.#child.signal(signal);
    return (await this.ended()).code;
  }

  ended(): Promise<Ended> {
    return this.#child.ended;
  }

  kill(): Promise<void> {
    return this.#child.kill();
  }

  /** Ends whatever is left, and removes the folders. */
  async remove(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await this.kill();
    this.#folder.remove();
  }

  async #ready(): Promise<void> {
    const until = performance.now() + READY_MS;
    for (;;) {
      const status = await this.get('/readyz').then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) return;
      if (!this.#child.isAlive) throw new Error(`the daemon ended before it was ready:\n${this.stderr}`);
      if (performance.now() > until)
        throw new Error(`the daemon is not ready after ${READY_MS} ms:\n${this.stderr}`);
      await sleep(POLL_MS);
    }
  }

  get #ordersPath(): string {
    return join(this.#folder.path, 'orders');
  }

  #moodyEnvironment(): Record<string, string> {
    if (this.#surroundings.isMoody !== true) return {};
    const hook = new URL('../../dist/test/support/moody-system.js', import.meta.url);
    return {
      NODE_OPTIONS: `--import ${hook.href}`,
      [ORDERS_ENV]: this.#ordersPath,
      [BELOW_ENV]: this.stateDir,
    };
  }

  #folderFlags({ stateDir = this.stateDir, runtimeDir = this.runtimeDir }): string[] {
    return ['--state-dir', stateDir, '--runtime-dir', runtimeDir];
  }
}

/** A daemon for one test. */
export async function testDaemon(
  settings: Settings = {},
  surroundings: Surroundings = {},
): Promise<TestDaemon> {
  const daemon = await TestDaemon.start(settings, surroundings);
  onTestFinished(() => daemon.remove());
  return daemon;
}
