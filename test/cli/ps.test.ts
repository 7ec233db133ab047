import { expect, test } from 'vitest';
import { displayWidth } from '../../src/model/human.js';
import { serveControl } from './fake-daemon.js';
import { tallyd } from './terminal.js';

const ago = (seconds: number) => Date.now() / 1000 - seconds;

const NIGHTLY = {
  workflow: 'nightly-42',
  run: 1,
  name: 'nightly',
  project: 'warehouse',
  parent: null,
  status: 'running',
  phase: 'report',
  implicit: false,
  started_at: ago(7205),
  ended_at: null,
  updated_at: ago(1),
  duration: null,
  tasks_total: 12,
  tasks_by_status: { running: 4, completed: 5, failed: 2, timeout: 1, cancelled: 0 },
  source: 'live',
};
const BUILD = {
  ...NIGHTLY,
  workflow: 'build\x1b[2J',
  project: null,
  status: 'completed',
  phase: null,
  started_at: ago(100),
  ended_at: ago(50),
  updated_at: ago(50),
  duration: 50,
  tasks_total: 1000,
  tasks_by_status: { completed: 1000 },
};
const IMPLICIT = {
  ...NIGHTLY,
  workflow: 'never-started',
  project: null,
  phase: null,
  started_at: null,
  updated_at: null,
  tasks_total: 0,
  tasks_by_status: {},
};

test('ps lists workflows, those last heard of first, with progress, failures and ages', async () => {
  const { folder, requests } = await serveControl(() => ({
    body: { workflows: [IMPLICIT, BUILD, NIGHTLY], next_cursor: null },
  }));
  const { exitCode, stdout } = await tallyd(['ps', '--runtime-dir', folder]);
  expect(exitCode).toBe(0);
  expect(requests).toEqual(['GET /v1/workflows?limit=1000']);
  expect(stdout.split('\n')).toEqual([
    'workflow       project    status     phase         tasks  failed    age  took',
    'nightly-42     warehouse  running    report         8/12       3  2h00m',
    expect.stringMatching(/^build\\x1b\[2J {14}completed {10}1,000\/1,000 {7}0 {2}1m4\ds {3}50s$/),
    'never-started             running                    0/0       0      -',
    '',
  ]);
});

test('ps hands its filters on, and reads page after page', async () => {
  const { folder, requests } = await serveControl(({ url }) => {
    const cursor = new URL(url!, 'http://localhost').searchParams.get('cursor');
    const page = cursor === null ? 0 : Number(cursor.slice(1));
    const workflows = [{ ...NIGHTLY, workflow: `w${page}` }];
    return { body: { workflows, next_cursor: page < 2 ? `c${page + 1}` : null } };
  });
  const filters = [
    '--status',
    'running',
    '--phase',
    'a b',
    '--agent',
    'ä',
    '--project',
    'p&q',
    '--parent',
    'w',
  ];
  const { stdout } = await tallyd(['ps', ...filters, '--runtime-dir', folder]);
  const query = '/v1/workflows?status=running&phase=a+b&agent=%C3%A4&project=p%26q&parent=w&limit=1000';
  expect(requests).toEqual([`GET ${query}`, `GET ${query}&cursor=c1`, `GET ${query}&cursor=c2`]);
  expect(stdout.match(/^w\d/gm)).toEqual(['w0', 'w1', 'w2']);
  const json = await tallyd(['ps', '--json', '--runtime-dir', folder]);
  expect(JSON.parse(json.stdout)).toMatchObject({
    workflows: [{ workflow: 'w0' }, { workflow: 'w1' }, { workflow: 'w2' }],
    next_cursor: null,
  });
});

test('--limit asks for no more, and says that there is more', async () => {
  const { folder, requests } = await serveControl(() => ({
    body: { workflows: [NIGHTLY, BUILD], next_cursor: 'c' },
  }));
  const { stdout } = await tallyd(['ps', '--limit', '2', '--runtime-dir', folder]);
  expect(requests).toEqual(['GET /v1/workflows?limit=2']);
  expect(stdout.split('\n').at(-2)).toBe('the first 2 workflows; --limit takes more');
});

test.each([
  [[], 'no workflows yet\n'],
  [['--status', 'paused'], 'no workflow is like that; tallyd ps lists all\n'],
])('ps %j of nothing says so, and is done', async (args, text) => {
  const { folder } = await serveControl(() => ({ body: { workflows: [], next_cursor: null } }));
  expect(await tallyd(['ps', ...args, '--runtime-dir', folder])).toEqual({
    exitCode: 0,
    stdout: text,
    stderr: '',
  });
});

test.each([[40], [60], [80], [132]])('ps fits a terminal of %i columns', async (terminalColumns) => {
  const long = { ...NIGHTLY, workflow: 'w'.repeat(100), project: 'ü'.repeat(90), phase: '数'.repeat(50) };
  const { folder } = await serveControl(() => ({ body: { workflows: [long, BUILD], next_cursor: null } }));
  const options = { terminalColumns, env: { NO_COLOR: '1' } };
  const { stdout } = await tallyd(['ps', '--runtime-dir', folder], options);
  for (const line of stdout.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(terminalColumns);
  expect(stdout).toMatch(/8\/12 +3/);
  expect((await tallyd(['ps', '--runtime-dir', folder])).stdout).toContain('w'.repeat(100));
});

test('on a terminal a status and a count of failures have colours', async () => {
  const { folder } = await serveControl(() => ({ body: { workflows: [NIGHTLY, BUILD], next_cursor: null } }));
  const { stdout } = await tallyd(['ps', '--runtime-dir', folder], { terminalColumns: 80 });
  expect(stdout).toContain('\x1b[36mrunning\x1b[39m');
  expect(stdout).toContain('\x1b[31m3\x1b[39m');
  expect(stdout).not.toContain('\x1b[31m0');
  expect((await tallyd(['ps', '--runtime-dir', folder])).stdout).not.toContain('\x1b');
});

test.each([[['--limit', '0']], [['--limit', 'x']], [['--status', '']]])(
  'ps %j is wrong usage',
  async (args) => {
    const { exitCode, stderr } = await tallyd(['ps', ...args, '--runtime-dir', '/nowhere']);
    expect(exitCode).toBe(64);
    expect(stderr).toMatch(/^ERR_USAGE: --(limit|status) /);
  },
);
