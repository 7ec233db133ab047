/**
 * What a modest client meets beside the load: how long until an event of its own shows in /v1/stats, how long such a
 * question takes, and how long the durable acknowledgement.
 */

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Reply, ReplyReader } from '../client/reply-reader.js';
import type { Config } from '../config/config.js';
import { Failure } from '../model/failure.js';
import { failureOfSocket, request } from './control-client.js';

export const PROBE_METRIC = 'bench_probe';
const GAP_MS = 100;
/** Fine enough for what is to be seen, and asks for little of the host. */
const POLL_MS = 2;
const LINE = `${JSON.stringify({ type: 'sample', name: PROBE_METRIC, value: 1 })}\n`;
const SYNC = `${JSON.stringify({ type: 'sync', id: 'bench' })}\n`;

export class BenchProbe {
  readonly visibleSeconds: number[] = [];
  readonly querySeconds: number[] = [];
  readonly syncSeconds: number[] = [];
  /** Of its own lines. */
  accepted = 0;
  sent = 0;
  readonly #config: Config;
  readonly #socket: Socket;
  #takeReply: (reply: Reply | undefined) => void = () => {};

  private constructor(config: Config, socket: Socket) {
    this.#config = config;
    this.#socket = socket;
    const replies = new ReplyReader((reply) => this.#takeReply(reply));
    socket.setEncoding('utf8');
    socket.on('data', (text) => replies.read(String(text)));
    socket.on('error', () => {});
    socket.on('close', () => this.#takeReply(undefined));
  }

  /** @throws Failure ERR_NO_DAEMON, ERR_DENIED */
  static connect(config: Config, ingestPath: string): Promise<BenchProbe> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: ingestPath });
      const refuse = (error: Error) => reject(failureOfSocket(error, ingestPath));
      socket.once('error', refuse);
      socket.once('connect', () => {
        socket.off('error', refuse);
        resolve(new BenchProbe(config, socket));
      });
    });
  }

  /** Round after round until `isOver`. @throws Failure ERR_NO_DAEMON where the daemon goes away */
  async run(isOver: () => boolean): Promise<void> {
    const before = await this.#count();
    while (!isOver()) {
      await this.#round(before);
      await sleep(GAP_MS);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  async #round(before: number): Promise<void> {
    const startedMs = performance.now();
    this.#socket.write(LINE);
    this.sent++;
    for (;;) {
      const askedMs = performance.now();
      const count = await this.#count();
      this.querySeconds.push(secondsSince(askedMs));
      if (count >= before + this.sent) break;
      await sleep(POLL_MS);
    }
    this.visibleSeconds.push(secondsSince(startedMs));
    const syncMs = performance.now();
    const reply = await this.#sync();
    if (reply?.type !== 'synced') {
      throw new Failure('ERR_NO_DAEMON', 'the daemon closed a connection of the bench; its log says why');
    }
    this.syncSeconds.push(secondsSince(syncMs));
    this.accepted = Number(reply.accepted);
  }

  #sync(): Promise<Reply | undefined> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve(undefined);
      this.#takeReply = resolve;
      this.#socket.write(SYNC);
    });
  }

  async #count(): Promise<number> {
    const { body } = await request(this.#config, 'GET', `/v1/stats?metric=${PROBE_METRIC}`);
    return body.groups[0]?.count ?? 0;
  }
}

function secondsSince(startedMs: number): number {
  return (performance.now() - startedMs) / 1000;
}
