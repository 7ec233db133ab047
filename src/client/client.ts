/**
 * The client of a program: takes events without delay, and brings each into the daemon's log once, whatever dies meanwhile.
 *
 *     program ──send──▶ LineQueue ──▶ Courier ──▶ Connection ──▶ daemon
 *                           ▲                         │
 *                           └──── synced, welcome ────┘     lines up to this number are durable: forget them
 */

import { EventEmitter } from 'node:events';
import { Failure } from '../model/failure.js';
import type { Welcome } from './connection.js';
import { Courier } from './courier.js';
import type { Event } from './event.js';
import { assertEventLine, lineOfEvent } from './event-line.js';
import { LineQueue, type Mark, sizeOfLine } from './line-queue.js';
import { type ClientOptions, DELAY_MS_MAX, settingsOf, type WhenFull } from './options.js';
import { type Waiter, Waiters } from './waiters.js';

export type * from './event.js';
export { type ClientOptions, Failure, type Welcome, type WhenFull };

const CLOSE_TIMEOUT_MS = 5000;
const TAKEN = Promise.resolve(true);
const NOT_TAKEN = Promise.resolve(false);

/** A line without its line end, or an event that becomes one. */
export type Sendable = Event | string | Uint8Array;

export interface ClientEvents {
  /** A connection stands. */
  welcome: [welcome: Welcome];
  /**
   * A connection ended, or could not be made; the next one is tried. A system error, or a Failure where the daemon is there and
   * does not answer as it should.
   */
  lost: [reason: Error];
  /**
   * So many lines were durable, and the daemon does not know of them: its state directory is another or an older one, or it
   * has forgotten the name.
   */
  gap: [lines: number];
  /** Every line up to this number is durable. */
  durable: [number: number];
  /** The client has given up: another one runs by its name. */
  failed: [failure: Failure];
}

/** Counts of lines since the client was made. taken = durable + dropped + queued. */
export interface ClientStats {
  readonly connected: boolean;
  readonly taken: number;
  readonly durable: number;
  readonly dropped: number;
  readonly queued: number;
  readonly queuedBytes: number;
  /** as the daemon has judged durable lines; those that it had before a connection was lost are in neither */
  readonly accepted: number;
  readonly rejected: number;
  /** lines that were durable, and that the daemon does not know of any more */
  readonly gap: number;
  readonly reconnects: number;
}

/** A line that waits for room. */
interface Sender {
  readonly waiter: Waiter<boolean>;
  readonly line: string | Uint8Array;
}

interface Flush {
  readonly waiter: Waiter<void>;
  /** Set once all that was sent before it has come into the queue. */
  mark: Mark | undefined;
}

/** Connects in the background. @throws TypeError, RangeError for options out of their bounds */
export function connect(options: ClientOptions): Client {
  return new Client(options);
}

export class Client extends EventEmitter<ClientEvents> {
  /** The name by which the daemon knows the lines. */
  readonly name: string;
  readonly #whenFull: WhenFull;
  readonly #queue: LineQueue;
  readonly #courier: Courier;
  readonly #waiters = new Waiters();
  readonly #readies: { readonly waiter: Waiter<Welcome> }[] = [];
  /** Those who wait for room in the order of their calls, and between them flushes, which wait for those before them. */
  readonly #callers: (Sender | Flush)[] = [];
  readonly #flushes: Flush[] = [];
  #welcome: Welcome | undefined;
  #takes = true;
  /** Why nothing becomes durable any more. */
  #end: Failure | undefined;
  #closed: Promise<number> | undefined;
  #durableNumber = 0;
  #droppedLines = 0;
  #gapLines = 0;

