import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { failureOfSocket } from '../../src/cli/control-client.js';
import { displayWidth } from '../../src/model/human.js';
import { serveControl, temporaryFolder } from './fake-daemon.js';
import { tallyd } from './terminal.js';

const STATUS = {
  version: '0.1.0',
  protocol: 1,
  format: 1,
  pid: 4711,
  started_at: 1700000000.5,
  uptime: 273_600,
  ready: true,
  degraded: [],
  ingest: {
    connections: 1,
    lines: 1_234_567,
    bytes: 1_288_490_189,
    accepted: 1_234_000,
    rejected: 567,
    rejected_by_reason: { invalid_json: 500, too_long: 67, internal: 0 },
    dropped: 0,
    in_flight: 0,
    rate_1s: 53_400,
  },
  ring: { capacity_bytes: 33_554_432, used_bytes: 3_355_443, stalls: 0 },
  lag: { events: 12, seconds: 0.0021 },
  state: {
    workflows_live: 12,
    workflows_recent: 100,
    tasks_running: 5,
    series: 88,
    counts: { task_restarts: 3, task_duplicate_ends: 0 },
  },
  archive: {
    durable_seq: 1_234_000,
    segments: 3,
    bytes_raw: 1_288_490_189,
    bytes_compressed: 128_849_018,
    oldest_ts: 1_700_000_000,
    last_sync_ms: 0.41,
  },
  memory: { rss_bytes: 125_829_120, state_bytes: 67_108_864 },
  threads: [
    { name: 'fold', utilization: 0.34, restarts: 0 },
    { name: 'archive', utilization: 0.12, restarts: 1 },
  ],
};

const GROUP = {
  count: 1200,
  sum: 1,
  mean: 1.25,
  variance: 1,
  stddev: 1,
  min: 0,
  max: 300,
  p50: 1,
  p90: 2,
  p95: 2.5,
  p99: 61,
  rate: 0.5,
};

const WORKFLOW = {
  workflow: 'build-42',
  run: 2,
  runs: [{ run: 1 }, { run: 2 }],
  name: 'build',
  project: null,
  request: `do\nthis ${'and that '.repeat(40)}`,
  parent: null,
  children: ['build-42-a'],
  status: 'running',
  phase: 'implementation',
  implicit: false,
  started_at: 1_700_000_000,
  ended_at: null,
  duration: null,
  error: null,
  tasks: [
    {
      task: 't1',
      agent: 'coder\x1b[2J',
      kind: null,
      status: 'failed',
      parallel: false,
      description: 'write it',
      started_at: 1_700_000_001.5,
      ended_at: 1_700_000_003,
      duration: 1.5,
      tokens: 10,
      error: `it broke ${'badly '.repeat(50)}`,
      output: null,
    },
    {
      task: 't2',
      agent: 'tester',
      status: 'running',
      description: null,
      started_at: null,
      duration: null,
      error: null,
    },
  ],
  tasks_total: 3,
  tasks_by_status: { failed: 1, running: 2 },
  active_agents: ['tester'],
  completed_agents: [],
  failed_agents: ['coder'],
  groups: [],
  metrics: {},
  source: 'live',
};

function fits(text: string, columns: number): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours take no columns
  for (const line of text.replace(/\x1b\[\d+m/g, '').split('\n')) {
    expect(displayWidth(line)).toBeLessThanOrEqual(columns);
  }
}

test('status says on one screen how the daemon does', async () => {
  const { folder, requests } = await serveControl(() => ({ body: STATUS }));
  const { exitCode, stdout } = await tallyd(['status', '--runtime-dir', folder]);
  expect(requests).toEqual(['GET /v1/status']);
  expect(exitCode).toBe(0);
  for (const part of [
    'ready',
    'pid 4711',
    'up 3d04h',
    '1 connection   53.4 k lines/s',
    '1,234,567   1.2 GiB',
    'invalid_json 500, too_long 67',
    '3.2 MiB of 32 MiB (10 %)   0 stalls',
    '12 events   2.1ms',
    'task_restarts 3',
    'durable to line 1,234,000   last sync 410µs',
    '(ratio 10.0)   since 2023-11-14 22:13:20Z',
    'fold 34 %, archive 12 % (1 restart)',
  ]) {
    expect(stdout).toContain(part);
  }
  expect(stdout.split('\n').length).toBeLessThan(24);
  fits(stdout, 80);
});

