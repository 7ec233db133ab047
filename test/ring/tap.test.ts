/**
 * The tap against a naive model of what is still in the ring. One thread plays all parts, so that every state in which the
 * tap can meet the writer is met: also the one in which a record is being written, and not published yet.
 */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  allocateRing,
  CURSOR_ARCHIVED,
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  KIND_LINES,
  positionOf,
  RECORD_HEADER_BYTES,
  type RingMemory,
} from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';
import { RingTap, TAP_EMPTY, TAP_LAPPED, TAP_SPARE_BYTES, TAP_TAKEN } from '../../src/ring/tap.js';
import { RingWriter } from '../../src/ring/writer.js';
import { assertVisiting } from '../support/corners.js';

const CAPACITY_BYTES = 4096;
const PAYLOAD_BYTES_MAX = 400;
const TWO_32 = 2 ** 32;

interface ModelRecord {
  readonly position: number;
  readonly end: number;
  readonly payload: Uint8Array;
  readonly accepted: number;
}

/** All the parts of the ring, moved by hand. */
class Stage {
  readonly memory: RingMemory;
  readonly writer: RingWriter;
  readonly fold: RingReader;
  readonly cursors: Int32Array;
  readonly records: ModelRecord[] = [];
  #reserved: { at: number; payload: Uint8Array } | null = null;

  constructor(origin: number) {
    this.memory = allocateRing(CAPACITY_BYTES, origin);
    this.writer = new RingWriter(this.memory);
    this.fold = new RingReader(this.memory, CURSOR_PUBLISHED, origin);
    this.cursors = new Int32Array(this.memory.cursors);
  }

  /** Writes a record, and leaves it unpublished. @returns whether there was room */
  tryReserve(payloadBytes: number, phase: number): boolean {
    this.#reserved = null;
    const at = this.writer.tryReserve(payloadBytes, phase);
    if (at < 0) return false;
    const n = this.records.length;
    const payload = Uint8Array.from({ length: payloadBytes }, (_, i) => n * 31 + i * 7 + 1);
    this.writer.bytes.set(payload, at);
    this.#reserved = { at, payload };
    return true;
  }

  publish(): void {
    if (this.#reserved === null) return;
    const { at, payload } = this.#reserved;
    const position = this.writer.published;
    this.writer.publish(KIND_LINES, 1, at, payload.length, 1, 0);
    this.records.push({ position, end: this.writer.published, payload, accepted: this.records.length + 1 });
    this.#reserved = null;
  }

  foldAll(): void {
    while (this.fold.tryNext()) {
      const record = this.records.find(({ end }) => end === this.fold.end)!;
      this.fold.setOutcome(record.accepted, 0, 0, 0);
    }
    Atomics.store(this.cursors, CURSOR_FOLDED, this.fold.end | 0);
  }

  archive(share: number): void {
    const ends = this.records.map(({ end }) => end).filter((end) => end <= this.fold.end);
    const to = ends[Math.floor(share * (ends.length - 1))];
    if (to !== undefined && to > this.archived) Atomics.store(this.cursors, CURSOR_ARCHIVED, to | 0);
  }

  get archived(): number {
    return positionOf(this.cursors[CURSOR_ARCHIVED]!, this.fold.end);
  }
}

type Step =
  | { readonly do: 'write'; readonly payloadBytes: number; readonly phase: number; readonly stages: number }
  | { readonly do: 'tap' | 'header' | 'seek' }
  | { readonly do: 'archive'; readonly share: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      payloadBytes: fc.nat(PAYLOAD_BYTES_MAX),
      phase: fc.nat(7),
      // 0: only reserved; 1: published, too; from 2 on: folded, too
      stages: fc.nat(6),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('archive' as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('tap' as const, 'header' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('seek' as const) }) },
);

test('what a tap takes is the next record, whole, or it says that it was lapped; and it never says so of what surely is there', () => {
  const corners = new Set<string>();
  assertVisiting(
    corners,
    ['empty', 'lapped', 'taken', 'taken behind a pad', 'taken past 2^32', 'taken though it is archived'],
    fc.property(
      fc.constantFrom(0, TWO_32 - 6000),
      fc.array(step, { minLength: 100, maxLength: 300 }),
      (origin, steps) => {
        const stage = new Stage(origin);
        const tap = new RingTap(stage.memory, PAYLOAD_BYTES_MAX);
        tap.seek(origin);
        for (const move of steps) {
          if (move.do === 'write') {
            stage.tryReserve(move.payloadBytes, move.phase);
            if (move.stages > 0) stage.publish();
            if (move.stages > 1) stage.foldAll();
          } else if (move.do === 'archive') stage.archive(move.share);
          else if (move.do === 'seek') tap.seek(stage.archived);
          else take(stage, tap, move.do === 'header', corners);
        }
      },
    ),
    { numRuns: 200 },
  );
});

function take(stage: Stage, tap: RingTap, headerOnly: boolean, corners: Set<string>): void {
  const position = tap.end;
  tap.look(stage.archived);
  const outcome = headerOnly ? tap.tryTakeHeader() : tap.tryTake();
  const record = stage.records.find((one) => one.position === position);
  if (outcome === TAP_EMPTY) {
    expect(position).toBeGreaterThanOrEqual(stage.fold.end);
    corners.add('empty');
  } else if (outcome === TAP_LAPPED) {
    expect(tap.end).toBe(position);
    // It may be a record too cautious, and not more.
    const worst = 2 * (RECORD_HEADER_BYTES + 16 + PAYLOAD_BYTES_MAX);
    expect(stage.archived).toBeGreaterThan(position);
    expect(stage.writer.published + worst).toBeGreaterThan(position + CAPACITY_BYTES);
    corners.add('lapped');
  } else {
    expect(tap).toMatchObject({ end: record!.end, kind: KIND_LINES, accepted: record!.accepted });
    if (!headerOnly) {
      const { bytes, payloadFrom, payloadBytes } = tap;
      expect(bytes.subarray(payloadFrom, payloadFrom + payloadBytes)).toEqual(record!.payload);
      expect(bytes.length).toBeGreaterThanOrEqual(payloadFrom + payloadBytes + TAP_SPARE_BYTES - 8);
    }
    corners.add('taken');
    if (stage.archived > position) corners.add('taken though it is archived');
    if (record!.end - record!.position > RECORD_HEADER_BYTES + 7 + record!.payload.length + 7) {
      corners.add('taken behind a pad');
    }
    if (record!.end > TWO_32) corners.add('taken past 2^32');
  }
}

test('a record larger than any before is taken whole', () => {
  const ring = allocateRing(1024 * 1024);
  const writer = new RingWriter(ring);
  const tap = new RingTap(ring, 300_000);
  const payload = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7);
  const at = writer.tryReserve(payload.length, 3);
  writer.bytes.set(payload, at);
  writer.publish(KIND_LINES, 1, at, payload.length, 1, 0);
  Atomics.store(new Int32Array(ring.cursors), CURSOR_FOLDED, writer.published | 0);
  tap.look(0);
  expect(tap.tryTake()).toBe(TAP_TAKEN);
  const taken = tap.bytes.subarray(tap.payloadFrom, tap.payloadFrom + tap.payloadBytes);
  expect(Buffer.compare(taken, payload)).toBe(0);
  expect(tap.tryTake()).toBe(TAP_EMPTY);
});
