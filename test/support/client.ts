/** A client of the ingest socket: bytes go out as they are given, answers come back as objects. */

import net from 'node:net';

/** An answer of the daemon; which fields it has follows from its type. */
export interface Reply {
  readonly type: string;
  readonly id?: string | number;
  readonly seq?: number | null;
  readonly known?: boolean;
  readonly gap?: number;
  readonly accepted?: number;
  readonly rejected?: number;
  readonly reason?: string;
}

interface Waiter {
  readonly fits: (reply: Reply) => boolean;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

export class Client {
  readonly socket: net.Socket;
  /** Resolves when the connection is over. */
  readonly closed: Promise<void>;
  /** Answers that nobody has asked for yet. */
  readonly replies: Reply[] = [];
  readonly #waiters: Waiter[] = [];
  #carry = '';
  #syncs = 0;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: unknown) => this.#take(String(text)));
    socket.on('error', () => {}); // 'close' follows, and fails whoever waits
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        const error = new Error('the connection ended before the answer came');
        for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
        resolve();
      });
    });
  }

  static connect(path: string): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = net.connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Client(socket));
      });
    });
  }

  /** Resolves when the kernel has taken all of it. */
  write(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Lines that have no line end, or objects. */
  send(...lines: readonly (string | object)[]): Promise<void> {
    return this.write(
      lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''),
    );
  }

  /** Resolves with the answer, when all that was written before is durable. */
  async sync(id: string | number = `sync-${++this.#syncs}`): Promise<Reply> {
    const answered = this.reply((reply) => reply.type === 'synced' && reply.id === id);
    await Promise.all([this.send({ type: 'sync', id }), answered]);
    return answered;
  }

  /** The oldest answer that fits, or the next one that comes. */
  reply(fits: (reply: Reply) => boolean = () => true): Promise<Reply> {
    const at = this.replies.findIndex(fits);
    if (at >= 0) return Promise.resolve(this.replies.splice(at, 1)[0]!);
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) reject(new Error('the connection is over'));
      else this.#waiters.push({ fits, resolve, reject });
    });
  }

  /** Ends the writing side; answers still come. */
  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #take(text: string): void {
    const lines = (this.#carry + text).split('\n');
    this.#carry = lines.pop()!;
    for (const line of lines) {
      const reply = JSON.parse(line) as Reply;
      const at = this.#waiters.findIndex(({ fits }) => fits(reply));
      if (at >= 0) this.#waiters.splice(at, 1)[0]!.resolve(reply);
      else this.replies.push(reply);
    }
  }
}
