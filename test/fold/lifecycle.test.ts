/** What events do to tasks and workflows: the rules of the contract (section 2), one by one. */

import { describe, expect, test } from 'vitest';
import { ARRIVED, Folded } from './replaying.js';

const start = (more: object = {}) => ({
  type: 'task.start',
  task: 't',
  agent: 'a',
  workflow: 'w',
  ts: 100,
  ...more,
});
const end = (more: object = {}) => ({
  type: 'task.end',
  task: 't',
  agent: 'a',
  workflow: 'w',
  status: 'completed',
  ts: 110,
  ...more,
});
const open = (more: object = {}) => ({ type: 'workflow.start', workflow: 'w', ts: 50, ...more });
const close = (more: object = {}) => ({
  type: 'workflow.end',
  workflow: 'w',
  status: 'completed',
  ts: 150,
  ...more,
});

async function onlyTask(folded: Folded) {
  const { tasks } = await folded.workflow('w');
  expect(tasks).toHaveLength(1);
  return tasks[0]!;
}

describe('a task', () => {
  test('is measured from its start to its end', async () => {
    const folded = new Folded().fold(start({ kind: 'k', parallel: true })).fold(end({ tokens: 7 }));
    expect(await onlyTask(folded)).toMatchObject({
      task: 't',
      agent: 'a',
      kind: 'k',
      status: 'completed',
      parallel: true,
      started_at: 100,
      ended_at: 110,
      duration: 10,
      tokens: 7,
    });
    expect(folded.stats('task_duration_seconds')).toMatchObject([
      { labels: { agent: 'a', kind: 'k', status: 'completed' }, count: 1, sum: 10 },
    ]);
    expect(folded.stats('task_tokens')).toMatchObject([
      { labels: { agent: 'a', kind: 'k' }, count: 1, sum: 7 },
    ]);
    expect(folded.counts()).toEqual({});
  });

  test('is known by workflow, agent and id together', async () => {
    const folded = new Folded().fold(
      start(),
      start({ agent: 'b' }),
      start({ task: 'u' }),
      start({ workflow: 'v' }),
      start({ workflow: undefined }),
    );
    expect((await folded.workflow('w')).tasks).toHaveLength(3);
    expect((await folded.workflow('v')).tasks).toHaveLength(1);
    expect(folded.tables.tasks.held(0)).toBe(1);
    expect(folded.tables.tasks.running).toBe(5);
  });

  test('started a second time while it runs is restarted: one execution, from the second start on', async () => {
    const folded = new Folded().fold(start({ kind: 'k' }), start({ ts: 104 }), end());
    expect(await onlyTask(folded)).toMatchObject({ started_at: 104, duration: 6, kind: 'k' });
    expect(folded.counts()).toEqual({ task_restarts: 1 });
    expect(folded.samples('task_duration_seconds')).toBe(1);
    expect(await folded.workflow('w')).toMatchObject({
      tasks_total: 1,
      tasks_by_status: { completed: 1, running: 0 },
    });
  });

  test('started after it has ended is a new execution, which knows nothing of the one before', async () => {
    const folded = new Folded()
      .fold(start({ kind: 'k', parallel: true }), end({ tokens: 9 }))
      .fold(start({ ts: 120 }));
    expect(await onlyTask(folded)).toEqual(
      expect.objectContaining({
        status: 'running',
        started_at: 120,
        ended_at: null,
        duration: null,
        tokens: null,
        parallel: null,
        kind: null,
      }),
    );
    expect(await folded.workflow('w')).toMatchObject({ tasks_by_status: { completed: 0, running: 1 } });
    folded.fold(end({ ts: 125, status: 'failed' }));
    expect(await onlyTask(folded)).toMatchObject({ status: 'failed', duration: 5 });
    expect(folded.samples('task_duration_seconds')).toBe(2);
    expect(folded.counts()).toEqual({});
  });

  test('ended a second time has ended as it did the first time', async () => {
    const folded = new Folded().fold(
      start(),
      end(),
      end({ ts: 130, status: 'failed', tokens: 5, kind: 'z' }),
    );
    expect(await onlyTask(folded)).toMatchObject({
      status: 'completed',
      ended_at: 110,
      tokens: null,
      kind: null,
    });
    expect(folded.counts()).toEqual({ task_duplicate_ends: 1 });
    expect(folded.samples('task_duration_seconds')).toBe(1);
    expect(folded.samples('task_tokens')).toBe(0);
  });

  test('ended without a known start and without a duration counts as ended, and is not measured', async () => {
    const folded = new Folded().fold(end({ tokens: 3 }));
    expect(await onlyTask(folded)).toMatchObject({
      status: 'completed',
      started_at: null,
      duration: null,
      tokens: 3,
    });
    expect(folded.samples('task_duration_seconds')).toBe(0);
    expect(folded.samples('task_tokens')).toBe(1);
    expect(await folded.workflow('w')).toMatchObject({
      tasks_total: 1,
      tasks_by_status: { completed: 1, running: 0 },
    });
  });

  test.each([
    ['before its end', 104, 6],
    ['at its end', 110, 0],
  ])('whose start comes late, %s, is completed and measured then, once', async (_, ts, duration) => {
    const folded = new Folded().fold(end({ kind: 'k', parallel: false, tokens: 1 }));
    folded.fold(start({ ts, kind: 'other', parallel: true }));
    expect(await onlyTask(folded)).toMatchObject({
      status: 'completed',
      started_at: ts,
      ended_at: 110,
      duration,
      kind: 'k',
      parallel: false,
      tokens: 1,
    });
    expect(folded.stats('task_duration_seconds')).toMatchObject([
      { labels: { agent: 'a', kind: 'k', status: 'completed' }, count: 1, sum: duration },
    ]);
    expect(folded.counts()).toEqual({});
  });

  test('takes kind and parallel of a late start where its end gave none', async () => {
    const folded = new Folded().fold(end(), start({ ts: 100, kind: 'k', parallel: true }));
    expect(await onlyTask(folded)).toMatchObject({ kind: 'k', parallel: true, duration: 10 });
    expect(folded.stats('task_duration_seconds')).toMatchObject([{ labels: { kind: 'k' }, count: 1 }]);
  });

  test('with a duration of its own is not measured again by a late start', async () => {
    const folded = new Folded().fold(end({ duration: 42 }), start({ ts: 105 }));
    expect(await onlyTask(folded)).toMatchObject({ started_at: 105, duration: 42 });
    expect(folded.stats('task_duration_seconds')).toMatchObject([{ count: 1, sum: 42 }]);
  });

  test('whose late start is after its end begins a new execution', async () => {
    const folded = new Folded().fold(end(), start({ ts: 110.5 }));
    expect(await onlyTask(folded)).toMatchObject({ status: 'running', started_at: 110.5, ended_at: null });
    expect(folded.samples('task_duration_seconds')).toBe(0);
  });

  test('that a late start has completed begins a new execution at the next start, whatever its time', async () => {
    const folded = new Folded().fold(end(), start({ ts: 105 }), start({ ts: 103 }));
    expect(await onlyTask(folded)).toMatchObject({ status: 'running', started_at: 103 });
  });

  test('that ends before it started took no time: the clocks differ', async () => {
    const folded = new Folded().fold(start({ ts: 200 }), end());
    expect(await onlyTask(folded)).toMatchObject({ duration: 0 });
    expect(folded.stats('task_duration_seconds')).toMatchObject([{ count: 1, sum: 0 }]);
    expect(folded.counts()).toEqual({ clock_skew: 1 });
  });

  test('takes kind, parallel and tokens from its end where the end gives them', async () => {
    const folded = new Folded().fold(
      start({ kind: 'k', parallel: true }),
      end({ kind: 'z', parallel: false, tokens: 2 }),
    );
    expect(await onlyTask(folded)).toMatchObject({ kind: 'z', parallel: false, tokens: 2 });
    expect(folded.stats('task_duration_seconds')).toMatchObject([{ labels: { kind: 'z' } }]);
    const kept = new Folded().fold(start({ kind: 'k', parallel: true }), end());
    expect(await onlyTask(kept)).toMatchObject({ kind: 'k', parallel: true });
  });

  test('without ts is taken to happen when it arrives', async () => {
    const folded = new Folded().fold(start({ ts: undefined })).fold(end({ ts: undefined }));
    expect(await onlyTask(folded)).toMatchObject({
      started_at: ARRIVED + 1,
      ended_at: ARRIVED + 2,
      duration: 1,
    });
  });

  test('without a workflow counts in everything but workflows', () => {
    const folded = new Folded().fold(start({ workflow: undefined }), end({ workflow: '' }));
    expect(folded.stats('task_duration_seconds')).toMatchObject([{ count: 1, sum: 10 }]);
    expect([folded.tables.workflows.live, folded.tables.workflows.recent]).toEqual([0, 0]);
    expect(folded.tables.tasks.held(0)).toBe(1);
    expect(folded.tables.tasks.running).toBe(0);
  });
});

