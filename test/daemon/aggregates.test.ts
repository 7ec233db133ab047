/** Windows and reports over the control socket of the real daemon. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon, testDaemon } from '../support/daemon.js';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
  const end = (task: string, more: object) => ({
    type: 'task.end',
    task,
    agent: 'builder',
    workflow: 'w',
    status: 'completed',
    ...more,
  });
  await daemon.send(
    { type: 'workflow.start', workflow: 'w', project: 'pröject', ts: 1000 },
    end('1', { duration: 2, tokens: 100, parallel: true }),
    end('2', { duration: 4, agent: 'tester', status: 'failed' }),
    { type: 'task.end', task: '3', agent: 'tester', status: 'completed', duration: 8 },
    ...[1, 2, 3].map((value) => ({ type: 'sample', name: 'm', value, tags: { k: 'v' } })),
  );
});
afterAll(() => daemon.remove());

const report = async (query = '') => (await daemon.get(`/v1/report${query}`)).body;

describe('/v1/stats', () => {
  test.each([
    ['1m', 60],
    ['5m', 300],
    ['1h', 3600],
    ['1d', 86400],
  ])('over %s has what has just arrived, and its rate over %d s', async (window, seconds) => {
    const { body } = await daemon.get(`/v1/stats?metric=m&by=k&window=${window}`);
    expect(body).toMatchObject({ metric: 'm', window, by: ['k'] });
    expect(body.groups).toHaveLength(1);
    expect(body.groups[0]).toMatchObject({
      labels: { k: 'v' },
      count: 3,
      sum: 6,
      mean: 2,
      variance: 1,
      stddev: 1,
      min: 1,
      max: 3,
      rate: 3 / seconds,
    });
    expect(Math.abs(body.groups[0].p50 / 2 - 1)).toBeLessThan(0.011);
    expect(body.partial).toBeUndefined();
  });

  test('over a window in which nothing arrived, or of an unknown metric, has no groups', async () => {
    for (const query of ['metric=none&window=1m', 'metric=m&where=k%3Dx&window=1h']) {
      const answer = await daemon.get(`/v1/stats?${query}`);
      expect([answer.status, answer.body.groups]).toEqual([200, []]);
    }
  });

  test('by the command is over a window, too', async () => {
    const { stdout, code } = await daemon.command('stats', 'm', '--window', '5m', '--json');
    expect([code, JSON.parse(stdout).window, JSON.parse(stdout).groups[0].count]).toEqual([0, '5m', 3]);
  });
});

describe('/v1/report', () => {
  test('over everything, a project and a workflow has the numbers of each', async () => {
    expect(await report()).toMatchObject({
      total_executions: 3,
      parallel_executions: 1,
      total_duration: 14,
      agent_utilization: { builder: 2, tester: 12 },
      token_usage: 100,
    });
    const two = { total_executions: 2, total_duration: 6, success_rate: 50 };
    expect(await report(`?project=${encodeURIComponent('pröject')}`)).toMatchObject(two);
    expect(await report('?workflow=w')).toMatchObject(two);
    expect(await report('?project=other')).toMatchObject({ total_executions: 0, average_speedup: 1 });
    expect((await daemon.workflow('w')).body.metrics).toEqual(await report('?workflow=w'));
  });

  test('as text is plain text', async () => {
    const { status, headers, text } = await daemon.get('/v1/report?format=text');
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8']);
    expect(text).toMatch(/^executions +3 \(1 parallel, 2 sequential\)$/m);
  });

  test.each([
    [400, '?format=xml'],
    [400, '?workflow=w&project=p'],
    [404, '?workflow=nobody'],
    [400, '?since=noon'],
    [400, '?until=1&since=2e9'],
    [400, '?workflow=w&since=1'],
  ])('answers %d to %s, with a problem', async (status, query) => {
    const answer = await daemon.get(`/v1/report${query}`);
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/problem+json']);
    expect(answer.body).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) });
  });
});

test('what found no room is said: series in the status, windows also in the reply, and it is counted', async () => {
  const small = await testDaemon({ 'stats.max_series': 40, 'stats.window_bytes': '64KiB' });
  const value = (i: number) => 2 ** (i % 40);
  const lines = Array.from({ length: 3000 }, (_, i) => ({
    type: 'sample',
    name: 'wide',
    value: value(i),
    tags: { k: `${i % 60}` },
  }));
  await small.send(...lines);
  const status = await small.status();
  expect(status.state.series).toBe(41);
  expect(status.state.counts).toMatchObject({ series_overflowed: 1000, series_expired: 0 });
  expect(status.state.counts.windows_lost).toBeGreaterThan(0);
  expect(status.degraded).toContainEqual(expect.stringMatching(/^series_overflow: .*stats\.max_series/));
  expect(status.degraded).toContainEqual(expect.stringMatching(/^windows_lost: .*stats\.window_bytes/));
  const all = (await small.get('/v1/stats?metric=wide')).body;
  expect(all.groups).toMatchObject([{ count: 3000, sum: lines.reduce((sum, line) => sum + line.value, 0) }]);
  expect(all.partial).toBeUndefined();
  const windowed = (await small.get('/v1/stats?metric=wide&window=1m')).body;
  expect(windowed.partial).toBe(true);
  expect(windowed.groups[0]?.count ?? 0).toBeLessThan(3000);
});

test('windows are the same after a restart, out of the log', async () => {
  const before = (await daemon.get('/v1/stats?metric=m&window=1d&by=*')).body;
  const reportBefore = await report();
  await daemon.kill();
  await daemon.restart();
  expect((await daemon.get('/v1/stats?metric=m&window=1d&by=*')).body).toEqual(before);
  expect(await report()).toEqual(reportBefore);
});
