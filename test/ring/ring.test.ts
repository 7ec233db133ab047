/**
 * The ring against a naive model: a queue of records with copies of their payloads. The commands write, read and
 * free in random order; the model computes where a record must lie from nothing but positions.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  allocateRing,
  CURSOR_ARCHIVED,
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  KIND_CLOSE,
  KIND_LINES,
  KIND_TAIL,
  positionOf,
  RECORD_HEADER_BYTES,
  type RingMemory,
  recordBytesMax,
} from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';
import { RingWriter } from '../../src/ring/writer.js';
import { assertVisiting } from '../support/corners.js';

const CAPACITY_BYTES = 1024;
const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;

interface ModelRecord {
  readonly kind: number;
  readonly connection: number;
  readonly payload: Uint8Array;
  readonly lines: number;
  readonly arrivedUs: number;
  readonly accepted: number;
  readonly cuts: number;
  readonly client: number;
  readonly lineBytes: number;
  readonly position: number;
  readonly end: number;
}

interface Model {
  published: number;
  archived: number;
  unread: ModelRecord[];
  /** Ends of the records that are read, and not freed. */
  read: number[];
  written: number;
  readonly corners: Set<string>;
}

interface Real {
  readonly memory: RingMemory;
  readonly writer: RingWriter;
  readonly reader: RingReader;
  readonly cursors: Int32Array;
}

class Write implements fc.Command<Model, Real> {
  readonly payloadBytes: number;
  readonly phase: number;
  readonly shorterBy: number;
  readonly kind: number;

  constructor(payloadBytes: number, phase: number, shorterBy: number, kind: number) {
    this.payloadBytes = payloadBytes;
    this.phase = phase;
    this.shorterBy = Math.min(shorterBy, payloadBytes);
    this.kind = kind;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, { writer, memory }: Real): void {
    const size = Math.ceil((RECORD_HEADER_BYTES + this.phase + this.payloadBytes) / 8) * 8;
    const offset = model.published % CAPACITY_BYTES;
    const toEnd = CAPACITY_BYTES - offset;
    const pad = toEnd < size ? toEnd : 0;
    const free = CAPACITY_BYTES - (model.published - model.archived);
    const fits = pad + size <= free;
    const hasRoom = writer.hasRoom(this.payloadBytes);
    if (hasRoom) expect(fits, 'hasRoom promises what tryReserve must keep').toBe(true);
    const at = writer.tryReserve(this.payloadBytes, this.phase);
    if (!fits) {
      expect(at).toBe(-1);
      model.corners.add(pad > 0 ? 'full at the wrap' : 'full');
      return;
    }
    const start = pad > 0 ? 0 : offset;
    expect(at).toBe(start + RECORD_HEADER_BYTES + this.phase);
    expect(at % 8).toBe(this.phase);
    if (!hasRoom) model.corners.add('hasRoom refuses what would have fitted');
    if (pad > 0) model.corners.add(toEnd < RECORD_HEADER_BYTES ? 'pad shorter than a header' : 'pad');
    if (toEnd === size) model.corners.add('exact fit to the end');
    if (pad + size === free) model.corners.add('exactly full');
    if (this.shorterBy > 0) model.corners.add('shorter than reserved');
    const payloadBytes = this.payloadBytes - this.shorterBy;
    const n = model.written++;
    const payload = Uint8Array.from({ length: payloadBytes }, (_, i) => n * 31 + i * 7 + 1);
    memoryBytes(memory).set(payload, at);
    const arrivedUs = 1.7e15 + n;
    writer.publish(this.kind, n & 0xffff, at, payloadBytes, n * 3, arrivedUs, n * 5);
    const position = model.published;
    const end = position + pad + size;
    for (const border of [TWO_31, TWO_32, 3 * TWO_32]) {
      if (position < border && end >= border) model.corners.add(`past ${border}`);
    }
    model.published = end;
    expect(writer.published).toBe(end);
    model.unread.push({
      kind: this.kind,
      connection: n & 0xffff,
      payload,
      lines: n * 3,
      arrivedUs,
      accepted: 0,
      client: 0,
      cuts: 0,
      lineBytes: n * 5,
      position,
      end,
    });
  }

  toString(): string {
    return `write(${this.payloadBytes}, phase ${this.phase}, shorter by ${this.shorterBy})`;
  }
}

class Read implements fc.Command<Model, Real> {
  check(): boolean {
    return true;
  }

  run(model: Model, { reader }: Real): void {
    const next = model.unread.shift();
    expect(reader.hasNext()).toBe(next !== undefined);
    expect(reader.tryNext()).toBe(next !== undefined);
    if (next === undefined) {
      model.corners.add('nothing to read');
      return;
    }
    const { payload, position, end, ...rest } = next;
    expect({ position: reader.position, end: reader.end }).toEqual({ position, end });
    expect(reader.bytes.slice(reader.payloadFrom, reader.payloadFrom + reader.payloadBytes)).toEqual(payload);
    const { kind, connection, lines, arrivedUs, accepted, cuts, client, lineBytes } = reader;
    expect({ kind, connection, lines, arrivedUs, accepted, cuts, client, lineBytes }).toEqual(rest);
    reader.setOutcome(next.lines - 1, 2, 7, 2 ** 53 - 1);
    expect([reader.accepted, reader.cuts]).toEqual([next.lines - 1, 2]);
    expect([reader.client, reader.clientLine, reader.lineBytes]).toEqual([7, 2 ** 53 - 1, rest.lineBytes]);
    model.read.push(end);
    if (model.unread.length === 0) model.corners.add('read to the end');
  }

  toString(): string {
    return 'read';
  }
}