test('status of a daemon that is not ready is a no, with the reasons', async () => {
  const { folder } = await serveControl(() => ({
    body: { ...STATUS, ready: false, degraded: ['disk full'] },
  }));
  const { exitCode, stdout } = await tallyd(['status', '--runtime-dir', folder]);
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/not ready.*degraded +disk full/s);
});

test('status shows what an unlike daemon says, and a dash for the rest', async () => {
  const { folder } = await serveControl(() => ({ body: { ready: true, ingest: { lines: 7 } } }));
  const { exitCode, stdout } = await tallyd(['status', '--runtime-dir', folder]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/lines +7 +-/);
});

test.each([
  [['status'], STATUS],
  [['stats'], { metrics: [] }],
  [['stats', 'x'], { metric: 'x', groups: [] }],
  [['ps'], { workflows: [{ workflow: 'w', updated_at: 1.25 }], next_cursor: null }],
  [['report'], { total_executions: 0, bottlenecks: [] }],
  [['show', 'build-42'], WORKFLOW],
])('%j --json passes the reply on', async (args, body) => {
  const { folder } = await serveControl(() => ({ body }));
  const { stdout } = await tallyd([...args, '--json', '--runtime-dir', folder]);
  expect(stdout).toBe(`${JSON.stringify(body)}\n`);
});

test('colours are for terminals, and not where NO_COLOR is set', async () => {
  const { folder } = await serveControl(() => ({ body: STATUS }));
  const args = ['status', '--runtime-dir', folder];
  expect((await tallyd(args, { terminalColumns: 80 })).stdout).toContain('\x1b[32mready');
  for (const options of [{ terminalColumns: 80, env: { NO_COLOR: '1' } }, {}]) {
    expect((await tallyd(args, options)).stdout).not.toContain('\x1b');
  }
});

test('stats without a metric lists the metrics', async () => {
  const metrics = [{ metric: 'task_duration_seconds', labels: ['agent', 'kind', 'status'], count: 12_000 }];
  const { folder, requests } = await serveControl(() => ({ body: { metrics } }));
  const { stdout } = await tallyd(['stats', '--runtime-dir', folder]);
  expect(requests).toEqual(['GET /v1/stats']);
  expect(stdout).toBe(
    'metric                 samples  labels\ntask_duration_seconds   12,000  agent, kind, status\n',
  );
});

test('stats asks for its groups as the contract says, and prints durations as such', async () => {
  const groups = [{ labels: { agent: 'coder', status: '' }, ...GROUP }];
  const { folder, requests } = await serveControl(() => ({ body: { groups } }));
  const metric = 'task_duration_seconds';
  const args = [
    'stats',
    metric,
    '--by',
    'agent,status',
    '--where',
    'kind=a=b',
    '--where',
    'x=',
    '--limit',
    '5',
  ];
  const { exitCode, stdout } = await tallyd([...args, '--runtime-dir', folder]);
  expect(requests).toEqual([
    `GET /v1/stats?metric=${metric}&by=agent%2Cstatus&where=kind%3Da%3Db&where=x%3D&limit=5`,
  ]);
  expect(exitCode).toBe(0);
  expect(stdout).toBe(
    [
      'task_duration_seconds   1 group',
      'agent  status  count   mean  p50   p95    p99    max  per s',
      'coder          1,200  1.25s   1s  2.5s  1m01s  5m00s    0.5',
      '',
    ].join('\n'),
  );
});

