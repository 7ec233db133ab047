import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { screenColorsOf } from '../../src/cli/io.js';
import { TOP_DATA_BEGIN, type TopData } from '../../src/cli/top-data.js';
import { renderTop, type ScreenStyle, sparkline } from '../../src/cli/top-screen.js';
import { pressKey, TOP_BEGIN, type TopState } from '../../src/cli/top-state.js';
import { displayWidth } from '../../src/model/human.js';
import type { StatusReply, WorkflowReply, WorkflowSummary } from '../../src/model/replies.js';

const NOW = 1_700_000_000;
const STYLE: ScreenStyle = {
  columns: 80,
  rows: 24,
  colors: screenColorsOf({ NO_COLOR: '1' }),
  unicode: true,
  now: NOW,
};

const STATUS: StatusReply = {
  version: '0.1.0',
  pid: 4242,
  started_at: NOW - 3720,
  uptime: 3720,
  ready: true,
  degraded: [],
  ingest: {
    connections: 3,
    lines: 1000,
    bytes: 100_000,
    accepted: 990,
    rejected: 10,
    rejected_by_reason: { json: 10 },
    dropped: 0,
    in_flight: 0,
    rate_1s: 12_345,
  },
  ring: { capacity_bytes: 1000, used_bytes: 250, stalls: 2 },
  lag: { events: 5, seconds: 0.25 },
  state: { workflows_live: 2, workflows_recent: 7, tasks_running: 9, series: 4, counts: {} },
  archive: {
    durable_seq: 990,
    segments: 1,
    bytes_raw: 100_000,
    bytes_compressed: 25_000,
    oldest_ts: NOW - 3700,
    last_sync_ms: 0.4,
  },
  memory: { rss_bytes: 150_000_000, state_bytes: 3_000_000 },
  threads: [
    { name: 'ingest', utilization: 0.12, restarts: 0 },
    { name: 'fold', utilization: 0.97, restarts: 1 },
  ],
};

function workflow(id: string, age: number, more: Partial<WorkflowSummary> = {}): WorkflowSummary {
  return {
    workflow: id,
    run: 1,
    name: `name of ${id}`,
    project: 'shop',
    parent: null,
    status: 'running',
    phase: 'test',
    started_at: NOW - age,
    ended_at: null,
    duration: null,
    tasks_total: 8,
    tasks_by_status: { completed: 4, failed: 2, running: 2 },
    ...more,
  };
}

function agent(name: string, count: number, failed = 0) {
  return { agent: name, count, mean: 2, stddev: count < 2 ? null : 0.5, p50: 1.9, p99: 4, failed, rate: 0.5 };
}

const DATA: TopData = {
  ...TOP_DATA_BEGIN,
  status: STATUS,
  workflows: { rows: [workflow('young', 5), workflow('old', 100, { tasks_total: 20 })] },
  agents: { rows: [agent('loader-1', 1), agent('loader-2', 30, 3)] },
  rates: [0, 5000, 10_000],
  at: NOW,
};

function textOf(state: TopState, data: TopData = DATA, style: Partial<ScreenStyle> = {}): string[] {
  return renderTop(state, data, { ...STYLE, ...style }).lines.map((line) =>
    stripVTControlCharacters(line).trimEnd(),
  );
}

function press(...keys: string[]): TopState {
  const { shown } = renderTop(TOP_BEGIN, DATA, STYLE);
  return keys.reduce((state, key) => pressKey(state, key, shown), TOP_BEGIN);
}

