/** The limits of the state: what is forgotten first, what is counted, and that nothing is un-counted or mixed up. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { wordsOf } from '../../src/model/memory.js';
import { STATUS_RUNNING } from '../../src/model/status.js';
import { REPORT_AGENT, REPORT_PROJECT } from '../../src/state/reports.js';
import { SHARE_AGENT, SHARE_NEXT } from '../../src/state/shares.js';
import { OVERFLOW_CELLS } from '../../src/state/slot-bytes.js';
import { TASK_AGENT, TASK_ID, TASK_KIND } from '../../src/state/tasks.js';
import {
  FLAG_OVER,
  WORKFLOW_COVER,
  WORKFLOW_FLAGS,
  WORKFLOW_GROUPS,
  WORKFLOW_ID,
  WORKFLOW_NAME,
  WORKFLOW_PARENT,
  WORKFLOW_PHASE,
  WORKFLOW_PROJECT,
  WORKFLOW_SHARE_FIRST,
  WORKFLOW_TASKS_BY_STATUS,
  WORKFLOW_TASKS_HELD,
  WORKFLOW_TASKS_TOTAL,
} from '../../src/state/workflows.js';
import { assertVisitingAsync } from '../support/corners.js';
import { randomRecords } from './random-events.js';
import { Folded } from './replaying.js';

const open = (workflow: string, ts?: number) => ({ type: 'workflow.start', workflow, ts });
const close = (workflow: string, more: object = {}) => ({
  type: 'workflow.end',
  workflow,
  status: 'completed',
  ...more,
});
const start = (task: string, more: object = {}) => ({
  type: 'task.start',
  task,
  agent: 'a',
  ts: 100,
  ...more,
});
const end = (task: string, more: object = {}) => ({
  type: 'task.end',
  task,
  agent: 'a',
  status: 'completed',
  ts: 110,
  ...more,
});
const sample = (name: string, tags: object = {}, value = 1) => ({ type: 'sample', name, tags, value });

describe('max_live_workflows', () => {
  test('makes the one that was touched least recently stale, and its real end replaces that', async () => {
    const folded = new Folded({ maxLiveWorkflows: 2 }).fold(
      open('a', 10),
      open('b', 10),
      start('t', { workflow: 'a' }),
    );
    folded.fold(open('c', 10));
    expect(folded.workflowIds(false)).toEqual(['a', 'c']);
    expect(await folded.workflow('b')).toMatchObject({
      status: 'cancelled',
      ended_at: null,
      source: 'recent',
    });
    expect(folded.counts()).toEqual({ workflows_stale: 1, workflows_displaced: 1 });
    expect(folded.samples('workflow_duration_seconds')).toBe(0);
    folded.fold(close('b', { ts: 15 }));
    expect(await folded.workflow('b')).toMatchObject({ status: 'completed', ended_at: 15, run: 1 });
    expect(folded.stats('workflow_duration_seconds')).toMatchObject([{ count: 1, sum: 5 }]);
    folded.fold(close('b', { ts: 16 }));
    expect(folded.counts()).toMatchObject({ workflows_stale: 1, workflow_duplicate_ends: 1 });
  });

  test('holds for workflows that begin a new run, too', () => {
    const folded = new Folded({ maxLiveWorkflows: 2 });
    for (const id of ['a', 'b', 'c', 'd']) folded.fold(open(id, 10), close(id, { ts: 11 }));
    folded.fold(open('a', 20)).fold(open('b', 20)).fold(open('c', 20));
    expect(folded.workflowIds(false)).toEqual(['b', 'c']);
    expect(folded.counts()).toEqual({ workflows_stale: 1, workflows_displaced: 1 });
  });
});

describe('max_recent_workflows', () => {
  test('forgets the one that was touched least recently, with its tasks; what names it then begins a remainder', async () => {
    const folded = new Folded({ maxRecentWorkflows: 2 });
    for (const id of ['a', 'b'])
      folded.fold(open(id, 10), start('t', { workflow: id }), close(id, { ts: 11 }));
    folded.fold(end('t', { workflow: 'a' }));
    folded.fold(open('c', 10), close('c', { ts: 11 }));
    expect(folded.workflowIds(true)).toEqual(['a', 'c']);
    expect(folded.counts()).toEqual({ workflows_evicted: 1 });
    expect([folded.tables.tasks.used, folded.tables.tasks.running]).toEqual([1, 0]);
    expect(folded.samples('workflow_duration_seconds')).toBe(3);
    folded.fold(end('t', { workflow: 'b' }));
    expect(await folded.workflow('b')).toMatchObject({ implicit: true, started_at: null, run: 1 });
    expect(folded.samples('task_duration_seconds')).toBe(1);
  });

  test('of 0 keeps none that is over', () => {
    const folded = new Folded({ maxRecentWorkflows: 0 }).fold(open('a', 1), close('a', { ts: 3 }));
    expect([folded.workflowIds(true), folded.samples('workflow_duration_seconds')]).toEqual([[], 1]);
  });
});

describe('max_tasks_per_workflow', () => {
  test('forgets the tasks that ended first, and never un-counts them', async () => {
    const folded = new Folded({ maxTasksPerWorkflow: 3 });
    folded.fold(...['1', '2', '3'].map((task) => start(task, { workflow: 'w' })));
    folded.fold(end('2', { workflow: 'w' }), end('1', { workflow: 'w' }), start('4', { workflow: 'w' }));
    const view = await folded.workflow('w');
    expect(view.tasks.map(({ task }) => task)).toEqual(['1', '3', '4']);
    expect(view).toMatchObject({ tasks_total: 4, tasks_by_status: { completed: 2, running: 2 } });
    expect(folded.counts()).toEqual({ tasks_evicted: 1 });
    expect(folded.samples('task_duration_seconds')).toBe(2);
  });

  test('never forgets a running task', async () => {
    const folded = new Folded({ maxTasksPerWorkflow: 2 });
    folded.fold(...['1', '2', '3', '4'].map((task) => start(task, { workflow: 'w' })));
    expect((await folded.workflow('w')).tasks).toHaveLength(4);
    expect(folded.counts()).toEqual({});
  });
});

describe('max_tasks', () => {
  test('takes the room of ended tasks first, then of workflows that are over, and leaves the rest untracked', async () => {
    const folded = new Folded({ maxTasks: 3 });
    folded.fold(start('1', { workflow: 'w' }), end('1', { workflow: 'w' }), start('2', { workflow: 'w' }));
    folded.fold(start('x', { workflow: 'over' }), close('over'));
    folded.fold(start('3', { workflow: 'w' }));
    expect(folded.counts()).toEqual({ tasks_evicted: 1 });
    folded.fold(start('4', { workflow: 'w' }));
    expect(folded.counts()).toEqual({ tasks_evicted: 1, workflows_evicted: 1 });
    folded.fold(start('5', { workflow: 'w' }));
    expect(folded.counts()).toEqual({ tasks_evicted: 1, workflows_evicted: 1, tasks_untracked: 1 });
    expect((await folded.workflow('w')).tasks.map(({ task }) => task)).toEqual(['2', '3', '4']);
  });

  test('lets the end of an untracked task count in the aggregates by what it brings itself', () => {
    const folded = new Folded({ maxTasks: 1 }).fold(start('1', { workflow: 'w' }));
    folded.fold(end('2', { workflow: 'w', duration: 5, tokens: 3, kind: 'k' }), end('3', { workflow: 'w' }));
    expect(folded.stats('task_duration_seconds')).toMatchObject([
      { labels: { agent: 'a', kind: 'k', status: 'completed' }, count: 1, sum: 5 },
    ]);
    expect(folded.samples('task_tokens')).toBe(1);
    expect(folded.counts()).toEqual({ tasks_untracked: 2 });
  });
});

describe('max_series', () => {
  test('takes what is beyond it in one cell per metric, labelled overflow', () => {
    const folded = new Folded({ maxSeries: 3 });
    folded.fold(sample('m', { k: '1' }), sample('m', { k: '2' }), sample('n'));
    folded.fold(
      sample('m', { k: '3' }, 10),
      sample('m', { k: '4' }, 20),
      sample('o', {}, 30),
      sample('m', { k: '1' }, 3),
    );
    expect(folded.stats('m')).toEqual([
      expect.objectContaining({ labels: { k: '1' }, count: 2, sum: 4 }),
      expect.objectContaining({ labels: { overflow: 'true' }, count: 2, sum: 30 }),
      expect.objectContaining({ labels: { k: '2' }, count: 1 }),
    ]);
    expect(folded.stats('o')).toMatchObject([{ labels: { overflow: 'true' }, count: 1, sum: 30 }]);
    expect(folded.counts()).toEqual({ series_overflowed: 3 });
    expect(folded.samples('m') + folded.samples('n') + folded.samples('o')).toBe(7);
  });

  test('and the room for overflow cells bound the cells, and what is lost beyond is counted', () => {
    const folded = new Folded({ maxSeries: 1 });
    for (let i = 0; i < OVERFLOW_CELLS + 5; i++) folded.fold(sample(`m${i}`));
    expect(folded.tables.cells.used).toBe(OVERFLOW_CELLS + 1);
    expect(folded.counts()).toEqual({ series_overflowed: OVERFLOW_CELLS + 4 });
  });
});

describe('names_bytes', () => {
  /** Tables whose heap for names the ids of live workflows have filled. */
  function full(): Folded {
    const folded = new Folded({ namesBytes: 0, maxLiveWorkflows: 1000 });
    folded.fold(sample('m', { k: 'known' }), end('t', { workflow: 'w', kind: 'known', duration: 1 }));
    for (let i = 0; i < 400; i++) folded.fold(open(`${i}`.padEnd(240, '-')));
    for (let i = 0; i < 400; i++) folded.fold(open(`s${i}`));
    return folded;
  }

  test('that are used up take samples of new labels into the overflow cell, not into that of fewer labels', () => {
    const folded = full();
    const before = folded.samples('m');
    folded.fold(
      sample('m', { k: 'n'.repeat(200) }, 50),
      sample('m', { k: 'known' }, 7),
      sample('m', { ['l'.repeat(99)]: 'x' }),
    );
    expect(folded.samples('m')).toBe(before + 3);
    expect(folded.stats('m')).toMatchObject([
      { labels: { k: 'known' }, count: 2 },
      { labels: { overflow: 'true' }, count: 2 },
    ]);
    expect(folded.counts().series_overflowed).toBe(2);
  });

  test('that are used up take durations of new kinds and agents into the overflow cell', () => {
    const folded = full();
    folded.fold(end('t2', { workflow: 'w', kind: 'n'.repeat(200), duration: 3 }));
    folded.fold(end('t3', { workflow: 'w', agent: 'b'.repeat(200), duration: 4 }));
    expect(folded.samples('task_duration_seconds')).toBe(3);
    for (const { labels } of folded.stats('task_duration_seconds')) {
      expect([{ agent: 'a', kind: 'known', status: 'completed' }, { overflow: 'true' }]).toContainEqual(
        labels,
      );
    }
  });

  test('that are used up leave tasks of a workflow without room untracked, not without a workflow', () => {
    const folded = full();
    const far = (i: number) => ({ workflow: `far ${i}`.padEnd(250, '.') });
    expect(folded.tables.tasks.held(0)).toBe(0);
    folded.fold(
      start('t', far(1)),
      start('t', far(2)),
      end('t', { ...far(1), duration: 2 }),
      end('t', { ...far(2), duration: 3 }),
    );
    expect(folded.tables.tasks.held(0)).toBe(0);
    expect(folded.counts().task_restarts).toBeUndefined();
    expect(folded.counts().task_duplicate_ends).toBeUndefined();
    expect(folded.samples('task_duration_seconds')).toBe(3);
    expect(folded.counts().tasks_untracked).toBe(4);
  });
});

