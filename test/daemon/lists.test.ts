/** Lists of workflows and tasks over the control socket, from several connections, and what the status says at limits. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.js';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start({
    'state.max_live_workflows': 8,
    'state.max_recent_workflows': 2,
    'state.max_tasks_per_workflow': 4,
  });
  await daemon.send(
    { type: 'workflow.start', workflow: 'shop', name: 'n', project: 'p', request: 'sell' },
    { type: 'workflow.start', workflow: 'cart', parent: 'shop', project: 'p', phase: 'design' },
    { type: 'task.start', workflow: 'cart', task: '1', agent: 'ann', description: 'draw it' },
    { type: 'group', workflow: 'cart', tasks: ['1', '2'], duration: 0.5 },
  );
  await daemon.send(
    { type: 'task.end', workflow: 'shop', task: '1', agent: 'bob', status: 'failed', error: 'no stock' },
    { type: 'task.start', task: 'alone', agent: 'ann' },
  );
});
afterAll(() => daemon.remove());

// biome-ignore lint/suspicious/noExplicitAny: the tests read it as the contract describes it
const workflows = async (query: string): Promise<any> => (await daemon.get(`/v1/workflows${query}`)).body;
// biome-ignore lint/suspicious/noExplicitAny: as above
const tasks = async (query: string): Promise<any> => (await daemon.get(`/v1/tasks${query}`)).body;

describe('/v1/workflows', () => {
  test.each([
    ['', ['cart', 'shop']],
    ['?status=running&phase=&agent=&project=&parent=', ['cart', 'shop']],
    ['?status=completed', []],
    ['?phase=design', ['cart']],
    ['?agent=bob', ['shop']],
    ['?project=p&agent=ann', ['cart']],
    ['?parent=shop', ['cart']],
    ['?project=nobody', []],
  ])('%s lists the workflows that are so', async (query, ids) => {
    const { workflows: found, next_cursor } = await workflows(query);
    expect(found.map(({ workflow }: { workflow: string }) => workflow)).toEqual(ids);
    expect(next_cursor).toBeNull();
  });

  test('goes on from a cursor', async () => {
    const first = await workflows('?limit=1');
    expect(first.workflows).toHaveLength(1);
    const rest = await workflows(`?limit=1&cursor=${encodeURIComponent(first.next_cursor)}`);
    expect(rest).toMatchObject({
      workflows: [{ workflow: 'shop', name: 'n', tasks_total: 1 }],
      next_cursor: null,
    });
  });

  test.each(['?status=done', '?limit=0', '?cursor=x', '?cursor=status.1.1'])(
    '%s is a wrong question, and says how',
    async (query) => {
      const answer = await daemon.get(`/v1/workflows${query}`);
      expect([answer.status, answer.headers['content-type']]).toEqual([400, 'application/problem+json']);
      expect(answer.body).toMatchObject({ status: 400, title: 'Bad parameter' });
    },
  );

  test('and one workflow show children and groups', async () => {
    expect((await daemon.get('/v1/workflows/shop')).body).toMatchObject({
      children: ['cart'],
      request: 'sell',
    });
    expect((await daemon.get('/v1/workflows/cart')).body).toMatchObject({
      children: [],
      groups: [['1', '2']],
      active_agents: ['ann'],
      metrics: { average_speedup: 4 },
    });
  });
});

describe('/v1/tasks', () => {
  test('lists tasks with their texts, and those of no workflow', async () => {
    expect(await tasks('')).toMatchObject({
      tasks: [
        { workflow: null, task: 'alone', agent: 'ann', description: null },
        { workflow: 'shop', task: '1', agent: 'bob', status: 'failed', error: 'no stock', started_at: null },
        { workflow: 'cart', task: '1', agent: 'ann', status: 'running', description: 'draw it' },
      ],
      next_cursor: null,
    });
  });

  test.each([
    ['?agent=ann', 2],
    ['?agent=ann&workflow=cart', 1],
    ['?status=failed', 1],
    ['?task=1', 2],
    ['?workflow=nobody', 0],
  ])('%s lists those that are so', async (query, count) => {
    expect((await tasks(query)).tasks).toHaveLength(count);
  });

  test('without texts does not ask the archive for them', async () => {
    const { tasks: found } = await tasks('?texts=false&status=failed');
    expect(found).toEqual([expect.objectContaining({ task: '1', tokens: null })]);
    expect(found[0]).not.toHaveProperty('error');
  });
});

test('limits that were met are counted and said, and are none of a small state', async () => {
  const calm = await daemon.status();
  expect(calm.degraded).toEqual([]);
  await daemon.send(
    ...Array.from({ length: 9 }, (_, i) => ({ type: 'workflow.start', workflow: `w${i}` })),
    ...Array.from({ length: 6 }, (_, i) => ({
      type: 'task.end',
      workflow: 'w8',
      task: `${i}`,
      agent: 'ann',
      status: 'completed',
    })),
  );
  const { state, degraded } = await daemon.status();
  expect(state).toMatchObject({ workflows_live: 8, workflows_recent: 2 });
  expect(state.counts).toMatchObject({ workflows_stale: 3, workflows_evicted: 1, tasks_evicted: 2 });
  const words = degraded.map((reason: string) => reason.split(':')[0]);
  expect(words).toEqual(['workflows_stale', 'tasks_evicted']);
});
