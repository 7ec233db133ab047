/**
 * A checkpoint file: a head, a description, and the used bytes of the tables' memories in chunks. Numbers are little-endian.
 *
 *   byte  0 ┌─────────────────────────────────────┐
 *           │ "tallyd" FF "STATE"                 │  own magic
 *        12 ├──────────────────┬──────────────────┤
 *           │ u32 format: 1    │ u32 description  │  bytes of it
 *        20 ├──────────────────┼──────────────────┤
 *           │ u32 its crc32    │ u32 head crc32   │  of the 24 bytes before it ── so far the same in every format ──
 *        28 ├──────────────────┴──────────────────┤
 *           │ description, JSON                   │  `Description`
 *           ├─────────┬─────────┬─────────────────┤
 *           │ u32 raw │ u32 data│ u32 crc32       │  a chunk: bytes of the memory, bytes of the LZ4 frame that follows;
 *           ├─────────┴─────────┴─────────────────┤  the crc32 is over both numbers and the frame
 *           │ LZ4 frame                           │
 *           └─────────────────────────────────────┘  … and the next chunk, to the end of the file
 *
 * The memories follow each other in the order of the description, each cut into chunks of its own.
 */

import { crc32 } from 'node:zlib';
import { STATE_LAYOUT, STATE_VERSION, type StateLimits } from '../state/layout.js';

export const CHECKPOINT_FORMAT = 1;
export const MAGIC = Buffer.from('tallyd\xffSTATE', 'latin1');
export const CHECKPOINT_HEAD_BYTES = 28;
export const CHUNK_HEAD_BYTES = 12;
/** Large enough that a chunk costs nothing by itself, small enough to lie in a cache. */
export const CHUNK_RAW_BYTES = 1024 * 1024;
/** Some names and numbers: far below it. */
const DESCRIPTION_BYTES_MAX = 64 * 1024;

const AT_FORMAT = 12;
const AT_DESCRIPTION_BYTES = 16;
const AT_DESCRIPTION_CRC = 20;
const AT_HEAD_CRC = 24;

export interface CheckpointFile {
  readonly path: string;
  /** The number of the last line that is in it, as its name says. */
  readonly line: number;
}

export interface Description {
  /** The number of the last line that is folded into the state, and when it arrived (µs). */
  readonly line: number;
  readonly arrived_us: number;
  /** When the copy was taken, µs. */
  readonly copied_us: number;
  readonly state_version: number;
  readonly layout: Readonly<Record<string, number>>;
  readonly limits: StateLimits;
  readonly memories: readonly { readonly name: string; readonly bytes: number }[];
}

/** Head and description. */
export function encodeDescription(description: Omit<Description, 'state_version' | 'layout'>): Buffer {
  const { line, arrived_us, copied_us, limits, memories } = description;
  const whole: Description = {
    line,
    arrived_us,
    copied_us,
    state_version: STATE_VERSION,
    layout: STATE_LAYOUT,
    limits,
    memories,
  };
  const text = Buffer.from(JSON.stringify(whole));
  const head = Buffer.alloc(CHECKPOINT_HEAD_BYTES);
  head.set(MAGIC);
  head.writeUInt32LE(CHECKPOINT_FORMAT, AT_FORMAT);
  head.writeUInt32LE(text.length, AT_DESCRIPTION_BYTES);
  head.writeUInt32LE(crc32(text), AT_DESCRIPTION_CRC);
  head.writeUInt32LE(crc32(head.subarray(0, AT_HEAD_CRC)), AT_HEAD_CRC);
  return Buffer.concat([head, text]);
}

export type DecodedHead =
  | { readonly kind: 'head'; readonly descriptionBytes: number; readonly descriptionCrc: number }
  /** Whole, and of a format that this program does not know. */
  | { readonly kind: 'format'; readonly format: number }
  | { readonly kind: 'flaw'; readonly reason: string };

export function decodeCheckpointHead(bytes: Buffer): DecodedHead {
  if (bytes.length < CHECKPOINT_HEAD_BYTES) return { kind: 'flaw', reason: 'it ends within its head' };
  if (MAGIC.compare(bytes, 0, MAGIC.length) !== 0) {
    return { kind: 'flaw', reason: 'it does not begin as a checkpoint' };
  }
  if (crc32(bytes.subarray(0, AT_HEAD_CRC)) !== bytes.readUInt32LE(AT_HEAD_CRC)) {
    return { kind: 'flaw', reason: 'its head does not match its checksum' };
  }
  const format = bytes.readUInt32LE(AT_FORMAT);
  if (format !== CHECKPOINT_FORMAT) return { kind: 'format', format };
  const descriptionBytes = bytes.readUInt32LE(AT_DESCRIPTION_BYTES);
  if (descriptionBytes > DESCRIPTION_BYTES_MAX) {
    return { kind: 'flaw', reason: `its head states a description of ${descriptionBytes} bytes` };
  }
  return { kind: 'head', descriptionBytes, descriptionCrc: bytes.readUInt32LE(AT_DESCRIPTION_CRC) };
}

export function encodeChunkHead(rawBytes: number, data: Uint8Array): Buffer {
  const head = Buffer.allocUnsafe(CHUNK_HEAD_BYTES);
  head.writeUInt32LE(rawBytes, 0);
  head.writeUInt32LE(data.length, 4);
  head.writeUInt32LE(crcOfChunk(head, data), 8);
  return head;
}

/** @param head of a chunk; its first 8 bytes count */
export function crcOfChunk(head: Uint8Array, data: Uint8Array): number {
  return crc32(data, crc32(head.subarray(0, 8)));
}
