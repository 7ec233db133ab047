/** The bytes of an index: its head, its directory and its blocks. README.md has the picture. */

import assert from 'node:assert';
import { crc32 } from 'node:zlib';
import type { GrowingIndex } from './growing-index.js';
import type { IndexedFrame } from './segment-index.js';
import { readU64, writeU64 } from './u64.js';
import { VARINT_BYTES_MAX, VarintCursor, writeVarint } from './varint.js';

const INDEX_FORMAT = 2;
const OWN_MAGIC = Buffer.from('tallyd\xffi', 'latin1');
export const INDEX_HEAD_BYTES = 64;
const AT_FORMAT = 8;
const AT_HEAD_BYTES = 10;
const AT_HEAD_CRC = 12;
const AT_SEGMENT = 16;
const AT_SEGMENT_BYTES = 24;
const AT_FILE_BYTES = 32;
const AT_FRAME_COUNT = 40;
const AT_KEY_BLOCKS = 44;
const AT_DIRECTORY_CRC = 48;
const AT_LEFT_OUT = 52;

export const FRAMES_A_BLOCK = 64;
/** A block ends with the entry that fills it. */
const KEY_BLOCK_BYTES = 4096;
export const FRAME_BLOCK_ENTRY = 40;
export const KEY_BLOCK_ENTRY = 16;

export interface IndexHead {
  /** The number in the name of the segment. */
  readonly segment: number;
  readonly segmentBytes: number;
  readonly fileBytes: number;
  readonly frameCount: number;
  readonly frameBlocks: number;
  readonly keyBlocks: number;
  readonly leftOut: number;
  readonly directoryBytes: number;
  readonly directoryCrc: number;
}

/** The whole file. */
export function encodeIndex(index: GrowingIndex): Buffer {
  const frameBlocks = encodeFrames(index);
  const keyBlocks = encodeKeys(index);
  const directory = Buffer.alloc(frameBlocks.length * FRAME_BLOCK_ENTRY + keyBlocks.length * KEY_BLOCK_ENTRY);
  let position = INDEX_HEAD_BYTES + directory.length;
  let at = 0;
  for (const { first, bytes } of frameBlocks) {
    writeU64(directory, at, position);
    writeU64(directory, at + 8, first.offset);
    writeU64(directory, at + 16, first.firstLine);
    writeU64(directory, at + 24, first.firstArrivalUs);
    directory.writeUInt32LE(crc32(bytes), at + 32);
    at += FRAME_BLOCK_ENTRY;
    position += bytes.length;
  }
  for (const { firstKey, bytes } of keyBlocks) {
    writeU64(directory, at, position);
    directory.writeUInt32LE(firstKey, at + 8);
    directory.writeUInt32LE(crc32(bytes), at + 12);
    at += KEY_BLOCK_ENTRY;
    position += bytes.length;
  }
  const head = Buffer.alloc(INDEX_HEAD_BYTES);
  head.set(OWN_MAGIC, 0);
  head.writeUInt16LE(INDEX_FORMAT, AT_FORMAT);
  head.writeUInt16LE(INDEX_HEAD_BYTES, AT_HEAD_BYTES);
  writeU64(head, AT_SEGMENT, index.segment);
  writeU64(head, AT_SEGMENT_BYTES, index.bytes);
  writeU64(head, AT_FILE_BYTES, position);
  head.writeUInt32LE(index.frameCount, AT_FRAME_COUNT);
  head.writeUInt32LE(keyBlocks.length, AT_KEY_BLOCKS);
  head.writeUInt32LE(crc32(directory), AT_DIRECTORY_CRC);
  head.writeUInt32LE(index.leftOut, AT_LEFT_OUT);
  head.writeUInt32LE(crcOfHead(head), AT_HEAD_CRC);
  return Buffer.concat([
    head,
    directory,
    ...frameBlocks.map(({ bytes }) => bytes),
    ...keyBlocks.map(({ bytes }) => bytes),
  ]);
}

/** @returns why it is none that can be used */
export function decodeIndexHead(head: Buffer): IndexHead | string {
  if (head.length < INDEX_HEAD_BYTES || !head.subarray(0, OWN_MAGIC.length).equals(OWN_MAGIC)) {
    return 'it has no head';
  }
  if (head.readUInt32LE(AT_HEAD_CRC) !== crcOfHead(head)) return 'its head does not match its checksum';
  const format = head.readUInt16LE(AT_FORMAT);
  if (format !== INDEX_FORMAT) return `it has format ${format}, not ${INDEX_FORMAT}`;
  const frameCount = head.readUInt32LE(AT_FRAME_COUNT);
  const frameBlocks = Math.ceil(frameCount / FRAMES_A_BLOCK);
  const keyBlocks = head.readUInt32LE(AT_KEY_BLOCKS);
  return {
    segment: readU64(head, AT_SEGMENT),
    segmentBytes: readU64(head, AT_SEGMENT_BYTES),
    fileBytes: readU64(head, AT_FILE_BYTES),
    frameCount,
    frameBlocks,
    keyBlocks,
    leftOut: head.readUInt32LE(AT_LEFT_OUT),
    directoryBytes: frameBlocks * FRAME_BLOCK_ENTRY + keyBlocks * KEY_BLOCK_ENTRY,
    directoryCrc: head.readUInt32LE(AT_DIRECTORY_CRC),
  };
}

