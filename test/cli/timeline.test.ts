import fc from 'fast-check';
import { expect, test } from 'vitest';
import { colorsOf } from '../../src/cli/io.js';
import { renderTimeline, type TimelineTask } from '../../src/cli/timeline.js';
import { displayWidth } from '../../src/model/human.js';
import { testIo } from './terminal.js';

const colors = colorsOf(testIo().stdout, {});
const style = { width: 60, cut: true, colors, unicode: true };

function task(name: string, from: number | null, to: number | null, status = 'completed'): TimelineTask {
  const duration = from === null || to === null ? null : to - from;
  return { task: name, agent: 'a', status, started_at: from, ended_at: to, duration };
}

test('bars stand on one axis: what ran at the same time is one over the other, what runs is open', () => {
  const tasks = [
    task('one', 0, 20),
    task('two', 5, 15, 'failed'),
    task('three', 20, 30, 'timeout'),
    task('four', 25, null, 'running'),
    task('five', 40, 40, 'cancelled'),
  ];
  expect(renderTimeline(tasks, tasks, { from: 0, to: 40 }, style).split('\n')).toEqual([
    '             ├ 0s ─────────────────────── 40s ┤',
    'parallel     ▄▄▄▄████████▄▄▄▄▄▄▄▄▄████▄▄▄▄▄▄▄▄▄      up to 2',
    'one    a     ████████████████✓                           20s',
    'two    a         ███████✗                                10s',
    'three  a                      ███████!                   10s',
    'four   a                          ░░░░░░░░░░░░▶         15s+',
    'five   a                                      -           0s',
    '',
  ]);
});

test('without UTF-8 the same is drawn in ASCII', () => {
  const tasks = [task('one', 0, 20), task('two', 10, 40, 'failed'), task('three', 30, null, 'running')];
  const text = renderTimeline(tasks, tasks, { from: 0, to: 40 }, { ...style, unicode: false });
  expect(text).toMatch(/^[\x20-\x7e\n]*$/);
  expect(text).toMatch(/one +a +#+\. +20s\ntwo +a +#+x +30s\nthree +a +=+> +10s\+\n/);
});

test('a status shows by a mark of its own, and on a terminal by a colour, too', () => {
  const painted = { ...style, colors: colorsOf(Object.assign(testIo().stdout, { isTTY: true }), {}) };
  const statuses = ['completed', 'failed', 'timeout', 'cancelled', 'running'];
  const tasks = statuses.map((status) => task(status, 1, 2, status));
  const lines = renderTimeline(tasks, tasks, { from: 0, to: 4 }, painted).split('\n').slice(2, 7);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is looked for
  const bars = lines.map((line) => /\x1b\[(\d+)m[█░]+(.)\x1b\[39m/.exec(line)?.slice(1));
  expect(bars).toEqual([
    ['32', '✓'],
    ['31', '✗'],
    ['31', '!'],
    ['33', '-'],
    ['36', '▶'],
  ]);
});

test('a task of which only the end and the duration are known has a bar, one of which nothing is known a mark', () => {
  const tasks = [
    { ...task('one', null, 20), duration: 10 },
    { ...task('two', null, null), duration: 3 },
  ];
  const text = renderTimeline(tasks, tasks, { from: 0, to: 40 }, style);
  expect(text).toMatch(/one +a {11,}█+✓ +10s\n/);
  expect(text).toMatch(/two +a {4,}✓ +3s\n/);
});

test('one task alone has no line for what ran in parallel', () => {
  expect(renderTimeline([task('one', 0, 1)], [task('one', 0, 1)], { from: 0, to: 1 }, style)).not.toContain(
    'parallel',
  );
});

test('what was not drawn is counted all the same', () => {
  const all = Array.from({ length: 500 }, (_, i) => task(`t${i}`, i, i + 10));
  const text = renderTimeline(all.slice(0, 3), all, { from: 0, to: 510 }, style);
  expect(text).toContain('up to 10');
  expect(text.split('\n')).toHaveLength(6);
});

test('no timeline is wider than its terminal, and every task has its line', () => {
  const time = fc.option(fc.double({ min: -1e6, max: 1e11, noNaN: true }));
  const status = fc.constantFrom('completed', 'failed', 'running', 'timeout', 'cancelled', 'strange');
  const anyTask = fc.record({
    task: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    agent: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    status,
    started_at: time,
    ended_at: time,
    duration: fc.option(fc.double({ min: 0, max: 1e11, noNaN: true })),
  });
  fc.assert(
    fc.property(
      fc.array(anyTask, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 40, max: 200 }),
      fc.double({ min: 0, max: 1e11, noNaN: true }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      fc.boolean(),
      (tasks, width, from, span, unicode) => {
        const text = renderTimeline(tasks, tasks, { from, to: from + span }, { ...style, width, unicode });
        const lines = text.trimEnd().split('\n');
        expect(lines.length).toBeGreaterThanOrEqual(tasks.length + 1);
        expect(lines.length).toBeLessThanOrEqual(tasks.length + 2);
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      },
    ),
    { numRuns: 300 },
  );
});
