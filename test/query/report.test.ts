/** The report over projects and over everything, against a list of what happened; and as text. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Report } from '../../src/fold/report.js';
import { ReportTotals } from '../../src/fold/report-totals.js';
import { efficiencyScore } from '../../src/fold/scores.js';
import { hashBytes } from '../../src/model/hash.js';
import { STATUS_NAMES } from '../../src/model/status.js';
import { OTHER_AGENTS, type PartialReport, queryReport, type ReportScope } from '../../src/query/report.js';
import { renderReportText } from '../../src/query/report-text.js';
import { allocateTables } from '../../src/state/layout.js';
import { Tables } from '../../src/state/tables.js';
import { Folded, LIMITS, workflowIn } from '../fold/replaying.js';
import { assertVisitingAsync } from '../support/corners.js';

const EVERYTHING: ReportScope = { workflow: null, project: null };
const EMPTY: Report = {
  total_executions: 0,
  parallel_executions: 0,
  sequential_executions: 0,
  total_duration: 0,
  average_speedup: 1,
  parallelization_ratio: 0,
  success_rate: 0,
  agent_utilization: {},
  token_usage: 0,
  efficiency_score: 0,
  measured_speedup: 1,
  bottlenecks: [],
  suggestions: [],
};

function reportOf(tables: Tables, scope: Partial<ReportScope> = {}): Promise<PartialReport> {
  return queryReport(tables, { find: (id) => workflowIn(tables, id) }, { ...EVERYTHING, ...scope });
}

const open = (workflow: string, project?: string) => ({ type: 'workflow.start', workflow, project, ts: 0 });
const end = (task: string, more: object = {}) => ({
  type: 'task.end',
  task,
  agent: 'a',
  status: 'completed',
  ...more,
});

describe('the report over events', () => {
  test('is all zeros, with a speed-up of 1, where nothing has ended', async () => {
    const { tables } = new Folded().fold(open('w', 'p'), { type: 'task.start', task: 't', agent: 'a' });
    expect(await reportOf(tables)).toEqual(EMPTY);
    expect(await reportOf(tables, { project: 'p' })).toEqual(EMPTY);
    expect(await reportOf(tables, { project: 'unknown' })).toEqual(EMPTY);
  });

  test('counts executions, shares, time and tokens, of all projects and of each', async () => {
    const { tables } = new Folded().fold(
      open('w', 'p'),
      open('v', 'q'),
      end('1', { workflow: 'w', duration: 2, tokens: 10, parallel: true }),
      end('2', { workflow: 'w', duration: 3, agent: 'b', status: 'failed' }),
      end('3', { workflow: 'v', duration: 5, tokens: 1 }),
      end('4', { duration: 7 }),
      end('4', { duration: 8 }),
      end('5', { workflow: 'v' }),
    );
    expect(await reportOf(tables)).toMatchObject({
      total_executions: 5,
      parallel_executions: 1,
      sequential_executions: 4,
      total_duration: 17,
      parallelization_ratio: 0.2,
      success_rate: 80,
      agent_utilization: { a: 14, b: 3 },
      token_usage: 11,
      efficiency_score: 30 * 0.2 + 40 * 0.8,
    });
    expect(await reportOf(tables, { project: 'p' })).toMatchObject({
      total_executions: 2,
      total_duration: 5,
      success_rate: 50,
      agent_utilization: { a: 2, b: 3 },
    });
    expect(await reportOf(tables, { project: 'q' })).toMatchObject({
      total_executions: 2,
      total_duration: 5,
    });
  });

  test('takes the project that is known when the task ends', async () => {
    const { tables } = new Folded().fold(
      end('1', { workflow: 'w', duration: 1 }),
      open('w', 'p'),
      end('2', { workflow: 'w', duration: 2 }),
      open('w', 'q'),
      end('3', { workflow: 'w', duration: 4 }),
    );
    const durations = [];
    for (const scope of [{}, { project: 'p' }, { project: 'q' }]) {
      durations.push((await reportOf(tables, scope)).total_duration);
    }
    expect(durations).toEqual([7, 2, 4]);
  });

  test('learns from a start that comes after its end what the end did not say, once', async () => {
    const folded = new Folded().fold(end('1', { ts: 10 }));
    const start = { type: 'task.start', task: '1', agent: 'a', ts: 4, parallel: true };
    expect(await reportOf(folded.fold(start).tables)).toMatchObject({
      total_executions: 1,
      parallel_executions: 1,
      total_duration: 6,
    });
    folded.fold(end('2', { ts: 10, duration: 3, parallel: false }), { ...start, task: '2' });
    expect(await reportOf(folded.tables)).toMatchObject({
      total_executions: 2,
      parallel_executions: 1,
      total_duration: 9,
    });
  });

  test('keeps what was forgotten: a second execution, evicted workflows, ends that nothing tracks', async () => {
    const folded = new Folded({ maxRecentWorkflows: 1, maxTasks: 2 });
    for (const id of ['w', 'v', 'u']) {
      folded.fold(open(id, 'p'), end('1', { workflow: id, duration: 1 }));
      folded.fold({ type: 'workflow.end', workflow: id, status: 'completed' });
    }
    for (const task of ['1', '2', '3']) folded.fold({ type: 'task.start', task, agent: 'b' });
    folded.fold(end('3', { agent: 'b', duration: 1 }), end('3', { agent: 'c', duration: 1, parallel: true }));
    folded.fold(
      { type: 'task.start', task: '3', agent: 'b', ts: 1e10 },
      end('3', { agent: 'b', duration: 1 }),
    );
    expect(folded.counts().tasks_untracked).toBeGreaterThan(0);
    const report = await reportOf(folded.tables);
    expect(report.agent_utilization).toEqual({ a: 3, b: 2, c: 1 });
    expect(report).toMatchObject({ total_executions: 6, parallel_executions: 1, total_duration: 6 });
  });

  test('over a workflow is the one that the workflow shows, and over an unknown one there is none', async () => {
    const { tables } = new Folded().fold(open('w'), end('1', { workflow: 'w', duration: 2 }), end('2'));
    expect(await reportOf(tables, { workflow: 'w' })).toMatchObject({
      total_executions: 1,
      total_duration: 2,
    });
    await expect(reportOf(tables, { workflow: 'x' })).rejects.toThrow('no workflow x');
  });
});

describe('the totals', () => {
  interface Happening {
    readonly kind: 'task' | 'group' | 'workflow';
    readonly project: number;
    readonly agent: number;
    readonly status: number;
    readonly parallel: boolean;
    /** Of eighths, so that sums are exact. */
    readonly seconds: number;
    readonly tokens: number;
  }
  const happening: fc.Arbitrary<Happening> = fc.record({
    kind: fc.constantFrom('task', 'task', 'task', 'group', 'workflow'),
    project: fc.integer({ min: 0, max: 3 }),
    agent: fc.integer({ min: 1, max: 4 }),
    status: fc.integer({ min: 4, max: 7 }),
    parallel: fc.boolean(),
    seconds: fc.integer({ min: 0, max: 80 }).map((x) => x / 8),
    tokens: fc.integer({ min: 0, max: 9 }),
  });

  function expectedOf(happenings: readonly Happening[], hasAgents: boolean): object {
    const tasks = happenings.filter(({ kind }) => kind === 'task');
    const speedups = happenings
      .filter(({ kind }) => kind === 'group')
      .map((h) => (h.tokens + 1) / Math.max(h.seconds, 0.1));
    const workflows = happenings.filter(({ kind }) => kind === 'workflow');
    const sum = (numbers: readonly number[]) => numbers.reduce((total, x) => total + x, 0);
    const share = (holds: (task: Happening) => boolean) =>
      tasks.length === 0 ? 0 : tasks.filter(holds).length / tasks.length;
    const speedup = speedups.length === 0 ? 1 : sum(speedups) / speedups.length;
    const union = sum(workflows.map(({ tokens }) => tokens));
    const ratio = share(({ parallel }) => parallel);
    const success = share(({ status }) => STATUS_NAMES[status] === 'completed');
    const score = 30 * ratio + 40 * success + (speedups.length === 0 ? 0 : 30 * Math.min(speedup / 4, 1));
    const types = [
      ratio < 0.3 && 'low_parallelization',
      success < 0.9 && 'high_failure_rate',
      speedup < 1.5 && ratio > 0 && 'poor_speedup',
    ].filter((type) => tasks.length > 0 && type !== false);
    const agents = new Map<string, number>();
    for (const { agent, seconds } of tasks) agents.set(`a${agent}`, (agents.get(`a${agent}`) ?? 0) + seconds);
    return {
      total_executions: tasks.length,
      parallel_executions: tasks.filter(({ parallel }) => parallel).length,
      sequential_executions: tasks.filter(({ parallel }) => !parallel).length,
      total_duration: sum(tasks.map(({ seconds }) => seconds)),
      average_speedup: expect.closeTo(speedup, 9),
      parallelization_ratio: ratio,
      success_rate: expect.closeTo(100 * success, 9),
      ...(hasAgents && { agent_utilization: Object.fromEntries(agents) }),
      token_usage: sum(tasks.map(({ tokens }) => tokens)),
      efficiency_score: expect.closeTo(score, 9),
      measured_speedup:
        union === 0 ? 1 : expect.closeTo(sum(workflows.map(({ seconds }) => seconds)) / union, 9),
      bottlenecks: types.map((type) => expect.objectContaining({ type })),
      suggestions: types.map(() => expect.any(String)),
    };
  }

  test.each([
    ['with a row for each', 50, false],
    ['with rows for a few, and one for the rest', 3, true],
  ])('of tasks, groups and workflows, %s, are those of a list of them', async (_, maxSeries, isFull) => {
    const corners = new Set<string>();
    await assertVisitingAsync(
      corners,
      isFull ? ['overflowed', 'whole'] : ['whole'],
      fc.asyncProperty(fc.array(happening, { maxLength: 60, size: 'max' }), async (happenings) => {
        const tables = new Tables(allocateTables({ ...LIMITS, maxSeries }));
        const totals = new ReportTotals(tables);
        const ref = (text: string) => {
          const bytes = Buffer.from(text);
          const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
          return tables.names.intern(view, 0, bytes.length, hashBytes(bytes, 0, bytes.length));
        };
        for (const { kind, project, agent, status, parallel, seconds, tokens } of happenings) {
          const projectRef = project === 0 ? 0 : ref(`p${project}`);
          if (kind === 'task')
            totals.taskEnded(projectRef, ref(`a${agent}`), status, parallel, seconds, tokens);
          else if (kind === 'group') totals.groupEnded(projectRef, tokens + 1, seconds);
          else totals.workflowEnded(projectRef, seconds, tokens);
        }
        const { overflowed } = tables.reports;
        corners.add(overflowed ? 'overflowed' : 'whole');
        const everything = await reportOf(tables);
        expect(everything).toMatchObject(expectedOf(happenings, !overflowed));
        if (overflowed) {
          const listed = Object.values(everything.agent_utilization).reduce((sum, x) => sum + x, 0);
          expect(listed).toBe(everything.total_duration);
        }
        for (const project of ['p1', 'p2', 'p3']) {
          const report = await reportOf(tables, { project });
          if (overflowed) expect(report.partial).toBe(true);
          else
            expect(report).toEqual(
              expectedOf(
                happenings.filter((h) => `p${h.project}` === project),
                true,
              ),
            );
        }
      }),
    );
  });

  test('have an efficiency score between 0 and 100, with the speed-up only where a group has a duration', () => {
    expect(efficiencyScore(0, 0, 0, 0, 0)).toBe(0);
    expect(efficiencyScore(10, 10, 10, 0, 0)).toBe(70);
    expect(efficiencyScore(10, 10, 10, 2, 4)).toBe(85);
    expect(efficiencyScore(10, 10, 10, 1, 1000)).toBe(100);
  });
});

