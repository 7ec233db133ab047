/** What events do (contract, section 2), as seen through the sockets: the first rules of each; test/fold has all of them. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.js';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(() => daemon.remove());

/** Each test has a workflow and a kind of its own. */
let id = '';
let count = 0;
let before: Record<string, number>;
beforeEach(async () => {
  id = `w${++count}`;
  before = (await daemon.status()).state.counts;
});

const start = (fields: object = {}) => ({
  type: 'task.start',
  workflow: id,
  task: 't',
  agent: 'a',
  kind: id,
  ...fields,
});
const end = (fields: object = {}) => ({
  ...{ type: 'task.end', workflow: id, task: 't', agent: 'a', kind: id, status: 'completed' },
  ...fields,
});
const begin = (fields: object = {}) => ({ type: 'workflow.start', workflow: id, name: id, ...fields });
const finish = (fields: object = {}) => ({
  type: 'workflow.end',
  workflow: id,
  status: 'completed',
  ...fields,
});

async function durations(): Promise<{ count: number; sum: number; labels: object }[]> {
  const query = new URLSearchParams({ metric: 'task_duration_seconds', by: '*', where: `kind=${id}` });
  return (await daemon.get(`/v1/stats?${query}`)).body.groups;
}

async function workflow() {
  return (await daemon.workflow(id)).body;
}

/** The decisions that were counted since the test began. */
async function decisions(): Promise<Record<string, number>> {
  const { counts } = (await daemon.status()).state;
  return Object.fromEntries(
    Object.entries<number>(counts)
      .map(([name, n]) => [name, n - before[name]!] as const)
      .filter(([, n]) => n !== 0),
  );
}

describe('a task', () => {
  test('takes the time from its start to its end', async () => {
    await daemon.send(start({ ts: 10 }), end({ ts: 12.25, tokens: 7 }));
    expect(await durations()).toMatchObject([
      { count: 1, sum: 2.25, labels: { agent: 'a', kind: id, status: 'completed' } },
    ]);
    expect((await workflow()).tasks).toMatchObject([
      { task: 't', started_at: 10, ended_at: 12.25, duration: 2.25, tokens: 7, status: 'completed' },
    ]);
    expect(await decisions()).toEqual({});
  });

  test('takes what its end says that it took', async () => {
    await daemon.send(start({ ts: 10 }), end({ ts: 12, duration: 0.5 }));
    expect(await durations()).toMatchObject([{ count: 1, sum: 0.5 }]);
  });

  test('is paired by workflow, agent and task together', async () => {
    await daemon.send(
      start({ ts: 1 }),
      start({ agent: 'b', ts: 2 }),
      start({ workflow: `${id}'`, ts: 3 }),
      start({ workflow: undefined, ts: 4 }),
      start({ task: 'u', ts: 5 }),
    );
    await daemon.send(
      end({ task: 'u', ts: 105 }),
      end({ workflow: undefined, ts: 204 }),
      end({ workflow: `${id}'`, ts: 303 }),
      end({ agent: 'b', ts: 402 }),
      end({ ts: 501 }),
    );
    expect((await durations()).map(({ labels, ...sums }) => [labels, sums])).toMatchObject([
      [{ agent: 'a' }, { count: 4, sum: 100 + 200 + 300 + 500 }],
      [{ agent: 'b' }, { count: 1, sum: 400 }],
    ]);
    expect(await decisions()).toEqual({});
  });

  test('that starts again while it runs is one execution, from its second start on', async () => {
    await daemon.send(start({ ts: 10 }), start({ ts: 20 }), end({ ts: 25 }));
    expect(await durations()).toMatchObject([{ count: 1, sum: 5 }]);
    expect((await workflow()).tasks_total).toBe(1);
    expect(await decisions()).toEqual({ task_restarts: 1 });
  });

  test('that starts again after its end is a new execution', async () => {
    await daemon.send(
      start({ ts: 10 }),
      end({ ts: 11, status: 'failed' }),
      start({ ts: 20 }),
      end({ ts: 25 }),
    );
    const groups = await durations();
    expect(groups.map(({ count: n, sum }) => [n, sum]).sort()).toEqual([
      [1, 1],
      [1, 5],
    ]);
    expect((await workflow()).tasks).toMatchObject([
      { status: 'completed', started_at: 20, duration: 5, error: null },
    ]);
    expect(await decisions()).toEqual({});
  });

  test('that ends twice has ended once', async () => {
    await daemon.send(start({ ts: 10 }), end({ ts: 11 }), end({ ts: 99, status: 'failed', tokens: 5 }));
    expect(await durations()).toMatchObject([{ count: 1, sum: 1 }]);
    expect((await workflow()).tasks).toMatchObject([{ status: 'completed', ended_at: 11, tokens: null }]);
    expect(await decisions()).toEqual({ task_duplicate_ends: 1 });
  });

  test('whose end comes first counts as ended, and gives its duration when the start comes', async () => {
    await daemon.send(end({ ts: 30 }));
    expect(await durations()).toEqual([]);
    expect((await workflow()).tasks).toMatchObject([
      { status: 'completed', started_at: null, duration: null },
    ]);
    await daemon.send(start({ ts: 28 }));
    expect(await durations()).toMatchObject([{ count: 1, sum: 2 }]);
    expect((await workflow()).tasks).toMatchObject([
      { status: 'completed', started_at: 28, ended_at: 30, duration: 2 },
    ]);
    expect(await decisions()).toEqual({});
  });

  test('that ends before it starts, by its clock, took no time', async () => {
    await daemon.send(start({ ts: 30 }), end({ ts: 29 }));
    expect(await durations()).toMatchObject([{ count: 1, sum: 0 }]);
    expect(await decisions()).toEqual({ clock_skew: 1 });
  });

  test('has the kind and the parallel that its end gives', async () => {
    await daemon.send(start({ kind: 'other', parallel: false, ts: 1 }), end({ parallel: true, ts: 2 }));
    expect((await workflow()).tasks).toMatchObject([{ kind: id, parallel: true }]);
    expect(await durations()).toMatchObject([{ count: 1 }]);
  });

  test('takes the time between the arrivals where it says none', async () => {
    const client = await daemon.connect();
    await client.send(start());
    await client.sync();
    await client.send(end());
    await client.sync();
    const sum = (await durations())[0]?.sum;
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(30);
    const [task] = (await workflow()).tasks;
    expect(Math.abs(task.ended_at - Date.now() / 1000)).toBeLessThan(30);
  });
});

