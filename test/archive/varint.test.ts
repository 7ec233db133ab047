import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VARINT_BYTES_MAX, VarintCursor, varintBytes, writeVarint } from '../../src/archive/varint.js';

test('any whole number up to 2^53 − 1 reads back as it was written, in as many bytes as are said', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat()), (numbers) => {
      const bytes = new Uint8Array(numbers.length * VARINT_BYTES_MAX);
      let at = 0;
      for (const number of numbers) {
        const after = writeVarint(bytes, at, number);
        expect(after - at).toBe(varintBytes(number));
        at = after;
      }
      const cursor = new VarintCursor(bytes.subarray(0, at));
      expect(numbers.map(() => cursor.next())).toEqual(numbers);
      expect(cursor.isAtEnd).toBe(true);
      expect(cursor.flawed).toBe(false);
    }),
  );
});

test.each([
  [0, 1],
  [127, 1],
  [128, 2],
  [2 ** 31 - 1, 5],
  [2 ** 31, 5],
  [2 ** 32, 5],
  [2 ** 49 - 1, 7],
  [Number.MAX_SAFE_INTEGER, 8],
])('%d takes %d bytes and reads back', (number, bytes) => {
  const target = new Uint8Array(VARINT_BYTES_MAX);
  expect(writeVarint(target, 0, number)).toBe(bytes);
  expect(new VarintCursor(target).next()).toBe(number);
});

test.each([
  ['that is cut off', [0x80]],
  ['of nine bytes', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
  ['above 2^53 − 1', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
  ['with a last byte that says nothing', [0x81, 0x00]],
])('a number %s is flawed', (_, bytes) => {
  const cursor = new VarintCursor(Uint8Array.from(bytes));
  expect(cursor.next()).toBe(0);
  expect(cursor.flawed).toBe(true);
});
