/** The clients of the torture: each sends its lines until it is told to end, and then says which of them must be in the log. */

import net from 'node:net';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { type Client, connect } from '../../src/client/client.js';
import { ReplyReader } from '../../src/client/reply-reader.js';
import { Child } from './children.js';
import { isRefused, READY, tortureLine } from './torture-lines.js';

/** What the log must have of a client: so many lines, in ascending order, none behind `last`. Without drops these are all. */
export interface Owed {
  readonly last: number;
  readonly lines: number;
}

export interface TortureClient {
  readonly name: string;
  /** Sends no new lines; what was sent is durable then. */
  end(): Promise<Owed>;
  /** Ends whatever is left of it. */
  remove(): Promise<void>;
}

const QUICK = { reconnectMinMs: 2, reconnectMaxMs: 50, syncDelayMs: 20 };
const END_MS = 60_000;

/** A process of its own, which is killed at any byte and started again. */
export class ProcessClient implements TortureClient {
  readonly name: string;
  readonly #path: string;
  #child: Child;

  constructor(path: string, name: string) {
    this.name = name;
    this.#path = path;
    this.#child = this.#start();
  }

  /** At whatever byte it writes, and starts it again. */
  async killAndStart(): Promise<void> {
    if (!this.#child.isAlive) throw new Error(`${this.name} has ended: ${this.#child.stderr}`);
    await this.#child.kill();
    this.#child = this.#start();
  }

  async end(): Promise<Owed> {
    // Before it listens to signals it would end at once.
    while (this.#child.isAlive && !this.#child.stdout.startsWith(READY)) await sleep(5);
    this.#child.signal('SIGTERM');
    const { code, stdout, stderr } = await within(END_MS, this.#child.ended, this.name);
    if (code !== 0) throw new Error(`${this.name} ended with ${code}: ${stderr}`);
    const last = Number(stdout.slice(READY.length));
    return { last, lines: acceptedCount(last) };
  }

  remove(): Promise<void> {
    return this.#child.kill();
  }

  #start(): Child {
    return new Child('test/support/torture-sender.js', [this.#path, this.name]);
  }
}

/** A client in this process, over all deaths of the daemon. It sends what is accepted alone: whether a dropped line was is not told. */
export class LibraryClient implements TortureClient {
  readonly name: string;
  readonly #client: Client;
  readonly #sending: Promise<void>;
  #isOver = false;
  #last = 0;
  #failure: Error | undefined;

  constructor(path: string, name: string, whenFull: 'block' | 'drop-oldest') {
    this.name = name;
    this.#client = connect({
      path,
      client: name,
      whenFull,
      queueBytes: 256 * 1024,
      syncBytes: 40_000,
      ...QUICK,
    });
    const fail = (reason: string) => {
      this.#failure ??= new Error(`${name}: ${reason}`);
    };
    this.#client.on('gap', (lines) => fail(`the daemon has lost ${lines} durable lines`));
    this.#client.on('failed', (failure) => fail(failure.message));
    this.#sending = this.#send();
  }

  async end(): Promise<Owed> {
    this.#isOver = true;
    await within(END_MS, this.#sending, this.name);
    const left = await this.#client.close({ timeoutMs: END_MS });
    if (this.#failure !== undefined) throw this.#failure;
    if (left > 0) throw new Error(`${this.name} could not deliver ${left} lines`);
    return { last: this.#last, lines: this.#client.stats.durable };
  }

  async remove(): Promise<void> {
    this.#isOver = true;
    await this.#client.close({ timeoutMs: 0 });
  }

  async #send(): Promise<void> {
    while (!this.#isOver) {
      for (let i = 0; i < 100; i++) {
        this.#last += isRefused(this.#last + 1) ? 2 : 1;
        await this.#client.send(tortureLine(this.name, this.#last));
      }
      // Not the fastest: what it drops under `drop-oldest` tells nothing.
      await sleep(1);
    }
  }
}

/**
 * The protocol by hand, on the worst manners: it breaks off in the middle of lines, connects again while its old bytes are
 * still on their way, and goes on where the welcome says.
 */
export class RudeClient implements TortureClient {
  readonly name: string;
  readonly #path: string;
  readonly #random: () => number;
  readonly #loop: Promise<void>;
  #socket: net.Socket | undefined;
  #isOver = false;
  #highestSent = 0;
  #acknowledged = 0;
  #failure: Error | undefined;

  constructor(path: string, name: string, random: () => number) {
    this.name = name;
    this.#path = path;
    this.#random = random;
    this.#loop = this.#run();
  }

  breakOff(): void {
    this.#socket?.destroy();
  }

  async end(): Promise<Owed> {
    this.#isOver = true;
    await within(END_MS, this.#loop, this.name);
    if (this.#failure !== undefined) throw this.#failure;
    return { last: this.#acknowledged, lines: acceptedCount(this.#acknowledged) };
  }

  async remove(): Promise<void> {
    this.#isOver = true;
    this.#failure ??= new Error('removed');
    this.#socket?.destroy();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (this.#failure === undefined) {
      const isLast = this.#isOver;
      await this.#connection(isLast);
      if (isLast && this.#acknowledged >= this.#highestSent) return;
      await sleep(this.#random() < 0.5 ? 0 : this.#random() * 20);
    }
  }

  /**
   * One connection, until it is over or abandoned.
   * @param isLast it sends what was sent before, once more, and waits for the answer
   */
  #connection(isLast: boolean): Promise<void> {
    return new Promise((resolve) => {
      const socket = net.connect(this.#path);
      this.#socket = socket;
      const replies = new ReplyReader((reply) => {
        if (socket !== this.#socket) return;
        const seq = Number(reply.seq);
        if (reply.type === 'error') this.#fail(`is answered: ${reply.reason}`);
        if (seq < this.#acknowledged)
          this.#fail(`had ${this.#acknowledged} lines acknowledged, and now ${seq}`);
        this.#acknowledged = seq;
        if (reply.type === 'welcome') void this.#send(socket, seq, isLast).then(resolve);
        else if (isLast && seq >= this.#highestSent) socket.destroy();
      });
      socket.setEncoding('utf8');
      socket.on('data', (text: unknown) => replies.read(String(text)));
      socket.on('error', () => {});
      socket.on('close', () => resolve());
      socket.write(`${JSON.stringify({ type: 'hello', client: this.name })}\n`);
    });
  }

  async #send(socket: net.Socket, seq: number, isLast: boolean): Promise<void> {
    let n = seq;
    if (isLast) {
      while (n < this.#highestSent) n = this.#write(socket, n, Math.min(1000, this.#highestSent - n));
      socket.write(`{"type":"sync","id":${n}}\n`);
      return new Promise((resolve) => socket.on('close', () => resolve()));
    }
    for (let writes = Math.floor(this.#random() * 100); writes > 0 && !socket.destroyed; writes--) {
      n = this.#write(socket, n, 1 + Math.floor(this.#random() * 200));
      if (this.#random() < 0.2) socket.write(`{"type":"sync","id":${n}}\n`);
      await roomIn(socket);
    }
    if (this.#random() < 0.5) {
      // The old one says more while the new one says hello, until the daemon closes it.
      void this.#babble(socket, n);
      return;
    }
    const half = tortureLine(this.name, n + 1);
    socket.write(half.slice(0, Math.floor(this.#random() * half.length)));
    if (this.#random() < 0.5) await setImmediate();
    socket.destroy();
  }

  /** Not once it is over: the last connection sends what was ever sent. */
  async #babble(socket: net.Socket, seq: number): Promise<void> {
    for (let n = seq; !socket.destroyed && !this.#isOver; ) {
      n = this.#write(socket, n, 20);
      await roomIn(socket);
      await sleep(1);
    }
  }

  /** @returns the number of the last line written */
  #write(socket: net.Socket, seq: number, count: number): number {
    let text = '';
    for (let n = seq + 1; n <= seq + count; n++) text += `${tortureLine(this.name, n)}\n`;
    socket.write(text);
    this.#highestSent = Math.max(this.#highestSent, seq + count);
    return seq + count;
  }

  #fail(reason: string): void {
    this.#failure ??= new Error(`${this.name} ${reason}`);
    this.#socket?.destroy();
  }
}

/** Of the lines up to `last`. */
function acceptedCount(last: number): number {
  let count = 0;
  for (let n = 1; n <= last; n++) if (!isRefused(n)) count++;
  return count;
}

async function roomIn(socket: net.Socket): Promise<void> {
  if (!socket.writableNeedDrain) return setImmediate();
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

async function within<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what} takes longer than ${ms} ms`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
    late.catch(() => {});
  }
}
