/** The ring of cuts against lists of spans, record by record. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allocateCuts, CUT_SILENT, CutsReader, CutsWriter } from '../../src/ring/cuts.js';
import { assertVisiting } from '../support/corners.js';

const ENTRIES = 16;

interface Span {
  from: number;
  length: number;
  reason: number;
  lines: number;
}

/** A record: lines of a length and a reason, or kept (null). */
const record = fc.array(
  fc.record({ length: fc.integer({ min: 1, max: 300 }), reason: fc.constantFrom(null, CUT_SILENT, 0, 1, 8) }),
  { maxLength: ENTRIES },
);

function spansOf(lines: readonly { length: number; reason: number | null }[]): Span[] {
  const spans: Span[] = [];
  let from = 0;
  let before: number | null = null;
  for (const { length, reason } of lines) {
    if (reason !== null) {
      const last = spans.at(-1);
      if (before === reason && last !== undefined) {
        last.length += length;
        last.lines += 1;
      } else {
        spans.push({ from, length, reason, lines: 1 });
      }
    }
    before = reason;
    from += length;
  }
  return spans;
}

test.each([0, 2 ** 31 - 5, 2 ** 32 - 5, 2 ** 40 + 3])(
  'from entry %d on, cuts come out as they went in: neighbours of one reason joined, others apart',
  (start) => {
    const corners = new Set<string>();
    assertVisiting(
      corners,
      ['full', 'joined', 'wrapped'],
      fc.property(
        fc.array(record, { maxLength: 40 }),
        fc.array(fc.boolean(), { minLength: 40 }),
        (records, frees) => {
          const memory = allocateCuts(ENTRIES);
          new Int32Array(memory.done)[0] = start | 0;
          const writer = new CutsWriter(memory, start);
          const reader = new CutsReader(memory, start);
          let held = 0;
          records.forEach((lines, n) => {
            const spans = spansOf(lines);
            // What the fold waits for: that the archive frees what it has read.
            if (held + spans.length > ENTRIES) {
              corners.add('full');
              reader.free(reader.read);
              held = 0;
            }
            writer.beginRecord();
            let from = 0;
            for (const { length, reason } of lines) {
              if (reason !== null) {
                expect(writer.hasRoom()).toBe(held + writer.count < ENTRIES);
                // A cut that joins the one before it needs no entry, and none is there to ask for.
                if (writer.hasRoom() || writer.count === spans.length) writer.cut(from, length, reason);
              }
              from += length;
            }
            expect(writer.count).toBe(spans.length);
            if (spans.some(({ lines: joined }) => joined > 1)) corners.add('joined');
            const first = writer.written - writer.count;
            if (first % ENTRIES > writer.written % ENTRIES && writer.written % ENTRIES > 0)
              corners.add('wrapped');
            for (const span of spans) {
              reader.next();
              const { from: at, length, reason } = reader;
              expect({ from: at, length, reason }).toEqual({
                from: span.from,
                length: span.length,
                reason: span.reason,
              });
            }
            expect(reader.read).toBe(writer.written);
            held += spans.length;
            if (frees[n]) {
              reader.free(reader.read);
              held = 0;
            }
          });
        },
      ),
      { numRuns: 100 },
    );
  },
);

test('the first cut of a record never joins the last one of the record before it', () => {
  const memory = allocateCuts(ENTRIES);
  const writer = new CutsWriter(memory, 0);
  writer.beginRecord();
  writer.cut(0, 10, 1);
  writer.beginRecord();
  writer.cut(10, 10, 1);
  expect(writer.written).toBe(2);
  expect(writer.count).toBe(1);
});

test('a writer that takes over writes the entries of the record in work again', () => {
  const memory = allocateCuts(ENTRIES);
  const first = new CutsWriter(memory, 0);
  first.beginRecord();
  first.cut(0, 5, 0);
  const committed = first.written;
  first.beginRecord();
  first.cut(7, 3, 1);
  const second = new CutsWriter(memory, committed);
  second.beginRecord();
  second.cut(7, 4, 2);
  expect([second.written, second.count]).toEqual([2, 1]);
  const reader = new CutsReader(memory, committed);
  reader.next();
  expect([reader.from, reader.length, reader.reason]).toEqual([7, 4, 2]);
});