test('the screen says how the daemon does, what runs, and how the agents are', () => {
  expect(textOf(TOP_BEGIN).map((line) => line.replace(/\d\d:\d\d:\d\d$/, 'CLOCK'))).toEqual([
    'tallyd 0.1.0  ready  up 1h02m  pid 4242                                 CLOCK',
    'events   12.3 k/s                      ▄█  990 accepted, 10 rejected',
    'ring     ━━━······· 25 %    2 stalls   lag 5 events, 250ms   3 connections',
    'running  9 tasks, 2 workflows (7 ended)   memory 143 MiB   archive 24.4 KiB',
    'threads  ingest 12 %  fold 97 % 1×',
    '',
    'RUNNING WORKFLOWS 2  by age ↓',
    'workflow  project  phase    age  progress        tasks  failed',
    'old       shop     test   1m40s  ━━━╳╌╌········  18/20       2',
    'young     shop     test      5s  ━━━━━━━╳╳╳╳╌╌╌    6/8       2',
    '',
    'AGENTS 2  by ended ↓',
    'agent     ended  mean   ± sd   p50  p99  failed  share  per s',
    'loader-2     30    2s  500ms  1.9s   4s       3   10 %    0.5',
    'loader-1      1    2s      -  1.9s   4s       0    0 %    0.5',
    ...new Array(8).fill(''),
    'q quit  ? help  Tab panel  Enter open  / filter  s order  a ended, too  w window',
  ]);
});

test('without Unicode it is drawn in ASCII alone', () => {
  const lines = textOf(TOP_BEGIN, DATA, { unicode: false });
  expect(lines.join('\n').replaceAll('1×', '')).toMatch(/^[\x20-\x7e\n]*$/);
});

