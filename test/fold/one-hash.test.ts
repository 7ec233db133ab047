/** Two strings of one hash stay two, wherever the state is keyed by a string. */

import { describe, expect, test } from 'vitest';
import { collidingStrings } from '../state/collisions.js';
import { Folded } from './replaying.js';

describe.each(collidingStrings())('$a and $b', ({ a, b }) => {
  const open = (workflow: string, more: object = {}) => ({ type: 'workflow.start', workflow, ...more });
  const start = (more: object) => ({ type: 'task.start', workflow: 'w', task: 't', agent: 'x', ...more });

  test('are two workflows, with lists, children and ends of their own', async () => {
    const folded = new Folded().fold(
      open(a, { project: a, phase: b }),
      open(b, { project: b, phase: a }),
      open('c', { parent: a }),
      { type: 'workflow.end', workflow: a, status: 'failed' },
    );
    expect(await folded.workflow(a)).toMatchObject({
      status: 'failed',
      project: a,
      phase: b,
      children: ['c'],
    });
    expect(await folded.workflow(b)).toMatchObject({ status: 'running', project: b, phase: a, children: [] });
    const ids = async (filter: object) =>
      (await folded.workflowPage(filter, 9)).items.map((one) => one.workflow);
    expect(await ids({ project: a })).toEqual([a]);
    expect(await ids({ phase: a })).toEqual([b]);
    expect([await ids({ parent: a }), await ids({ parent: b })]).toEqual([['c'], []]);
  });

  test('are two tasks, and two agents', async () => {
    const folded = new Folded().fold(
      start({ task: a }),
      start({ task: b }),
      start({ agent: a }),
      start({ agent: b }),
    );
    folded.fold({ type: 'task.end', workflow: 'w', task: b, agent: 'x', status: 'completed', duration: 2 });
    const { tasks } = await folded.workflow('w');
    expect(tasks.map(({ task, agent, status }) => [task, agent, status])).toEqual([
      [a, 'x', 'running'],
      [b, 'x', 'completed'],
      ['t', a, 'running'],
      ['t', b, 'running'],
    ]);
    expect((await folded.taskPage({ agent: b }, 9)).items).toHaveLength(1);
    expect((await folded.taskPage({ task: a }, 9)).items).toHaveLength(1);
  });
});
