/**
 * The lines of an input under a client's name: line n of the input is line n of the name. What the daemon has is skipped, and a
 * daemon that dies is waited for, so each line counts once, whatever dies and however often the command is run.
 */

import { type Client, connect } from '../client/client.js';
import { kindOfLine } from '../client/event-line.js';
import { Failure } from '../model/failure.js';
import { counted, humanBytes, humanDuration } from '../model/human.js';
import { failureOfSocket } from './control-client.js';
import { failureOfInput, type Input } from './input.js';
import type { Io } from './io.js';
import { LineSplitter } from './line-splitter.js';
import { type Progress, type ProgressPhase, progressOn } from './progress.js';
import type { Sent } from './sending.js';

const QUEUE_BYTES = 16 * 1024 * 1024;
const LINE_BYTES_MAX = QUEUE_BYTES / 2;
/** A daemon may have a long log to read when it starts. */
const AWAY_MS_MAX = 60_000;

export class NumberedSending {
  readonly #input: Input;
  readonly #io: Io;
  readonly #name: string;
  readonly #socketPath: string;
  readonly #awayMsMax: number;
  readonly #client: Client;
  readonly #over = new AbortController();
  #awayTimer: NodeJS.Timeout | undefined;
  #progress: Progress | undefined;
  #wasWelcome = false;
  #isWaiting = false;
  /** Read, with the line end that the input may have lacked. */
  #bytesRead = 0;
  #bytes = 0;
  /** All that have a number. */
  #lines = 0;
  #skipped = 0;
  #controlLines = 0;

  /** @throws Failure ERR_USAGE for a name that is none */
  constructor(input: Input, socketPath: string, name: string, io: Io, awayMsMax = AWAY_MS_MAX) {
    this.#input = input;
    this.#io = io;
    this.#name = name;
    this.#socketPath = socketPath;
    this.#awayMsMax = awayMsMax;
    this.#client = connectAs(name, socketPath);
    this.#client.on('failed', (failure) => this.end(failure));
    this.#client.on('lost', (reason) => this.#takeLoss(reason));
    this.#client.on('welcome', () => this.#takeWelcome());
  }

  /** @throws Failure ERR_IO for the input, ERR_NO_DAEMON, ERR_DENIED and ERR_TAKEN for the daemon; the cause of `end` */
  async run(): Promise<Sent> {
    const { signal } = this.#over;
    const { seq } = await this.#client.ready({ signal });
    this.#progress = progressOn(this.#io, this.#input.bytesTotal);
    try {
      await this.#sendAll(seq);
      this.#isWaiting = true;
      this.#draw();
      await this.#client.flush({ signal });
      return this.#sent();
    } finally {
      this.#progress?.clear();
    }
  }

