/** Two states side by side: by what they say, whatever lies where. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareStates } from '../../src/checkpoint/state-differences.js';
import { CELL_FIELDS } from '../../src/state/cells.js';
import { allocateTables, type TableName } from '../../src/state/layout.js';
import type { SlotFields, SlotTable } from '../../src/state/slot-table.js';
import { Tables } from '../../src/state/tables.js';
import { TASK_FIELDS } from '../../src/state/tasks.js';
import { WORKFLOW_FIELDS } from '../../src/state/workflows.js';
import { randomRecords } from '../fold/random-events.js';
import { differences, Folded } from '../fold/replaying.js';
import { foldLines } from './checkpoint-fixture.js';

function copyOf({ memory, tables }: Folded): Tables {
  const copy = allocateTables(memory.limits);
  for (const [name, bytes] of Object.entries(tables.usedRanges()) as [TableName, number][]) {
    copy[name].set(memory[name].subarray(0, bytes));
  }
  return new Tables(copy);
}

test('states of the same lines are equal', () => {
  fc.assert(
    fc.property(randomRecords(200), (records) => {
      const [a, b] = [new Folded(), new Folded()];
      for (const record of records) for (const folded of [a, b]) folded.fold(...record);
      expect(compareStates(a.tables, b.tables, 9)).toMatchObject({ count: 0, differences: [] });
    }),
    { numRuns: 10 },
  );
});

/** Of lists: in what order their entries came, by lines of the log. */
const ORDER = /^(entry|line of)/;

test('states that say the same differ in the order of their lines alone, wherever it lies in them', () => {
  const tasks = Array.from({ length: 9 }, (_, i) => [
    { type: 'task.start', workflow: `w${i % 3}`, task: `t${i}`, agent: `a${i % 2}`, ts: 1000 },
    { type: 'sample', name: `m${i % 4}`, value: i, tags: { host: `h${i % 5}`, rack: 'r' } },
  ]);
  const last = { type: 'note' };
  // One record each, so that all arrive at once.
  const a = new Folded().record([...tasks.flat(), last], 1e15);
  const b = new Folded().record([...tasks.reverse().flat(), last], 1e15);
  const lies = Object.keys(differences(a.memory, b.memory));
  expect(lies).toEqual(expect.arrayContaining(['names', 'workflows', 'tasks', 'cells', 'buckets']));
  const found = compareStates(a.tables, b.tables, 99).differences;
  expect(found.filter(({ field }) => field === null || !ORDER.test(field))).toEqual([]);
});

test('what one state has and the other has not is told with its name, and values with their fields', () => {
  const lines = (last: object) =>
    [
      { type: 'workflow.start', workflow: 'w', name: 'nightly', ts: 1000 },
      { type: 'task.start', workflow: 'w', task: 't', agent: 'a', ts: 1000 },
      { type: 'sample', name: 'm', value: 1, tags: { host: 'h' } },
      last,
    ] as const;
  const differencesOf = (left: object, right: object) => {
    const [a, b] = [new Folded().fold(...lines(left)), new Folded().fold(...lines(right))];
    return compareStates(a.tables, b.tables, 99).differences;
  };
  const note = { type: 'note' };
  expect(differencesOf({ type: 'task.start', task: 'loose', agent: 'a', ts: 1 }, note)).toEqual([
    { what: 'task - / a / loose', field: null, left: 'there', right: 'missing' },
  ]);
  expect(differencesOf(note, { type: 'sample', name: 'm', value: 8, tags: { host: 'i' } })).toEqual([
    { what: 'cell m{host="i"}', field: null, left: 'missing', right: 'there' },
  ]);
  const end = {
    type: 'task.end',
    workflow: 'w',
    task: 't',
    agent: 'a',
    status: 'failed',
    duration: 2,
    ts: 1005,
  };
  expect(differencesOf({ ...end, duration: 3 }, end)).toEqual(
    expect.arrayContaining([
      { what: 'task w / a / t', field: 'duration', left: 3, right: 2 },
      { what: 'cell task_duration_seconds{agent="a",status="failed"}', field: 'sum', left: 3, right: 2 },
      expect.objectContaining({ field: 'histogram' }),
    ]),
  );
  expect(differencesOf({ type: 'workflow.phase', workflow: 'w', phase: 'x' }, note)).toContainEqual({
    what: 'workflow w',
    field: 'phase',
    left: 'x',
    right: 'requirements',
  });
  const again = { type: 'task.start', workflow: 'w', task: 't', agent: 'a', ts: 1000 };
  expect(differencesOf(again, note)).toContainEqual({
    what: 'count task_restarts',
    field: 'value',
    left: 1,
    right: 0,
  });
});

