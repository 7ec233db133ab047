/** Lists of workflows and tasks: every filter against the model, and walks along lists that the fold changes meanwhile. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TaskFilter } from '../../src/query/task-list.js';
import type { WorkflowFilter } from '../../src/query/workflow-list.js';
import type { StateLimits } from '../../src/state/layout.js';
import { Model, type ModelTask, type ModelWorkflow } from '../fold/model.js';
import { randomEvent, randomRecords } from '../fold/random-events.js';
import { Folded, LIMITS } from '../fold/replaying.js';
import { assertVisitingAsync } from '../support/corners.js';

const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

const workflowFilter = fc.record({
  status: optional(fc.constantFrom('pending', 'running', 'paused', 'completed', 'failed', 'cancelled')),
  phase: optional(fc.constantFrom('requirements', 'x', 'y', 'nowhere')),
  project: optional(fc.constantFrom('p0', 'p1', 'p2')),
  parent: optional(fc.constantFrom('w0', 'elsewhere')),
  agent: optional(fc.constantFrom('a0', 'a1', 'a2', 'a3')),
}) as fc.Arbitrary<WorkflowFilter>;

const taskFilter = fc.record({
  workflow: optional(fc.constantFrom('w0', 'w1', 'w2', 'w9')),
  agent: optional(fc.constantFrom('a0', 'a1', 'a2', 'a3')),
  status: optional(fc.constantFrom('running', 'completed', 'failed', 'timeout', 'cancelled')),
  task: optional(fc.constantFrom('t0', 't1', 't9')),
}) as fc.Arbitrary<TaskFilter>;

const limits: fc.Arbitrary<StateLimits> = fc.constantFrom(LIMITS, {
  ...LIMITS,
  maxLiveWorkflows: 3,
  maxRecentWorkflows: 2,
  maxTasksPerWorkflow: 3,
  maxTasks: 12,
});

function matchesWorkflow(filter: WorkflowFilter, w: ModelWorkflow): boolean {
  const { agent, ...fields } = filter;
  if (agent !== undefined && !w.tasks.some((task) => task.agent === agent)) return false;
  return Object.entries(fields).every(([name, value]) => {
    return value === undefined || w[name as 'status'] === value;
  });
}

function matchesTask(filter: TaskFilter, t: ModelTask): boolean {
  const { workflow, ...fields } = filter;
  if (workflow !== undefined && t.workflow?.id !== workflow) return false;
  return Object.entries(fields).every(([name, value]) => value === undefined || t[name as 'agent'] === value);
}

const nameOf = (t: ModelTask) => `${t.workflow?.id ?? ''}/${t.agent}/${t.task}`;

/** All pages, in order. @param between what happens before each page but the first */
async function pages<T>(
  page: (cursor: string | null) => Promise<{ items: readonly T[]; next: string | null }>,
  limit: number,
  between: () => void = () => {},
): Promise<T[]> {
  const found: T[] = [];
  for (let cursor: string | null = null; ; between()) {
    const { items, next } = await page(cursor);
    expect(items.length).toBeLessThanOrEqual(limit);
    if (next !== null) expect(items.length).toBe(limit);
    found.push(...items);
    if (next === null) return found;
    cursor = next;
  }
}

