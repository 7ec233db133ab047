/** Verdicts of time and changes of limits: ticks in the log, so that every start comes to the same state. */

import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { limitsOfLog } from '../../src/archive/segment-limits.js';
import { listSegments } from '../../src/archive/segment-name.js';
import { decodeLimits } from '../../src/state/limits.js';
import { type TestDaemon, testDaemon } from '../support/daemon.js';

const open = (workflow: string) => ({ type: 'workflow.start', workflow });
const close = (workflow: string) => ({ type: 'workflow.end', workflow, status: 'completed' });

const isStale = ({ state }: { state: { counts: { workflows_stale: number } } }) => {
  return state.counts.workflows_stale === 1;
};

/** What the daemon has written: names and sizes of its segments. */
function written(daemon: TestDaemon): string[] {
  return listSegments(daemon.archiveDir).map(({ path }) => `${path} ${statSync(path).size}`);
}

test('a workflow without an event for stale_after is cancelled as stale, once, whatever starts in between', async () => {
  const daemon = await testDaemon({ 'state.stale_after': '1500ms' });
  await daemon.send(open('idle'), { type: 'task.start', workflow: 'idle', task: 't', agent: 'a' });
  expect(await daemon.statusWhere(isStale)).toMatchObject({
    degraded: [],
    state: { workflows_live: 0, workflows_recent: 1, counts: { workflows_stale: 1 } },
  });
  const { body } = await daemon.workflow('idle');
  expect(body).toMatchObject({ status: 'cancelled', ended_at: null, source: 'recent', active_agents: [] });
  await daemon.send(open('busy'));
  expect(await daemon.stop()).toBe(0);
  // A start under which it would not be stale: the log says that it was.
  await daemon.restart({ 'state.stale_after': '1h' });
  expect((await daemon.workflow('idle')).body).toEqual(body);
  expect(await daemon.status()).toMatchObject({
    state: { workflows_live: 1, counts: { workflows_stale: 1 } },
  });
  await daemon.send(close('idle'));
  expect((await daemon.workflow('idle')).body).toMatchObject({ status: 'completed' });
});

test('a workflow that became stale while the daemon was down is so soon after the start', async () => {
  const daemon = await testDaemon({ 'state.stale_after': '1h' });
  await daemon.send(open('idle'));
  expect(await daemon.stop()).toBe(0);
  await daemon.restart({ 'state.stale_after': '100ms' });
  expect((await daemon.statusWhere(isStale)).state.workflows_recent).toBe(1);
});

test('an idle daemon writes nothing, whatever is alive in it', async () => {
  const daemon = await testDaemon({ 'archive.sync_interval': '50ms' });
  expect(written(daemon)).toEqual([]);
  await daemon.send(open('alive'));
  const before = written(daemon);
  await sleep(2500);
  expect(written(daemon)).toEqual(before);
});

test('every start folds the lines under the limits under which they were folded first', async () => {
  const wide = { 'state.max_recent_workflows': 50, 'state.max_tasks_per_workflow': 40 };
  const narrow = { 'state.max_recent_workflows': 3, 'state.max_tasks_per_workflow': 2 };
  const daemon = await testDaemon(wide);
  const lines = (from: number) => {
    return Array.from({ length: 20 }, (_, i) => [open(`w${from + i}`), close(`w${from + i}`)]).flat();
  };
  const tasks = Array.from({ length: 10 }, (_, i) => ({
    type: 'task.end',
    workflow: 'live',
    task: `${i}`,
    agent: 'a',
    status: 'completed',
  }));
  await daemon.send(...lines(0), ...tasks);
  expect(await daemon.stop()).toBe(0);
  await daemon.restart(narrow);
  // Recent ones beyond the limit leave with the limit, tasks where the next one comes.
  const { state } = await daemon.statusWhere(({ state: { counts } }) => counts.workflows_evicted > 0);
  expect(state).toMatchObject({ workflows_recent: 3, counts: { workflows_evicted: 17, tasks_evicted: 0 } });
  await daemon.send({ ...tasks[0], task: 'last' }, ...lines(100));
  const before = await daemon.status();
  expect(before.state).toMatchObject({
    workflows_recent: 3,
    counts: { workflows_evicted: 37, tasks_evicted: 9 },
  });
  const { body } = await daemon.workflow('live');
  expect(body.tasks).toHaveLength(2);
  await daemon.kill();
  await daemon.restart(narrow);
  expect((await daemon.status()).state).toEqual(before.state);
  expect((await daemon.workflow('live')).body).toEqual(body);
  expect(await daemon.stop()).toBe(0);
  // Each segment says the limits with which it begins, and the same limits begin no other one.
  const logged = limitsOfLog(daemon.archiveDir).map(decodeLimits);
  expect(logged.map(({ maxRecentWorkflows }) => maxRecentWorkflows)).toEqual([50, 3]);
});

test('segments that retention leaves begin with the limits in force', async () => {
  const daemon = await testDaemon({ 'archive.segment_bytes': '4KiB', 'state.max_tasks': 1234 });
  for (let i = 0; i < 15; i++) {
    await daemon.send(
      ...Array.from({ length: 60 }, (_, n) => ({ type: 'note', text: `${i}${Math.sin(n * i)}` })),
    );
  }
  const segments = listSegments(daemon.archiveDir);
  expect(segments.length).toBeGreaterThan(2);
  const logged = limitsOfLog(daemon.archiveDir).map(decodeLimits);
  expect(logged.map(({ maxTasks }) => maxTasks)).toEqual(segments.map(() => 1234));
});
