import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeClients, encodeClients, type FrameClient } from '../../src/archive/frame-clients.js';
import {
  decodeHead,
  decodeSections,
  encodeFrameHeader,
  type FrameFacts,
  HEAD_BYTES,
  isStartOfHead,
} from '../../src/archive/frame-header.js';
import { FrameRecords, flawOfRecords, RecordCursor } from '../../src/archive/frame-records.js';
import { decodeTicks, encodeTicks } from '../../src/archive/frame-ticks.js';
import { LogBuilder } from './log-fixture.js';

const ANY_FACTS = fc
  .record({
    firstLine: fc.integer({ min: 1, max: 2 ** 52 }),
    rawBytesBefore: fc.integer({ min: 0, max: 2 ** 52 }),
    startUs: fc.integer({ min: 0, max: 2 ** 52 }),
    records: fc.array(fc.tuple(fc.nat(100_000), fc.nat(10_000_000)), { maxLength: 2000 }),
  })
  .map(({ firstLine, rawBytesBefore, startUs, records }) => {
    const built = new FrameRecords();
    built.reset(startUs);
    const arrivals: [number, number][] = [];
    let arrivalUs = startUs;
    for (const [lineCount, stepUs] of records) {
      arrivalUs += stepUs;
      built.add(lineCount, arrivalUs);
      arrivals.push([lineCount, arrivalUs]);
    }
    const { lineCount, firstArrivalUs, lastArrivalUs } = built;
    const rawBytes = lineCount * 2;
    const facts: FrameFacts = {
      firstLine,
      lineCount,
      rawBytes,
      rawBytesBefore,
      firstArrivalUs,
      lastArrivalUs,
    };
    const data = lineCount === 0 ? null : new Uint8Array(Math.ceil(rawBytes / 100)).fill(7);
    return { facts, arrivals, records: built.bytes, data };
  });

test('facts and records read back as they were written', () => {
  fc.assert(
    fc.property(ANY_FACTS, ({ facts, arrivals, records, data }) => {
      const header = encodeFrameHeader(facts, { records }, data);
      const decoded = decodeHead(header);
      if (decoded.kind !== 'head') throw new Error(decoded.kind);
      const { head } = decoded;
      expect(head).toMatchObject(facts);
      expect(head.headerBytes).toBe(header.length);
      expect(head.dataBytes).toBe(data?.length ?? 0);
      expect(head.dataCrc).toBe(data === null ? 0 : crc32(data));
      expect(head.sectionsCrc).toBe(crc32(header.subarray(HEAD_BYTES)));
      const read = decodeSections(header.subarray(HEAD_BYTES));
      if (read.kind !== 'sections') throw new Error(read.kind);
      expect(flawOfRecords(head, read.sections.records)).toBeNull();
      const cursor = new RecordCursor(head, read.sections.records);
      const pairs: [number, number][] = [];
      while (cursor.next()) pairs.push([cursor.lineCount, cursor.arrivalUs]);
      expect(pairs).toEqual(arrivals);
    }),
  );
});

