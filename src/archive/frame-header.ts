/**
 * The header of a frame: an LZ4 skippable frame before each data frame, with what cannot be recomputed from the lines.
 * All numbers are little-endian; u64 values stay below 2^53.
 *
 *   byte  0 ┌──────────────────┬──────────────────┐
 *           │ u32 0x184D2A54   │ u32 bytes after  │  LZ4 skippable frame: all that follows up to the data frame
 *         8 ├──────────────────┴──────────────────┤
 *           │ "tallyd" FF 00 00 00 00 00          │  own magic
 *        20 ├─────────┬─────────┬─────────────────┤
 *           │ u16     │ u16 head│ u32 head crc    │  format 1; bytes of the head (80); crc32 of the head but these 4
 *           │ format  │ bytes   │                 │  ── up to here the same in every format ──
 *        28 ├─────────┴─────────┼─────────────────┤
 *           │ u32 sections crc  │ u32 data bytes  │  of the data frame that follows; 0: none
 *        36 ├───────────────────┼─────────────────┤
 *           │ u32 data crc      │ u32 raw bytes   │  crc32 of the data frame as it lies on disk
 *        44 ├───────────────────┼─────────────────┘
 *           │ u32 line count    │  accepted lines in the data frame
 *        48 ├───────────────────┴─────────────────┐
 *           │ u64 number of the first line        │  of the line to come where there is none
 *        56 │ u64 raw bytes of all lines before   │  since line 1: sizes of the log without a walk
 *        64 │ u64 first arrival, µs               │  since the epoch
 *        72 │ u64 last arrival, µs                │
 *        80 ├─────────┬─────────┬─────────────────┤
 *           │ u16 tag │ u16 0   │ u32 bytes │ …   │  sections: 1 records, 2 clients, 3 ticks; each at most once,
 *           └─────────┴─────────┴─────────────────┘  an empty one is left out
 *
 * The head has a crc of its own, so that a length is believed only when it is right, and a walk or a search needs
 * 80 bytes of each frame. 0x54 of the sixteen skippable magics: it reads "T", and neither pzstd (50) nor the
 * seekable format of zstd (5E) uses it.
 *
 * The own magic stands nowhere but in a header, whatever a client sends: FF is in no UTF-8 text, so in no line and no
 * client id, and of the bytes between the literals of an LZ4 block at most four in a row are zero where the text has no NUL
 * (the high byte of an offset, a length, a token, the low byte of an offset). So a search for it finds no planted header.
 */

import assert from 'node:assert';
import { crc32 } from 'node:zlib';
import { flawOfRecords } from './frame-records.js';
import { LZ4_EXPANSION_MAX } from './lz4.js';
import { readU64, writeU64 } from './u64.js';

export const ARCHIVE_FORMAT = 1;
const SKIPPABLE_MAGIC = 0x184d2a54;
export const OWN_MAGIC = Buffer.from('tallyd\xff\0\0\0\0\0', 'latin1');
export const OWN_MAGIC_OFFSET = 8;
export const HEAD_BYTES = 80;
/** What every format has, and what tells how long its head is. */
const COMMON_HEAD_BYTES = 28;

const AT_BYTES_AFTER = 4;
const AT_FORMAT = 20;
const AT_HEAD_BYTES = 22;
const AT_HEAD_CRC = 24;
const AT_SECTIONS_CRC = 28;
const AT_DATA_BYTES = 32;
const AT_DATA_CRC = 36;
const AT_RAW_BYTES = 40;
const AT_LINE_COUNT = 44;
const AT_FIRST_LINE = 48;
const AT_RAW_BYTES_BEFORE = 56;
const AT_FIRST_ARRIVAL = 64;
const AT_LAST_ARRIVAL = 72;

const SECTION_HEAD_BYTES = 8;
const TAG_RECORDS = 1;
const TAG_CLIENTS = 2;
const TAG_TICKS = 3;
const TWO_32 = 2 ** 32;

/** What a frame says of its lines. */
export interface FrameFacts {
  /** The number of its first accepted line, or of the line to come where it has none. From 1. */
  readonly firstLine: number;
  readonly lineCount: number;
  /** Of its lines with their line ends. */
  readonly rawBytes: number;
  /** Raw bytes of all accepted lines before it, since line 1. */
  readonly rawBytesBefore: number;
  /** µs since the epoch, of its first and last record; without records both are the last arrival before it. */
  readonly firstArrivalUs: number;
  readonly lastArrivalUs: number;
}

/** The sections as bytes; empty where absent. See frame-records.ts, frame-clients.ts, frame-ticks.ts. */
export interface FrameSections {
  readonly records: Uint8Array;
  readonly clients: Uint8Array;
  readonly ticks: Uint8Array;
}

