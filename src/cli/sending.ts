/** The lines of an input over one connection, without a client's name: either all of it is durable, or nobody knows how much. */

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type Reply, ReplyReader } from '../client/reply-reader.js';
import { Failure } from '../model/failure.js';
import { counted } from '../model/human.js';
import { failureOfSocket } from './control-client.js';
import { failureOfInput, type Input } from './input.js';
import type { Io } from './io.js';
import { type Progress, progressOn } from './progress.js';

const LINE_END = 0x0a;

/** What of an input is durable. */
export interface Sent {
  readonly lines: number;
  /** with the line end that the input may have lacked */
  readonly bytes: number;
  readonly accepted: number;
  readonly rejected: number;
  /** Under a client's name: lines that the daemon had before … */
  readonly skipped?: number;
  /** … those whose judgement was lost with a connection, and so are neither in `accepted` nor in `rejected` … */
  readonly unjudged?: number;
  /** … and those that the daemon has lost since it said that they are durable. */
  readonly lost?: number;
  /** What else there is to say. */
  readonly notes: readonly string[];
}

interface Synced {
  readonly accepted: number;
  readonly rejected: number;
}

/** One connection: the input goes in, the acknowledgement comes out. Whatever ends it early ends both sides at once. */
export class Sending {
  #bytes = 0;
  #lines = 0;
  /** the daemon's answers to malformed control lines */
  #repliesOfError = 0;
  readonly #input: Input;
  readonly #socketPath: string;
  readonly #io: Io;
  readonly #syncId = `send-${randomBytes(8).toString('hex')}`;
  #socket: Socket | undefined;
  #ended: unknown;
  #over = false;
  #resolve!: (synced: Synced) => void;
  #reject!: (error: unknown) => void;
  readonly #synced = new Promise<Synced>((resolve, reject) => {
    this.#resolve = resolve;
    this.#reject = reject;
  });

  constructor(input: Input, socketPath: string, io: Io) {
    this.#input = input;
    this.#socketPath = socketPath;
    this.#io = io;
    // An end while the input is read is thrown from there.
    this.#synced.catch(() => {});
  }

  /** @throws Failure ERR_IO for the input, ERR_NO_DAEMON and ERR_DENIED for the socket; the cause of `end` */
  async run(): Promise<Sent> {
    await this.#connect();
    const progress = progressOn(this.#io, this.#input.bytesTotal);
    try {
      await this.#writeAll(progress);
      await this.#write(Buffer.from(`${JSON.stringify({ type: 'sync', id: this.#syncId })}\n`));
      progress?.update(this.#bytes, this.#lines, 'waiting');
      const synced = await this.#synced;
      const errors = this.#repliesOfError;
      const notes = errors === 0 ? [] : [`${counted(errors, 'control line')} of the input not understood`];
      return { lines: this.#lines, bytes: this.#bytes, ...synced, notes };
    } finally {
      progress?.clear();
    }
  }

  /** The first cause counts; later ones are its consequences. */
  end(cause: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended = cause;
    this.#reject(cause);
    this.#socket?.destroy();
    this.#input.stream.destroy();
  }

  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ path: this.#socketPath });
      this.#socket = socket;
      let connected = false;
      socket.on('connect', () => {
        connected = true;
        resolve();
      });
      socket.on('error', (error) => {
        this.end(connected ? this.#failureOfLoss(error) : failureOfSocket(error, this.#socketPath));
        reject(this.#ended);
      });
      socket.on('close', () => {
        this.end(this.#failureOfLoss(undefined));
        reject(this.#ended);
      });
      // The daemon closes only what it has given up.
      socket.on('end', () => this.end(this.#failureOfLoss(undefined)));
      this.#readReplies(socket);
    });
  }

  async #writeAll(progress: Progress | undefined): Promise<void> {
    let last = LINE_END;
    try {
      for await (const part of this.#input.stream) {
        const chunk: Buffer = typeof part === 'string' ? Buffer.from(part) : part;
        if (chunk.length === 0) continue;
        await this.#write(chunk);
        this.#bytes += chunk.length;
        this.#lines += countLineEnds(chunk);
        last = chunk[chunk.length - 1]!;
        progress?.update(this.#bytes, this.#lines, 'sending');
      }
    } catch (error) {
      this.end(failureOfInput(error, this.#input.name));
    }
    if (this.#over) throw this.#ended;
    if (last === LINE_END) return;
    await this.#write(Buffer.from('\n'));
    this.#bytes++;
    this.#lines++;
  }

  /** Fulfilled when the kernel has it all: so much memory, however slow the daemon takes it. */
  #write(chunk: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket!.write(chunk, (error) => {
        if (error == null) {
          resolve();
        } else {
          this.end(this.#failureOfLoss(error));
          reject(this.#ended);
        }
      });
    });
  }

  #readReplies(socket: Socket): void {
    const replies = new ReplyReader((reply) => this.#takeReply(reply));
    socket.setEncoding('utf8');
    socket.on('data', (text: unknown) => {
      if (replies.read(String(text))) return;
      const what = `what listens on ${this.#socketPath} does not speak like a tallyd`;
      this.end(new Failure('ERR_NO_DAEMON', `${what}; name the folder of one with --runtime-dir`));
    });
  }

  /** The input may hold control lines of its own; their answers are passed over. */
  #takeReply(reply: Reply): void {
    if (reply.type === 'error') this.#repliesOfError++;
    if (reply.type !== 'synced' || reply.id !== this.#syncId) return;
    this.#resolve({ accepted: Number(reply.accepted), rejected: Number(reply.rejected) });
  }

  #failureOfLoss(error: unknown): Failure {
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    const why = code === undefined ? '' : ` (${code})`;
    const done = `after ${this.#bytes} bytes (${counted(this.#lines, 'line')})`;
    const text =
      `the daemon closed the connection${why} ${done}, before it said that they are durable; ` +
      'some of them may be: see its log, and tallyd status once it runs';
    return new Failure('ERR_NO_DAEMON', text, { cause: error });
  }
}

function countLineEnds(chunk: Buffer): number {
  let count = 0;
  for (let i = chunk.indexOf(LINE_END); i !== -1; i = chunk.indexOf(LINE_END, i + 1)) count++;
  return count;
}
