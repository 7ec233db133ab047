import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  counted,
  displayWidth,
  escapeControls,
  escapeControlsInJson,
  humanBytes,
  humanCount,
  humanDuration,
  humanNumber,
  humanPercent,
  humanRate,
  humanTime,
  shorten,
} from '../../src/model/human.js';

test.each<[number | null, string]>([
  [null, '-'],
  [Number.NaN, '-'],
  [0, '0s'],
  [1e-7, '0.1µs'],
  [0.0000123, '12.3µs'],
  [0.000_999_6, '1ms'],
  [0.0123, '12.3ms'],
  [0.9996, '1s'],
  [1, '1s'],
  [59.94, '59.9s'],
  [59.96, '1m00s'],
  [200, '3m20s'],
  [3599.6, '1h00m'],
  [7500, '2h05m'],
  [86_399, '23h59m'],
  [90_000, '1d01h'],
  [-1.5, '-1.5s'],
])('the duration %s reads %s', (seconds, text) => expect(humanDuration(seconds)).toBe(text));

test.each<[number, string]>([
  [0, '0 B'],
  [1023, '1023 B'],
  [1023.6, '1 KiB'],
  [1024, '1 KiB'],
  [12_897_484, '12.3 MiB'],
  [1024 ** 3 - 1, '1 GiB'],
  [10 * 1024 ** 3, '10 GiB'],
])('%s bytes read %s', (bytes, text) => expect(humanBytes(bytes)).toBe(text));

test.each<[number, string]>([
  [0, '0'],
  [0.5, '0.5'],
  [999, '999'],
  [999.6, '1 k'],
  [53_400, '53.4 k'],
  [1_234_567, '1.23 M'],
])('a rate of %s reads %s', (rate, text) => expect(humanRate(rate)).toBe(text));

test.each<[number, string]>([
  [0, '0'],
  [1234, '1,234'],
  [1234.567, '1,235'],
  [12.3456, '12.35'],
  [0.0123456, '0.01235'],
  [0.000123, '1.23e-4'],
  [-2.5, '-2.5'],
  [123_456.7, '123,457'],
  [1.5e12, '1.50e12'],
])('the value %s reads %s', (value, text) => expect(humanNumber(value)).toBe(text));

test('counts are exact, with their noun in its number', () => {
  expect(humanCount(1_234_567)).toBe('1,234,567');
  expect([counted(0, 'line'), counted(1, 'line'), counted(2, 'line'), counted(null, 'line')]).toEqual([
    '0 lines',
    '1 line',
    '2 lines',
    '- lines',
  ]);
  expect(humanPercent(0.384)).toBe('38.4 %');
  expect(humanTime(1700000000.9)).toBe('2023-11-14 22:13:20Z');
  expect(humanTime(1e15)).toBe('-');
});

test('no text reaches a terminal with a character that it obeys', () => {
  expect(escapeControls('\x1b[31mred\x07\n\r\t\x00\x7f\x9b')).toBe(
    '\\x1b[31mred\\x07\\n\\r\\t\\x00\\x7f\\x9b',
  );
  expect(escapeControls('a\u202eb\u2066c\u2028d\ud800')).toBe('a\\u202eb\\u2066c\\u2028d\\ud800');
  expect(escapeControls('Größe 漢字 👩‍👧')).toBe('Größe 漢字 👩‍👧');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(escapeControls(text)).not.toMatch(/\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});

test('JSON with its controls escaped is the same JSON', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = escapeControlsInJson(JSON.stringify({ text }));
      expect(json).not.toMatch(/\p{Cc}/u);
      expect(JSON.parse(json)).toEqual({ text });
    }),
  );
});

test('the width of a text is what a terminal takes for it', () => {
  expect([displayWidth('abc'), displayWidth('漢字'), displayWidth('e\u0301'), displayWidth('😀')]).toEqual([
    3, 4, 1, 2,
  ]);
});

test('a shortened text is never wider than it may be, and an ellipsis says that it was cut', () => {
  expect(shorten('abcdef', 6)).toBe('abcdef');
  expect(shorten('abcdefg', 6)).toBe('abcde…');
  expect(shorten('漢字漢字', 6)).toBe('漢字…');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 20 }), (text, columns) => {
      expect(displayWidth(shorten(text, columns))).toBeLessThanOrEqual(columns);
    }),
  );
});