test('all differences are counted, and as many described as are asked for', () => {
  const a = foldLines(new Folded(), 200, 1);
  const all = compareStates(a.tables, new Folded().tables, 1e6);
  expect(all.differences).toHaveLength(all.count);
  expect(all.count).toBeGreaterThan(20);
  const few = compareStates(a.tables, new Folded().tables, 5);
  expect(few.count).toBe(all.count);
  expect(few.differences).toEqual(all.differences.slice(0, 5));
});

test.each<[string, SlotFields, (tables: Tables) => SlotTable]>([
  ['workflow', WORKFLOW_FIELDS, ({ workflows }) => workflows.table],
  ['task', TASK_FIELDS, ({ tasks }) => tasks.table],
  ['cell', CELL_FIELDS, ({ cells }) => cells.table],
])('each word of a %s that is no place is compared', (_, fields, tableOf) => {
  const folded = foldLines(new Folded(), 200, 2);
  const { slotWords } = tableOf(folded.tables);
  for (let word = 0; word < slotWords; word++) {
    if (fields.places.includes(word)) continue;
    const changed = copyOf(folded);
    const { words } = tableOf(changed);
    const at = slotWords + word;
    const isName = fields.names.some(([named]) => named === word);
    words[at] = !isName ? words[at]! ^ 1 : 0;
    const wasSet = tableOf(folded.tables).words[at] !== words[at];
    const { count } = compareStates(folded.tables, changed, 9);
    expect(count > 0, `word ${word}`).toBe(wasSet);
    if (!isName) expect(wasSet).toBe(true);
  }
});

test.each<[string, (tables: Tables) => void]>([
  ['a count of the board', ({ board }) => board.count(3)],
  ['the last line', ({ board }) => board.setLine(board.line + 1, board.arrivedUs)],
  ['the last arrival', ({ board }) => board.setLine(board.line, board.arrivedUs + 1)],
  ['a bucket of a histogram', ({ buckets, cells }) => buckets.count(cells.blocks(1), (5 << 5) | 3)],
])('%s is compared', (_, change) => {
  const folded = new Folded().fold(
    { type: 'sample', name: 'm', value: 40 },
    { type: 'sample', name: 'm', value: 50 },
  );
  const changed = copyOf(folded);
  change(changed);
  expect(compareStates(folded.tables, changed, 9).count).toBe(1);
});

test('a client must have come as far as the log says, and may have come further', () => {
  const restore = (folded: Folded, id: string, line: number, arrivedUs: number) =>
    folded.tables.clients.restore(Buffer.from(id), line, arrivedUs);
  const differencesOf = (change: (state: Folded) => void) => {
    const [log, state] = [new Folded().fold({ type: 'note' }), new Folded().fold({ type: 'note' })];
    restore(log, 'c', 7, 100);
    change(state);
    return compareStates(log.tables, state.tables, 9).differences;
  };
  expect(differencesOf((state) => restore(state, 'c', 7, 100))).toEqual([]);
  expect(differencesOf((state) => restore(state, 'c', 9, 200))).toEqual([]);
  // Forgotten, and begun anew since.
  expect(differencesOf((state) => restore(state, 'c', 2, 200))).toEqual([]);
  expect(differencesOf((state) => restore(state, 'c', 6, 100))).toEqual([
    { what: 'client c', field: 'line', left: 7, right: 6 },
  ]);
  expect(differencesOf(() => {})).toEqual([
    { what: 'client c', field: null, left: 'there', right: 'missing' },
  ]);
});