describe('as text', () => {
  test('it says everything in lines that a person reads, agents by time, bottlenecks with their mend', async () => {
    const { tables } = new Folded().fold(
      end('1', { duration: 2, agent: 'short' }),
      end('2', { duration: 30.5, agent: 'long', status: 'failed', tokens: 7 }),
    );
    const text = renderReportText(await reportOf(tables), { workflow: null, project: 'p' });
    expect(text).toMatch(/^Performance report over project p\n/);
    for (const line of [
      /^executions +2 \(0 parallel, 2 sequential\)$/m,
      /^success rate +50\.0 %$/m,
      /^total duration +32\.500 s$/m,
      /^tokens +7$/m,
      /^ {2}high: high_failure_rate: 50 % of the executions are completed\n {4}\S/m,
    ]) {
      expect(text).toMatch(line);
    }
    expect(text.indexOf('long')).toBeLessThan(text.indexOf('short'));
    expect(text).not.toContain('Not whole');
  });

  test('it names at most 20 agents, and shows no name that could steer a terminal', async () => {
    const folded = new Folded();
    for (let i = 0; i < 23; i++) folded.fold(end('1', { duration: 1 + i, agent: `a${i}\u001b[2J\u202e` }));
    const text = renderReportText(await reportOf(folded.tables), EVERYTHING);
    expect(text).toContain('and 3 more');
    expect(text).toContain('a22\\u{1b}[2J\\u{202e}');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the point
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  test('it says when it is not whole', () => {
    expect(renderReportText({ ...EMPTY, partial: true }, EVERYTHING)).toContain('stats.max_series');
  });
});

test('names without room count under one name for all', async () => {
  const tables = new Tables(allocateTables(LIMITS));
  new ReportTotals(tables).taskEnded(0, 0, 4, false, 3, Number.NaN);
  expect(await reportOf(tables)).toMatchObject({
    total_executions: 1,
    agent_utilization: { [OTHER_AGENTS]: 3 },
  });
});
