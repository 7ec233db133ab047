/**
 * Brings the lines of a queue to the daemon: writes them in batches, asks for durability, and connects anew when a connection
 * is lost. The welcome of the new one says which lines the daemon has; the queue still holds the others.
 */

import { Failure } from '../model/failure.js';
import { Connection, type Synced, type Welcome } from './connection.js';
import type { LineQueue, Mark } from './line-queue.js';
import type { Settings } from './options.js';

export interface CourierOwner {
  welcomed(welcome: Welcome): void;
  /** Lines have left the queue: there is room. */
  settled(): void;
  lost(reason: Error): void;
  failed(failure: Failure): void;
}

export class Courier {
  /** Somebody waits for room in the queue. */
  isRoomWanted = false;
  reconnects = 0;
  readonly #settings: Settings;
  readonly #queue: LineQueue;
  readonly #owner: CourierOwner;
  #connection: Connection | undefined;
  #hasStarted = false;
  #isEnded = false;
  /** Connections since lines became durable the last time. */
  #attempts = 0;
  #unsyncedBytes = 0;
  /** What is before it is to be durable soon. */
  #demanded: Mark | undefined;
  #batchTimer: NodeJS.Timeout | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  #connectTimer: NodeJS.Timeout | undefined;
  #judgedBefore = { accepted: 0, rejected: 0 };
  #judged = { accepted: 0, rejected: 0 };

  constructor(settings: Settings, queue: LineQueue, owner: CourierOwner) {
    this.#settings = settings;
    this.#queue = queue;
    this.#owner = owner;
    this.#connect();
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen === true;
  }

  /** As the daemon has judged what it made durable; what it had before a connection was lost is in neither. */
  get judged(): { readonly accepted: number; readonly rejected: number } {
    return {
      accepted: this.#judgedBefore.accepted + this.#judged.accepted,
      rejected: this.#judgedBefore.rejected + this.#judged.rejected,
    };
  }

  /** Lines have come into the queue. */
  fetch(): void {
    if (this.#queue.waitingBytes >= this.#settings.batchBytes) this.pump();
    else this.#batchTimer ??= setTimeout(() => this.pump(), this.#settings.batchDelayMs).unref();
  }

  /** What is before the mark is to be durable as soon as can be. */
  demand(mark: Mark): void {
    this.#demanded = mark;
    this.pump();
  }

  /** Writes what waits, as far as the daemon takes it. */
  pump(): void {
    clearTimeout(this.#batchTimer);
    this.#batchTimer = undefined;
    const connection = this.#connection;
    if (connection === undefined || !connection.isOpen) return;
    connection.cork();
    while (!connection.isFull && !this.#queue.isWindowFull) {
      const taken = this.#queue.take();
      if (taken === undefined) break;
      connection.write(taken.bytes, taken.lines);
      this.#unsyncedBytes += taken.bytes.length;
      if (this.#unsyncedBytes >= this.#settings.syncBytes) this.#sync();
    }
    if (connection.writtenNumber > connection.askedNumber) {
      const isDemanded = (this.#demanded?.number ?? 0) > connection.askedNumber;
      const isStalled = (this.#queue.isWindowFull || this.isRoomWanted) && !connection.isAwaitingSync;
      if ((isDemanded || isStalled) && !connection.isFull) this.#sync();
      else this.#syncTimer ??= setTimeout(() => this.#syncLate(), this.#settings.syncDelayMs).unref();
    }
    connection.uncork();
  }

  /** Ends the connection, and makes no other. */
  end(): void {
    this.#isEnded = true;
    for (const timer of [this.#batchTimer, this.#syncTimer, this.#connectTimer]) clearTimeout(timer);
    this.#connection?.end(new Error('the client was closed'));
  }

  #syncLate(): void {
    this.#syncTimer = undefined;
    const connection = this.#connection;
    if (connection?.isOpen && connection.writtenNumber > connection.askedNumber) this.#sync();
  }

  #sync(): void {
    this.#unsyncedBytes = 0;
    clearTimeout(this.#syncTimer);
    this.#syncTimer = undefined;
    this.#connection!.sync();
  }

  #connect(): void {
    this.#connectTimer = undefined;
    const { path, client, first } = this.#settings;
    const hello = { client, first: this.#hasStarted ? this.#queue.durable + 1 : first };
    this.#connection = new Connection(path, hello, {
      welcomed: (welcome) => this.#takeWelcome(welcome),
      synced: (synced) => this.#takeSynced(synced),
      drained: () => this.pump(),
      lost: (reason) => this.#takeLoss(reason),
    });
  }

  #takeWelcome(welcome: Welcome): void {
    const queue = this.#queue;
    const { seq } = welcome;
    if (!this.#hasStarted) {
      this.#hasStarted = true;
      queue.start(seq);
    } else if (seq > queue.numbered) {
      this.#fail(seq);
      return;
    } else {
      this.reconnects++;
      this.#settle(seq);
    }
    this.#owner.welcomed(welcome);
    this.#owner.settled();
    this.pump();
  }

  /** Nobody but a client of the same name can have sent what this one has not. */
  #fail(seq: number): void {
    const { client } = this.#settings;
    const text =
      `the daemon has ${seq} lines of client ${JSON.stringify(client)}, of which this one has sent ${this.#queue.numbered}; ` +
      'another program sends by the same name: give each running client a name of its own';
    this.end();
    this.#owner.failed(new Failure('ERR_TAKEN', text));
  }

  #takeSynced({ seq, accepted, rejected }: Synced): void {
    this.#judged = { accepted, rejected };
    this.#settle(seq);
    this.#owner.settled();
    this.pump();
  }

  #settle(number: number): void {
    if (number > this.#queue.durable) this.#attempts = 0;
    this.#queue.settle(number);
  }

  #takeLoss(reason: Error): void {
    this.#connection = undefined;
    this.#unsyncedBytes = 0;
    this.#judgedBefore = this.judged;
    this.#judged = { accepted: 0, rejected: 0 };
    this.#queue.rewind();
    if (this.#isEnded) return;
    const { reconnectMinMs, reconnectMaxMs, random } = this.#settings;
    const pauseMs = Math.min(reconnectMaxMs, reconnectMinMs * 2 ** this.#attempts++) * (1 - random() / 2);
    this.#connectTimer = setTimeout(() => this.#connect(), pauseMs).unref();
    this.#owner.lost(reason);
  }
}