/** What the archive does: frees up to the end of a record that is read. */
class Free implements fc.Command<Model, Real> {
  readonly records: number;

  constructor(records: number) {
    this.records = records;
  }

  check(model: Readonly<Model>): boolean {
    return model.read.length > 0;
  }

  run(model: Model, { cursors, writer }: Real): void {
    const freed = model.read.splice(0, Math.min(this.records, model.read.length));
    model.archived = freed.at(-1)!;
    Atomics.store(cursors, CURSOR_ARCHIVED, model.archived | 0);
    expect(writer.usedBytes()).toBe(model.published - model.archived);
    if (model.published === model.archived) model.corners.add('empty again');
  }

  toString(): string {
    return `free(${this.records})`;
  }
}

function memoryBytes(memory: RingMemory): Uint8Array {
  return memory.data;
}

/** Payloads small and large, so that both many records and the largest possible ones come. */
const PAYLOAD_BYTES_MAX = recordBytesMax(CAPACITY_BYTES) - RECORD_HEADER_BYTES - 7;
const payloadBytes = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.integer({ min: 0, max: PAYLOAD_BYTES_MAX }),
  fc.integer({ min: PAYLOAD_BYTES_MAX - 16, max: PAYLOAD_BYTES_MAX }),
);
const shorterBy = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 60 }));
const commands = fc.commands(
  [
    fc
      .tuple(
        payloadBytes,
        fc.integer({ min: 0, max: 7 }),
        shorterBy,
        fc.constantFrom(KIND_LINES, KIND_TAIL, KIND_CLOSE),
      )
      .map((args) => new Write(...args)),
    fc.constant(new Read()),
    fc.integer({ min: 1, max: 4 }).map((records) => new Free(records)),
  ],
  { maxCommands: 150, size: 'max' },
);

const ORIGINS = [0, TWO_31 - 64, TWO_31 + 8, TWO_32 - 64, 3 * TWO_32 - 8];

describe('the ring', () => {
  test.each(ORIGINS)(
    'from position %d on is a queue of records, whatever is written, read and freed',
    (origin) => {
      const corners = new Set<string>();
      const property = fc.property(commands, (cmds) => {
        const memory = allocateRing(CAPACITY_BYTES, origin);
        const writer = new RingWriter(memory);
        const reader = new RingReader(memory, CURSOR_PUBLISHED, origin);
        const model: Model = {
          published: origin,
          archived: origin,
          unread: [],
          read: [],
          written: 0,
          corners,
        };
        fc.modelRun(
          () => ({ model, real: { memory, writer, reader, cursors: new Int32Array(memory.cursors) } }),
          cmds,
        );
      });
      const expected = [
        'full',
        'full at the wrap',
        'exactly full',
        'pad',
        'pad shorter than a header',
        'exact fit to the end',
        'hasRoom refuses what would have fitted',
        'shorter than reserved',
        'nothing to read',
        'read to the end',
        'empty again',
      ];
      const border = [TWO_31, TWO_32, 3 * TWO_32].find((at) => at > origin && at - origin < CAPACITY_BYTES);
      if (border !== undefined) expected.push(`past ${border}`);
      assertVisiting(corners, expected, property, { numRuns: 40 });
    },
  );

  test('takes the largest record anywhere once it is empty', () => {
    for (let filled = 0; filled < CAPACITY_BYTES; filled += 8) {
      const memory = allocateRing(CAPACITY_BYTES, TWO_32 - CAPACITY_BYTES + filled);
      const writer = new RingWriter(memory);
      expect(writer.tryReserve(PAYLOAD_BYTES_MAX, 7)).toBeGreaterThanOrEqual(0);
    }
  });

  test('does not take a record that is larger than half of it', () => {
    const writer = new RingWriter(allocateRing(CAPACITY_BYTES));
    expect(() => writer.tryReserve(PAYLOAD_BYTES_MAX + 8, 0)).toThrow(/larger than half the ring/);
  });

  test('lets a second reader follow the first, which has said its word on every record before', () => {
    const memory = allocateRing(CAPACITY_BYTES, TWO_32 - 64);
    const cursors = new Int32Array(memory.cursors);
    const writer = new RingWriter(memory);
    const fold = new RingReader(memory, CURSOR_PUBLISHED, memory.origin);
    const archive = new RingReader(memory, CURSOR_FOLDED, memory.origin);
    for (let i = 0; i < 100; i++) {
      const at = writer.tryReserve(100, 3);
      writer.publish(KIND_LINES, 1, at, 100, i, i);
      expect(fold.tryNext()).toBe(true);
      expect(archive.tryNext()).toBe(false);
      fold.setOutcome(i, i + 1, i % 3, TWO_32 + i);
      Atomics.store(cursors, CURSOR_FOLDED, fold.end | 0);
      expect(archive.tryNext()).toBe(true);
      expect([archive.accepted, archive.cuts, archive.position]).toEqual([i, i + 1, fold.position]);
      expect([archive.client, archive.clientLine]).toEqual([i % 3, TWO_32 + i]);
      Atomics.store(cursors, CURSOR_ARCHIVED, archive.end | 0);
    }
    expect(archive.end).toBeGreaterThan(TWO_32);
  });

  test('finds a position out of 32 bits of it and any position less than 2^31 away', () => {
    const position = fc.integer({ min: 0, max: 2 ** 50 });
    const away = fc.integer({ min: -TWO_31 + 1, max: TWO_31 - 1 });
    fc.assert(
      fc.property(position, away, (at, d) => {
        fc.pre(at + d >= 0);
        expect(positionOf(at | 0, at + d)).toBe(at);
      }),
    );
  });
});
