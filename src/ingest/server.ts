/**
 * The ingest socket: accepts connections, reads them into one scratch, and hands what they bring to their line collectors.
 *
 * All connections read into the same 256 KiB, which is copied on before the next read (`onread` of net.Socket; 1.8 to
 * 2.4 GB/s against 0.7 to 1.2 for 'data'). For that the accepted handle is given to a second Socket, which is not
 * documented: where it does not work, 'data' does.
 *
 * Nothing is dropped: reading stops before the ring could be too full for one more read, and goes on when half of it
 * is free; meanwhile the kernel holds the clients back. Answers (wire protocol: README.md) wait for the durable cursor.
 */

import net from 'node:net';
import { PROTOCOL } from '../model/protocol.js';
import { Bell } from '../ring/bell.js';
import {
  CURSOR_DURABLE,
  CURSOR_FOLDED,
  CURSOR_RESUME_AT,
  FLAG_STALLED,
  KIND_TICK,
  positionOf,
  type RingMemory,
  readBytesMax,
} from '../ring/layout.js';
import {
  CONNECTION_CLOSING,
  CONNECTION_FREE,
  type ConnectionRefusal,
  type Ledger,
  type Peer,
} from '../ring/ledger.js';
import {
  MAIL_ERROR,
  MAIL_SUPERSEDED,
  MAIL_WELCOME,
  type Mail,
  type MailboxMemory,
  MailboxReader,
  SEQ_NONE,
  TEXT_NUMBER,
} from '../ring/mailbox.js';
import { RingWriter } from '../ring/writer.js';
import { type ConnectionHost, LineCollector } from './connection.js';
import { Outbox } from './outbox.js';

/** Room for what one read can publish beside its own bytes and the carry. */
const SPARE_BYTES = 4096;
export const LISTEN_BACKLOG = 4096;
/** A client with this much of answers that it does not read is not read from either. */
const UNREAD_BYTES_MAX = 1024 * 1024;
const FLUSH_MS = 5;

export interface IngestMemory {
  readonly ring: RingMemory;
  readonly mailbox: MailboxMemory;
  readonly foldBell: SharedArrayBuffer;
  readonly archiveBell: SharedArrayBuffer;
}

export interface IngestOptions {
  readonly maxLineBytes: number;
  readonly maxConnections: number;
  /** Who is at the other end of a descriptor; null: nobody knows. */
  readonly peerOf: (fd: number) => Peer | null;
  readonly admits: (peer: Peer | null) => boolean;
  /** Arrival time, µs, never going back. */
  readonly now: () => number;
  /** Ends the reading side of a file descriptor, after which what is in the kernel can still be read. */
  readonly shutdownRead: ((fd: number) => void) | null;
  /** A connection was refused. */
  readonly onRefused: (reason: ConnectionRefusal, peer: Peer | null) => void;
  /** Tests read by 'data' as well. */
  readonly useOnread?: boolean;
}

interface Connection {
  readonly socket: net.Socket;
  readonly lines: LineCollector;
  readonly slot: number;
  readonly generation: number;
  readonly outbox: Outbox;
  /** Not read from, as it does not read its answers. */
  muted: boolean;
  /** A newer connection has its client: what it still brings is thrown away. */
  superseded: boolean;
  unanswered: number;
  /** Behind its close record in the ring; Infinity while it is open. */
  closedAt: number;
  /** The fold has passed that record: no answer is still to be asked for. */
  released: boolean;
  gone: boolean;
}

interface Answer {
  readonly connection: Connection;
  readonly position: number;
  readonly text: string;
}

/** The part of a libuv handle that is used here. */
interface Handle {
  readonly fd: number;
}

export class IngestServer {
  readonly #options: IngestOptions;
  readonly #ledger: Ledger;
  readonly #ring: RingWriter;
  readonly #cursors: Int32Array;
  readonly #mailbox: MailboxReader;
  readonly #foldBell: Bell;
  readonly #archiveBell: Bell;
  readonly #scratch: Uint8Array;
  readonly #scratchWords: Int32Array;
  readonly #reserveBytes: number;
  readonly #resumeBytes: number;
  readonly #host: ConnectionHost;
  readonly #server: net.Server;
  readonly #open = new Map<number, Connection>();
  /** Slots that were used before; above the top they never were. */
  readonly #freeSlots: number[] = [];
  #topSlot = 0;
  /** Connections whose close record the fold has yet to pass, oldest first. */
  readonly #closing: Connection[] = [];
  /** Connections that are over, but found no room for their last record. */
  readonly #ending: { connection: Connection; keepTail: boolean }[] = [];
  readonly #answers: Answer[] = [];
  /** Connections with answers that found no room, and the timer that tries again. */
  readonly #unread = new Set<Connection>();
  #flushing: NodeJS.Timeout | null = null;
  readonly #generations: Int32Array;
  #stalled = false;
  #draining = false;
  #accepts = 0;
  #onDrained: (() => void) | null = null;