test('whatever is asked for, pages of any size list all that is so, once, and nothing else', async () => {
  const visited = new Set<string>();
  const visit = (list: string, filter: object, isSeveralPages: boolean) => {
    const conditions = Object.keys(defined(filter)).length;
    if (isSeveralPages && conditions <= 2) visited.add(`${list}, ${conditions} conditions`);
  };
  await assertVisitingAsync(
    visited,
    [
      'workflows, 0 conditions',
      'workflows, 1 conditions',
      'workflows, 2 conditions',
      'tasks, 0 conditions',
      'tasks, 1 conditions',
      'tasks, 2 conditions',
    ],
    fc.asyncProperty(
      limits,
      randomRecords(200),
      fc.array(workflowFilter, { minLength: 10, maxLength: 10 }),
      fc.array(taskFilter, { minLength: 10, maxLength: 10 }),
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(0, 1000),
      async (given, records, workflowFilters, taskFilters, limit, agentTasksMax) => {
        const folded = new Folded(given);
        const model = new Model(given);
        for (const record of records) {
          folded.fold(...record);
          model.record(record);
        }
        for (const filter of [{}, ...workflowFilters]) {
          const page = (cursor: string | null) => folded.workflowPage(filter, limit, cursor, agentTasksMax);
          const found = await pages(page, limit);
          const expected = [...model.workflows.values()].filter((w) => matchesWorkflow(filter, w));
          expect(found.map(({ workflow }) => workflow).sort()).toEqual(expected.map(({ id }) => id).sort());
          for (const { workflow, run, status, source } of found) {
            const w = model.workflows.get(workflow)!;
            expect({ run, status, source }).toEqual({
              run: w.run,
              status: w.status,
              source: w.over ? 'recent' : 'live',
            });
          }
          visit('workflows', filter, found.length > limit);
        }
        for (const filter of [{}, ...taskFilters]) {
          const found = await pages((cursor) => folded.taskPage(filter, limit, cursor), limit);
          const expected = model.tasks.filter((t) => matchesTask(filter, t));
          const names = found.map(({ workflow, agent, task }) => `${workflow ?? ''}/${agent}/${task}`);
          expect(names.sort()).toEqual(expected.map(nameOf).sort());
          visit('tasks', filter, found.length > limit);
        }
      },
    ),
    { numRuns: 100 },
  );
});

test('what is so during a whole walk is listed exactly once, whatever happens between its pages', async () => {
  const visited = new Set<string>();
  const later = fc.array(randomEvent, { minLength: 120, maxLength: 120 });
  await assertVisitingAsync(
    visited,
    ['tasks', 'workflows'],
    fc.asyncProperty(
      limits,
      randomRecords(150),
      later,
      workflowFilter,
      taskFilter,
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(0, 1000),
      async (given, records, changes, byWorkflow, byTask, limit, agentTasksMax) => {
        const folded = new Folded(given);
        const model = new Model(given);
        for (const record of records) {
          folded.fold(...record);
          model.record(record);
        }
        const left = [...changes];
        /** One event at a time: within two, something could leave the list and come back. */
        const change = (look: () => void) => {
          for (const event of left.splice(0, 3)) {
            folded.fold(event);
            model.record([event]);
            look();
          }
        };
        // Identity, not the id: what is forgotten and comes to life again, or begins a new run, is another one.
        let workflows = [...model.workflows.values()]
          .filter((w) => matchesWorkflow(byWorkflow, w))
          .map((w) => ({ w, run: w.run }));
        const foundWorkflows = await pages(
          (cursor) => folded.workflowPage(byWorkflow, limit, cursor, agentTasksMax),
          limit,
          () =>
            change(() => {
              workflows = workflows.filter(({ w, run }) => {
                return model.workflows.get(w.id) === w && w.run === run && matchesWorkflow(byWorkflow, w);
              });
            }),
        );
        for (const { w } of workflows) {
          expect(foundWorkflows.filter(({ workflow }) => workflow === w.id)).toHaveLength(1);
        }
        if (workflows.length > limit && left.length < 117) visited.add('workflows');
        let tasks = model.tasks.filter((t) => matchesTask(byTask, t));
        const foundTasks = await pages(
          (cursor) => folded.taskPage(byTask, limit, cursor),
          limit,
          () =>
            change(() => {
              const now = new Set(model.tasks);
              tasks = tasks.filter((t) => now.has(t) && matchesTask(byTask, t));
            }),
        );
        for (const t of tasks) {
          const same = foundTasks.filter(
            (one) => `${one.workflow ?? ''}/${one.agent}/${one.task}` === nameOf(t),
          );
          expect(same).toHaveLength(1);
        }
        if (tasks.length > limit) visited.add('tasks');
      },
    ),
    { numRuns: 200 },
  );
});

const start = (workflow: string | undefined, task: string, more: object = {}) => ({
  type: 'task.start',
  workflow,
  task,
  agent: 'a',
  ...more,
});
const open = (workflow: string, more: object = {}) => ({ type: 'workflow.start', workflow, ...more });
const close = (workflow: string) => ({ type: 'workflow.end', workflow, status: 'failed' });