describe('a workflow', () => {
  test('goes through its phases and states to its end', async () => {
    await daemon.send(begin({ ts: 1, project: 'p', parent: 'x' }));
    expect(await workflow()).toMatchObject({
      status: 'running',
      phase: 'requirements',
      project: 'p',
      parent: 'x',
      source: 'live',
    });
    await daemon.send(
      { type: 'workflow.phase', workflow: id, phase: 'design' },
      { type: 'workflow.status', workflow: id, status: 'paused' },
    );
    expect(await workflow()).toMatchObject({ status: 'paused', phase: 'design', ended_at: null });
    await daemon.send(finish({ ts: 5.5 }));
    expect(await workflow()).toMatchObject({
      status: 'completed',
      phase: 'design',
      duration: 4.5,
      source: 'recent',
    });
    const query = new URLSearchParams({ metric: 'workflow_duration_seconds', by: '*', where: `name=${id}` });
    expect((await daemon.get(`/v1/stats?${query}`)).body.groups).toMatchObject([
      { count: 1, sum: 4.5, labels: { name: id, project: 'p', status: 'completed' } },
    ]);
  });

  test('that is named before its start is implicit until then', async () => {
    await daemon.send(start({ ts: 1 }));
    expect(await workflow()).toMatchObject({
      implicit: true,
      started_at: null,
      status: 'running',
      tasks_total: 1,
    });
    await daemon.send(begin({ ts: 0.5 }));
    expect(await workflow()).toMatchObject({ implicit: false, started_at: 0.5, run: 1, tasks_total: 1 });
  });

  test('that starts again after its end begins a new run, with nothing of the old one', async () => {
    await daemon.send(
      begin({ ts: 1, request: 'old' }),
      start({ ts: 2 }),
      end({ ts: 3 }),
      finish({ ts: 4, error: 'old' }),
    );
    await daemon.send(begin({ ts: 10 }));
    expect(await workflow()).toMatchObject({
      ...{ run: 2, status: 'running', started_at: 10, ended_at: null, request: null, error: null },
      ...{ tasks: [], tasks_total: 0, source: 'live' },
    });
    expect(await decisions()).toEqual({});
  });

  test('that ends twice has ended once', async () => {
    await daemon.send(
      begin({ ts: 1 }),
      finish({ ts: 2 }),
      finish({ ts: 3, status: 'failed', error: 'late' }),
    );
    expect(await workflow()).toMatchObject({ status: 'completed', ended_at: 2, error: null });
    expect(await decisions()).toEqual({ workflow_duplicate_ends: 1 });
  });

  test('that ends leaves its running tasks as they are, and takes their late ends', async () => {
    await daemon.send(begin({ ts: 1 }), start({ ts: 2 }), finish({ ts: 4 }));
    expect(await workflow()).toMatchObject({
      active_agents: [],
      tasks: [{ status: 'running' }],
      tasks_by_status: { running: 1 },
    });
    await daemon.send(end({ ts: 6 }));
    expect(await workflow()).toMatchObject({
      status: 'completed',
      completed_agents: ['a'],
      tasks: [{ status: 'completed', duration: 4 }],
    });
    expect(await durations()).toMatchObject([{ count: 1, sum: 4 }]);
  });
});
