import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  axisStep,
  BAR_STATUSES,
  besideBar,
  concurrencyOf,
  firstBarAfter,
  type Grouping,
  type Layout,
  layoutTasks,
  nearestBar,
} from '../../../src/control/page/timeline-layout.js';
import type { TaskReply } from '../../../src/model/replies.js';

const TASK: TaskReply = {
  task: 't',
  agent: 'a',
  kind: null,
  status: 'completed',
  parallel: null,
  description: null,
  started_at: null,
  ended_at: null,
  duration: null,
  tokens: null,
  error: null,
  output: null,
};

function ran(agent: string, start: number, end: number, more: Partial<TaskReply> = {}): TaskReply {
  const task = `${agent}-${start}`;
  return { ...TASK, task, agent, started_at: start, ended_at: end, duration: end - start, ...more };
}

/** `agent: start-end start-end | start-end`, lanes parted by bars. */
function pictureOf({ rows, starts, ends }: Layout): string[] {
  const lines: string[] = [];
  for (const { label, isGroupStart, firstBar, barCount } of rows) {
    const bars = Array.from({ length: barCount }, (_, i) => `${starts[firstBar + i]}-${ends[firstBar + i]}`);
    if (isGroupStart) lines.push(`${label}: ${bars.join(' ')}`);
    else lines[lines.length - 1] += ` | ${bars.join(' ')}`;
  }
  return lines;
}

test('tasks of an agent share a lane where one ends before the next begins, and else have lanes of their own', () => {
  const tasks = [ran('b', 0, 4), ran('a', 0, 2), ran('a', 2, 3), ran('a', 1, 5), ran('a', 6, 7)];
  expect(pictureOf(layoutTasks(tasks, 'agent'))).toEqual(['a: 0-2 2-3 6-7 | 1-5', 'b: 0-4']);
});

test('groups are in the order of their names, numbers in them as numbers', () => {
  const tasks = [ran('worker-10', 0, 1), ran('worker-9', 0, 1), ran('worker-1', 0, 1)];
  const { rows } = layoutTasks(tasks, 'agent');
  expect(rows.map(({ label }) => label)).toEqual(['worker-1', 'worker-9', 'worker-10']);
});

test('without groups each task has a row with its name, in the order of the starts', () => {
  const { rows } = layoutTasks([ran('b', 3, 4), ran('a', 1, 9)], 'none');
  expect(rows.map(({ label, barCount }) => [label, barCount])).toEqual([
    ['a-1', 1],
    ['b-3', 1],
  ]);
});

test('a task that runs has no end, and keeps its lane to itself', () => {
  const tasks = [ran('a', 0, 0, { status: 'running', ended_at: null, duration: null }), ran('a', 5, 6)];
  expect(pictureOf(layoutTasks(tasks, 'agent'))).toEqual(['a: 0-Infinity | 5-6']);
});

test.each([
  ['an end and a duration', { ended_at: 10, duration: 4 }, '6-10'],
  ['an end alone', { ended_at: 10 }, '10-10'],
  ['an end before its start', { started_at: 10, ended_at: 9, duration: 0 }, '10-10'],
])('a task with %s is drawn where it can be', (_, times, span) => {
  expect(pictureOf(layoutTasks([{ ...TASK, ...times }], 'agent'))).toEqual([`a: ${span}`]);
});

test('a task of which no time is known has no bar', () => {
  const { rows, barOfTask } = layoutTasks([TASK, ran('a', 1, 2)], 'agent');
  expect([...barOfTask]).toEqual([-1, 0]);
  expect(rows).toHaveLength(1);
});

const anyTasks = fc.array(
  fc.record({
    agent: fc.constantFrom('a', 'b', 'c'),
    start: fc.integer({ min: 0, max: 50 }),
    length: fc.integer({ min: 0, max: 20 }),
    isRunning: fc.boolean(),
  }),
  { maxLength: 60 },
);