describe('at tiny limits and any events', () => {
  test('the fold never throws, keeps every limit, and its numbers agree with one another', async () => {
    const limits = fc.record({
      maxLiveWorkflows: fc.integer({ min: 1, max: 4 }),
      maxRecentWorkflows: fc.integer({ min: 0, max: 3 }),
      maxTasksPerWorkflow: fc.integer({ min: 1, max: 4 }),
      maxTasks: fc.integer({ min: 1, max: 12 }),
      maxSeries: fc.integer({ min: 1, max: 8 }),
    });
    const visited = new Set<string>();
    await assertVisitingAsync(
      visited,
      [
        'clock_skew',
        'series_overflowed',
        'task_duplicate_ends',
        'task_restarts',
        'tasks_evicted',
        'tasks_untracked',
        'workflow_duplicate_ends',
        'workflows_displaced',
        'workflows_evicted',
        'workflows_stale',
      ],
      fc.asyncProperty(limits, randomRecords(300), async (given, records) => {
        const folded = new Folded(given);
        const words = internedRefs(folded);
        let samples = 0;
        for (const record of records) {
          folded.fold(...record);
          samples += record.filter(({ type }) => type === 'sample').length;
          const { workflows, tasks } = folded.tables;
          expect(workflows.live).toBeLessThanOrEqual(given.maxLiveWorkflows);
          expect(workflows.recent).toBeLessThanOrEqual(given.maxRecentWorkflows);
          expect(tasks.used).toBeLessThanOrEqual(given.maxTasks);
        }
        expect(folded.refused).toBe(0);
        for (const what of Object.keys(folded.counts())) visited.add(what);
        expectConsistent(folded, words);
        expect(folded.samples('m0') + folded.samples('m1') + folded.samples('m2')).toBe(samples);
        expect(folded.tables.cells.used).toBeLessThanOrEqual(given.maxSeries + 7);
        for (const id of [...folded.workflowIds(false), ...folded.workflowIds(true)])
          await folded.workflow(id);
      }),
      { numRuns: 60 },
    );
  });
});

