/**
 * The numbering side of the ingest socket in this process, written to be read: a log that is durable up to a point, and
 * clients by name. It dies as the real one does: what is not durable is gone, and the connections are too.
 */

import net from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createFolder } from './folder.js';

interface LoggedLine {
  readonly client: string | undefined;
  readonly text: string;
  /** Lines that nobody can send any more stand as one entry without a text. */
  readonly gap: number;
}

interface Peer {
  readonly socket: net.Socket;
  client: string | undefined;
  accepted: number;
  rejected: number;
  carry: Buffer;
}

export class FakeDaemon {
  readonly path: string;
  log: LoggedLine[] = [];
  /** Lines of the log that survive its end. */
  durable = 0;
  /** What `hello` and `sync` lines came, oldest first. */
  readonly questions: { readonly type: string; readonly client?: string; readonly first?: number }[] = [];
  /** The connection that reads so many bytes more is lost there. */
  bytesUntilCut = Number.POSITIVE_INFINITY;
  /** So many answers are made durable, and lost with their connection. */
  answersToLose = 0;
  /** Connections are accepted and not read from … */
  isDeaf = false;
  /** … or not any more once they are welcome. */
  isDeafAfterHello = false;
  /** Lines that hold this are refused, and numbered. */
  refused = '"bad"';
  /** Instead of the welcome; as it is. */
  answerToHello: string | undefined;
  /** Added to what is right in `synced`. */
  miscount = 0;
  readonly #peers = new Set<Peer>();
  #numbers = new Map<string, number>();
  #server: net.Server | undefined;

  constructor(path: string) {
    this.path = path;
  }

  linesOf(client: string): string[] {
    return this.log.filter((line) => line.client === client && line.gap === 0).map((line) => line.text);
  }

  get connections(): number {
    return this.#peers.size;
  }

  start(): Promise<void> {
    const server = net.createServer((socket) => this.#accept(socket));
    this.#server = server;
    return new Promise((resolve) => server.listen(this.path, resolve));
  }

  /** Nothing of what is not durable survives. */
  async die(): Promise<void> {
    this.log.length = this.durable;
    this.#recount();
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    this.loseConnections();
    await closed;
  }

  /** Another state directory, or an older one. */
  forget(lines = this.log.length): void {
    this.log.length -= lines;
    this.durable = this.log.length;
    this.#recount();
  }

  loseConnections(): void {
    for (const peer of this.#peers) this.#lose(peer);
  }

  readAgain(): void {
    this.isDeaf = false;
    for (const { socket } of this.#peers) socket.resume();
  }

  #recount(): void {
    this.#numbers = new Map();
    for (const { client, gap } of this.log) if (client !== undefined) this.#count(client, gap || 1);
  }

  #count(client: string, lines = 1): void {
    this.#numbers.set(client, (this.#numbers.get(client) ?? 0) + lines);
  }

  #accept(socket: net.Socket): void {
    const peer: Peer = { socket, client: undefined, accepted: 0, rejected: 0, carry: Buffer.alloc(0) };
    this.#peers.add(peer);
    socket.on('error', () => {});
    socket.on('close', () => this.#peers.delete(peer));
    socket.on('data', (part: Buffer) => this.#read(peer, part));
    if (this.isDeaf) socket.pause();
  }

  #read(peer: Peer, part: Buffer): void {
    const taken = part.subarray(0, Math.max(0, this.bytesUntilCut));
    this.bytesUntilCut -= taken.length;
    const bytes = Buffer.concat([peer.carry, taken]);
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0 && this.#peers.has(peer); end = bytes.indexOf(10, from)) {
      this.#takeLine(peer, bytes.toString('utf8', from, end));
      from = end + 1;
    }
    peer.carry = bytes.subarray(from);
    if (this.bytesUntilCut > 0) return;
    this.bytesUntilCut = Number.POSITIVE_INFINITY;
    this.#lose(peer);
  }

  #takeLine(peer: Peer, text: string): void {
    const line = parse(text);
    if (line?.type === 'hello' || line?.type === 'sync') {
      this.questions.push(line);
      const answer = line.type === 'hello' ? this.#welcome(peer, line) : this.#synced(peer, line);
      this.durable = this.log.length;
      if (this.answersToLose > 0) {
        this.answersToLose--;
        this.#lose(peer);
      } else {
        peer.socket.write(answer);
        if (this.isDeafAfterHello) peer.socket.pause();
      }
      return;
    }
    if (text.trim() === '') return;
    this.log.push({ client: peer.client, text, gap: 0 });
    if (peer.client !== undefined) this.#count(peer.client);
    if (text.includes(this.refused)) peer.rejected++;
    else peer.accepted++;
  }

  #welcome(peer: Peer, { client, first }: Question): string {
    if (this.answerToHello !== undefined) return this.answerToHello;
    for (const other of this.#peers) if (other.client === client) this.#lose(other);
    peer.client = client!;
    const known = this.#numbers.has(client!);
    const seq = this.#numbers.get(client!) ?? 0;
    const gap = Math.max(0, (first ?? 1) - 1 - seq);
    if (gap > 0) {
      this.log.push({ client, text: '', gap });
      this.#count(client!, gap);
    }
    return `${JSON.stringify({ type: 'welcome', client, seq: seq + gap, known, gap, protocol: 1 })}\n`;
  }

  #synced({ client, accepted, rejected }: Peer, { id }: Question): string {
    const seq = client === undefined ? null : (this.#numbers.get(client) ?? 0) + this.miscount;
    return `${JSON.stringify({ type: 'synced', id, seq, accepted, rejected })}\n`;
  }

  #lose(peer: Peer): void {
    this.#peers.delete(peer);
    peer.socket.destroy();
  }
}

interface Question {
  readonly type: 'hello' | 'sync';
  readonly id?: string | number;
  readonly client?: string;
  readonly first?: number;
}

function parse(text: string): Question | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One that listens, for one test. */
export async function fakeDaemon(): Promise<FakeDaemon> {
  const folder = createFolder();
  const daemon = new FakeDaemon(join(folder.path, 'ingest.sock'));
  onTestFinished(async () => {
    daemon.loseConnections();
    await daemon.die();
    folder.remove();
  });
  await daemon.start();
  return daemon;
}
