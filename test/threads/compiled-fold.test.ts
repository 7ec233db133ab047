/** The compiled fold gives the bytes that the fold in JavaScript gives: out of the build, so not among the fast tests. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allocateCompiledTables, loadModule } from '../../src/fold/compiled-events.js';
import { Tables } from '../../src/state/tables.js';
import { randomEvent } from '../fold/random-events.js';
import { ARRIVED, differences, Folded, LIMITS, TINY } from '../fold/replaying.js';
import { assertVisiting } from '../support/corners.js';

const MODULE = loadModule(new URL('../../dist/src/fold/fold.wasm', import.meta.url));

const SMALL = {
  ...TINY,
  seriesIdleMs: 20_000,
  windowBytes: 64 * 1024,
  staleAfterMs: 4000,
};

/** Lone surrogates, escapes and bytes of all lengths. */
const anyName = fc.string({ minLength: 1, maxLength: 60, unit: 'binary' });
const someName = fc.oneof(fc.constantFrom('a', 'b', 'ä', 'say "x"', 'tab\there', '\u0000'), anyName);
const anyNumber = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -100, max: 100 }),
  fc.constantFrom(0, 1, 2, 0.5, 1e300, 5e-324, 2 ** 63, 2 ** 64),
);
const sample = fc.record({
  type: fc.constant('sample'),
  name: someName,
  value: anyNumber,
  tags: fc.dictionary(someName, someName, { maxKeys: 16 }),
});
const strange = fc.record({
  type: fc.constantFrom('task.start', 'task.end', 'workflow.start', 'workflow.phase', 'group', 'else'),
  workflow: someName,
  task: someName,
  agent: someName,
  kind: someName,
  phase: someName,
  project: someName,
  parent: someName,
  status: fc.constantFrom('completed', 'failed'),
  agents: fc.array(someName, { minLength: 1, maxLength: 5 }),
  duration: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
});
const event = fc.oneof(
  { weight: 6, arbitrary: randomEvent },
  { weight: 2, arbitrary: sample },
  { weight: 1, arbitrary: strange },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ events: fc.array(event, { minLength: 1, maxLength: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ wait: fc.constantFrom(3, 30, 400, 4000, 100_000) }) },
  { weight: 1, arbitrary: fc.record({ silence: fc.integer({ min: 0, max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ maxRecentWorkflows: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ maxSeries: fc.integer({ min: 1, max: 6 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function take(folded: Folded, step: Step): void {
  if ('events' in step) folded.fold(...step.events);
  else if ('wait' in step) folded.wait(step.wait);
  else if ('silence' in step) folded.tickTime(step.silence);
  else folded.tickLimits(step);
}

describe.each([
  ['with room for everything', {}, ['clock_skew', 'task_restarts', 'workflows_stale', 'task_duplicate_ends']],
  ['at tiny limits', SMALL, ['workflows_evicted', 'tasks_evicted', 'series_overflowed', 'series_expired']],
  ['with little room for names', { ...SMALL, maxSeries: 60, namesBytes: 0 }, ['tasks_untracked']],
])('%s', (_, limits, corners) => {
  test('any lines and ticks give the same bytes', { timeout: 120_000 }, () => {
    const memory = allocateCompiledTables({ ...LIMITS, ...limits }, MODULE);
    expect(memory.linear).not.toBeNull();
    const visited = new Set<string>();
    const property = fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      new Tables(memory).clear();
      const compiled = new Folded(limits, memory);
      const plain = new Folded(limits);
      for (const step of steps) {
        take(compiled, step);
        take(plain, step);
      }
      expect(differences(memory, plain.memory)).toEqual({});
      for (const name of Object.keys(plain.counts())) visited.add(name);
    });
    assertVisiting(visited, corners, property, { numRuns: 40 });
  });
});

test('many tasks at once, of many workflows, give the same bytes, whatever grows for them', () => {
  const limits = { maxLiveWorkflows: 3000, maxTasks: 20_000, maxTasksPerWorkflow: 10_000, namesBytes: 8e6 };
  const memory = allocateCompiledTables({ ...LIMITS, ...limits }, MODULE);
  const both = [new Folded(limits, memory), new Folded(limits)] as const;
  const events: object[] = [];
  for (let i = 0; i < 12_000; i++) {
    // One with thousands of tasks, and thousands with a few.
    const workflow = i % 2 === 0 ? 'large' : `w${i % 2999}`;
    events.push({ type: 'task.start', workflow, task: `t${i}`, agent: `a${i % 50}`, ts: 1000 + (i % 97) });
    if (i % 3 !== 0) continue;
    events.push({
      type: 'task.end',
      workflow,
      task: `t${i}`,
      agent: `a${i % 50}`,
      status: 'completed',
      ts: 1100 + i,
    });
  }
  events.push({ type: 'workflow.end', workflow: 'large', status: 'completed', ts: 20_000 });
  for (const folded of both) folded.record(events, ARRIVED * 1e6);
  expect(both[1].samples('task_duration_seconds')).toBe(4000);
  expect(differences(memory, both[1].memory)).toEqual({});
});

test('lines of more bytes than the compiled fold has room for are read name by name', () => {
  const memory = allocateCompiledTables(LIMITS, MODULE);
  const both = [new Folded({}, memory), new Folded()] as const;
  const request = 'x'.repeat(50_000);
  const events = Array.from({ length: 60 }, (_, i) => ({
    type: 'workflow.start',
    workflow: `w${i}`,
    name: 'an "escaped" name',
    project: 'p',
    request,
  }));
  for (const folded of both) folded.record(events, ARRIVED * 1e6);
  expect(both[1].workflowIds(false).length).toBe(60);
  expect(differences(memory, both[1].memory)).toEqual({});
});

test('limits that ask for more than 4 GiB are folded in JavaScript', () => {
  const limits = { ...LIMITS, namesBytes: 3 * 2 ** 30, maxTasks: 12e6 };
  expect(allocateCompiledTables(limits, MODULE).linear).toBeNull();
});