export interface FrameHead extends FrameFacts {
  /** Skippable frame and all: the data frame starts this far after the header. */
  readonly headerBytes: number;
  readonly sectionsCrc: number;
  readonly dataBytes: number;
  readonly dataCrc: number;
}

export type DecodedHead =
  | { readonly kind: 'head'; readonly head: FrameHead }
  /** Whole, and of a format that this program does not know. */
  | { readonly kind: 'format'; readonly format: number }
  | { readonly kind: 'flaw'; readonly reason: string };

export type DecodedSections =
  | { readonly kind: 'sections'; readonly sections: FrameSections }
  | { readonly kind: 'unknown'; readonly tag: number; readonly flags: number }
  | { readonly kind: 'flaw'; readonly reason: string };

const NO_BYTES = new Uint8Array(0);

/** @param data the data frame as it will lie on disk after the header; null where the frame has no lines */
export function encodeFrameHeader(
  facts: FrameFacts,
  sections: Partial<FrameSections>,
  data: Uint8Array | null,
): Buffer {
  assert((data === null) === (facts.lineCount === 0));
  // What would not be read back must not be written.
  const flaw = flawOfFacts(facts, data?.length ?? 0) ?? flawOfRecords(facts, sections.records ?? NO_BYTES);
  assert(flaw === null, flaw ?? '');
  const parts: [number, Uint8Array][] = [
    [TAG_RECORDS, sections.records ?? NO_BYTES],
    [TAG_CLIENTS, sections.clients ?? NO_BYTES],
    [TAG_TICKS, sections.ticks ?? NO_BYTES],
  ];
  let bytes = HEAD_BYTES;
  for (const [, part] of parts) if (part.length > 0) bytes += SECTION_HEAD_BYTES + part.length;
  const header = Buffer.allocUnsafe(bytes);
  let at = HEAD_BYTES;
  for (const [tag, part] of parts) {
    if (part.length === 0) continue;
    header.writeUInt16LE(tag, at);
    header.writeUInt16LE(0, at + 2);
    header.writeUInt32LE(part.length, at + 4);
    header.set(part, at + SECTION_HEAD_BYTES);
    at += SECTION_HEAD_BYTES + part.length;
  }
  header.writeUInt32LE(SKIPPABLE_MAGIC, 0);
  header.writeUInt32LE(bytes - 8, AT_BYTES_AFTER);
  header.set(OWN_MAGIC, OWN_MAGIC_OFFSET);
  header.writeUInt16LE(ARCHIVE_FORMAT, AT_FORMAT);
  header.writeUInt16LE(HEAD_BYTES, AT_HEAD_BYTES);
  header.writeUInt32LE(crc32(header.subarray(HEAD_BYTES)), AT_SECTIONS_CRC);
  header.writeUInt32LE(data?.length ?? 0, AT_DATA_BYTES);
  header.writeUInt32LE(data === null ? 0 : crc32(data), AT_DATA_CRC);
  header.writeUInt32LE(facts.rawBytes, AT_RAW_BYTES);
  header.writeUInt32LE(facts.lineCount, AT_LINE_COUNT);
  writeU64(header, AT_FIRST_LINE, facts.firstLine);
  writeU64(header, AT_RAW_BYTES_BEFORE, facts.rawBytesBefore);
  writeU64(header, AT_FIRST_ARRIVAL, facts.firstArrivalUs);
  writeU64(header, AT_LAST_ARRIVAL, facts.lastArrivalUs);
  header.writeUInt32LE(crcOfHead(header, HEAD_BYTES), AT_HEAD_CRC);
  return header;
}

/** The length of the head that starts these bytes, in any format; null where they start no head. Nothing is checked yet. */
export function statedHeadBytes(bytes: Buffer): number | null {
  if (bytes.length < COMMON_HEAD_BYTES) return null;
  if (bytes.readUInt32LE(0) !== SKIPPABLE_MAGIC) return null;
  if (OWN_MAGIC.compare(bytes, OWN_MAGIC_OFFSET, OWN_MAGIC_OFFSET + OWN_MAGIC.length) !== 0) return null;
  return bytes.readUInt16LE(AT_HEAD_BYTES);
}