function internedRefs({ memory }: Folded): number[] {
  // Behind the head of the index.
  return [...wordsOf(memory.namesIndex).subarray(16)].filter((ref) => ref !== 0);
}

/** Heads, lists and counts of the tables against a walk over their slots; and every block of a name is somebody's. */
function expectConsistent(folded: Folded, words: readonly number[]): void {
  const { workflows, tasks, shares, cells, names } = folded.tables;
  const w = workflows.table;
  const t = tasks.table;
  const s = shares.table;
  const owned = new Set<number>(words);
  let live = 0;
  let recent = 0;
  let held = tasks.held(0);
  let shareCount = 0;
  for (let slot = 1; slot < w.top; slot++) {
    const at = slot * w.slotWords;
    if (w.words[at + WORKFLOW_ID] === 0) continue;
    if ((w.words[at + WORKFLOW_FLAGS]! & FLAG_OVER) === 0) live++;
    else recent++;
    for (const field of [
      WORKFLOW_ID,
      WORKFLOW_NAME,
      WORKFLOW_PROJECT,
      WORKFLOW_PHASE,
      WORKFLOW_PARENT,
      WORKFLOW_GROUPS,
      WORKFLOW_COVER,
    ]) {
      owned.add(w.words[at + field]!);
    }
    for (let share = w.words[at + WORKFLOW_SHARE_FIRST]!; share !== 0; ) {
      shareCount++;
      owned.add(s.words[share * s.slotWords + SHARE_AGENT]!);
      share = s.words[share * s.slotWords + SHARE_NEXT]!;
    }
    held += w.words[at + WORKFLOW_TASKS_HELD]!;
    let walked = 0;
    for (let task = tasks.first(slot); task !== 0; task = tasks.next(task)) walked++;
    expect(walked).toBe(w.words[at + WORKFLOW_TASKS_HELD]);
    const byStatus = w.words.subarray(at + WORKFLOW_TASKS_BY_STATUS, at + WORKFLOW_TASKS_BY_STATUS + 8);
    for (const count of byStatus) expect(count).toBeGreaterThanOrEqual(0);
    expect(byStatus.reduce((sum, count) => sum + count, 0)).toBe(w.words[at + WORKFLOW_TASKS_TOTAL]);
    expect(w.words[at]! & 1).toBe(0);
  }
  expect([workflows.live, workflows.recent, w.used]).toEqual([live, recent, live + recent]);
  expect(tasks.used).toBe(held);
  expect(s.used).toBe(shareCount);
  expect(tasks.running).toBe(folded.tasksByStatus().get(STATUS_RUNNING) ?? 0);
  for (let slot = 1; slot < t.top; slot++) {
    const at = slot * t.slotWords;
    if (t.words[at + TASK_ID] === 0) continue;
    for (const field of [TASK_ID, TASK_AGENT, TASK_KIND]) owned.add(t.words[at + field]!);
  }
  const c = cells.table;
  for (let slot = 1; slot < c.top; slot++) {
    owned.add(cells.metric(slot));
    owned.add(c.words[slot * c.slotWords + 3]!);
    for (const ref of cells.labels(slot)) owned.add(ref);
  }
  const r = folded.tables.reports.table;
  for (let row = 1; row < r.top; row++) {
    for (const field of [REPORT_PROJECT, REPORT_AGENT]) owned.add(r.words[row * r.slotWords + field]!);
  }
  owned.delete(0);
  expect(names.blocks).toBe(owned.size);
}