  constructor(memory: IngestMemory, ledger: Ledger, options: IngestOptions) {
    this.#options = options;
    this.#ledger = ledger;
    this.#ring = new RingWriter(memory.ring);
    this.#cursors = new Int32Array(memory.ring.cursors);
    this.#mailbox = new MailboxReader(memory.mailbox);
    this.#foldBell = new Bell(memory.foldBell);
    this.#archiveBell = new Bell(memory.archiveBell);
    const { capacityBytes } = memory.ring;
    this.#scratch = new Uint8Array(readBytesMax(capacityBytes));
    this.#scratchWords = new Int32Array(this.#scratch.buffer);
    this.#reserveBytes = this.#scratch.length + options.maxLineBytes + SPARE_BYTES;
    this.#resumeBytes = Math.max(capacityBytes / 2, 2 * this.#reserveBytes + 1024);
    this.#generations = new Int32Array(ledger.slots);
    this.#host = {
      ring: this.#ring,
      ledger,
      now: options.now,
      maxLineBytes: options.maxLineBytes,
      published: () => this.#foldBell.ring(),
    };
    this.#server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (raw) =>
      this.#accept(raw),
    );
    this.#server.maxConnections = options.maxConnections;
    this.#server.on('drop', () => this.#refuse('max_connections', null));
  }

  get openConnections(): number {
    return this.#open.size;
  }

  /** @param where a path, or the descriptor of a socket that already listens */
  listen(where: { path: string } | { fd: number }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ ...where, backlog: LISTEN_BACKLOG }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  /**
   * Puts a tick (model/tick.ts) among the records of the connections.
   * @returns false where there is no room for it now
   */
  tryTick(kind: number, payload: Uint8Array): boolean {
    const bytes = 1 + payload.length;
    const at = this.#ring.hasRoom(bytes) ? this.#ring.tryReserve(bytes, 0) : -1;
    if (at < 0) return false;
    this.#ring.bytes[at] = kind;
    this.#ring.bytes.set(payload, at + 1);
    this.#ring.publish(KIND_TICK, 0, at, bytes, 0, this.#options.now());
    this.#foldBell.ring();
    return true;
  }

  /** Call after every ring of main's bell. */
  wake(): void {
    const folded = positionOf(Atomics.load(this.#cursors, CURSOR_FOLDED), this.#ring.published);
    this.#mailbox.takeAll((mail) => this.#takeMail(mail));
    this.#answerDurable();
    while (this.#closing.length > 0 && this.#closing[0]!.closedAt <= folded) {
      this.#release(this.#closing.shift()!);
    }
    if (this.#stalled && this.#ring.capacityBytes - this.#ring.usedBytes() >= this.#resumeBytes)
      this.#resume();
    if (this.#onDrained !== null && this.#open.size === 0 && this.#closing.length === 0) this.#onDrained();
  }

  /**
   * Takes no new connection but those that wait in the backlog, reads each until what its client has written is in, and
   * resolves when the fold has taken all of it.
   * @param stopConnects makes the socket unreachable before the backlog is emptied; null: somebody else holds the socket
   * open, and what waits in the backlog is the next process's
   */
  async drain(stopConnects: (() => void) | null): Promise<void> {
    if (stopConnects !== null) {
      stopConnects();
      await this.#emptyBacklog();
    }
    this.#draining = true;
    this.#server.close();
    for (const connection of this.#open.values()) this.#endReading(connection);
    await new Promise<void>((resolve) => {
      this.#onDrained = resolve;
      this.wake();
    });
  }

  /** The loop's poll accepts whatever waits; two turns without one mean that none waits. */
  async #emptyBacklog(): Promise<void> {
    let accepted = -1;
    for (let quiet = 0; quiet < 2; ) {
      await new Promise((resolve) => setImmediate(resolve));
      quiet = accepted === this.#accepts ? quiet + 1 : 0;
      accepted = this.#accepts;
    }
  }

  /** Answers what is durable by now. */
  close(): void {
    this.#mailbox.takeAll((mail) => this.#takeMail(mail));
    this.#answerDurable();
    clearInterval(this.#flushing ?? undefined);
  }

  /** Published, but not yet folded: nothing is left when the fold has passed this. */
  get published(): number {
    return this.#ring.published;
  }

  /** From the next connection on. */
  setMaxConnections(count: number): void {
    this.#server.maxConnections = count;
  }

  // Connections

  #refuse(reason: ConnectionRefusal, peer: Peer | null): void {
    this.#ledger.countRefused(reason);
    this.#options.onRefused(reason, peer);
  }

  #accept(raw: net.Socket): void {
    this.#accepts++;
    const peer = this.#options.peerOf(descriptorOf(raw));
    if (!this.#options.admits(peer)) {
      raw.destroy();
      this.#refuse('allow_uids', peer);
      return;
    }
    const slot = this.#freeSlots.pop() ?? this.#topSlot + 1;
    if (slot >= this.#ledger.slots) {
      raw.destroy();
      this.#refuse('max_connections', peer);
      return;
    }
    this.#topSlot = Math.max(this.#topSlot, slot);
    const generation = (this.#generations[slot]! + 1) & 0x7fff_ffff;
    this.#generations[slot] = generation;
    this.#ledger.open(slot, generation, this.#options.now(), peer);
    const lines = new LineCollector(slot, this.#host);
    const socket = this.#readInto(raw, () => connection);
    const connection: Connection = {
      socket,
      lines,
      slot,
      generation,
      outbox: new Outbox(() => (connection.gone ? -1 : descriptorOf(socket))),
      muted: false,
      superseded: false,
      unanswered: 0,
      closedAt: Number.POSITIVE_INFINITY,
      released: false,
      gone: false,
    };
    this.#open.set(slot, connection);
    const over = () => this.#over(connection, !this.#draining && !connection.superseded);
    socket.on('end', over);
    socket.on('error', () => {}); // 'close' follows and says all that matters
    socket.on('close', () => {
      connection.gone = true;
      raw.destroy(); // else server.close() never ends
      over();
    });
    if (this.#stalled) socket.pause();
  }

  /** A socket that reads into the scratch. `connectionOf` is asked only once data is there. */
  #readInto(raw: net.Socket, connectionOf: () => Connection): net.Socket {
    const handle = (raw as unknown as { _handle?: Handle })._handle;
    if (handle !== undefined && handle !== null && this.#options.useOnread !== false) {
      const take = (length: number) => this.#take(connectionOf(), length);
      const onread = { buffer: this.#scratch, callback: take };
      const options = { handle, onread, allowHalfOpen: true, readable: true, writable: true };
      return new net.Socket(options as unknown as net.SocketConstructorOpts);
    }
    raw.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += this.#scratch.length) {
        const part = chunk.subarray(at, at + this.#scratch.length);
        this.#scratch.set(part);
        this.#take(connectionOf(), part.length);
      }
    });
    raw.resume();
    return raw;
  }

  /** @returns false to stop reading this connection */
  #take(connection: Connection, length: number): boolean {
    if (connection.superseded) return true;
    connection.lines.take(this.#scratch, this.#scratchWords, length);
    if (this.#ring.hasRoom(this.#reserveBytes)) return true;
    this.#stall();
    return false;
  }

  #stall(): void {
    if (this.#stalled) return;
    this.#stalled = true;
    this.#ledger.countStall();
    for (const { socket } of this.#open.values()) socket.pause();
    const resumeAt = this.#ring.published - (this.#ring.capacityBytes - this.#resumeBytes);
    Atomics.store(this.#cursors, CURSOR_RESUME_AT, resumeAt | 0);
    Atomics.store(this.#cursors, FLAG_STALLED, 1);
    this.#archiveBell.ring();
    // The archive may have freed everything just before it could see the flag.
    if (this.#ring.capacityBytes - this.#ring.usedBytes() >= this.#resumeBytes) this.#resume();
  }

  #resume(): void {
    this.#stalled = false;
    Atomics.store(this.#cursors, FLAG_STALLED, 0);
    for (const { connection, keepTail } of this.#ending.splice(0)) this.#over(connection, keepTail);
    if (this.#stalled) return;
    for (const { socket, muted } of this.#open.values()) if (!muted) socket.resume();
  }

  /** The client has closed its side, or is gone. */
  #over(connection: Connection, keepTail: boolean): void {
    if (this.#open.get(connection.slot) !== connection || connection.closedAt !== Number.POSITIVE_INFINITY)
      return;
    if (this.#stalled || !this.#ring.hasRoom(this.#reserveBytes)) {
      if (this.#ending.every((ending) => ending.connection !== connection)) {
        this.#ending.push({ connection, keepTail });
      }
      this.#stall();
      return;
    }
    this.#ledger.setState(connection.slot, CONNECTION_CLOSING);
    connection.lines.end(keepTail);
    connection.closedAt = this.#ring.published;
    this.#open.delete(connection.slot);
    this.#closing.push(connection);
  }

  /** The fold has passed its close record: nothing refers to the slot any more, and all its mail is here. */
  #release(connection: Connection): void {
    this.#ledger.setState(connection.slot, CONNECTION_FREE);
    this.#freeSlots.push(connection.slot);
    connection.released = true;
    this.#endIfAnswered(connection);
  }

  #endIfAnswered(connection: Connection): void {
    if (!connection.released || connection.unanswered > 0) return;
    if (connection.outbox.pendingBytes === 0) connection.socket.end();
    else if (connection.superseded) connection.socket.destroy();
  }

  /** What was whole in the ring before the hello counts, and is answered for; all else is read and thrown away. */
  #supersede(connection: Connection): void {
    if (connection.superseded) return;
    connection.superseded = true;
    this.#endReading(connection);
  }

  #endReading(connection: Connection): void {
    const { shutdownRead } = this.#options;
    const fd = descriptorOf(connection.socket);
    if (shutdownRead === null || fd < 0) {
      // Without it the client may go on writing: what has come so far is in, and then the connection ends.
      setImmediate(() => connection.socket.destroy());
      return;
    }
    shutdownRead(fd);
    connection.muted = false;
    if (!this.#stalled) connection.socket.resume();
  }

  // Answers

  #takeMail(mail: Mail): void {
    const connection =
      this.#open.get(mail.connection) ?? this.#closing.find((one) => one.slot === mail.connection);
    if (connection === undefined || connection.generation !== mail.generation || connection.gone) return;
    if (mail.kind === MAIL_SUPERSEDED) {
      this.#supersede(connection);
      return;
    }
    if (mail.kind === MAIL_ERROR) {
      this.#send(connection, `${JSON.stringify({ type: 'error', reason: mail.text })}\n`);
      return;
    }
    connection.unanswered++;
    const text = mail.kind === MAIL_WELCOME ? welcomeText(mail) : syncedText(mail);
    this.#answers.push({ connection, position: mail.position, text });
  }

  #answerDurable(): void {
    if (this.#answers.length === 0) return;
    const durable = positionOf(Atomics.load(this.#cursors, CURSOR_DURABLE), this.#ring.published);
    let answered = 0;
    for (const { connection, position, text } of this.#answers) {
      if (position > durable) break;
      answered++;
      connection.unanswered--;
      if (connection.gone) continue;
      this.#send(connection, text);
      this.#endIfAnswered(connection);
    }
    this.#answers.splice(0, answered);
  }

  #send(connection: Connection, text: string): void {
    connection.outbox.send(text);
    const { pendingBytes } = connection.outbox;
    if (pendingBytes === 0) return;
    this.#setUnread(connection);
    this.#unread.add(connection);
    this.#flushing ??= setInterval(() => this.#flush(), FLUSH_MS);
    if (pendingBytes < UNREAD_BYTES_MAX || connection.muted || connection.superseded || this.#draining) {
      return;
    }
    connection.muted = true;
    connection.socket.pause();
  }

  #flush(): void {
    for (const connection of this.#unread) {
      connection.outbox.flush();
      this.#setUnread(connection);
      if (connection.outbox.pendingBytes > UNREAD_BYTES_MAX / 2) continue;
      if (connection.muted) {
        connection.muted = false;
        if (!this.#stalled) connection.socket.resume();
      }
      if (connection.outbox.pendingBytes > 0) continue;
      this.#unread.delete(connection);
      this.#endIfAnswered(connection);
    }
    if (this.#unread.size > 0) return;
    clearInterval(this.#flushing ?? undefined);
    this.#flushing = null;
  }

  /** For the status. A slot that is released may be another connection's by now. */
  #setUnread({ slot, outbox, released }: Connection): void {
    if (!released) this.#ledger.setUnread(slot, outbox.pendingBytes);
  }
}

function syncedText({ textKind, text, seq, accepted, rejected }: Mail): string {
  const id = textKind === TEXT_NUMBER ? text : JSON.stringify(text);
  const number = seq === SEQ_NONE ? 'null' : seq;
  return `{"type":"synced","id":${id},"seq":${number},"accepted":${accepted},"rejected":${rejected}}\n`;
}

function welcomeText({ text, seq, known, gap }: Mail): string {
  return `${JSON.stringify({ type: 'welcome', client: text, seq, known, gap, protocol: PROTOCOL })}\n`;
}

function descriptorOf(socket: net.Socket): number {
  return (socket as unknown as { _handle?: Handle | null })._handle?.fd ?? -1;
}
