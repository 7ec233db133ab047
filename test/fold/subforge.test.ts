/** What SubForge's own monitor gets wrong, and tallyd must not: a test each. */

import { expect, test } from 'vitest';
import { ARRIVED, Folded } from './replaying.js';

const task = (type: string, id: string, more: object = {}) => ({
  type,
  workflow: 'w',
  agent: 'a',
  task: id,
  ...more,
});
const start = (id: string, more: object = {}) => task('task.start', id, more);
const end = (id: string, more: object = {}) => task('task.end', id, { status: 'completed', ...more });

test('executions that are forgotten do not count for ever as running', () => {
  const folded = new Folded({ maxTasksPerWorkflow: 3, maxRecentWorkflows: 1 });
  for (let i = 0; i < 50; i++) {
    const workflow = `w${i % 5}`;
    folded.fold(start(`${i}`, { workflow }));
    if (i % 3 > 0) folded.fold(end(`${i}`, { workflow }));
    if (i % 7 === 0) folded.fold({ type: 'workflow.end', workflow, status: 'completed' });
  }
  for (let i = 0; i < 5; i++) {
    folded.fold({ type: 'workflow.end', workflow: `w${i}`, status: 'completed' });
  }
  folded.fold({ type: 'workflow.end', workflow: 'last', status: 'completed' });
  expect(folded.counts().workflows_evicted).toBeGreaterThan(4);
  expect([folded.tables.tasks.running, folded.tables.tasks.used]).toEqual([0, 0]);
});

test('two starts within one second stay two', async () => {
  const folded = new Folded().record(
    [start('1', { ts: 100 }), start('2', { ts: 100 }), start('1', { agent: 'b', ts: 100 })],
    ARRIVED * 1e6,
  );
  folded.record([start('1', { workflow: 'v', ts: 100 })], ARRIVED * 1e6);
  expect((await folded.workflow('w')).tasks).toHaveLength(3);
  expect((await folded.workflow('v')).tasks).toHaveLength(1);
  expect(folded.tables.tasks.running).toBe(4);
});

test('an agent whose tasks have ended is not active, nor is one whose workflow is over', async () => {
  const folded = new Folded().fold(
    start('1'),
    start('2', { agent: 'b' }),
    start('3', { agent: 'c' }),
    end('1'),
  );
  expect((await folded.workflow('w')).active_agents).toEqual(['b', 'c']);
  folded.fold(end('2', { agent: 'b', status: 'failed' }));
  expect((await folded.workflow('w')).active_agents).toEqual(['c']);
  folded.fold({ type: 'workflow.end', workflow: 'w', status: 'failed' });
  expect(await folded.workflow('w')).toMatchObject({
    active_agents: [],
    completed_agents: ['a'],
    failed_agents: ['b'],
  });
  const stale = new Folded({ maxLiveWorkflows: 1 }).fold(start('1'), start('1', { workflow: 'v' }));
  expect(await stale.workflow('w')).toMatchObject({ status: 'cancelled', active_agents: [] });
});

test('an average has every end in it, as soon as that is folded', async () => {
  const folded = new Folded();
  const seconds = [4, 8, 3, 9, 1];
  for (const [i, duration] of seconds.entries()) {
    folded.fold(start(`${i}`, { ts: 100 }), end(`${i}`, { ts: 100 + duration }));
    const mean = seconds.slice(0, i + 1).reduce((sum, one) => sum + one, 0) / (i + 1);
    expect(folded.stats('task_duration_seconds', [])[0]!.mean).toBeCloseTo(mean, 12);
    const { metrics } = await folded.workflow('w');
    expect(metrics.total_duration / metrics.total_executions).toBeCloseTo(mean, 12);
  }
});

test('a speed-up is a ratio: the same work at another pace has the same', async () => {
  const speedups = await Promise.all(
    [1, 60].map(async (pace) => {
      const folded = new Folded();
      for (const [id, from, to] of [
        ['1', 0, 10],
        ['2', 0, 10],
        ['3', 5, 20],
      ] as const) {
        folded.fold(start(id, { ts: from * pace }), end(id, { ts: to * pace }));
      }
      return (await folded.workflow('w')).metrics.measured_speedup;
    }),
  );
  expect(speedups[0]).toBeCloseTo(35 / 20, 12);
  expect(speedups[1]).toBeCloseTo(speedups[0]!, 12);
});
