/**
 * A section of a roll-up file: one hour. A skippable LZ4 frame with what a reader must know before it decompresses, and an LZ4 frame with the lines
 * (rollup-lines.ts), so that `lz4 -dc` prints these. Numbers are little-endian.
 *
 *   byte  0 ┌──────────────────┬──────────────────┐
 *           │ u32 0x184D2A54   │ u32 40           │  LZ4 skippable frame: bytes that follow up to the data frame
 *         8 ├──────────────────┴──────────────────┤
 *           │ "tallyd" FF "HOUR" 00               │  own magic
 *        20 ├──────────────────┬──────────────────┤
 *           │ u32 format: 1    │ u32 hour         │  since the epoch: Unix seconds / 3600
 *        28 ├──────────────────┼──────────────────┤
 *           │ u32 hour before  │ u32 raw bytes    │  the last hour before it with a roll-up, 0: none; bytes of the lines
 *        36 ├──────────────────┼──────────────────┤
 *           │ u32 data bytes   │ u32 data crc32   │  of the LZ4 frame that follows
 *        44 ├──────────────────┼──────────────────┘
 *           │ u32 head crc32   │  of the 44 bytes before it
 *        48 └──────────────────┘
 *
 * The own magic has a byte that is in no UTF-8 text. So where a head is damaged the next one is found by it.
 */

import { crc32 } from 'node:zlib';
import { compressFrame, decompressFrame } from '../archive/lz4.js';

const SKIPPABLE_MAGIC = 0x184d2a54;
const MAGIC = Buffer.from('tallyd\xffHOUR\0', 'latin1');
const FORMAT = 1;
const HEAD_BYTES = 48;
const AT_BYTES_AFTER = 4;
const AT_MAGIC = 8;
const AT_FORMAT = 20;
const AT_HOUR = 24;
const AT_BEFORE = 28;
const AT_RAW_BYTES = 32;
const AT_DATA_BYTES = 36;
const AT_DATA_CRC = 40;
const AT_HEAD_CRC = 44;

/** One hour, as it lies in a file. */
export interface Section {
  readonly hour: number;
  readonly before: number;
  readonly rawBytes: number;
  /** Head and data. */
  readonly bytes: Buffer;
}

export function encodeSection(hour: number, before: number, lines: string): Section {
  const raw = Buffer.from(lines);
  const data = compressFrame(raw);
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(SKIPPABLE_MAGIC, 0);
  head.writeUInt32LE(HEAD_BYTES - AT_MAGIC, AT_BYTES_AFTER);
  head.set(MAGIC, AT_MAGIC);
  head.writeUInt32LE(FORMAT, AT_FORMAT);
  head.writeUInt32LE(hour, AT_HOUR);
  head.writeUInt32LE(before, AT_BEFORE);
  head.writeUInt32LE(raw.length, AT_RAW_BYTES);
  head.writeUInt32LE(data.length, AT_DATA_BYTES);
  head.writeUInt32LE(crc32(data), AT_DATA_CRC);
  head.writeUInt32LE(crc32(head.subarray(0, AT_HEAD_CRC)), AT_HEAD_CRC);
  return { hour, before, rawBytes: raw.length, bytes: Buffer.concat([head, data]) };
}

/** The sections of a file that are whole, in its order. What is damaged between them is jumped over: its hours are missing. */
export function decodeSections(file: Buffer): Section[] {
  const sections: Section[] = [];
  for (let at = 0; at + HEAD_BYTES <= file.length; ) {
    const section = sectionAt(file, at);
    if (section !== null) sections.push(section);
    const next =
      section === null ? file.indexOf(MAGIC, at + AT_MAGIC + 1) - AT_MAGIC : at + section.bytes.length;
    if (next < at) break;
    at = next;
  }
  return sections;
}

/** @throws Failure ERR_DAMAGE where the checksum is that of something that no tallyd has written */
export function linesOfSection({ bytes, rawBytes }: Section): string {
  return decompressFrame(bytes.subarray(HEAD_BYTES), rawBytes).toString('utf8');
}

function sectionAt(file: Buffer, at: number): Section | null {
  const head = file.subarray(at, at + HEAD_BYTES);
  if (MAGIC.compare(head, AT_MAGIC, AT_MAGIC + MAGIC.length) !== 0) return null;
  if (crc32(head.subarray(0, AT_HEAD_CRC)) !== head.readUInt32LE(AT_HEAD_CRC)) return null;
  if (head.readUInt32LE(AT_FORMAT) !== FORMAT) return null;
  const bytes = file.subarray(at, at + HEAD_BYTES + head.readUInt32LE(AT_DATA_BYTES));
  if (crc32(bytes.subarray(HEAD_BYTES)) !== head.readUInt32LE(AT_DATA_CRC)) return null;
  return {
    hour: head.readUInt32LE(AT_HOUR),
    before: head.readUInt32LE(AT_BEFORE),
    rawBytes: head.readUInt32LE(AT_RAW_BYTES),
    bytes,
  };
}