test('stats --by * has a column for each label that there is, and fits a terminal', async () => {
  const long = 'a-name-of-thirty-characters-abc';
  const groups = [
    { labels: { agent: long, kind: long, status: 'completed' }, ...GROUP },
    { labels: { agent: 'x', model: 'm' }, ...GROUP },
  ];
  const { folder } = await serveControl(() => ({ body: { groups } }));
  const args = ['stats', 'task_tokens', '--by', '*', '--runtime-dir', folder];
  const { stdout } = await tallyd(args, { terminalColumns: 80, env: { NO_COLOR: '1' } });
  expect(stdout.split('\n')[1]).toMatch(/^agent +kind +status +model +count/);
  fits(stdout, 80);
  expect((await tallyd(args)).stdout).toContain(long);
});

test('stats hands windows and times on, and names them', async () => {
  const { folder, requests } = await serveControl(() => ({ body: { groups: [{ labels: {}, ...GROUP }] } }));
  const windowed = await tallyd(['stats', 'rows', '--window', '5m', '--runtime-dir', folder]);
  expect(windowed.stdout).toMatch(/^rows {3}1 group {3}window 5m\n/);
  const times = ['--since', '2026-11-23T15:00:00Z', '--until', '1795449600'];
  const history = await tallyd(['stats', 'rows', ...times, '--runtime-dir', folder]);
  expect(history.stdout).toMatch(/^rows {3}1 group {3}since 2026-11-23T15:00:00Z {3}until 1795449600\n/);
  expect(requests).toEqual([
    'GET /v1/stats?metric=rows&window=5m',
    'GET /v1/stats?metric=rows&since=1795446000&until=1795449600',
  ]);
});

test('what the daemon says against a window is told as it says it', async () => {
  const detail = 'window must be all, 1m, 5m, 1h or 1d, is "7m"';
  const { folder } = await serveControl(() => ({ status: 400, body: { title: 'Bad parameter', detail } }));
  const { exitCode, stderr } = await tallyd(['stats', 'rows', '--window', '7m', '--runtime-dir', folder]);
  expect(exitCode).toBe(64);
  expect(stderr).toBe(`ERR_USAGE: Bad parameter: ${detail}\n`);
});

test('stats of a metric without samples says so, and is done', async () => {
  const { folder } = await serveControl(() => ({ body: { groups: [] } }));
  const { exitCode, stdout } = await tallyd(['stats', 'nope', '--runtime-dir', folder]);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('nope: no samples');
});

test.each([
  [['stats', 'x', '--limit', '0']],
  [['stats', 'x', '--limit', '1e3']],
  [['stats', 'x', '--where', 'agent']],
  [['stats', '--by', 'agent']],
  [['stats', '--window', '1h']],
  [['stats', 'x', '--window', '1h', '--since', '-2h']],
  [['stats', 'x', '--since', 'noon']],
  [['show', 'x', '--run', '0']],
  [['show', '']],
])('%j is wrong usage, before anybody is asked', async (args) => {
  const { exitCode, stderr } = await tallyd([...args, '--runtime-dir', '/nowhere']);
  expect(exitCode).toBe(64);
  expect(stderr).toMatch(/^ERR_USAGE: /);
});