  /** The first cause counts; later ones are its consequences. */
  end(cause: unknown): void {
    if (this.#over.signal.aborted) return;
    clearTimeout(this.#awayTimer);
    this.#over.abort(cause);
    this.#client.close({ timeoutMs: 0 });
    this.#input.stream.destroy();
  }

  async #sendAll(seq: number): Promise<void> {
    const splitter = new LineSplitter();
    try {
      for await (const part of this.#input.stream) {
        const chunk: Buffer = typeof part === 'string' ? Buffer.from(part) : part;
        for (const line of splitter.take(chunk)) {
          const room = this.#takeLine(line, seq);
          if (room !== undefined) await room;
        }
        if (splitter.carriedBytes >= LINE_BYTES_MAX) throw this.#failureOfLength();
        this.#bytesRead += chunk.length;
        this.#draw();
        this.#over.signal.throwIfAborted();
      }
    } catch (error) {
      this.end(error instanceof Failure ? error : failureOfInput(error, this.#input.name));
    }
    this.#over.signal.throwIfAborted();
    const last = splitter.end();
    if (last !== undefined) await this.#takeLine(last, seq);
    if (this.#lines < seq) throw this.#failureOfOtherInput(seq);
  }

  /** @returns what to wait for before the next one, where the queue is full */
  #takeLine(line: Buffer, seq: number): Promise<boolean> | undefined {
    const kind = kindOfLine(line);
    if (kind === 'control') this.#controlLines++;
    if (kind !== 'event') return undefined;
    if (line.length >= LINE_BYTES_MAX) throw this.#failureOfLength();
    this.#lines++;
    if (this.#lines <= seq) {
      this.#skipped++;
      return undefined;
    }
    this.#bytes += line.length + 1;
    return this.#client.trySend(line) ? undefined : this.#client.send(line, { signal: this.#over.signal });
  }

  #draw(): void {
    this.#progress?.update(this.#bytesRead, this.#lines - this.#skipped, this.#phase());
  }

  #phase(): ProgressPhase {
    if (!this.#client.stats.connected) return 'away';
    if (this.#isWaiting) return 'waiting';
    return this.#lines === this.#skipped ? 'skipping' : 'sending';
  }

  #takeWelcome(): void {
    this.#wasWelcome = true;
    clearTimeout(this.#awayTimer);
    this.#awayTimer = undefined;
    this.#draw();
  }

  #takeLoss(reason: Error): void {
    // One that is not there before the first line is not waited for.
    if (!this.#wasWelcome && (reason as NodeJS.ErrnoException).syscall === 'connect') {
      this.end(failureOfSocket(reason, this.#socketPath));
    } else if (!this.#wasWelcome && reason instanceof Failure) {
      const text = `no welcome on ${this.#socketPath}: ${reason.message}; is it a tallyd that knows hello?`;
      this.end(new Failure('ERR_NO_DAEMON', text, { cause: reason }));
    } else {
      this.#draw();
      this.#awayTimer ??= setTimeout(() => this.end(this.#failureOfAbsence(reason)), this.#awayMsMax);
    }
  }

  #sent(): Sent {
    const { accepted, rejected, durable, gap } = this.#client.stats;
    const notes: string[] = [];
    if (this.#controlLines > 0)
      notes.push(`${counted(this.#controlLines, 'control line')} of the input left out`);
    const unjudged = durable - accepted - rejected;
    if (unjudged > 0) {
      notes.push(
        `${counted(unjudged, 'line')} durable, but not known as accepted or rejected: a connection broke`,
      );
    }
    if (gap > 0)
      notes.push(
        `the daemon does not know any more of ${counted(gap, 'line')} that were durable: is its state directory another?`,
      );
    const skipped = this.#skipped;
    return { lines: durable, bytes: this.#bytes, accepted, rejected, skipped, unjudged, lost: gap, notes };
  }

  #failureOfAbsence(reason: Error): Failure {
    const waited = `the daemon is away for ${humanDuration(this.#awayMsMax / 1000)} (${reason.message})`;
    const done = `${counted(this.#client.stats.durable, 'line')} of this run became durable`;
    const text = `${waited}; ${done}: the same command goes on behind them, once the daemon runs`;
    return new Failure('ERR_NO_DAEMON', text, { cause: reason });
  }

  #failureOfLength(): Failure {
    const text = `${this.#input.name} has a line of over ${humanBytes(LINE_BYTES_MAX)} behind its first ${counted(this.#lines, 'line')}; the daemon would refuse it: take it out, or send the input without --client`;
    return new Failure('ERR_IO', text);
  }

  /** To skip what belongs to another input would lose it. */
  #failureOfOtherInput(seq: number): Failure {
    const text =
      `the daemon has ${counted(seq, 'line')} of client ${JSON.stringify(this.#name)}, and ${this.#input.name} only ${counted(this.#lines, 'line')}: ` +
      'they are not the same input, and nothing was sent; give this one a name of its own';
    return new Failure('ERR_USAGE', text);
  }
}

function connectAs(client: string, path: string): Client {
  try {
    return connect({ path, client, queueBytes: QUEUE_BYTES });
  } catch (error) {
    throw new Failure('ERR_USAGE', `--client: ${(error as Error).message}`, { cause: error });
  }
}
