/** What a workflow costs. */

import { expect, test } from 'vitest';
import { Replay } from '../../src/fold/replay.js';
import { allocateTables } from '../../src/state/layout.js';
import { Tables } from '../../src/state/tables.js';
import { LIMITS } from '../fold/replaying.js';

const WORKFLOWS = 20_000;
const TASKS = 10;
const BYTES_MAX = 2000;

test('a live workflow with ten tasks takes 2 KB at most, its places in the indexes included', () => {
  const memory = allocateTables({
    ...LIMITS,
    maxLiveWorkflows: WORKFLOWS,
    maxTasks: WORKFLOWS * TASKS,
    namesBytes: 64 * 1024 * 1024,
  });
  const tables = new Tables(memory);
  const replay = new Replay(tables, 0);
  const before = tables.usedBytes();
  for (let w = 0; w < WORKFLOWS; w++) {
    const workflow = `workflow-${1_000_000 + w}`;
    const lines: object[] = [{ type: 'workflow.start', workflow, name: 'build', project: 'shop' }];
    for (let t = 0; t < TASKS; t++) {
      const task = `task-${1_000_000 + w * TASKS + t}`;
      lines.push({ type: 'task.start', workflow, task, agent: `agent-${t}`, kind: 'code', ts: 1 });
      if (t % 2 === 0)
        lines.push({ type: 'task.end', workflow, task, agent: `agent-${t}`, status: 'completed' });
    }
    const raw = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    replay.attach(raw);
    replay.fold(0, raw.length, lines.length, 1_700_000_000_000_000);
  }
  expect([tables.workflows.live, tables.tasks.used]).toEqual([WORKFLOWS, WORKFLOWS * TASKS]);
  const each = (tables.usedBytes() - before) / WORKFLOWS;
  expect(each).toBeLessThanOrEqual(BYTES_MAX);
});
