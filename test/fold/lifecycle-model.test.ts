/** Random lines into the fold and into the naive model of the contract: both hold the same afterwards. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectedGroups, foldedGroups, Model } from './model.js';
import { randomRecords } from './random-events.js';
import { Folded } from './replaying.js';

test('workflows, tasks, counts and aggregates are those of the naive model', async () => {
  const visited = new Set<string>();
  await fc.assert(
    fc.asyncProperty(randomRecords(240), async (records) => {
      const folded = new Folded();
      const model = new Model();
      for (const record of records) {
        folded.fold(...record);
        model.record(record);
      }
      expect(folded.refused).toBe(0);
      expect(folded.counts()).toEqual(model.counts);
      for (const what of Object.keys(model.counts)) visited.add(what);
      for (const [id, w] of model.workflows) {
        const { over, tasks, ...facts } = w;
        const view = await folded.workflow(id);
        expect(view).toMatchObject({ ...facts, source: over ? 'recent' : 'live', tasks_total: tasks.length });
        expect(view.tasks).toEqual(tasks.map((task) => expect.objectContaining(task)));
        for (const [status, count] of Object.entries(view.tasks_by_status)) {
          expect(count).toBe(tasks.filter((task) => task.status === status).length);
        }
        if (w.run > 1) visited.add('second run');
        if (w.implicit) visited.add('implicit');
      }
      const ids = (over: boolean) =>
        [...model.workflows].filter(([, w]) => w.over === over).map(([id]) => id);
      expect(folded.workflowIds(false)).toEqual(ids(false).sort());
      expect(folded.workflowIds(true)).toEqual(ids(true).sort());
      const expected = expectedGroups(model.samples);
      const found = foldedGroups(folded);
      expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
      for (const [key, { count, sum, min, max, variance }] of expected) {
        const group = found.get(key)!;
        expect({ count: group.count, min: group.min, max: group.max }).toEqual({ count, min, max });
        expect(Math.abs(group.sum - sum)).toBeLessThanOrEqual(
          1e-9 * (1 + Math.abs(max) + Math.abs(min)) * count,
        );
        if (variance === null) expect(group.variance).toBeNull();
        else expect(Math.abs(group.variance! - variance)).toBeLessThanOrEqual(1e-8 * (1 + variance));
      }
    }),
    { numRuns: 60 },
  );
  expect([...visited].sort()).toEqual([
    'clock_skew',
    'implicit',
    'second run',
    'task_duplicate_ends',
    'task_restarts',
    'workflow_duplicate_ends',
  ]);
});