test('without colours there is none, and the chosen row is still told apart', () => {
  const lines = renderTop(TOP_BEGIN, DATA, STYLE).lines;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  const codes = new Set([...lines.join('').matchAll(/\x1b\[(\d+)m/g)].map((match) => Number(match[1])));
  expect([...codes].filter((code) => code >= 30)).toEqual([]);
  expect(lines.find((line) => stripVTControlCharacters(line).startsWith('old '))).toContain('\x1b[7m');
});

test('rows are in the order that was chosen', () => {
  const names = (state: TopState) =>
    textOf(state).flatMap((line) => /^(old|young|loader-\d)/.exec(line)?.[1] ?? []);
  expect(names(TOP_BEGIN)).toEqual(['old', 'young', 'loader-2', 'loader-1']);
  expect(names(press('r'))).toEqual(['young', 'old', 'loader-2', 'loader-1']);
  expect(names(press('s'))).toEqual(['old', 'young', 'loader-2', 'loader-1']);
  expect(names(press('tab', 's'))).toEqual(['old', 'young', 'loader-1', 'loader-2']);
});

test('where those that are over are listed, too, the newest are first', () => {
  const lines = textOf(press('a'));
  expect(lines.find((line) => line.includes('by age'))).toBe('WORKFLOWS 2  by age ↑');
  expect(lines.flatMap((line) => /^(old|young) /.exec(line)?.[1] ?? [])).toEqual(['young', 'old']);
});

test('a filter leaves the rows that hold it, in whatever case', () => {
  const state = press('/', 'O', 'L', 'D', 'return');
  expect(textOf(state).join('\n')).toContain('RUNNING WORKFLOWS 1  by age ↓  /OLD');
  expect(textOf(state).join('\n')).not.toContain('young');
  expect(textOf(press('/', 'x', 'x')).join('\n')).toContain('none is like that; Esc clears the filter');
});

test('a wide terminal has the panels side by side', () => {
  const lines = textOf(TOP_BEGIN, DATA, { columns: 170 });
  expect(lines[6]).toMatch(/^RUNNING WORKFLOWS 2 .* {3}AGENTS 2/);
});

test('of more rows than there is room for those around the chosen one are shown', () => {
  const rows = Array.from({ length: 100 }, (_, i) => workflow(`w${i}`, 1000 - i));
  const data: TopData = { ...DATA, workflows: { rows } };
  const { shown } = renderTop(TOP_BEGIN, data, STYLE);
  expect(shown.rows).toHaveLength(100);
  const state = pressKey(TOP_BEGIN, 'G', shown);
  const lines = textOf(state, data);
  expect(lines.find((line) => line.startsWith('RUNNING'))).toMatch(/of 100$/);
  expect(lines.some((line) => line.startsWith('w99 '))).toBe(true);
});

test('a daemon that went away is said, with what was known of it', () => {
  const data: TopData = {
    ...DATA,
    silence: { since: NOW - 12, why: 'no daemon answers on /run/control.sock' },
  };
  const lines = textOf(TOP_BEGIN, data);
  expect(lines[5]).toContain('no answer for 12s, asking again: no daemon answers');
  expect(lines.some((line) => line.startsWith('old '))).toBe(true);
});

test('what the daemon refuses is said in its words, in the panel that asked', () => {
  const data: TopData = { ...DATA, agents: { refusal: 'Not built yet: window=1m is not built yet' } };
  expect(textOf(TOP_BEGIN, data).join('\n')).toContain('AGENTS\nNot built yet: window=1m is not built yet');
});

describe('the timeline of a workflow', () => {
  const tasks = Array.from({ length: 40 }, (_, i) => ({
    task: `task-${i}`,
    agent: `agent-${i % 3}`,
    kind: null,
    status: i === 7 ? 'failed' : 'completed',
    parallel: null,
    description: null,
    started_at: NOW - 100 + i,
    ended_at: NOW - 98 + i,
    duration: 2,
    tokens: null,
    error: null,
    output: null,
  }));
  const opened = {
    ...workflow('old', 100),
    request: 'load all of it',
    error: null,
    tasks,
    tasks_total: 40,
  } as unknown as WorkflowReply;
  const data: TopData = { ...DATA, opened: { rows: opened } };

  test('has its facts, and as many tasks as there is room for', () => {
    const lines = textOf(press('return'), data);
    expect(lines[6]).toMatch(/^old {2}running for 1m40s {2}phase test +name of old, shop$/);
    expect(lines.join('\n')).toContain('load all of it');
    expect(lines.some((line) => line.startsWith('task-0 '))).toBe(true);
    expect(lines.join('\n')).not.toContain('task-39');
  });

  test('goes on below', () => {
    const state = press('return');
    const { shown } = renderTop(state, data, STYLE);
    expect(textOf(pressKey(state, 'end', shown), data).join('\n')).toContain('task-39');
  });
});

test('whatever the data and the size are, no line is wider than the screen and none holds a control character', () => {
  const hostile = fc.string({
    unit: fc.constantFrom('a', '\x1b[31m', '\n', '\x07', '表', '\u202e', '👍', '\u0301'),
  });
  const rows = fc.array(
    fc.record({ id: hostile, phase: hostile, age: fc.nat(), total: fc.nat(100), completed: fc.nat(100) }),
    { maxLength: 12 },
  );
  const keys = fc.array(fc.constantFrom('tab', 'down', 'return', '/', '?', 'a', 'w', 's', '表', 'escape'), {
    maxLength: 4,
  });
  fc.assert(
    fc.property(
      rows,
      keys,
      fc.integer({ min: 20, max: 220 }),
      fc.integer({ min: 8, max: 60 }),
      (found, pressed, columns, height) => {
        const data: TopData = {
          ...DATA,
          workflows: {
            rows: found.map(({ id, phase, age, total, completed }) =>
              workflow(id, age, {
                phase,
                tasks_total: total,
                tasks_by_status: { completed: Math.min(total, completed) },
              }),
            ),
          },
          agents: { rows: found.map(({ id, total }) => agent(id, total + 1)) },
        };
        const style = { ...STYLE, columns, rows: height };
        let state = TOP_BEGIN;
        for (const key of pressed) state = pressKey(state, key, renderTop(state, data, style).shown);
        const { lines } = renderTop(state, data, style);
        expect(lines).toHaveLength(height);
        for (const line of lines) {
          const text = stripVTControlCharacters(line);
          expect(displayWidth(text)).toBeLessThanOrEqual(columns);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
          expect(text).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
        }
      },
    ),
  );
});

test('a line of levels has the newest at the right, and the highest fills its cell', () => {
  expect(sparkline([0, 1, 2, 4], 6, { unicode: true })).toBe('   ▂▄█');
  expect(sparkline([9, 0, 8], 2, { unicode: true })).toBe(' █');
  expect(sparkline([], 3, { unicode: true })).toBe('   ');
});