// The bytes were made by another program (Python's struct and zlib) from the picture in frame-header.ts.
test('a header is these bytes, and stays so', () => {
  const builder = new LogBuilder(4_294_967_297);
  builder.rawBytes = 2 ** 40;
  const clients = encodeClients(builder.arrivalUs + 1000, [
    { id: Buffer.from('c1'), lastLine: 300, arrivalUs: builder.arrivalUs + 500 },
  ]);
  const ticks = encodeTicks(builder.arrivalUs + 1000, [
    { lineOffset: 1, kind: 2, number: 300, arrivalUs: builder.arrivalUs + 999, payload: Buffer.from('xy') },
  ]);
  const { facts } = builder.frame(['{"type":"x"}']);
  const sections = { records: Uint8Array.from([1, 0]), clients, ticks };
  const header = encodeFrameHeader(facts, sections, Buffer.from('as it lies on disk'));
  expect(header.toString('hex').match(/.{1,16}/g)).toEqual([
    '542a4d1871000000', // LZ4 skippable frame, 113 bytes after this
    '74616c6c7964ff00', // "tallyd" FF and zeros
    '0000000001005000', // zeros, format 1, a head of 80 bytes
    '5563daa2f1497c8c', // crc of the head, crc of the sections
    '120000002bdec499', // 18 bytes of data, their crc
    '0d00000001000000', // 13 raw bytes, 1 line
    '0100000001000000', // line 2^32 + 1
    '0000000000010000', // 2^40 raw bytes before
    '2826c2ac3e270600', // first arrival
    '2826c2ac3e270600', // last arrival
    '0100000002000000', // section 1, 2 bytes
    '0100020000000700', // 1 line, 0 µs later; section 2, 7 bytes
    '0000026331ac02f4', // id of 2 bytes "c1", line 300, 500 µs before the last arrival
    '0303000000080000', // section 3, 8 bytes
    '000102ac02010278', // after 1 line, kind 2, number 300, 1 µs before the last arrival
    '79', // 2 bytes "xy"
  ]);
});

describe('a head', () => {
  const { header } = new LogBuilder().frame(['{"type":"x"}', '{"type":"y"}']);

  test('is refused with any bit of it flipped', () => {
    for (let bit = 0; bit < HEAD_BYTES * 8; bit++) {
      const flipped = Buffer.from(header);
      flipped[bit >>> 3]! ^= 1 << (bit & 7);
      expect(decodeHead(flipped).kind, `bit ${bit}`).toBe('flaw');
    }
  });

  test('is refused where it is cut off, and is known for the start of one', () => {
    for (let length = 0; length < HEAD_BYTES; length++) {
      expect(decodeHead(header.subarray(0, length)).kind).toBe('flaw');
      expect(isStartOfHead(header.subarray(0, length))).toBe(true);
    }
    expect(isStartOfHead(Buffer.from([0]))).toBe(false);
    expect(isStartOfHead(Buffer.concat([header.subarray(0, 8), Buffer.from('other')]))).toBe(false);
  });

  test.each([0, 2, 65535])('of format %d is told from damage', (format) => {
    const other = Buffer.from(header);
    other.writeUInt16LE(format, 20);
    sealHead(other, HEAD_BYTES);
    expect(decodeHead(other)).toEqual({ kind: 'format', format });
  });

  test('of a later format may be longer', () => {
    const other = Buffer.concat([header, Buffer.alloc(400)]);
    other.writeUInt16LE(2, 20);
    other.writeUInt16LE(400, 22);
    sealHead(other, 400);
    expect(decodeHead(other)).toEqual({ kind: 'format', format: 2 });
  });

  test.each([
    ['no lines and data', 44, 0],
    ['more lines than bytes', 44, 1000],
    ['more raw bytes than LZ4 can', 40, 0xffffffff],
    ['line 0', 48, 0],
    ['a line above 2^53', 52, 0x00200000],
    ['arrivals that go back', 64, 0xffffffff],
    ['a header shorter than its head', 4, 10],
  ])('that states %s is refused though its checksum is right', (_, at, value) => {
    const forged = Buffer.from(header);
    forged.writeUInt32LE(value, at);
    sealHead(forged, HEAD_BYTES);
    expect(decodeHead(forged).kind).toBe('flaw');
  });
});