function crcOfHead(head: Buffer): number {
  return crc32(head.subarray(AT_HEAD_CRC + 4), crc32(head.subarray(0, AT_HEAD_CRC)));
}

interface BlockStart {
  readonly offset: number;
  readonly firstLine: number;
  readonly firstArrivalUs: number;
}

function encodeFrames(index: GrowingIndex): { first: BlockStart; bytes: Uint8Array }[] {
  const blocks: { first: BlockStart; bytes: Uint8Array }[] = [];
  const buffer = new Uint8Array(FRAMES_A_BLOCK * 7 * VARINT_BYTES_MAX);
  for (let from = 0; from < index.frameCount; from += FRAMES_A_BLOCK) {
    const first = index.frame(from);
    let { offset, firstLine, firstArrivalUs: arrivalUs } = first;
    let at = 0;
    for (let i = from; i < Math.min(index.frameCount, from + FRAMES_A_BLOCK); i++) {
      const frame = index.frame(i);
      at = writeVarint(buffer, at, frame.offset - offset);
      at = writeVarint(buffer, at, frame.bytes);
      at = writeVarint(buffer, at, frame.firstLine - firstLine);
      at = writeVarint(buffer, at, frame.lineCount);
      at = writeVarint(buffer, at, frame.firstArrivalUs - arrivalUs);
      at = writeVarint(buffer, at, frame.lastArrivalUs - frame.firstArrivalUs);
      at = writeVarint(buffer, at, frame.kinds);
      offset = frame.offset + frame.bytes;
      firstLine = frame.firstLine + frame.lineCount;
      arrivalUs = frame.lastArrivalUs;
    }
    blocks.push({ first, bytes: buffer.slice(0, at) });
  }
  return blocks;
}

/** Only of bytes that match their checksum, so what is wrong in them is a bug. */
export function decodeFrames(bytes: Uint8Array, count: number, first: BlockStart): IndexedFrame[] {
  const varints = new VarintCursor(bytes);
  let { offset, firstLine, firstArrivalUs: arrivalUs } = first;
  const frames: IndexedFrame[] = [];
  for (let i = 0; i < count; i++) {
    offset += varints.next();
    const frameBytes = varints.next();
    firstLine += varints.next();
    const lineCount = varints.next();
    const firstArrivalUs = arrivalUs + varints.next();
    const lastArrivalUs = firstArrivalUs + varints.next();
    const kinds = varints.next();
    frames.push({ offset, bytes: frameBytes, firstLine, lineCount, firstArrivalUs, lastArrivalUs, kinds });
    offset += frameBytes;
    firstLine += lineCount;
    arrivalUs = lastArrivalUs;
  }
  assert(!varints.flawed && varints.isAtEnd);
  return frames;
}

function encodeKeys(index: GrowingIndex): { firstKey: number; bytes: Uint8Array }[] {
  const { keys, frames } = index.sortedPairs();
  const blocks: { firstKey: number; bytes: Uint8Array }[] = [];
  // A key may lead to every frame.
  const buffer = new Uint8Array(KEY_BLOCK_BYTES + (index.frameCount + 2) * VARINT_BYTES_MAX);
  let used = 0;
  let firstKey = 0;
  let before = 0;
  for (let from = 0; from < keys.length; ) {
    const key = keys[from]!;
    let to = from + 1;
    while (to < keys.length && keys[to] === key) to++;
    if (used === 0) {
      firstKey = key;
      before = key;
    }
    used = writeVarint(buffer, used, key - before);
    used = writeVarint(buffer, used, to - from);
    for (let i = from, frame = 0; i < to; i++) {
      used = writeVarint(buffer, used, frames[i]! - frame);
      frame = frames[i]!;
    }
    before = key;
    from = to;
    if (used < KEY_BLOCK_BYTES && from < keys.length) continue;
    blocks.push({ firstKey, bytes: buffer.slice(0, used) });
    used = 0;
  }
  return blocks;
}

export function framesOfKey(block: Uint8Array, firstKey: number, wanted: number): number[] {
  const varints = new VarintCursor(block);
  let key = firstKey;
  while (!varints.isAtEnd) {
    key += varints.next();
    const count = varints.next();
    if (key > wanted) break;
    if (key === wanted) {
      const frames: number[] = [];
      for (let i = 0, frame = 0; i < count; i++) {
        frame += varints.next();
        frames.push(frame);
      }
      assert(!varints.flawed);
      return frames;
    }
    for (let i = 0; i < count; i++) varints.next();
  }
  return [];
}
