/** `tallyd send [FILE]`: event lines into the daemon, until they are on its disk. */

import { randomBytes } from 'node:crypto';
import { fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Config } from '../config/config.js';
import { EXIT_DONE, EXIT_INTERRUPTED, EXIT_NO, Failure } from '../model/failure.js';
import { failureOfSocket } from './control-client.js';
import { counted, humanBytes } from './human.js';
import type { Io } from './io.js';
import { Progress } from './progress.js';

const READ_BYTES = 256 * 1024;
/** An answer of the daemon is a short line; what is longer is none. */
const REPLY_LENGTH_MAX = 64 * 1024;
const LINE_END = 0x0a;

interface Input {
  readonly name: string;
  readonly stream: Readable;
  /** null where the end is not known */
  readonly bytesTotal: number | null;
}

interface Synced {
  readonly accepted: number;
  readonly rejected: number;
}

class Interrupted extends Error {}

/**
 * @returns done where every line was accepted and is durable, no where some were refused, 130 after SIGINT
 * @throws Failure ERR_IO for the input, ERR_NO_DAEMON and ERR_DENIED for the socket
 */
export async function send(
  config: Config,
  file: string | undefined,
  options: { json?: boolean },
  io: Io,
): Promise<number> {
  const input = await openInput(file, io);
  const sending = new Sending(input, join(config.runtimeDir, 'ingest.sock'), io);
  const interrupt = () => sending.end(new Interrupted());
  io.signals.once('SIGINT', interrupt);
  const startedMs = performance.now();
  try {
    const { accepted, rejected } = await sending.run();
    const seconds = (performance.now() - startedMs) / 1000;
    const { lines, bytes } = sending;
    if (options.json) {
      io.stdout.write(`${JSON.stringify({ lines, bytes, seconds, accepted, rejected })}\n`);
    } else {
      const volume = `sent ${lines} line${lines === 1 ? '' : 's'} (${humanBytes(bytes)}) in ${seconds.toFixed(3)} s`;
      io.stderr.write(`${volume}, accepted ${accepted}, rejected ${rejected}, durable\n`);
    }
    if (sending.repliesOfError > 0) {
      io.stderr.write(`${counted(sending.repliesOfError, 'control line')} of the input not understood\n`);
    }
    if (rejected === 0) return EXIT_DONE;
    const where = 'tallyd status counts them by reason';
    io.stderr.write(`${counted(rejected, 'line')} refused: ${where}\n`);
    return EXIT_NO;
  } catch (error) {
    if (error instanceof Interrupted) return EXIT_INTERRUPTED;
    throw error;
  } finally {
    io.signals.off('SIGINT', interrupt);
    sending.end(undefined);
  }
}

async function openInput(file: string | undefined, io: Io): Promise<Input> {
  if (file === undefined || file === '-') {
    if (io.stdin.isTTY) io.stderr.write('reading event lines from the terminal; Ctrl-D ends them\n');
    return { name: 'standard input', stream: io.stdin, bytesTotal: redirectedSize(io.stdin.fd) };
  }
  try {
    const handle = await open(file);
    const facts = await handle.stat();
    if (facts.isDirectory()) {
      await handle.close();
      throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    }
    const stream = handle.createReadStream({ highWaterMark: READ_BYTES });
    return { name: file, stream, bytesTotal: facts.isFile() ? facts.size : null };
  } catch (error) {
    throw failureOfInput(error, file);
  }
}

function redirectedSize(fd: number | undefined): number | null {
  if (fd === undefined) return null;
  try {
    const facts = fstatSync(fd);
    return facts.isFile() ? facts.size : null;
  } catch {
    return null;
  }
}

function failureOfInput(error: unknown, name: string): Failure {
  const code = (error as NodeJS.ErrnoException)?.code ?? String(error);
  const text = `cannot read ${name}: ${code}; name a file of event lines that you may read, or - for standard input`;
  return new Failure('ERR_IO', text, { cause: error });
}

/** One connection: the input goes in, the acknowledgement comes out. Whatever ends it early ends both sides at once. */
class Sending {
  /** written to the socket, with the line end that the input may have lacked */
  bytes = 0;
  lines = 0;
  /** the daemon's answers to malformed control lines */
  repliesOfError = 0;
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

  async run(): Promise<Synced> {
    await this.#connect();
    const { stderr, env } = this.#io;
    const visible = stderr.isTTY === true && env.TERM !== 'dumb';
    const progress = visible
      ? new Progress(stderr, this.#input.bytesTotal, () => performance.now())
      : undefined;
    try {
      await this.#writeAll(progress);
      await this.#write(Buffer.from(`${JSON.stringify({ type: 'sync', id: this.#syncId })}\n`));
      progress?.update(this.bytes, this.lines, true);
      return await this.#synced;
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
        this.bytes += chunk.length;
        this.lines += countLineEnds(chunk);
        last = chunk[chunk.length - 1]!;
        progress?.update(this.bytes, this.lines, false);
      }
    } catch (error) {
      this.end(failureOfInput(error, this.#input.name));
    }
    if (this.#over) throw this.#ended;
    if (last === LINE_END) return;
    await this.#write(Buffer.from('\n'));
    this.bytes++;
    this.lines++;
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
    let carry = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = (carry + text).split('\n');
      carry = lines.pop()!;
      for (const line of lines) this.#takeReply(line);
      if (carry.length > REPLY_LENGTH_MAX) {
        const what = `what listens on ${this.#socketPath} does not speak like a tallyd`;
        this.end(new Failure('ERR_NO_DAEMON', `${what}; name the folder of one with --runtime-dir`));
      }
    });
  }

  /** The input may hold control lines of its own; their answers are passed over. */
  #takeReply(line: string): void {
    let reply: { type?: unknown; id?: unknown; accepted?: unknown; rejected?: unknown } | null;
    try {
      reply = JSON.parse(line);
    } catch {
      return;
    }
    if (reply?.type === 'error') this.repliesOfError++;
    if (reply?.type !== 'synced' || reply.id !== this.#syncId) return;
    this.#resolve({ accepted: Number(reply.accepted), rejected: Number(reply.rejected) });
  }

  #failureOfLoss(error: unknown): Failure {
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    const why = code === undefined ? '' : ` (${code})`;
    const done = `after ${this.bytes} bytes (${counted(this.lines, 'line')})`;
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
