/** Executions as clients write them, and all that a daemon says of the state that they make. */

import type { TestDaemon } from './daemon.js';
import { seededRandom } from './seeded-random.js';

const WORKFLOWS = 8;

/** Executions as clients write them: every number and every text of the state depends on the lines alone. */
export function executionLines(count: number, seed: number): string[] {
  const random = seededRandom(seed);
  const pick = (n: number) => Math.floor(random() * n);
  const lines: string[] = [];
  for (let i = 0; lines.length < count; i++) {
    const workflow = `w${pick(WORKFLOWS)}`;
    const task = { workflow, task: `t${pick(50)}`, agent: `a${pick(5)}`, ts: 1_700_000_000 + i + random() };
    const kind = ['build', 'test', undefined][pick(3)];
    const status = ['completed', 'failed', 'timeout', 'cancelled'][pick(4)];
    const line = [
      { type: 'task.start', ...task, kind, parallel: pick(2) === 0, description: `the ${i}th` },
      { type: 'task.end', ...task, status, tokens: pick(2) === 0 ? pick(5000) : undefined, output: { i } },
      {
        type: 'task.end',
        ...task,
        status,
        kind,
        duration: random() * 100,
        error: status === 'failed' ? 'why' : undefined,
      },
      {
        type: 'sample',
        name: 'load',
        value: (random() - 0.5) * 10 ** pick(12),
        tags: { host: `h${pick(9)}` },
        ts: 1e9,
      },
      pick(30) === 0
        ? { type: 'workflow.start', workflow, project: `p${pick(3)}`, request: `r${i}`, ts: task.ts }
        : { type: 'note' },
      pick(60) === 0
        ? { type: 'workflow.end', workflow, status: 'failed', error: `e${i}`, ts: task.ts }
        : { type: 'note' },
    ][pick(6)];
    lines.push(JSON.stringify(line));
  }
  return lines;
}

/** All that the daemon says of its state, but for what depends on the time of the question. */
export async function stateOf(daemon: TestDaemon): Promise<object> {
  const stats: Record<string, unknown> = {};
  for (const { metric } of (await daemon.get('/v1/stats')).body.metrics) {
    const groups = await daemon.groups(metric);
    const sorted = groups.map(({ rate: _, ...group }) => group);
    stats[metric] = sorted.sort((a, b) => (JSON.stringify(a.labels) < JSON.stringify(b.labels) ? -1 : 1));
  }
  const workflows = await Promise.all(
    Array.from({ length: WORKFLOWS }, async (_, i) => (await daemon.workflow(`w${i}`)).body),
  );
  const { workflows_live, workflows_recent, tasks_running, series, counts } = (await daemon.status()).state;
  return { stats, workflows, workflows_live, workflows_recent, tasks_running, series, counts };
}
