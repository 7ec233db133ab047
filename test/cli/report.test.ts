import { expect, test } from 'vitest';
import { displayWidth } from '../../src/model/human.js';
import { serveControl } from './fake-daemon.js';
import { tallyd } from './terminal.js';

const REPORT = {
  total_executions: 1234,
  parallel_executions: 234,
  sequential_executions: 1000,
  total_duration: 18_720,
  average_speedup: 1.234,
  measured_speedup: 2.5,
  parallelization_ratio: 0.19,
  success_rate: 87.5,
  agent_utilization: { 'coder\x1b[2J': 3600, tester: 14_400, idle: 0 },
  token_usage: 1_234_567,
  efficiency_score: 49.95,
  bottlenecks: [
    {
      type: 'low_parallelization',
      severity: 'high',
      description: 'only 19 % of the executions ran in parallel',
      suggestion: 'start tasks that do not need each other at the same time',
    },
  ],
  suggestions: [
    'start tasks that do not need each other at the same time',
    'look at the errors of tester first',
  ],
};
const EMPTY = {
  ...REPORT,
  total_executions: 0,
  parallel_executions: 0,
  sequential_executions: 0,
  total_duration: 0,
  average_speedup: 1,
  measured_speedup: 1,
  parallelization_ratio: 0,
  success_rate: 0,
  agent_utilization: {},
  token_usage: 0,
  efficiency_score: 0,
  bottlenecks: [],
  suggestions: [],
};

test('report reads as a person wants it: numbers with units, agents by time, bottlenecks with their mend', async () => {
  const { folder, requests } = await serveControl(() => ({ body: REPORT }));
  const { exitCode, stdout } = await tallyd(['report', '--runtime-dir', folder], {
    env: { LANG: 'C.UTF-8' },
  });
  expect(exitCode).toBe(0);
  expect(requests).toEqual(['GET /v1/report?format=json']);
  expect(stdout).toBe(
    [
      'report      everything',
      'executions  1,234   234 parallel (19 %)   1,000 sequential',
      'completed   87.5 %',
      'task time   5h12m',
      'speed-up    1.23 x over groups   2.50 x measured',
      'efficiency  50 of 100',
      'tokens      1,234,567',
      '',
      'agent          time  share',
      `tester        4h00m   80 %  ${'█'.repeat(40)}`,
      `coder\\x1b[2J  1h00m   20 %  ${'█'.repeat(10)}`,
      'idle             0s    0 %',
      '',
      'bottlenecks',
      'high  low_parallelization',
      '  only 19 % of the executions ran in parallel',
      '  mend: start tasks that do not need each other at the same time',
      '',
      'suggestions',
      '  - look at the errors of tester first',
      '',
    ].join('\n'),
  );
});

test('it is over a workflow or a project, and over a time', async () => {
  const { folder, requests } = await serveControl(() => ({ body: REPORT }));
  const args = ['report', '--project', 'p q', '--since', '2026-11-23T15:00:00Z', '--until', '1800000000.5'];
  const { stdout } = await tallyd([...args, '--runtime-dir', folder]);
  expect(requests).toEqual(['GET /v1/report?project=p+q&since=1795446000&until=1800000000.5&format=json']);
  expect(stdout.split('\n')[0]).toBe(
    'report      project p q   since 2026-11-23 15:00:00Z   until 2027-01-15 08:00:00Z',
  );
  await tallyd(['report', '--workflow', 'w', '--since', '-2h', '--runtime-dir', folder]);
  const since = Number(/since=([\d.]+)/.exec(requests[1]!)![1]);
  expect(Math.abs(Date.now() / 1000 - 7200 - since)).toBeLessThan(60);
});

test('a report of nothing says that there is nothing', async () => {
  const { folder } = await serveControl(() => ({ body: EMPTY }));
  const { exitCode, stdout } = await tallyd(['report', '--workflow', 'w', '--runtime-dir', folder]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^report +workflow w\nexecutions +0 /);
  expect(stdout).toMatch(/\n\nno task has ended in it yet\n$/);
});

test('a report that is not whole says so, and one of an unlike daemon shows what it has', async () => {
  const { folder } = await serveControl(() => ({ body: { total_executions: 3, partial: true } }));
  const { exitCode, stdout } = await tallyd(['report', '--runtime-dir', folder]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^executions +3 +- parallel \(-\) +- sequential\ncompleted +-\n/m);
  expect(stdout).toMatch(/\nnot whole: .*\n$/);
});

test('of many agents the busiest are shown, and the rest is counted', async () => {
  const agent_utilization = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`agent-${i}`, i]));
  const { folder } = await serveControl(() => ({ body: { ...REPORT, agent_utilization } }));
  const { stdout } = await tallyd(['report', '--runtime-dir', folder]);
  expect(stdout.match(/^agent-/gm)).toHaveLength(20);
  expect(stdout).toMatch(/^agent-999 .*\n/m);
  expect(stdout).toContain('and 980 agents more, 5d13h; --json has all\n');
});

test.each([[30], [50], [80], [160]])('a report fits %i columns', async (terminalColumns) => {
  const description = 'so many words that they need a line after the other '.repeat(5).trim();
  const body = {
    ...REPORT,
    agent_utilization: { ['a'.repeat(100)]: 12, b: 1 },
    bottlenecks: [{ type: 'poor_speedup', severity: 'medium', description, suggestion: description }],
    suggestions: [description.replace('so', 'too')],
  };
  const { folder } = await serveControl(() => ({ body }));
  const options = { terminalColumns, env: { NO_COLOR: '1' } };
  const { stdout } = await tallyd(['report', '--runtime-dir', folder], options);
  // The numbers at the head are short, and never cut.
  for (const line of stdout.split('\n').slice(8))
    expect(displayWidth(line)).toBeLessThanOrEqual(terminalColumns);
  expect(stdout).toMatch(/^[^\x80-\uffff…]*(…[^\x80-\uffff…]*)?$/);
});

test.each([
  [['--workflow', 'w', '--project', 'p'], 'give one of the two'],
  [['--workflow', ''], '--workflow is empty'],
  [['--since', 'yesterday'], '--since takes a time (Unix seconds, RFC 3339'],
  [['--since', '-2h', '--until', '-3h'], '--since -2h is not before --until -3h'],
])('report %j is wrong usage, before anybody is asked', async (args, text) => {
  const { exitCode, stderr } = await tallyd(['report', ...args, '--runtime-dir', '/nowhere']);
  expect(exitCode).toBe(64);
  expect(stderr).toContain(text);
});
