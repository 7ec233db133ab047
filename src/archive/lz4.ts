/**
 * LZ4 frames (frame format 1.6.4), through lz4-napi, which only this file imports. What comes from disk is checked
 * before it is decompressed: the package stops at the first of several frames, takes a frame whose end is
 * missing for whole, and allocates what the input asks for.
 *
 * Its buffers are native memory that is given back on a turn of the event loop only: Node runs the finalizer as an
 * immediate after the garbage collection. In a loop that never returns to the event loop, or blocks in `Atomics.wait`,
 * they stay for ever (8,000 frames of 512 KiB: 4.3 GB resident; with a turn every 32 MiB: 0.23 GB). So whoever
 * compresses or decompresses in a loop asks `nativeMemoryIsHeld` and awaits `freeNativeMemory`.
 */

import './native-memory.js';

import { setImmediate } from 'node:timers/promises';
import { compressFrameSync, decompressFrame as decompressElsewhere, decompressFrameSync } from 'lz4-napi';
import { Failure } from '../model/failure.js';

const FRAME_MAGIC = 0x184d2204;
const FLAG_DICTIONARY = 0x01;
const FLAG_RESERVED = 0x02;
const FLAG_CONTENT_CHECKSUM = 0x04;
const FLAG_CONTENT_SIZE = 0x08;
const FLAG_BLOCK_CHECKSUM = 0x10;
const BLOCK_IS_STORED = 0x80000000;
/** Magic 4, FLG 1, BD 1, HC 1, a block's size 4, the end mark 4, the content checksum 4. */
const FRAME_BYTES_MIN = 15;

/** A length byte stands for at most 255 bytes, so no LZ4 frame grows more than this. */
export const LZ4_EXPANSION_MAX = 255;

/** Small beside the ring, and large enough that the turns cost nothing. */
const HELD_BYTES_MAX = 8 * 1024 * 1024;
/** Handed out in this thread since its event loop last turned. */
let heldBytes = 0;

/** One frame with a content checksum. Takes views of shared memory. */
export function compressFrame(bytes: Uint8Array): Buffer {
  const frame = compressFrameSync(bytes as Buffer, { contentChecksum: true });
  heldBytes += frame.length;
  return frame;
}

/** Whether this thread should let its event loop turn before it goes on. */
export function nativeMemoryIsHeld(): boolean {
  return heldBytes > HELD_BYTES_MAX;
}

export async function freeNativeMemory(): Promise<void> {
  await setImmediate();
  heldBytes = 0;
}

/**
 * The content of exactly one frame, which must be `rawBytes` long. Allocates at most `rawBytes` and one block
 * (4 MiB) whatever the frame asks for.
 * @throws Failure ERR_DAMAGE
 */
export function decompressFrame(frame: Uint8Array, rawBytes: number): Buffer {
  checkFrame(frame, rawBytes);
  try {
    return checkRaw(decompressFrameSync(frame as Buffer), rawBytes);
  } catch (error) {
    throw failureOf(error);
  }
}

/** The same on a thread of libuv's pool. `frame` must stay as it is meanwhile. Rejects with a Failure ERR_DAMAGE. */
export async function decompressFrameElsewhere(frame: Uint8Array, rawBytes: number): Promise<Buffer> {
  checkFrame(frame, rawBytes);
  try {
    return checkRaw(await decompressElsewhere(frame), rawBytes);
  } catch (error) {
    throw failureOf(error);
  }
}

function checkFrame(frame: Uint8Array, rawBytes: number): void {
  const flaw = flawOfFrame(frame, rawBytes);
  if (flaw !== null) throw new Failure('ERR_DAMAGE', flaw);
}

function checkRaw(raw: Buffer, rawBytes: number): Buffer {
  heldBytes += raw.length;
  if (raw.length === rawBytes) return raw;
  throw new Failure('ERR_DAMAGE', `the data frame holds ${raw.length} bytes, its header says ${rawBytes}`);
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure('ERR_DAMAGE', `the data frame does not decompress: ${(error as Error).message}`, {
    cause: error,
  });
}

/**
 * Walks the blocks. All but the last must be full, as every frame that is written in one piece has them: so the
 * number of blocks bounds the raw length before anything is decompressed.
 */
function flawOfFrame(frame: Uint8Array, rawBytes: number): string | null {
  if (frame.length < FRAME_BYTES_MIN) return `the data frame ends after ${frame.length} bytes`;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== FRAME_MAGIC) return 'the data frame has no LZ4 magic number';
  const flags = frame[4]!;
  if (flags >>> 6 !== 1) return `the data frame says LZ4 frame version ${flags >>> 6}, not 1`;
  if ((flags & FLAG_RESERVED) !== 0 || (flags & FLAG_DICTIONARY) !== 0) {
    return `the data frame has flags that tallyd never sets: ${flags}`;
  }
  if ((flags & FLAG_CONTENT_CHECKSUM) === 0) return 'the data frame has no content checksum';
  const blockSizeId = frame[5]! >>> 4;
  if (blockSizeId < 4 || blockSizeId > 7) return `the data frame says block size number ${blockSizeId}`;
  const blockBytesMax = 1 << (8 + 2 * blockSizeId);
  let at = 7;
  if ((flags & FLAG_CONTENT_SIZE) !== 0) at += 8;
  const blockTailBytes = (flags & FLAG_BLOCK_CHECKSUM) !== 0 ? 4 : 0;
  let blockCount = 0;
  for (;;) {
    if (at + 4 > frame.length) return 'the data frame ends before its end mark';
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) break;
    const stored = size & ~BLOCK_IS_STORED;
    if (stored > blockBytesMax)
      return `the data frame has a block of ${stored} bytes, above ${blockBytesMax}`;
    at += stored + blockTailBytes;
    blockCount++;
  }
  if (at + 4 !== frame.length)
    return `the data frame ends at byte ${at + 4}, its header says ${frame.length}`;
  if (rawBytes > blockCount * blockBytesMax || rawBytes <= (blockCount - 1) * blockBytesMax) {
    return `the data frame has ${blockCount} blocks, which is not ${rawBytes} bytes`;
  }
  return null;
}
