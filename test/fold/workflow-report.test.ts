/** What a workflow's report is made of: executions, groups, the union of intervals; and what stays of them when tasks leave. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addCoverTo, addToCover } from '../../src/fold/cover.js';
import { IntervalUnion } from '../../src/fold/interval-union.js';
import { allocateTables } from '../../src/state/layout.js';
import { Tables } from '../../src/state/tables.js';
import { assertVisiting } from '../support/corners.js';
import { Folded, LIMITS } from './replaying.js';

const start = (task: string, ts: number, more: object = {}) => ({
  type: 'task.start',
  workflow: 'w',
  agent: 'a',
  task,
  ts,
  ...more,
});
const end = (task: string, ts: number, more: object = {}) => ({
  type: 'task.end',
  workflow: 'w',
  agent: 'a',
  task,
  status: 'completed',
  ts,
  ...more,
});
const group = (more: object) => ({ type: 'group', workflow: 'w', ...more });
const open = (more: object = {}) => ({ type: 'workflow.start', workflow: 'w', ts: 0, ...more });
const close = (more: object = {}) => ({
  type: 'workflow.end',
  workflow: 'w',
  status: 'completed',
  ts: 100,
  ...more,
});

describe('groups', () => {
  test('are shown by their tasks, or where they name none by their agents, in their order', async () => {
    const folded = new Folded().fold(
      group({ agents: ['x', 'y'] }),
      group({ tasks: ['1', '2'], agents: ['z'] }),
      group({ tasks: null, agents: ['z'] }),
    );
    expect((await folded.workflow('w')).groups).toEqual([['x', 'y'], ['1', '2'], ['z']]);
  });

  test('beyond a hundred leave the last hundred, and all of them count', async () => {
    const folded = new Folded();
    for (let i = 0; i < 250; i++) folded.fold(group({ tasks: [`t${i}`, 'u'], duration: i < 50 ? 1 : 2 }));
    const { groups, metrics } = await folded.workflow('w');
    expect(groups).toEqual(Array.from({ length: 100 }, (_, i) => [`t${150 + i}`, 'u']));
    expect(metrics.average_speedup).toBeCloseTo((50 * 2 + 200 * 1) / 250, 12);
  });

  test('with a duration give the average speed-up: members over seconds, of which a tenth is the least', async () => {
    const folded = new Folded().fold(
      group({ tasks: ['1', '2', '3'], duration: 2 }),
      group({ agents: ['x'], duration: 0 }),
      group({ agents: ['x', 'y', 'z', 'u'] }),
    );
    expect((await folded.workflow('w')).metrics.average_speedup).toBeCloseTo((1.5 + 10) / 2, 12);
  });

  test('without a duration, and none at all, leave the average speed-up at 1', async () => {
    const folded = new Folded().fold(group({ agents: ['x', 'y'] }));
    expect((await folded.workflow('w')).metrics).toMatchObject({ average_speedup: 1, efficiency_score: 0 });
  });

  test('of no workflow touch none', () => {
    const folded = new Folded().fold({ type: 'group', agents: ['x', 'y'], duration: 1 });
    expect([folded.tables.workflows.live, folded.refused]).toEqual([0, 0]);
  });

  test('are those of the run, and gone with it', async () => {
    const folded = new Folded().fold(
      open(),
      group({ agents: ['x'], duration: 1 }),
      close(),
      open({ ts: 200 }),
    );
    expect(await folded.workflow('w')).toMatchObject({ run: 2, groups: [], metrics: { average_speedup: 1 } });
  });
});

describe('a report', () => {
  test('of nothing is all zeros, and its speed-ups are 1', async () => {
    expect((await new Folded().fold(open()).workflow('w')).metrics).toEqual({
      total_executions: 0,
      parallel_executions: 0,
      sequential_executions: 0,
      total_duration: 0,
      average_speedup: 1,
      parallelization_ratio: 0,
      success_rate: 0,
      agent_utilization: {},
      token_usage: 0,
      efficiency_score: 0,
      measured_speedup: 1,
      bottlenecks: [],
      suggestions: [],
    });
  });

  test('counts executions: each end that was taken, and what it brought', async () => {
    const folded = new Folded().fold(
      start('1', 10, { parallel: true }),
      end('1', 20, { tokens: 5, status: 'failed' }),
      start('1', 30),
      end('1', 34, { tokens: 7 }),
      end('1', 35, { tokens: 9 }),
      start('2', 10, { agent: 'b', parallel: true }),
      end('2', 16, { agent: 'b' }),
      start('3', 40),
      end('4', 50),
    );
    expect((await folded.workflow('w')).metrics).toMatchObject({
      total_executions: 4,
      parallel_executions: 2,
      sequential_executions: 2,
      total_duration: 20,
      token_usage: 12,
      parallelization_ratio: 0.5,
      success_rate: 75,
      agent_utilization: { a: 14, b: 6 },
      efficiency_score: 30 * 0.5 + 40 * 0.75,
    });
  });

  test('takes what a late start says of an execution that has ended', async () => {
    const folded = new Folded().fold(end('1', 20), start('1', 12, { parallel: true }));
    expect((await folded.workflow('w')).metrics).toMatchObject({
      total_executions: 1,
      parallel_executions: 1,
      total_duration: 8,
      agent_utilization: { a: 8 },
    });
  });

  test('at the end of the workflow gives its efficiency, with the speed-up where a group has a duration', () => {
    const folded = new Folded().fold(
      open({ name: 'n', project: 'p' }),
      start('1', 1, { parallel: true }),
      end('1', 3),
      group({ tasks: ['1', '2'], duration: 1 }),
      close(),
    );
    expect(folded.stats('workflow_efficiency')).toMatchObject([
      { labels: { name: 'n', project: 'p' }, count: 1, sum: 30 + 40 + 30 * 0.5 },
    ]);
    folded.fold(close({ ts: 200 }));
    expect(folded.samples('workflow_efficiency')).toBe(1);
  });

  test('of a workflow without a known start has an efficiency at its end, too', () => {
    const folded = new Folded().fold(end('1', 3), close());
    expect(folded.stats('workflow_efficiency')).toMatchObject([{ labels: {}, count: 1, sum: 40 }]);
    expect(folded.samples('workflow_duration_seconds')).toBe(0);
  });
});

describe('the measured speed-up', () => {
  test.each([
    [
      'one after the other',
      [
        [0, 10],
        [20, 30],
      ],
      1,
    ],
    [
      'at once',
      [
        [0, 10],
        [0, 10],
        [0, 10],
      ],
      3,
    ],
    [
      'overlapping',
      [
        [0, 10],
        [5, 15],
      ],
      20 / 15,
    ],
    [
      'one within another',
      [
        [0, 10],
        [2, 4],
      ],
      12 / 10,
    ],
    [
      'meeting',
      [
        [0, 10],
        [10, 20],
      ],
      1,
    ],
    [
      'in no order',
      [
        [20, 30],
        [0, 10],
        [5, 25],
      ],
      40 / 30,
    ],
  ])(
    'of tasks %s is the sum of their durations over the union of their intervals',
    async (_, times, speedup) => {
      const folded = new Folded();
      for (const [i, [from, to]] of times.entries()) {
        folded.fold(start(`${i}`, from!), end(`${i}`, to!));
      }
      expect((await folded.workflow('w')).metrics.measured_speedup).toBeCloseTo(speedup, 12);
    },
  );

  test('takes the duration that an end brings to lie before that end', async () => {
    const folded = new Folded().fold(end('1', 100, { duration: 10 }), end('2', 105, { duration: 10 }));
    expect((await folded.workflow('w')).metrics.measured_speedup).toBeCloseTo(20 / 15, 12);
  });

  test('has the executions of tasks that were forgotten, or executed again', async () => {
    const folded = new Folded({ maxTasksPerWorkflow: 2 });
    for (let i = 0; i < 10; i++) folded.fold(start(`${i}`, 10 * i), end(`${i}`, 10 * i + 5));
    folded.fold(start('9', 200), end('9', 205), start('long', 0), end('long', 20));
    expect(folded.counts().tasks_evicted).toBe(9);
    const { metrics } = await folded.workflow('w');
    expect(metrics.total_duration).toBe(11 * 5 + 20);
    expect(metrics.measured_speedup).toBeCloseTo((11 * 5 + 20) / (11 * 5 + 10), 12);
    expect(metrics.agent_utilization).toEqual({ a: 75 });
  });
});

describe('agents of a workflow', () => {
  test('are active, completed or failed by the tasks that they have, those that were forgotten among them', async () => {
    const folded = new Folded({ maxTasksPerWorkflow: 1 }).fold(
      start('1', 1, { agent: 'x' }),
      end('1', 2, { agent: 'x', status: 'failed' }),
      start('2', 3, { agent: 'y' }),
      end('2', 4, { agent: 'y' }),
      start('3', 5, { agent: 'z' }),
    );
    expect(await folded.workflow('w')).toMatchObject({
      tasks: [{ task: '3' }],
      active_agents: ['z'],
      completed_agents: ['y'],
      failed_agents: ['x'],
      metrics: { agent_utilization: { x: 1, y: 1 } },
    });
  });
});

describe('children', () => {
  test('are the workflows that name this one as their parent, also when it came later, and until they begin a new run', async () => {
    const child = (workflow: string, more: object = {}) => ({ type: 'workflow.start', workflow, ...more });
    const folded = new Folded().fold(child('c1', { parent: 'w' }), child('c2', { parent: 'w' }));
    folded.fold(open(), child('c3', { parent: 'other' }));
    expect((await folded.workflow('w')).children).toEqual(['c1', 'c2']);
    folded.fold({ ...close(), workflow: 'c1' }, child('c1'), child('c3', { parent: 'w' }));
    expect((await folded.workflow('w')).children).toEqual(['c2', 'c3']);
    expect((await folded.workflow('c3')).children).toEqual([]);
  });
});

test('the cover of any intervals, in any order, is as long as their union', () => {
  const interval = fc
    .tuple(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 12 }))
    .map(([from, length]) => ({ from, to: from + length }));
  const corners = new Set<string>();
  assertVisiting(
    corners,
    ['many gaps'],
    fc.property(fc.array(interval, { maxLength: 30, size: 'max' }), (intervals) => {
      const { names } = new Tables(allocateTables(LIMITS));
      const seconds = new Set<number>();
      let ref = 0;
      for (const { from, to } of intervals) {
        ref = addToCover(names, ref, from, to);
        for (let second = from; second < to; second++) seconds.add(second);
        const union = new IntervalUnion();
        const closed = ref === 0 ? 0 : addCoverTo(union, names.doubles, ref + 1);
        expect(union.length() - closed).toBe(seconds.size);
      }
      if (ref !== 0 && names.doubles[ref + 1]! > 10) corners.add('many gaps');
    }),
    { numRuns: 300 },
  );
});

test('a cover of more pauses than it can keep apart closes the oldest ones for good', () => {
  const { names } = new Tables(allocateTables(LIMITS));
  let ref = 0;
  for (let i = 0; i < 1000; i++) ref = addToCover(names, ref, 10 * i, 10 * i + 4);
  const length = () => {
    const union = new IntervalUnion();
    return -addCoverTo(union, names.doubles, ref + 1) + union.length();
  };
  expect(length()).toBe(4000);
  expect(addToCover(names, ref, 9950, 9999)).toBe(ref);
  expect(length()).toBe(4000 + 4 * 6 + 5);
});

test('the union of many intervals is that of few', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.nat(), (count, seed) => {
      const union = new IntervalUnion();
      const seconds = new Uint8Array(10_000);
      for (let i = 0; i < count; i++) {
        const from = (Math.imul(i + seed, 0x9e37_79b1) >>> 8) % 9000;
        const to = from + ((i * 7 + seed) % 5);
        union.add(from, to);
        seconds.fill(1, from, to);
      }
      expect(union.length()).toBe(seconds.reduce((sum, one) => sum + one, 0));
    }),
    { numRuns: 30 },
  );
});
