/** The ingest socket in process: what clients write, in any pieces, becomes whole lines in the ring, by both ways of reading. */

import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { IngestServer } from '../../src/ingest/server.js';
import { allocateBell } from '../../src/ring/bell.js';
import {
  allocateRing,
  CURSOR_ARCHIVED,
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  KIND_CLOSE,
  KIND_LINES,
  KIND_TAIL,
  KIND_TOO_LONG,
} from '../../src/ring/layout.js';
import { allocateLedger, Ledger } from '../../src/ring/ledger.js';
import { allocateMailbox } from '../../src/ring/mailbox.js';
import { RingReader } from '../../src/ring/reader.js';

const MAX_LINE_BYTES = 4096;

interface Taken {
  readonly kind: number;
  readonly connection: number;
  readonly text: string;
  readonly lines: number;
}

/** A server whose records are taken at once, in place of fold and archive. */
class Ingest {
  readonly path: string;
  readonly ledger: Ledger;
  readonly taken: Taken[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'tallyd-ingest-'));
  readonly #server: IngestServer;
  readonly #reader: RingReader;
  readonly #taking: NodeJS.Timeout;

  private constructor(useOnread: boolean, takeEveryMs: number) {
    this.path = join(this.#directory, 'i.sock');
    const ring = allocateRing(1024 * 1024);
    const ledgerMemory = allocateLedger(64);
    this.ledger = new Ledger(ledgerMemory);
    const memory = {
      ring,
      mailbox: allocateMailbox(64 * 1024),
      foldBell: allocateBell(),
      archiveBell: allocateBell(),
    };
    this.#server = new IngestServer(memory, this.ledger, {
      maxLineBytes: MAX_LINE_BYTES,
      maxConnections: 32,
      now: () => 1,
      shutdownRead: null,
      peerOf: () => null,
      admits: () => true,
      onRefused: () => {},
      useOnread,
    });
    this.#reader = new RingReader(ring, CURSOR_PUBLISHED, 0);
    this.#taking = setInterval(() => this.#take(), takeEveryMs);
  }

  static async start(useOnread: boolean, takeEveryMs = 1): Promise<Ingest> {
    const ingest = new Ingest(useOnread, takeEveryMs);
    await ingest.#server.listen({ path: ingest.path });
    return ingest;
  }

  #take(): void {
    const reader = this.#reader;
    while (reader.tryNext()) {
      const { kind, connection, payloadFrom, payloadBytes, lines } = reader;
      const text = Buffer.from(reader.bytes.slice(payloadFrom, payloadFrom + payloadBytes)).toString(
        'latin1',
      );
      this.taken.push({ kind, connection, text, lines });
      Atomics.store(reader.cursors, CURSOR_FOLDED, reader.end | 0);
      Atomics.store(reader.cursors, CURSOR_ARCHIVED, reader.end | 0);
    }
    this.#server.wake();
  }

  async until(condition: () => boolean): Promise<void> {
    const endMs = performance.now() + 10_000;
    while (!condition()) {
      if (performance.now() > endMs)
        throw new Error(`never so; taken: ${JSON.stringify(this.taken).slice(0, 500)}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  closes(): number {
    return this.taken.filter(({ kind }) => kind === KIND_CLOSE).length;
  }

  text(kinds = [KIND_LINES, KIND_TAIL]): string {
    return this.taken
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ text }) => text)
      .join('');
  }

  async stop(): Promise<void> {
    await this.#server.drain(() => {});
    this.#server.close();
    clearInterval(this.#taking);
    rmSync(this.#directory, { recursive: true });
  }
}

let ingest: Ingest;
afterEach(() => ingest.stop());

/** Writes the pieces one after the other, each seen by the server before the next, and ends. */
async function write(path: string, pieces: readonly (string | Buffer)[]): Promise<void> {
  const socket = net.connect(path);
  await new Promise((resolve) => socket.once('connect', resolve));
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, resolve));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  socket.end();
}

describe.each([
  ['the shared scratch', true],
  ["'data'", false],
])('read by %s', (_, useOnread) => {
  test('lines cut anywhere between two writes arrive whole, and are counted once', async () => {
    ingest = await Ingest.start(useOnread);
    await write(ingest.path, ['{"a":1}\n{"b', '":2}\n', '{"c":', '3', '}', '\n{"d":4}\n']);
    await ingest.until(() => ingest.closes() === 1);
    expect(ingest.text()).toBe('{"a":1}\n{"b":2}\n{"c":3}\n{"d":4}\n');
    expect(ingest.taken.reduce((sum, { lines }) => sum + lines, 0)).toBe(4);
    expect(ingest.ledger.totals()).toMatchObject({ lines: 4, bytes: 32 });
  });

  test('a last line without its end is a record of its own, which says so', async () => {
    ingest = await Ingest.start(useOnread);
    await write(ingest.path, ['{"a":1}\n{"b":2}']);
    await ingest.until(() => ingest.closes() === 1);
    expect(ingest.taken.map(({ kind, text }) => [kind, text])).toEqual([
      [KIND_LINES, '{"a":1}\n'],
      [KIND_TAIL, '{"b":2}\n'],
      [KIND_CLOSE, ''],
    ]);
  });

  test('a line over the limit is one record with its beginning, however it was cut, and its neighbours stay', async () => {
    ingest = await Ingest.start(useOnread);
    const long = 'x'.repeat(MAX_LINE_BYTES + 1);
    await write(ingest.path, [
      `before\n${long.slice(0, 3000)}`,
      long.slice(3000),
      'y'.repeat(9000),
      '\nafter\n',
    ]);
    await ingest.until(() => ingest.closes() === 1);
    expect(ingest.text()).toBe('before\nafter\n');
    const tooLong = ingest.taken.filter(({ kind }) => kind === KIND_TOO_LONG);
    expect(tooLong).toHaveLength(1);
    expect(tooLong[0]!.text).toMatch(/^x{1,1024}$/);
    expect(ingest.ledger.totals().lines).toBe(3);
  });

  test('a line of exactly the limit is a line, also when its end comes alone', async () => {
    ingest = await Ingest.start(useOnread);
    const line = 'z'.repeat(MAX_LINE_BYTES);
    await write(ingest.path, [line, '\n']);
    await ingest.until(() => ingest.closes() === 1);
    expect(ingest.text()).toBe(`${line}\n`);
  });

  test('many connections keep their lines apart and in order, through a ring that is full again and again', async () => {
    ingest = await Ingest.start(useOnread, 30);
    const linesEach = 3000;
    const line = (connection: number, n: number) => `${connection} ${n} ${'.'.repeat(100)}\n`;
    const clients = Array.from({ length: 12 }, (_, connection) => {
      const text = Array.from({ length: linesEach }, (_, n) => line(connection, n)).join('');
      return new Promise<void>((resolve) => net.connect(ingest.path).end(text, () => resolve()));
    });
    await Promise.all(clients);
    await ingest.until(() => ingest.closes() === 12);
    const next = new Map<string, number>();
    for (const [connection, n] of ingest
      .text()
      .trimEnd()
      .split('\n')
      .map((text) => text.split(' '))) {
      expect(Number(n)).toBe(next.get(connection!) ?? 0);
      next.set(connection!, Number(n) + 1);
    }
    expect([...next.values()]).toEqual(Array.from({ length: 12 }, () => linesEach));
    expect(ingest.ledger.totals().stalls).toBeGreaterThan(0);
  });
});
