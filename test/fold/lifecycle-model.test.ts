/** Random lines into the fold and into the naive model of the contract: both hold the same after every record. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StateLimits } from '../../src/state/layout.js';
import { assertVisitingAsync } from '../support/corners.js';
import { expectedGroups, expectedReport, foldedGroups, Model, type ModelWorkflow } from './model.js';
import { type RandomEvent, randomRecords } from './random-events.js';
import { Folded, LIMITS } from './replaying.js';

/** So small that something is forgotten at almost every line. */
const tiny: fc.Arbitrary<Partial<StateLimits>> = fc
  .record({
    maxLiveWorkflows: fc.integer({ min: 1, max: 4 }),
    maxRecentWorkflows: fc.integer({ min: 0, max: 3 }),
    maxTasksPerWorkflow: fc.integer({ min: 1, max: 4 }),
    maxTasks: fc.integer({ min: 1, max: 12 }),
  })
  .map((limits) => ({ ...limits, staleAfterMs: 5000 }));

/** Records, and ticks between them. */
type Step = RandomEvent[] | { readonly after: number } | { readonly limits: Partial<StateLimits> };

const steps: fc.Arbitrary<Step[]> = randomRecords(240).chain((records) => {
  const tick = fc.oneof(
    { weight: 12, arbitrary: fc.constant(null) },
    { weight: 2, arbitrary: fc.record({ after: fc.integer({ min: 0, max: 6 }) }) },
    { weight: 1, arbitrary: fc.record({ limits: tiny }) },
  );
  const ticks = fc.array(tick, { minLength: records.length, maxLength: records.length });
  return ticks.map((all) => records.flatMap((record, i) => (all[i] === null ? [record] : [record, all[i]!])));
});

test('workflows, tasks, counts, reports and aggregates are those of the naive model, with room for everything', async () => {
  const visited = new Set<string>();
  await assertVisitingAsync(
    visited,
    [
      'clock_skew',
      'completed by a late start',
      'executed again',
      'implicit',
      'second run',
      'task_duplicate_ends',
      'task_restarts',
      'workflow completed by a late start',
      'workflow_duplicate_ends',
    ],
    fc.asyncProperty(randomRecords(240), (records) => expectSame(LIMITS, records, visited)),
    { numRuns: 30 },
  );
});

test('workflows, tasks, counts, reports and aggregates are those of the naive model, forgetting all the time', async () => {
  const visited = new Set<string>();
  await assertVisitingAsync(
    visited,
    [
      'a real end after a stale one',
      'clock_skew',
      'completed by a late start',
      'displaced by a new limit',
      'executed again',
      'implicit',
      'running tasks beyond their limit',
      'second run',
      'stale by time',
      'started again when stale',
      'task_duplicate_ends',
      'task_restarts',
      'tasks_evicted',
      'tasks_untracked',
      'workflow completed by a late start',
      'workflow_duplicate_ends',
      'workflows_displaced',
      'workflows_evicted',
      'workflows_stale',
    ],
    fc.asyncProperty(tiny, steps, (limits, all) => expectSame({ ...LIMITS, ...limits }, all, visited)),
    { numRuns: 60 },
  );
});

async function expectSame(limits: StateLimits, all: readonly Step[], visited: Set<string>): Promise<void> {
  // The memory is larger than the limits need, as it is where they have changed.
  const folded = new Folded();
  folded.tickLimits(limits);
  const model = new Model(limits, visited);
  for (const step of all) {
    if ('after' in step) {
      folded.tickTime(step.after);
      model.tickTime(step.after);
    } else if ('limits' in step) {
      folded.tickLimits(step.limits);
      model.tickLimits(step.limits);
    } else {
      folded.fold(...step);
      model.record(step);
    }
    expect(folded.counts()).toEqual(model.counts);
    expect(folded.workflowIds(false)).toEqual(model.live.map(({ id }) => id).sort());
    expect(folded.workflowIds(true)).toEqual(model.recent.map(({ id }) => id).sort());
    for (const w of model.workflows.values()) await expectWorkflow(folded, model, w);
    const { tasks } = folded.tables;
    const running = model.tasks.filter(({ status }) => status === 'running').length;
    expect([tasks.used, tasks.held(0), tasks.running]).toEqual([
      model.tasks.length,
      model.loose.length,
      running,
    ]);
  }
  expect(folded.refused).toBe(0);
  expectAggregates(folded, model);
}

async function expectWorkflow(folded: Folded, model: Model, w: ModelWorkflow): Promise<void> {
  const { id, run, name, project, parent, phase, status, implicit, started_at, ended_at } = w;
  const view = await folded.workflow(id);
  expect(view).toMatchObject({ run, name, project, parent, phase, status, implicit, started_at, ended_at });
  expect(view).toMatchObject({ source: w.over ? 'recent' : 'live', tasks_total: w.tasksTotal });
  for (const [of, count] of Object.entries(view.tasks_by_status)) expect(count).toBe(w.byStatus[of] ?? 0);
  expect(view.tasks).toEqual(
    w.tasks.map(({ workflow: _, execution: __, ...task }) => expect.objectContaining(task)),
  );
  const children = [...model.workflows.values()].filter((one) => one.parent === id).map((one) => one.id);
  expect([...view.children].sort()).toEqual(children.sort());
  expect(view.groups).toEqual(w.groups.map(({ members }) => members).slice(-100));
  const agents = (of: string) => {
    const all = [...w.tasks, ...w.forgotten].filter((one) => one.status === of).map(({ agent }) => agent);
    return [...new Set(all)].sort();
  };
  expect([...view.completed_agents].sort()).toEqual(agents('completed'));
  expect([...view.failed_agents].sort()).toEqual(agents('failed'));
  const active = w.tasks.filter((one) => one.status === 'running').map(({ agent }) => agent);
  expect([...view.active_agents].sort()).toEqual(w.over ? [] : [...new Set(active)].sort());
  expectNumbers(view.metrics, expectedReport(w));
  if (run > 1) model.visited.add('second run');
  if (implicit) model.visited.add('implicit');
}

/** Equal but for the last digits: the fold adds up in another order. */
function expectNumbers(found: object, expected: object): void {
  for (const [name, value] of Object.entries(expected)) {
    const actual = (found as Record<string, unknown>)[name];
    if (typeof value === 'number') expect(actual, name).toBeCloseTo(value, 9);
    else expect(actual, name).toEqual(value);
  }
}

function expectAggregates(folded: Folded, model: Model): void {
  const expected = expectedGroups(model.samples);
  const found = foldedGroups(folded);
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [key, { count, sum, min, max, variance }] of expected) {
    const group = found.get(key)!;
    expect(group.count).toBe(count);
    const tolerance = 1e-9 * (1 + Math.abs(max) + Math.abs(min));
    expect(Math.abs(group.min - min)).toBeLessThanOrEqual(tolerance);
    expect(Math.abs(group.max - max)).toBeLessThanOrEqual(tolerance);
    expect(Math.abs(group.sum - sum)).toBeLessThanOrEqual(tolerance * count);
    if (variance === null) expect(group.variance).toBeNull();
    else expect(Math.abs(group.variance! - variance)).toBeLessThanOrEqual(1e-8 * (1 + variance));
  }
}
