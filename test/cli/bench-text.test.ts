import { expect, test } from 'vitest';
import { type BenchResult, benchText, latencyOf, progressText } from '../../src/cli/bench-text.js';
import { colorsOf } from '../../src/cli/io.js';
import { tallyd, testIo } from './terminal.js';

const RESULT: BenchResult = {
  private: true,
  interrupted: false,
  connections: 200,
  event_bytes: 144,
  seconds: 10.04,
  sent: 20_123_456,
  accepted: 20_123_456,
  rejected: 0,
  events_per_second: 2_004_328,
  daemon_cpu_seconds_per_million: 0.61,
  daemon_rss_bytes_max: 250_000_000,
  sync_seconds: { count: 80, p50: 0.0123, p99: 0.0456 },
  visible_seconds: latencyOf([]),
  query_seconds: { count: 1234, p50: 0.0005, p99: 0.006 },
  wrong: [],
};

const noColors = () => {
  const io = testIo();
  return colorsOf(io.stdout, io.env);
};

test('the result fits 80 columns, without colours on a pipe', () => {
  const text = benchText(RESULT, noColors());
  expect(text).toContain('2 M events/s, durable');
  expect(text).toContain('p50 12.3ms, p99 45.6ms');
  expect(text).not.toContain('\x1b');
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
});

test('colours stand on a terminal, and not where NO_COLOR is set', () => {
  const paintedWith = (env: Record<string, string>) => {
    const io = testIo({ env, terminalColumns: 80 });
    return benchText(RESULT, colorsOf(io.stdout, io.env)).includes('\x1b');
  };
  expect(paintedWith({})).toBe(true);
  expect(paintedWith({ NO_COLOR: '1' })).toBe(false);
});

test('what is wrong stands in the result, one a line', () => {
  const text = benchText({ ...RESULT, wrong: ['lines sent: 1, and should be 2', 'other'] }, noColors());
  expect(text).toMatch(/checks +lines sent: 1, and should be 2\n +other\n/);
});

test.each([20, 40, 79])('the progress fits %d columns, also beyond its end', (width) => {
  for (const done of [0, 3.3, 10, 12])
    expect(progressText(done, 10, 1_234_567, width).length).toBeLessThanOrEqual(width);
});

test('the progress has a bar where there is room', () => {
  expect(progressText(5, 10, 1_234_567, 79)).toBe('[############............]  5 of 10 s  1.23 M events/s');
});

test.each([
  ['--connections', '0'],
  ['--seconds', 'x'],
  ['--event-bytes', '100'],
  ['--rate', '1.5'],
])('%s %s is wrong usage, and says what may stand there', async (option, value) => {
  const { exitCode, stderr } = await tallyd(['bench', option, value]);
  expect(exitCode).toBe(64);
  expect(stderr).toMatch(new RegExp(`^ERR_USAGE: ${option} takes a whole number from \\d+ to \\d+`));
});

test('without a running daemon --running says that none answers', async () => {
  const { exitCode, stderr } = await tallyd(['bench', '--running', '--runtime-dir', '/nowhere']);
  expect(exitCode).toBe(69);
  expect(stderr).toMatch(/^ERR_NO_DAEMON/);
});
