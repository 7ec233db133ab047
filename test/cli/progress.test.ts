import { expect, test } from 'vitest';
import { Progress, type ProgressState, progressLine } from '../../src/cli/progress.js';
import { displayWidth } from '../../src/model/human.js';
import { testIo } from './terminal.js';

const HALF: ProgressState = {
  bytes: 50 * 1024 ** 2,
  bytesTotal: 100 * 1024 ** 2,
  lines: 400_000,
  bytesPerSecond: 5 * 1024 ** 2,
  linesPerSecond: 40_000,
  phase: 'sending',
};

test('with a known size it shows a bar, the share, the rate and the time left', () => {
  expect(progressLine(HALF, 79)).toBe(
    '[#########.........]  50 %  50 MiB of 100 MiB  40 k events/s  10s left'.replace(
      /\[.*\]/,
      `[${'#'.repeat(12)}${'.'.repeat(12)}]`,
    ),
  );
});

test('with an unknown size it shows what went and how fast', () => {
  expect(progressLine({ ...HALF, bytesTotal: null }, 79)).toBe('50 MiB  40 k events/s');
});

test('it says when nothing moves, and when the daemon is awaited', () => {
  expect(progressLine({ ...HALF, bytesPerSecond: 0, linesPerSecond: 0 }, 79)).toContain('stalled');
  expect(progressLine({ ...HALF, phase: 'waiting' }, 79)).toBe(
    '50 MiB sent, waiting until it is on the disk',
  );
  expect(progressLine({ ...HALF, phase: 'away' }, 79)).toContain('waiting for the daemon to come back');
  expect(progressLine({ ...HALF, phase: 'skipping' }, 79)).toContain('on the disk already');
});

test('a share is never said before it is reached, and never above 100 %', () => {
  expect(progressLine({ ...HALF, bytes: HALF.bytesTotal! - 1 }, 79)).toContain('99 %');
  expect(progressLine({ ...HALF, bytes: HALF.bytesTotal! * 2 }, 79)).toContain('100 %');
  expect(progressLine({ ...HALF, bytes: 0, bytesTotal: 0 }, 79)).toContain('100 %');
});

test('it fits every width', () => {
  for (let width = 1; width < 120; width++) {
    for (const state of [HALF, { ...HALF, bytesTotal: null }, { ...HALF, phase: 'away' } as const]) {
      expect(displayWidth(progressLine(state, width))).toBeLessThanOrEqual(width);
    }
  }
});

test('it draws at most 10 times a second, and leaves nothing behind', () => {
  const io = testIo({ terminalColumns: 40 });
  let now = 0;
  const progress = new Progress(io.stderr, 1000, () => now);
  for (now = 0; now < 1000; now++) progress.update(now, now, 'sending');
  progress.clear();
  const draws = io.texts.stderr.split('\r').slice(1);
  expect(draws.length - 1).toBe(9);
  for (const draw of draws) expect(draw.replace('\x1b[K', '').length).toBeLessThan(40);
  expect(draws.at(-1)).toBe('\x1b[K');
});

test('what was never drawn is not cleared', () => {
  const io = testIo({ terminalColumns: 40 });
  new Progress(io.stderr, null, () => 0).clear();
  expect(io.texts.stderr).toBe('');
});