  /** @see connect */
  constructor(options: ClientOptions) {
    super();
    const settings = settingsOf(options);
    this.name = settings.client;
    this.#whenFull = settings.whenFull;
    this.#queue = new LineQueue(settings.queueBytes);
    this.#courier = new Courier(settings, this.#queue, {
      welcomed: (welcome) => this.#takeWelcome(welcome),
      settled: () => this.#takeSettled(),
      lost: (reason) => this.emit('lost', reason),
      failed: (failure) => {
        this.#giveUp(failure);
        this.emit('failed', failure);
      },
    });
  }

  get stats(): ClientStats {
    const queue = this.#queue;
    return {
      connected: this.#courier.isConnected,
      taken: queue.pushedLines,
      durable: queue.pushedLines - queue.lines - this.#droppedLines,
      dropped: this.#droppedLines,
      queued: queue.lines,
      queuedBytes: queue.bytes,
      ...this.#courier.judged,
      gap: this.#gapLines,
      reconnects: this.#courier.reconnects,
    };
  }

  /**
   * What the daemon said first: with `seq` a program that numbers its lines itself knows where to go on.
   * @throws (by the promise) Failure once the client is closed or has failed; the signal's reason
   */
  async ready({ signal }: { signal?: AbortSignal } = {}): Promise<Welcome> {
    if (this.#end !== undefined) throw this.#end;
    if (this.#welcome !== undefined) return this.#welcome;
    return this.#waiters.wait(this.#readies, (waiter) => ({ waiter }), signal);
  }

  /**
   * Takes an event, or a line without its line end, if there is room for it.
   * @returns false where the queue is full (never with `drop-oldest`), or the client is closed or has failed
   * @throws TypeError for what is no event; RangeError for a line over half of the queue
   */
  trySend(event: Sendable): boolean {
    const line = this.#lineOf(event);
    return this.#takes && this.#callers.length === 0 && this.#tryTake(line);
  }

  /**
   * The same, but waits for room.
   * @returns (by the promise) true once the queue has it; false where the client was closed or failed first
   * @throws as `trySend`, at once; by the promise only the signal's reason, and then the line was not taken
   */
  send(event: Sendable, { signal }: { signal?: AbortSignal } = {}): Promise<boolean> {
    const line = this.#lineOf(event);
    if (!this.#takes) return NOT_TAKEN;
    if (this.#callers.length === 0 && this.#tryTake(line)) return TAKEN;
    const kept = typeof line === 'string' ? line : Uint8Array.from(line);
    const taken = this.#waiters.wait<boolean, Sender | Flush>(
      this.#callers,
      (waiter) => ({ waiter, line: kept }),
      signal,
    );
    this.#courier.isRoomWanted = true;
    this.#courier.pump();
    return taken;
  }

  /**
   * Fulfilled once all that was sent before is durable, but for what was dropped.
   * @throws (by the promise) Failure once the client is closed or has failed; the signal's reason
   */
  async flush({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    if (this.#end !== undefined) throw this.#end;
    signal?.throwIfAborted();
    const done = this.#waiters.wait<void, Flush>(
      this.#flushes,
      (waiter) => {
        const flush = { waiter, mark: undefined };
        this.#callers.push(flush);
        return flush;
      },
      signal,
    );
    this.#admit();
    return done;
  }

  /**
   * Takes no more, flushes, and ends the connection, at the latest after `timeoutMs` (default 5 s).
   * @returns (by the promise, never rejected) how many lines are not known to be durable
   */
  close({ timeoutMs = CLOSE_TIMEOUT_MS }: { timeoutMs?: number } = {}): Promise<number> {
    this.#closed ??= this.#close(timeoutMs);
    return this.#closed;
  }

  async #close(timeoutMs: number): Promise<number> {
    this.#takes = false;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), Math.min(timeoutMs, DELAY_MS_MAX));
    await this.flush({ signal: deadline.signal }).catch(() => {});
    clearTimeout(timer);
    const left = this.#queue.lines + this.#callers.filter((entry) => 'line' in entry).length;
    const text = `the client is closed; ${left} of its lines are not known to be durable`;
    this.#courier.end();
    this.#giveUp(this.#end ?? new Failure('ERR_NO_DAEMON', text));
    return left;
  }

  #lineOf(event: Sendable): string | Uint8Array {
    const isLine = typeof event === 'string' || event instanceof Uint8Array;
    const line = isLine ? event : lineOfEvent(event, Date.now());
    assertEventLine(line);
    const { lineBytesMax } = this.#queue;
    if (line.length > lineBytesMax / 4 && sizeOfLine(line) > lineBytesMax) {
      throw new RangeError(`a line has at most half of the queue, ${lineBytesMax} bytes`);
    }
    return line;
  }

  #tryTake(line: string | Uint8Array): boolean {
    if (!this.#queue.tryPush(line)) {
      if (this.#whenFull === 'block') return false;
      this.#droppedLines += this.#queue.dropFor(line);
      this.#queue.tryPush(line);
      this.#endFlushes();
    }
    this.#courier.fetch();
    return true;
  }

  /** Those that wait, as far as there is room. */
  #admit(): void {
    let entry = this.#callers[0];
    while (entry !== undefined) {
      if ('line' in entry) {
        if (!this.#tryTake(entry.line)) break;
        entry.waiter.resolve(true);
      } else {
        entry.mark = this.#queue.mark();
        this.#courier.demand(entry.mark);
      }
      this.#callers.shift();
      entry = this.#callers[0];
    }
    this.#courier.isRoomWanted = entry !== undefined;
    this.#endFlushes();
  }

  #endFlushes(): void {
    const { durable } = this.#queue;
    while ((this.#flushes[0]?.mark?.number ?? Number.POSITIVE_INFINITY) <= durable) {
      this.#flushes.shift()!.waiter.resolve();
    }
  }

  #takeWelcome(welcome: Welcome): void {
    this.#welcome ??= welcome;
    for (const { waiter } of this.#readies.splice(0)) waiter.resolve(welcome);
    this.emit('welcome', welcome);
    if (welcome.gap === 0) return;
    this.#gapLines += welcome.gap;
    this.emit('gap', welcome.gap);
  }

  #takeSettled(): void {
    this.#admit();
    const { durable } = this.#queue;
    if (durable === this.#durableNumber) return;
    this.#durableNumber = durable;
    this.emit('durable', durable);
  }

  #giveUp(failure: Failure): void {
    this.#takes = false;
    this.#end = failure;
    for (const entry of this.#callers.splice(0)) if ('line' in entry) entry.waiter.resolve(false);
    for (const { waiter } of [...this.#flushes.splice(0), ...this.#readies.splice(0)]) waiter.reject(failure);
  }
}