describe('a list of workflows', () => {
  test('has the newest first, and what a summary is, without tasks and texts', async () => {
    const folded = new Folded().fold(
      open('a', { name: 'n', project: 'p', request: 'please', ts: 5 }),
      open('b', { parent: 'a' }),
      close('b'),
    );
    const { items, next } = await folded.workflowPage({}, 10);
    expect(next).toBeNull();
    expect(items.map(({ workflow }) => workflow)).toEqual(['b', 'a']);
    expect(items[1]).toEqual({
      workflow: 'a',
      run: 1,
      name: 'n',
      project: 'p',
      parent: null,
      status: 'running',
      phase: 'requirements',
      implicit: false,
      started_at: 5,
      ended_at: null,
      duration: null,
      tasks_total: 0,
      tasks_by_status: { running: 0, completed: 0, failed: 0, timeout: 0, cancelled: 0 },
      source: 'live',
    });
  });

  test('of an agent has each workflow once, however many tasks of that agent it has', async () => {
    const folded = new Folded().fold(
      start('a', '1'),
      start('b', '1'),
      start('a', '2'),
      start(undefined, '3'),
    );
    const { items } = await folded.workflowPage({ agent: 'a' }, 10);
    expect(items.map(({ workflow }) => workflow)).toEqual(['b', 'a']);
  });

  test.each([
    ['of another question', { status: 'running' }, 'phase.1.1'],
    ['that is none', {}, 'all.1'],
    ['of no list', {}, 'x.1.1'],
  ])('refuses a cursor %s', async (_, filter, cursor) => {
    const folded = new Folded().fold(open('a'));
    await expect(folded.workflowPage(filter, 1, cursor)).rejects.toThrow('cursor must be');
  });

  test('refuses a status that there is not, and names those that there are', async () => {
    await expect(new Folded().workflowPage({ status: 'done' }, 1)).rejects.toThrow(
      'status must be one of pending, running',
    );
  });

  test('goes on from a cursor whose workflow, and all before it, have left', async () => {
    const folded = new Folded({ maxRecentWorkflows: 1 }).fold(
      ...['a', 'b', 'c', 'd', 'e'].map((id) => open(id)),
    );
    const first = await folded.workflowPage({}, 3);
    expect(first.items.map(({ workflow }) => workflow)).toEqual(['e', 'd', 'c']);
    folded.fold(close('c'), close('d'), close('e'), open('f'), close('f'));
    const rest = await folded.workflowPage({}, 3, first.next);
    expect(rest.items.map(({ workflow }) => workflow)).toEqual(['b', 'a']);
    expect(rest.next).toBeNull();
  });

  test.each(['all.99.4000000000', 'all.9007199254740991.1', 'all.0.0'])(
    'takes the cursor %s, which nobody was given, without harm',
    async (cursor) => {
      const folded = new Folded().fold(open('a'));
      expect((await folded.workflowPage({}, 1, cursor)).items.length).toBeLessThanOrEqual(1);
    },
  );
});

describe('a list of tasks', () => {
  test('has tasks of no workflow, too, and their texts', async () => {
    const folded = new Folded().fold(
      start(undefined, 't', { description: 'dig' }),
      { type: 'task.end', task: 't', agent: 'a', status: 'failed', error: 'rock', output: [1] },
      start('w', 'u', { kind: 'k', parallel: true }),
    );
    const { items } = await folded.taskPage({}, 10);
    expect(items).toEqual([
      expect.objectContaining({
        workflow: 'w',
        task: 'u',
        agent: 'a',
        kind: 'k',
        parallel: true,
        status: 'running',
      }),
      expect.objectContaining({ workflow: null, task: 't', description: 'dig', error: 'rock', output: [1] }),
    ]);
  });

  test('of a workflow is in the order of their first events, as the workflow shows them', async () => {
    const folded = new Folded().fold(start('w', 'c'), start('w', 'a'), start('v', 'b'), start('w', 'b'));
    const first = await folded.taskPage({ workflow: 'w' }, 2);
    const rest = await folded.taskPage({ workflow: 'w' }, 2, first.next);
    expect([...first.items, ...rest.items].map(({ task }) => task)).toEqual(['c', 'a', 'b']);
  });

  test('asked for by workflow, agent and id has that one', async () => {
    const folded = new Folded().fold(start('w', 't'), start('w', 't', { agent: 'b' }), start('v', 't'));
    const { items } = await folded.taskPage({ workflow: 'w', agent: 'b', task: 't' }, 5);
    expect(items).toMatchObject([{ workflow: 'w', agent: 'b', task: 't' }]);
  });
});

function defined(filter: object): object {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}
