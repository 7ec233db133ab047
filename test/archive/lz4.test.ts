import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compressFrame, decompressFrame } from '../../src/archive/lz4.js';

const RAW = Buffer.from('{"type":"workflow.start","workflow":"w"}\n'.repeat(50));
const FRAME = compressFrame(RAW);

test('any bytes come back, also out of shared memory and in several blocks', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 5000 }), (bytes) => {
      const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
      shared.set(bytes);
      expect(decompressFrame(compressFrame(shared), bytes.length)).toEqual(Buffer.from(bytes));
    }),
  );
  const large = Buffer.alloc(9 * 1024 * 1024, 'abcdefgh');
  expect(decompressFrame(compressFrame(large), large.length).equals(large)).toBe(true);
});

test('a frame that is cut off anywhere is refused, also where only its end mark or checksum is missing', () => {
  for (let length = 0; length < FRAME.length; length++) {
    expect(() => decompressFrame(FRAME.subarray(0, length), RAW.length)).toThrow(/data frame/);
  }
});

test.each([
  ['a byte after its end', Buffer.concat([FRAME, Buffer.from([0])]), /header says/],
  ['a second frame after it', Buffer.concat([FRAME, FRAME]), /header says/],
  ['another magic', changed(0, 0x05), /magic/],
  ['another version', changed(4, 0xa4), /version 2/],
  ['a dictionary', changed(4, 0x65), /flags/],
  ['no content checksum', changed(4, 0x60), /checksum/],
  ['an unknown block size', changed(5, 0x30), /block size/],
  ['a wrong checksum', changed(FRAME.length - 1, FRAME.at(-1)! ^ 1), /decompress/],
])('a frame with %s is refused', (_, frame, reason) => {
  expect(() => decompressFrame(frame, RAW.length)).toThrow(reason);
});

test('a frame of another raw length than stated is refused', () => {
  expect(() => decompressFrame(FRAME, RAW.length + 1)).toThrow(/holds 2050 bytes, its header says 2051/);
});

test('a frame that would grow far above its stated length is refused before it is decompressed', () => {
  const bomb = compressFrame(Buffer.alloc(64 * 1024 * 1024));
  expect(() => decompressFrame(bomb, 1000)).toThrow(/has 16 blocks, which is not 1000 bytes/);
});

function changed(at: number, value: number): Buffer {
  const frame = Buffer.from(FRAME);
  frame[at] = value;
  return frame;
}
