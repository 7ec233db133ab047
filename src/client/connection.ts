/**
 * One connection of a numbered client: hello first, lines behind its welcome, answers to sync in the order of the questions.
 * It ends once, with the reason; whatever it held is for the next one.
 */

import net from 'node:net';
import { Failure } from '../model/failure.js';
import { PROTOCOL } from '../model/protocol.js';
import { type Reply, ReplyReader } from './reply-reader.js';

/** Written and not yet taken by the kernel: enough to keep it busy. */
const UNSENT_BYTES_MAX = 256 * 1024;

export interface Welcome {
  /** the number of the line behind which the client goes on: what follows is line `seq + 1` */
  readonly seq: number;
  /** false where the daemon does not know the client: it is new, or forgotten, or its state directory is */
  readonly known: boolean;
  /** lines that the daemon does not have, and that the client cannot send again */
  readonly gap: number;
}

export interface Synced {
  readonly seq: number;
  /** of this connection */
  readonly accepted: number;
  readonly rejected: number;
}

export interface ConnectionOwner {
  welcomed(welcome: Welcome): void;
  synced(synced: Synced): void;
  /** There is room again after `isFull`. */
  drained(): void;
  lost(reason: Error): void;
}

export interface Hello {
  readonly client: string;
  readonly first: number | undefined;
}

export class Connection {
  readonly #owner: ConnectionOwner;
  readonly #socket: net.Socket;
  readonly #client: string;
  /** The number of the last line written, for each sync without an answer. */
  readonly #asked: number[] = [];
  #answers = 0;
  #writtenNumber = 0;
  #askedNumber = 0;
  #isOpen = false;
  #reason: Error | undefined;

  constructor(path: string, hello: Hello, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#client = hello.client;
    const options = { path, writableHighWaterMark: UNSENT_BYTES_MAX };
    const socket = net.connect(options as net.NetConnectOpts);
    this.#socket = socket;
    // The program ends when it has nothing else to do: those who wait for the daemon keep it alive by a timer.
    socket.unref();
    socket.setEncoding('utf8');
    const replies = new ReplyReader((reply) => this.#take(reply));
    socket.on('data', (text: unknown) => {
      if (!replies.read(String(text))) this.#refuse('what listens there does not speak like a tallyd');
    });
    socket.on('drain', () => {
      if (this.#reason === undefined) owner.drained();
    });
    socket.on('error', (error) => this.end(error));
    socket.on('end', () => this.end(new Error('the daemon closed the connection')));
    socket.on('close', () => this.end(new Error('the connection was closed')));
    socket.write(`${JSON.stringify({ type: 'hello', client: hello.client, first: hello.first })}\n`);
  }

  /** The welcome is here, and the end is not. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The kernel takes no more for now; `drained` says when it does. */
  get isFull(): boolean {
    return this.#socket.writableNeedDrain;
  }

  get isAwaitingSync(): boolean {
    return this.#asked.length > 0;
  }

  /** The number of the last line written. */
  get writtenNumber(): number {
    return this.#writtenNumber;
  }

  /** The number of the last line that a sync was written behind, answered or not. */
  get askedNumber(): number {
    return this.#askedNumber;
  }

  /** Calls between this and `uncork` go out in one write. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  write(bytes: Buffer, lines: number): void {
    this.#socket.write(bytes);
    this.#writtenNumber += lines;
  }

  /** Asks the daemon to make durable what was written, and to say so. */
  sync(): void {
    const id = this.#answers + this.#asked.length;
    this.#asked.push(this.#writtenNumber);
    this.#askedNumber = this.#writtenNumber;
    this.#socket.write(`{"type":"sync","id":${id}}\n`);
  }

  /** The first reason counts; later ones are its consequences. */
  end(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#isOpen = false;
    this.#socket.destroy();
    this.#owner.lost(reason);
  }

  /** It is there, and not as this client expects it. */
  #refuse(text: string): void {
    this.end(new Failure('ERR_NO_DAEMON', text));
  }

  #take(reply: Reply): void {
    if (this.#reason !== undefined) return;
    if (reply.type === 'welcome') this.#takeWelcome(reply);
    else if (reply.type === 'synced') this.#takeSynced(reply);
    else if (reply.type === 'error') this.#refuse(`the daemon answers: ${String(reply.reason)}`);
  }

  #takeWelcome({ client, seq, known, gap, protocol }: Reply): void {
    if (protocol !== PROTOCOL) {
      this.#refuse(`the daemon speaks protocol ${String(protocol)}, this client ${PROTOCOL}`);
      return;
    }
    if (this.#isOpen || client !== this.#client || !isCount(seq) || !isCount(gap)) {
      this.#refuse('the daemon welcomes another client');
      return;
    }
    this.#isOpen = true;
    this.#writtenNumber = seq;
    this.#askedNumber = seq;
    this.#owner.welcomed({ seq, gap, known: known === true });
  }

  #takeSynced({ id, seq, accepted, rejected }: Reply): void {
    const number = this.#asked.shift();
    // Numbers that differ would lose lines, or count some twice: the next welcome says where the daemon is.
    if (number === undefined || id !== this.#answers || seq !== number) {
      this.#refuse(`the daemon counts ${String(seq)} lines where this client counts ${number}`);
      return;
    }
    this.#answers++;
    this.#owner.synced({ seq, accepted: Number(accepted), rejected: Number(rejected) });
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
