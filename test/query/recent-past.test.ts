import { expect, test } from 'vitest';
import type { StatusReply } from '../../src/model/replies.js';
import { RecentPast } from '../../src/query/recent-past.js';
import { ARRIVED, Folded } from '../fold/replaying.js';

function pastOf(folded = new Folded()) {
  const counts = { accepted: 0, rejected: 0 };
  const status = () => ({
    ingest: counts,
    lag: { seconds: 0.5 },
    ring: { used_bytes: 25, capacity_bytes: 100 },
    state: { tasks_running: 3, workflows_live: 2 },
  });
  return { past: new RecentPast(folded.tables, status as unknown as () => StatusReply), counts };
}

test('a row is taken every two seconds, however often it is asked to', () => {
  const { past } = pastOf();
  for (let at = 100; at <= 110; at += 0.5) past.sample(at);
  expect(past.render().times).toEqual([100, 102, 104, 106, 108, 110]);
  const { past: bySecond } = pastOf();
  for (let at = 100; at <= 106; at++) bySecond.sample(at);
  expect(bySecond.render().times).toEqual([100, 102, 104, 106]);
});

test('rates are over the time since the row before, and the first has none', () => {
  const { past, counts } = pastOf();
  past.sample(100);
  Object.assign(counts, { accepted: 600, rejected: 3 });
  past.sample(102);
  expect(past.render()).toMatchObject({
    events_per_second: [null, 300],
    rejected_per_second: [null, 1.5],
    tasks_running: [3, 3],
    workflows_live: [2, 2],
    lag_seconds: [0.5, 0.5],
    ring_used: [0.25, 0.25],
  });
});

test('after a clock that was set back it goes on', () => {
  const { past, counts } = pastOf();
  past.sample(100);
  counts.accepted = 10;
  past.sample(40);
  past.sample(42);
  expect(past.render().times).toEqual([100, 40, 42]);
  expect(past.render().events_per_second).toEqual([null, null, 0]);
});

test('it keeps a quarter of an hour', () => {
  const { past } = pastOf();
  for (let at = 0; at < 2000; at += 2) past.sample(at);
  const { times, ...columns } = past.render();
  expect([times[0], times.at(-1)]).toEqual([1100, 1998]);
  for (const column of Object.values(columns)) expect(column).toHaveLength(times.length);
});

test('the tasks that ended in the minute before are counted by their outcome, with the quantiles of their durations', () => {
  const end = (task: string, status: string, duration: number) => {
    return { type: 'task.end', task, agent: 'a', status, duration };
  };
  const folded = new Folded().fold(
    end('a', 'completed', 1),
    end('b', 'completed', 2),
    end('c', 'failed', 4),
    end('d', 'timeout', 8),
    end('e', 'cancelled', 16),
  );
  const { past, counts } = pastOf(folded);
  counts.accepted = 5;
  past.sample(ARRIVED + 1);
  // Nothing more comes, and the minute goes by.
  for (let at = ARRIVED + 3; at < ARRIVED + 100; at += 2) past.sample(at);
  const { tasks_completed, tasks_failed, task_seconds_p50, task_seconds_p99 } = past.render();
  expect([tasks_completed[0], tasks_failed[0]]).toEqual([2, 2]);
  expect(task_seconds_p50[0]! / 4).toBeCloseTo(1, 1);
  expect(task_seconds_p99[0]! / 16).toBeCloseTo(1, 1);
  expect([tasks_completed.at(-1), tasks_failed.at(-1), task_seconds_p50.at(-1)]).toEqual([0, 0, null]);
});
