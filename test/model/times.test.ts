import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, tryGuessDuration, tryParseDuration } from '../../src/model/durations.js';
import { formatTime, tryParseTime } from '../../src/model/times.js';

test('every duration is read back from what is printed', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 1e13 }),
      fc.constantFrom(1, 1000, 60_000, 86_400_000),
      (n, unit) => {
        const ms = Math.floor(n / unit) * unit;
        expect(tryParseDuration(formatDuration(ms))).toBe(ms);
      },
    ),
  );
  expect([0, 1, 1500, 90_000, 7_200_000, 86_400_000].map(formatDuration)).toEqual([
    '0s',
    '1ms',
    '1500ms',
    '90s',
    '2h',
    '1d',
  ]);
});

test.each(['', 's', '1 s', '1S', '-1s', '1h30m', '1w', '0.0001ms', '.5s'])('%j is no duration', (text) =>
  expect(tryParseDuration(text)).toBeUndefined(),
);

test('a slip of the unit of a duration is understood well enough to name what was meant', () => {
  expect(['30 sec', '5 Minutes', '100 millis', '2days', '1 week'].map(tryGuessDuration)).toEqual([
    '30s',
    '5m',
    '100ms',
    '2d',
    undefined,
  ]);
});

test.each<[string, number | undefined]>([
  ['1700000000', 1700000000],
  ['1700000000.25', 1700000000.25],
  ['now', 1000],
  ['-2h', 1000 - 7200],
  ['-90s', 910],
  ['-250ms', 999.75],
  ['2023-11-14T22:13:20Z', 1700000000],
  ['2023-11-14t22:13:20.5z', 1700000000.5],
  ['2023-11-14 23:13:20+01:00', 1700000000],
  ['2023-11-14T16:43:20-05:30', 1700000000],
  ['2024-02-29T00:00:00Z', 1709164800],
  ['2016-12-31T23:59:60Z', 1483228800],
  ['1970-01-01T00:00:00Z', 0],
  ['2023-02-29T00:00:00Z', undefined],
  ['2023-13-01T00:00:00Z', undefined],
  ['2023-11-14T24:00:00Z', undefined],
  ['2023-11-14T22:13:20', undefined],
  ['2023-11-14', undefined],
  ['2h', undefined],
  ['-2', undefined],
  ['-', undefined],
  ['yesterday', undefined],
  ['', undefined],
])('the time %j is %s', (text, seconds) => {
  expect(tryParseTime(text, 1000)).toBe(seconds);
});

test('a time is printed in UTC, with a fraction where it has one', () => {
  expect(formatTime(1700000000)).toBe('2023-11-14T22:13:20Z');
  expect(formatTime(1700000000.25)).toBe('2023-11-14T22:13:20.250Z');
});