describe.each<[Grouping]>([['agent'], ['kind'], ['none']])('any tasks, grouped by %s,', (grouping) => {
  test('have one bar each, no two of a lane overlap, and each bar is found from its task and from its row', () => {
    fc.assert(
      fc.property(anyTasks, (drawn) => {
        const tasks = drawn.map(({ agent, start, length, isRunning }, i) =>
          isRunning
            ? ran(agent, start, start, { kind: agent, status: 'running', ended_at: null })
            : ran(agent, start, start + length, {
                kind: agent,
                status: i % 3 === 0 ? 'failed' : 'completed',
              }),
        );
        const layout = layoutTasks(tasks, grouping);
        expect(layout.starts).toHaveLength(tasks.length);
        expect([...layout.tasks].sort((a, b) => a - b)).toEqual(tasks.map((_, i) => i));
        for (const [r, { firstBar, barCount }] of layout.rows.entries()) {
          for (let bar = firstBar; bar < firstBar + barCount; bar++) {
            expect(layout.rowOfBar[bar]).toBe(r);
            expect(layout.barOfTask[layout.tasks[bar]!]).toBe(bar);
            expect(BAR_STATUSES[layout.statuses[bar]!]).toBe(tasks[layout.tasks[bar]!]!.status);
            if (bar > firstBar) expect(layout.starts[bar]).toBeGreaterThanOrEqual(layout.ends[bar - 1]!);
          }
        }
      }),
    );
  });

  test('take no more lanes than ran at once', () => {
    fc.assert(
      fc.property(anyTasks, (drawn) => {
        // Of equal length zero, bars share a lane however many they are.
        const tasks = drawn.map(({ agent, start, length }) =>
          ran(agent, start, start + length + 1, { kind: agent }),
        );
        if (grouping === 'none') return;
        const { rows } = layoutTasks(tasks, grouping);
        for (const agent of ['a', 'b', 'c']) {
          const own = tasks.filter((task) => task.agent === agent);
          const atOnce = own.map(
            ({ started_at: at }) =>
              own.filter((other) => other.started_at! <= at! && other.ended_at! > at!).length,
          );
          const from = rows.findIndex(({ label, isGroupStart }) => isGroupStart && label === agent);
          const next = rows.findIndex(({ isGroupStart }, i) => i > from && isGroupStart);
          const lanes = from < 0 ? 0 : (next < 0 ? rows.length : next) - from;
          expect(lanes).toBe(Math.max(0, ...atOnce));
        }
      }),
    );
  });
});

test('the first bar after a time is the first whose end is not before it', () => {
  const layout = layoutTasks([ran('a', 0, 2), ran('a', 3, 4), ran('a', 8, 9)], 'agent');
  const row = layout.rows[0]!;
  expect([-1, 2, 2.5, 4, 5, 10].map((time) => firstBarAfter(layout, row, time))).toEqual([0, 0, 1, 1, 2, 3]);
});

test('the map counts how many tasks ran in each part of the time', () => {
  const running = ran('b', 2, 0, { status: 'running', ended_at: null, duration: null });
  const layout = layoutTasks([ran('a', 0, 4.5), ran('a', 1, 1.5), running], 'agent');
  expect([...concurrencyOf(layout, 0, 8, 8)]).toEqual([1, 2, 2, 2, 2, 1, 1, 1]);
});

test('the step of an axis is the smallest that leaves room for its numbers', () => {
  expect([0.004, 1, 59, 3600, 40 * 86_400].map((span) => axisStep(span, 8))).toEqual([
    0.001, 0.2, 10, 600, 604_800,
  ]);
  fc.assert(
    fc.property(
      fc.double({ min: 0.001, max: 1e11, noNaN: true }),
      fc.integer({ min: 1, max: 40 }),
      (span, most) => {
        expect(span / axisStep(span, most)).toBeLessThanOrEqual(most);
      },
    ),
  );
});

test('keys go from bar to bar: along the rows, and to the nearest start of the next row', () => {
  const layout = layoutTasks(
    [ran('a', 0, 4), ran('a', 10, 14), ran('b', 1, 2), ran('b', 8, 9), ran('b', 30, 31)],
    'agent',
  );
  const startsAt = (bar: number) => layout.starts[bar];
  expect([-1, 0, 1, 4].map((bar) => startsAt(besideBar(layout, bar, 1)))).toEqual([0, 10, 1, 30]);
  expect([-1, 0, 2].map((bar) => startsAt(besideBar(layout, bar, -1)))).toEqual([0, 0, 10]);
  expect([0, 1].map((bar) => startsAt(nearestBar(layout, bar, 1)))).toEqual([1, 8]);
  expect([2, 4].map((bar) => startsAt(nearestBar(layout, bar, -1)))).toEqual([0, 10]);
  expect([startsAt(nearestBar(layout, 0, -1)), startsAt(nearestBar(layout, 4, 1))]).toEqual([0, 30]);
});