describe('sections', () => {
  const section = (tag: number, flags: number, length: number, bytes: string) => {
    const head = Buffer.alloc(8);
    head.writeUInt16LE(tag, 0);
    head.writeUInt16LE(flags, 2);
    head.writeUInt32LE(length, 4);
    return Buffer.concat([head, Buffer.from(bytes)]);
  };

  test('of an unknown tag or with flags are told', () => {
    expect(decodeSections(section(4, 0, 2, 'ab'))).toEqual({ kind: 'unknown', tag: 4, flags: 0 });
    expect(decodeSections(section(0, 0, 2, 'ab'))).toEqual({ kind: 'unknown', tag: 0, flags: 0 });
    expect(decodeSections(section(1, 8, 2, 'ab'))).toEqual({ kind: 'unknown', tag: 1, flags: 8 });
  });

  test.each([
    ['longer than the header', section(1, 0, 0xffffffff, 'ab')],
    ['twice', Buffer.concat([section(1, 0, 2, 'ab'), section(1, 0, 2, 'ab')])],
    ['cut off', section(1, 0, 2, 'ab').subarray(0, 5)],
  ])('%s are refused', (_, bytes) => {
    expect(decodeSections(bytes).kind).toBe('flaw');
  });

  test('of records that count other lines, end at another time or are malformed are refused', () => {
    const { facts } = new LogBuilder().frame(['{"type":"x"}', '{"type":"y"}']);
    const at = (bytes: number[]) => flawOfRecords(facts, Uint8Array.from(bytes));
    expect(at([2, 0xe8, 7])).toBeNull();
    expect(at([1, 0xe8, 7])).toMatch(/counts 1 lines, the head 2/);
    expect(at([2, 1])).toMatch(/another arrival/);
    expect(at([2])).toMatch(/malformed/);
    expect(at([2, 0xff])).toMatch(/malformed/);
  });
});

const FACTS = new LogBuilder().frame(Array.from({ length: 100 }, () => '{}')).facts;

test('clients read back as they were written, and are refused where cut off', () => {
  const anyClient: fc.Arbitrary<FrameClient> = fc.record({
    id: fc.uint8Array({ minLength: 1, maxLength: 256 }).map((bytes) => Buffer.from(bytes)),
    lastLine: fc.maxSafeNat(),
    arrivalUs: fc.integer({ min: 0, max: FACTS.lastArrivalUs }),
  });
  fc.assert(
    fc.property(fc.array(anyClient, { minLength: 1 }), (clients) => {
      const section = encodeClients(FACTS.lastArrivalUs, clients);
      const read = decodeClients(FACTS, section);
      expect(read.map((client) => ({ ...client, id: Buffer.from(client.id) }))).toEqual(clients);
      expect(() => decodeClients(FACTS, section.subarray(0, -1))).toThrow(/malformed/);
    }),
  );
});

test('ticks read back as they were written, and are refused where cut off or out of order', () => {
  const anyTick = fc.record({
    lineOffset: fc.integer({ min: 0, max: FACTS.lineCount }),
    kind: fc.integer({ min: 0, max: 255 }),
    number: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    arrivalUs: fc.integer({ min: FACTS.lastArrivalUs - 1e9, max: FACTS.lastArrivalUs }),
    payload: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  });
  fc.assert(
    fc.property(fc.array(anyTick, { minLength: 1 }), (unordered) => {
      const ticks = unordered.sort((a, b) => a.lineOffset - b.lineOffset);
      const section = encodeTicks(FACTS.lastArrivalUs, ticks);
      const read = decodeTicks(FACTS, section);
      expect(read.map((tick) => ({ ...tick, payload: Buffer.from(tick.payload) }))).toEqual(ticks);
      expect(() => decodeTicks(FACTS, section.subarray(0, -1))).toThrow(/malformed/);
    }),
  );
  expect(() => decodeTicks(FACTS, Uint8Array.from([5, 1, 1, 0, 0, 4, 1, 2, 0, 0]))).toThrow(/malformed/);
  expect(() => decodeTicks(FACTS, Uint8Array.from([101, 1, 1, 0, 0]))).toThrow(/malformed/);
});

test('a header that could not be read back is never written', () => {
  const data = Buffer.alloc(20);
  expect(() => encodeFrameHeader(FACTS, {}, data)).toThrow(/counts 0 lines, the head 100/);
  expect(() => encodeFrameHeader({ ...FACTS, firstLine: 0 }, {}, data)).toThrow(/out of range/);
});

function sealHead(bytes: Buffer, headBytes: number): void {
  bytes.writeUInt32LE(crc32(bytes.subarray(28, headBytes), crc32(bytes.subarray(0, 24))), 24);
}