describe('a workflow', () => {
  test('runs from its start to its end', async () => {
    const folded = new Folded().fold(open({ name: 'n', project: 'p', phase: 'ph', parent: 'up' }));
    expect(await folded.workflow('w')).toMatchObject({
      run: 1,
      status: 'running',
      implicit: false,
      name: 'n',
      project: 'p',
      phase: 'ph',
      parent: 'up',
      started_at: 50,
      ended_at: null,
      source: 'live',
    });
    folded.fold(close());
    expect(await folded.workflow('w')).toMatchObject({
      status: 'completed',
      ended_at: 150,
      duration: 100,
      source: 'recent',
    });
    expect(folded.stats('workflow_duration_seconds')).toMatchObject([
      { labels: { name: 'n', project: 'p', status: 'completed' }, count: 1, sum: 100 },
    ]);
  });

  test('begins in the phase requirements, and enters those that it is said to', async () => {
    const folded = new Folded().fold(open());
    expect((await folded.workflow('w')).phase).toBe('requirements');
    folded.fold({ type: 'workflow.phase', workflow: 'w', phase: 'design' });
    expect((await folded.workflow('w')).phase).toBe('design');
  });

  test.each([
    ['a task', start()],
    ['a phase', { type: 'workflow.phase', workflow: 'w', phase: 'requirements' }],
    ['a group', { type: 'group', workflow: 'w', tasks: ['t'] }],
  ])('that %s names first comes to life implicit, and its start makes it a known one', async (_, event) => {
    const folded = new Folded().fold(event);
    const before = { implicit: true, started_at: null, status: 'running', phase: 'requirements', run: 1 };
    expect(await folded.workflow('w')).toMatchObject(before);
    folded.fold(open({ name: 'n' }));
    expect(await folded.workflow('w')).toMatchObject({ implicit: false, started_at: 50, name: 'n', run: 1 });
  });

  test('started while it runs takes what the start names, and keeps the rest and its beginning', async () => {
    const folded = new Folded().fold(open({ name: 'n', project: 'p' }), start(), open({ ts: 60, name: 'm' }));
    expect(await folded.workflow('w')).toMatchObject({
      run: 1,
      name: 'm',
      project: 'p',
      started_at: 50,
      tasks_total: 1,
    });
  });

  test('started when it is over begins a new run, of which id and number alone are known', async () => {
    const folded = new Folded().fold(
      open({ name: 'n', project: 'p', parent: 'u', phase: 'x' }),
      start(),
      close(),
    );
    folded.fold(open({ ts: 160 }));
    expect(await folded.workflow('w')).toMatchObject({
      run: 2,
      status: 'running',
      name: null,
      project: null,
      parent: null,
      phase: 'requirements',
      started_at: 160,
      ended_at: null,
      tasks: [],
      tasks_total: 0,
      tasks_by_status: { running: 0, completed: 0 },
      source: 'live',
    });
    folded.fold(close({ ts: 170 }));
    expect(folded.stats('workflow_duration_seconds', [])).toMatchObject([{ count: 2, sum: 110 }]);
  });

  test('ended a second time has ended as it did the first time', async () => {
    const folded = new Folded().fold(open(), close(), close({ ts: 190, status: 'failed' }));
    expect(await folded.workflow('w')).toMatchObject({ status: 'completed', ended_at: 150 });
    expect(folded.counts()).toEqual({ workflow_duplicate_ends: 1 });
    expect(folded.samples('workflow_duration_seconds')).toBe(1);
  });

  test.each([
    ['before its end', 90, 60],
    ['at its end', 150, 0],
  ])(
    'that is over and whose start comes late, %s, is completed and measured then',
    async (_, ts, duration) => {
      const folded = new Folded().fold(close(), open({ ts, name: 'n' }));
      expect(await folded.workflow('w')).toMatchObject({
        run: 1,
        status: 'completed',
        implicit: false,
        started_at: ts,
        ended_at: 150,
        source: 'recent',
      });
      expect(folded.stats('workflow_duration_seconds')).toMatchObject([
        { labels: { name: 'n', status: 'completed' }, count: 1, sum: duration },
      ]);
      folded.fold(open({ ts: 91 }));
      expect(await folded.workflow('w')).toMatchObject({ run: 2, status: 'running' });
    },
  );

  test('whose late start is after its end begins a new run', async () => {
    const folded = new Folded().fold(close(), open({ ts: 151 }));
    expect(await folded.workflow('w')).toMatchObject({
      run: 2,
      status: 'running',
      started_at: 151,
      ended_at: null,
    });
    expect(folded.samples('workflow_duration_seconds')).toBe(0);
  });

  test('that ends before it started took no time', async () => {
    const folded = new Folded().fold(open({ ts: 500 }), close());
    expect((await folded.workflow('w')).duration).toBe(0);
    expect(folded.stats('workflow_duration_seconds')).toMatchObject([{ sum: 0 }]);
    expect(folded.counts()).toEqual({ clock_skew: 1 });
  });

  test('ends none of its tasks: one that runs keeps its status, is not active, and its late end is taken', async () => {
    const folded = new Folded().fold(open(), start(), close());
    expect(await folded.workflow('w')).toMatchObject({
      active_agents: [],
      tasks: [{ status: 'running' }],
      tasks_by_status: { running: 1 },
    });
    folded.fold(end({ ts: 180 }));
    expect(await folded.workflow('w')).toMatchObject({
      status: 'completed',
      tasks: [{ status: 'completed', duration: 80 }],
      tasks_by_status: { running: 0, completed: 1 },
    });
    expect(folded.samples('task_duration_seconds')).toBe(1);
  });

  test('takes a status while it runs, and none once it is over', async () => {
    const status = (word: string) => ({ type: 'workflow.status', workflow: 'w', status: word });
    const folded = new Folded().fold(open(), status('paused'));
    expect((await folded.workflow('w')).status).toBe('paused');
    folded.fold(close(), status('running'));
    expect(await folded.workflow('w')).toMatchObject({ status: 'completed', source: 'recent' });
  });
});

describe('lines without effect', () => {
  test('of unknown types and refused lines change nothing but the number of the line', () => {
    const folded = new Folded().fold(start(), { type: 'deploy', workflow: 'other', task: 'x' }, 'no json');
    expect([folded.tables.board.line, folded.refused]).toEqual([3, 1]);
    expect([folded.tables.workflows.live, folded.tables.tasks.used]).toEqual([1, 1]);
  });
});