/** @param bytes from the start of the header: at least `statedHeadBytes` of them, or as many as there are */
export function decodeHead(bytes: Buffer): DecodedHead {
  const headBytes = statedHeadBytes(bytes);
  if (headBytes === null) return { kind: 'flaw', reason: 'no frame header' };
  if (headBytes < COMMON_HEAD_BYTES || headBytes > bytes.length) {
    return { kind: 'flaw', reason: `the frame header states a head of ${headBytes} bytes` };
  }
  if (crcOfHead(bytes, headBytes) !== bytes.readUInt32LE(AT_HEAD_CRC)) {
    return { kind: 'flaw', reason: 'the head of the frame header does not match its checksum' };
  }
  const format = bytes.readUInt16LE(AT_FORMAT);
  if (format !== ARCHIVE_FORMAT) return { kind: 'format', format };
  const headerBytes = bytes.readUInt32LE(AT_BYTES_AFTER) + 8;
  if (headBytes !== HEAD_BYTES || headerBytes < HEAD_BYTES) {
    return {
      kind: 'flaw',
      reason: `the frame header states ${headerBytes} bytes, ${headBytes} of them its head`,
    };
  }
  const head: FrameHead = {
    headerBytes,
    sectionsCrc: bytes.readUInt32LE(AT_SECTIONS_CRC),
    dataBytes: bytes.readUInt32LE(AT_DATA_BYTES),
    dataCrc: bytes.readUInt32LE(AT_DATA_CRC),
    rawBytes: bytes.readUInt32LE(AT_RAW_BYTES),
    lineCount: bytes.readUInt32LE(AT_LINE_COUNT),
    firstLine: readU64(bytes, AT_FIRST_LINE),
    rawBytesBefore: readU64(bytes, AT_RAW_BYTES_BEFORE),
    firstArrivalUs: readU64(bytes, AT_FIRST_ARRIVAL),
    lastArrivalUs: readU64(bytes, AT_LAST_ARRIVAL),
  };
  const flaw = flawOfFacts(head, head.dataBytes);
  return flaw === null ? { kind: 'head', head } : { kind: 'flaw', reason: flaw };
}

/**
 * Whether these bytes, fewer than a head, are how a header starts: then they are the rest of a write that was cut off.
 */
export function isStartOfHead(bytes: Buffer): boolean {
  const own = bytes.subarray(OWN_MAGIC_OFFSET, OWN_MAGIC_OFFSET + OWN_MAGIC.length);
  const magic = Buffer.allocUnsafe(4);
  magic.writeUInt32LE(SKIPPABLE_MAGIC);
  const start = bytes.subarray(0, 4);
  return start.equals(magic.subarray(0, start.length)) && own.equals(OWN_MAGIC.subarray(0, own.length));
}

/** @param bytes the header after its head, already checked against `sectionsCrc`. The sections are views of it. */
export function decodeSections(bytes: Buffer): DecodedSections {
  const found: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + SECTION_HEAD_BYTES > bytes.length) return { kind: 'flaw', reason: 'a section ends too early' };
    const tag = bytes.readUInt16LE(at);
    const flags = bytes.readUInt16LE(at + 2);
    const length = bytes.readUInt32LE(at + 4);
    at += SECTION_HEAD_BYTES;
    if (tag < TAG_RECORDS || tag > TAG_TICKS || flags !== 0) return { kind: 'unknown', tag, flags };
    if (length > bytes.length - at) return { kind: 'flaw', reason: `section ${tag} states ${length} bytes` };
    if (found[tag] !== undefined) return { kind: 'flaw', reason: `section ${tag} stands twice` };
    found[tag] = bytes.subarray(at, at + length);
    at += length;
  }
  return {
    kind: 'sections',
    sections: {
      records: found[TAG_RECORDS] ?? NO_BYTES,
      clients: found[TAG_CLIENTS] ?? NO_BYTES,
      ticks: found[TAG_TICKS] ?? NO_BYTES,
    },
  };
}

function flawOfFacts(facts: FrameFacts, dataBytes: number): string | null {
  const { firstLine, lineCount, rawBytes, rawBytesBefore, firstArrivalUs, lastArrivalUs } = facts;
  const whole =
    firstLine >= 1 &&
    Number.isSafeInteger(firstLine + lineCount) &&
    Number.isSafeInteger(rawBytesBefore + rawBytes) &&
    Number.isSafeInteger(firstArrivalUs) &&
    Number.isSafeInteger(lastArrivalUs);
  if (!whole || lineCount >= TWO_32 || rawBytes >= TWO_32 || dataBytes >= TWO_32) {
    return 'the frame header states numbers out of range';
  }
  if (firstArrivalUs > lastArrivalUs) return 'the frame header states arrivals that go back';
  const isEmpty = lineCount === 0;
  if (isEmpty !== (rawBytes === 0) || isEmpty !== (dataBytes === 0) || lineCount > rawBytes) {
    return `the frame header states ${lineCount} lines in ${rawBytes} bytes, ${dataBytes} compressed`;
  }
  if (rawBytes > dataBytes * LZ4_EXPANSION_MAX) {
    return `the frame header states ${rawBytes} bytes out of ${dataBytes}, more than LZ4 can`;
  }
  return null;
}

function crcOfHead(bytes: Buffer, headBytes: number): number {
  return crc32(bytes.subarray(AT_HEAD_CRC + 4, headBytes), crc32(bytes.subarray(0, AT_HEAD_CRC)));
}