test('show prints a workflow and its tasks, texts shortened and controls escaped', async () => {
  const { folder, requests } = await serveControl(() => ({ body: WORKFLOW }));
  const args = ['show', 'build/42 ü', '--run', '2', '--runtime-dir', folder];
  const { exitCode, stdout } = await tallyd(args, { terminalColumns: 80, env: { NO_COLOR: '1' } });
  expect(requests).toEqual(['GET /v1/workflows/build%2F42%20%C3%BC?run=2']);
  expect(exitCode).toBe(0);
  expect(stdout).not.toContain('\x1b');
  expect(stdout).toMatch(/^workflow +build-42 {3}run 2 of 2 {3}\(live\)\n/);
  expect(stdout).toMatch(/status +running {3}phase implementation\n/);
  expect(stdout).toMatch(/request +do\\nthis and that .*…\n/);
  expect(stdout).toMatch(/tasks +3 \(1 failed, 2 running\), 2 of them below\n/);
  expect(stdout).toMatch(/coder\\x1b\[2J +t1 +failed +\+1\.5s +1\.5s +it broke/);
  expect(stdout).toMatch(/tester +t2 +running +- +-\n/);
  fits(stdout, 80);
});

test('show draws the tasks on the axis of the workflow, and prints its numbers', async () => {
  const bottleneck = { type: 'poor_speedup', severity: 'medium', description: 'd', suggestion: 's' };
  const metrics = {
    total_executions: 3,
    parallel_executions: 2,
    sequential_executions: 1,
    total_duration: 30,
    average_speedup: 1.2,
    measured_speedup: 1.5,
    parallelization_ratio: 0.667,
    success_rate: 66.7,
    agent_utilization: {},
    token_usage: 0,
    efficiency_score: 55,
    bottlenecks: [bottleneck],
    suggestions: ['s'],
  };
  const base = { ...WORKFLOW.tasks[0]!, agent: 'a', description: null, error: null };
  const tasks = [
    { ...base, task: 'late', started_at: 110, ended_at: 120, duration: 10, status: 'completed' },
    { ...base, task: 'early', started_at: 100, ended_at: 110, duration: 10, status: 'failed' },
  ];
  const groups = [
    ['a', 'b'],
    ['c', 'd'],
    ['e', 'f'],
    ['g\x1b', 'h'],
  ];
  const times = { started_at: 100, ended_at: 120, duration: 20, status: 'completed' };
  const body = { ...WORKFLOW, ...times, tasks, groups, metrics, parent: 'boss' };
  const { folder } = await serveControl(() => ({ body }));
  const { stdout } = await tallyd(['show', 'build-42', '--runtime-dir', folder], {
    env: { LANG: 'C.UTF-8' },
  });
  expect(stdout).toMatch(/parent +boss\nchildren +build-42-a\n/);
  expect(stdout).toMatch(/groups +c \+ d\n +e \+ f\n +g\\x1b \+ h\n +and 1 before\n/);
  expect(stdout).toMatch(
    /├ 0s ─+ 20s ┤\nparallel .* up to 1\nearly +a {3,}█+✗ +10s\nlate +a {10,}█+✓ +10s\n/,
  );
  expect(stdout).toMatch(/a +early +failed +\+0s +10s\na +late +completed +\+10s +10s\n/);
  expect(stdout).toMatch(
    /executions +3 +2 parallel .*\nbottlenecks\nmedium {2}poor_speedup\n {2}d\n {2}mend: s\n$/s,
  );
});

test('of ten thousand tasks show picks those that run, those that failed and the longest, and --all shows all', async () => {
  const tasks = Array.from({ length: 10_000 }, (_, i) => {
    const status = i === 5000 ? 'running' : i % 500 === 1 ? 'failed' : i === 7000 ? 'timeout' : 'completed';
    const duration = status === 'running' ? null : i === 1234 ? 1000 : 1;
    const started_at = Date.now() / 1000 - 20_000 + i;
    const ended_at = duration === null ? null : started_at + duration;
    return { ...WORKFLOW.tasks[0]!, task: `t${i}`, status, duration, started_at, ended_at, error: null };
  });
  const { folder } = await serveControl(() => ({ body: { ...WORKFLOW, tasks, tasks_total: 10_000 } }));
  const { stdout } = await tallyd(['show', 'build-42', '--runtime-dir', folder], {
    terminalColumns: 80,
    env: { NO_COLOR: '1' },
  });
  const bars = [...stdout.matchAll(/^(t\d+) +coder.* {2}\S+$/gm)].map((match) => match[1]);
  expect(bars).toHaveLength(30);
  expect(bars).toEqual(expect.arrayContaining(['t5000', 't1', 't501', 't9501', 't7000', 't1234']));
  expect(stdout).toContain('and 9,970 tasks more; --all shows all\n');
  fits(stdout, 80);
  const all = await tallyd(['show', 'build-42', '--all', '--runtime-dir', folder]);
  expect(all.stdout.match(/^t\d+ +coder/gm)).toHaveLength(10_000);
  expect(all.stdout).not.toContain('--all');
});

test('failed tasks that are not shown are counted', async () => {
  const tasks = Array.from({ length: 50 }, (_, i) => ({ ...WORKFLOW.tasks[0]!, task: `t${i}`, error: null }));
  const { folder } = await serveControl(() => ({ body: { ...WORKFLOW, tasks } }));
  const { stdout } = await tallyd(['show', 'build-42', '--runtime-dir', folder]);
  expect(stdout).toContain('and 20 tasks more, 20 of them failed; --all shows all\n');
});

test.each([[40], [80], [200]])('show fits %i columns, and uses them', async (terminalColumns) => {
  const { folder } = await serveControl(() => ({ body: { ...WORKFLOW, request: 'short' } }));
  const options = { terminalColumns, env: { NO_COLOR: '1', LANG: 'C.UTF-8' } };
  const { stdout } = await tallyd(['show', 'build-42', '--runtime-dir', folder], options);
  const axis = stdout.split('\n').find((line) => line.includes('├'))!;
  expect(displayWidth(axis)).toBeLessThanOrEqual(terminalColumns);
  expect(displayWidth(axis)).toBeGreaterThan(terminalColumns - 16);
  if (terminalColumns >= 80) fits(stdout, terminalColumns);
});

test('a workflow named by dots is asked for as such', async () => {
  const { folder, requests } = await serveControl(() => ({ status: 404, body: {} }));
  await tallyd(['show', '..', '--runtime-dir', folder]);
  expect(requests).toEqual(['GET /v1/workflows/%2E%2E']);
});

test.each([
  [
    404,
    { type: 'about:blank', title: 'Not Found', status: 404, detail: 'no event names it' },
    1,
    'ERR_NOT_FOUND: Not Found: no event names it\n',
  ],
  [400, { title: 'Bad Request', detail: 'limit is 0' }, 64, 'ERR_USAGE: Bad Request: limit is 0\n'],
  [
    503,
    { title: 'Service Unavailable', detail: 'recovering' },
    1,
    'ERR_NOT_READY: the daemon is not ready: Service Unavailable: recovering',
  ],
  [500, { title: 'Internal Server Error' }, 70, 'ERR_BUG: the daemon failed (500): Internal Server Error'],
  [500, '<h1>\x1b[2Joops</h1>', 70, 'ERR_BUG: the daemon failed (500): <h1>\\x1b[2Joops</h1>'],
])('an answer %i with %j is told as a failure', async (status, body, code, text) => {
  const { folder } = await serveControl(() => ({ status, body }));
  const { exitCode, stdout, stderr } = await tallyd(['show', 'x', '--runtime-dir', folder]);
  expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
  expect(stderr).toContain(text);
});

test('an answer that is no JSON is a bug of somebody', async () => {
  const { folder } = await serveControl(() => ({ body: 'hello' }));
  const { exitCode, stderr } = await tallyd(['status', '--runtime-dir', folder]);
  expect(exitCode).toBe(70);
  expect(stderr).toContain('is it a tallyd?');
});

test('without a socket, and behind one that nobody listens on, there is no daemon', async () => {
  const folder = temporaryFolder();
  const missing = await tallyd(['status', '--runtime-dir', folder]);
  expect(missing.exitCode).toBe(69);
  expect(missing.stderr).toContain(
    `${folder}/control.sock: there is no such socket; start one with tallyd run`,
  );
});

test('a daemon that hangs up instead of answering is told', async () => {
  const folder = temporaryFolder();
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(join(folder, 'control.sock'), resolve));
  const { exitCode, stderr } = await tallyd(['status', '--runtime-dir', folder]);
  server.close();
  expect(exitCode).toBe(69);
  expect(stderr).toMatch(/ECONNRESET|EPIPE/);
});

test('a socket that one may not open is a matter of rights', () => {
  const error = Object.assign(new Error('connect'), { code: 'EACCES' });
  const failure = failureOfSocket(error, '/run/tallyd/control.sock');
  expect(failure).toMatchObject({ code: 'ERR_DENIED', exitCode: 77 });
  expect(failure.message).toContain('/run/tallyd/control.sock: EACCES; run as root');
});
