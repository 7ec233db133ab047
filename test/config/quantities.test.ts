import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearestKey, nearestOf } from '../../src/config/nearest.js';
import { OPTION_BY_KEY } from '../../src/config/options.js';
import { formatSize, formatSizeInText, tryGuessSize, tryParseSize } from '../../src/config/sizes.js';

test('every size is read back from what is printed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 53 - 1 }), fc.constantFrom(1, 1024, 1024 ** 3), (n, unit) => {
      const bytes = Math.floor(n / unit) * unit;
      expect(tryParseSize(formatSize(bytes))).toBe(bytes);
    }),
  );
  expect([0, 1, 1024, 1536, 10 * 1024 ** 3].map(formatSize)).toEqual(['0B', '1B', '1KiB', '1536B', '10GiB']);
  expect(formatSizeInText(65536)).toBe('64 KiB');
});

test.each(['', 'KiB', '1 KiB', '1kib', '-1B', '1e3', '1.B', '.5B', '0.3B', '1KiB ', '9007199254740993B'])(
  '%j is no size',
  (text) => expect(tryParseSize(text)).toBeUndefined(),
);

test('a slip of the unit of a size is understood well enough to name what was meant', () => {
  expect(['64kb', '64 K', '1GB', '10 bytes', '1T'].map(tryGuessSize)).toEqual([
    '64KiB',
    '64KiB',
    '1GiB',
    '10B',
    undefined,
  ]);
});

test('the distance of two words counts insertions, deletions, substitutions and swaps', () => {
  expect(editDistance('', 'abc')).toBe(3);
  expect(editDistance('kitten', 'sitting')).toBe(3);
  expect(editDistance('bytes', 'bytse')).toBe(1);
  expect(editDistance('same', 'same')).toBe(0);
});

test('the distance is symmetric, and zero only for equals', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
    }),
  );
});

test.each([
  ['ring.byts', 'ring.bytes'],
  ['ingest.max_line_byte', 'ingest.max_line_bytes'],
  ['max_line_bytes', 'ingest.max_line_bytes'],
  ['archive.stale_after', 'state.stale_after'],
  ['lgo.level', 'log.level'],
])('the nearest key to %s is %s', (key, nearest) => {
  expect(nearestKey(key, [...OPTION_BY_KEY.keys()])).toBe(nearest);
});

test('nothing is nearest among nothing', () => {
  expect(nearestOf('a', [])).toBeUndefined();
});
