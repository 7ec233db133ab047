/** Random lines over a small world, so that starts meet ends, and again and again. */

import fc from 'fast-check';

const workflow = fc.constantFrom('w0', 'w1', 'w2', 'w3', 'w4', 'w5', undefined);
const task = fc.constantFrom('t0', 't1', 't2', 't3', 't4');
const agent = fc.constantFrom('a0', 'a1', 'a2');
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const ts = optional(fc.integer({ min: 1000, max: 1040 }));
const kind = optional(fc.constantFrom('k0', 'k1'));
const parallel = optional(fc.boolean());

const known = fc.constantFrom('w0', 'w1', 'w2', 'w3', 'w4', 'w5');

export type RandomEvent = Record<string, unknown> & { readonly type: string };

export const randomEvent: fc.Arbitrary<RandomEvent> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant('task.start'), workflow, task, agent, kind, parallel, ts }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('task.end'),
      workflow,
      task,
      agent,
      kind,
      parallel,
      ts,
      status: fc.constantFrom('completed', 'failed', 'timeout', 'cancelled'),
      duration: optional(fc.integer({ min: 0, max: 50 })),
      tokens: optional(fc.integer({ min: 0, max: 9 })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('workflow.start'),
      workflow: known,
      name: optional(fc.constantFrom('n0', 'n1')),
      project: optional(fc.constantFrom('p0', 'p1')),
      phase: optional(fc.constantFrom('x', 'y')),
      parent: optional(fc.constantFrom('w0', 'elsewhere')),
      request: optional(fc.constant('please')),
      ts,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('workflow.end'),
      workflow: known,
      status: fc.constantFrom('completed', 'failed', 'cancelled'),
      error: optional(fc.constant('broken')),
      ts,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('workflow.phase'),
      workflow: known,
      phase: fc.constantFrom('x', 'y'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('workflow.status'),
      workflow: known,
      status: fc.constantFrom('pending', 'running', 'paused'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('group'),
      workflow,
      agents: fc.constant(['a0', 'a1']),
      tasks: optional(fc.array(task, { minLength: 1, maxLength: 5 })),
      duration: optional(fc.constantFrom(0, 0.05, 1, 4)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('sample'),
      name: fc.constantFrom('m0', 'm1', 'm2'),
      value: fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ min: -1e6, max: 1e6, noNaN: true })),
      tags: fc.dictionary(fc.constantFrom('g', 'h'), fc.constantFrom('0', '1', '2'), { maxKeys: 2 }),
    }),
  },
);

/** Records: some lines each, that arrive together. Each is what one of several connections sent at that time. */
export function randomRecords(linesMax: number): fc.Arbitrary<RandomEvent[][]> {
  return fc.array(fc.array(randomEvent, { minLength: 1, maxLength: 5 }), {
    maxLength: Math.floor(linesMax / 3),
    size: 'max',
  });
}
