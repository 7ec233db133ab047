/** GET /v1/workflows/ID: texts come out of the archive, whenever they are asked for; ids are whatever clients made up. */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon, testDaemon } from '../support/daemon.js';

let daemon: TestDaemon;
beforeAll(async () => {
  // No frame is closed by the interval while a test runs.
  daemon = await TestDaemon.start({ 'archive.sync_interval': '1h' });
});
afterAll(() => daemon.remove());

const OUTPUT = { files: ['a', 'b'], nested: { deep: [1, 2.5e-3, null, true] }, '': 'empty key' };
const TEXT = 'line one\nline two\t"quoted" \\ größe 数 😀 \u0000\u001b[31m';

function execution(workflow: string): { begin: object[]; end: object[] } {
  return {
    begin: [
      {
        type: 'workflow.start',
        workflow,
        name: 'nightly',
        project: 'p',
        request: `request ${TEXT}`,
        ts: 100,
      },
      {
        type: 'task.start',
        workflow,
        task: 't1',
        agent: 'a',
        kind: 'k',
        description: `first ${TEXT}`,
        ts: 101,
      },
      {
        type: 'task.start',
        workflow,
        task: 't2',
        agent: 'b',
        description: 'second',
        parallel: true,
        ts: 102,
      },
      {
        type: 'task.end',
        workflow,
        task: 't1',
        agent: 'a',
        status: 'failed',
        error: `error ${TEXT}`,
        output: OUTPUT,
        ts: 103.5,
      },
    ],
    end: [
      {
        type: 'task.end',
        workflow,
        task: 't2',
        agent: 'b',
        status: 'completed',
        output: 'a string',
        tokens: 12,
        ts: 105,
      },
      { type: 'workflow.end', workflow, status: 'failed', error: `over ${TEXT}`, ts: 106 },
    ],
  };
}

const LIVE = {
  run: 1,
  name: 'nightly',
  project: 'p',
  request: `request ${TEXT}`,
  status: 'running',
  phase: 'requirements',
  implicit: false,
  started_at: 100,
  ended_at: null,
  duration: null,
  error: null,
  source: 'live',
  tasks_total: 2,
  active_agents: ['b'],
  completed_agents: [],
  failed_agents: ['a'],
  tasks: [
    {
      task: 't1',
      agent: 'a',
      kind: 'k',
      status: 'failed',
      parallel: null,
      description: `first ${TEXT}`,
      started_at: 101,
      ended_at: 103.5,
      duration: 2.5,
      tokens: null,
      error: `error ${TEXT}`,
      output: OUTPUT,
    },
    {
      task: 't2',
      agent: 'b',
      kind: null,
      status: 'running',
      parallel: true,
      description: 'second',
      ended_at: null,
      output: null,
    },
  ],
};

const RECENT = {
  ...LIVE,
  status: 'failed',
  ended_at: 106,
  duration: 6,
  error: `over ${TEXT}`,
  source: 'recent',
  active_agents: [],
  completed_agents: ['b'],
  tasks: [
    LIVE.tasks[0],
    { ...LIVE.tasks[1], status: 'completed', ended_at: 105, duration: 3, tokens: 12, output: 'a string' },
  ],
};

const IDS = [
  'plain',
  'a/b/c',
  '/',
  'with space',
  ' ',
  'größe',
  '数 😀',
  '100%',
  '%2F',
  'a%20b',
  'a+b',
  '?query=1',
  '#fragment',
  'a&b=c',
  'back\\slash',
  '"quoted"',
  "it's",
  'nul\u0000',
  'tab\tnewline\n',
  '\u007f',
  'e\u0301', // not the same as é
  '\u202e',
  '...',
  '.',
  '..',
  'status',
  '__proto__',
  'x'.repeat(256),
  '😀'.repeat(64),
];

describe.each(IDS)('the workflow %j', (workflow) => {
  const { begin, end } = execution(workflow);

  test('is there with its texts right after a sync, live and recent', async () => {
    await daemon.send(...begin);
    const live = await daemon.workflow(workflow);
    expect(live.status).toBe(200);
    expect(live.body).toMatchObject({ ...LIVE, workflow });
    await daemon.send(...end);
    expect((await daemon.workflow(workflow)).body).toMatchObject({ ...RECENT, workflow });
  });
});

test('texts come back at once, though nobody has asked for a sync and no frame is due', async () => {
  const client = await daemon.connect();
  let { accepted } = (await daemon.status()).ingest;
  const sendAndWait = async (events: object[]) => {
    await client.send(...events);
    accepted += events.length;
    await daemon.statusWhere((status) => status.ingest.accepted === accepted);
  };
  for (let round = 0; round < 20; round++) {
    const workflow = `at once ${round}`;
    const { begin, end } = execution(workflow);
    await sendAndWait(begin);
    const asked = performance.now();
    expect((await daemon.workflow(workflow)).body).toMatchObject({ ...LIVE, workflow });
    await sendAndWait(end);
    expect((await daemon.workflow(workflow)).body).toMatchObject({ ...RECENT, workflow });
    expect(performance.now() - asked).toBeLessThan(2000);
  }
});

test('texts come back while other clients keep the daemon busy', async () => {
  const own = await testDaemon({ 'archive.sync_interval': '1h' });
  const busy = await own.connect();
  let going = true;
  const load = (async () => {
    const lines = '{"type":"sample","name":"m","value":1,"tags":{"a":"b"}}\n'.repeat(2000);
    while (going) await busy.write(lines);
  })();
  try {
    const client = await own.connect();
    for (let round = 0; round < 10; round++) {
      const workflow = `busy ${round}`;
      const { begin, end } = execution(workflow);
      await client.send(...begin, ...end);
      let answer = await own.workflow(workflow);
      for (const until = performance.now() + 5000; performance.now() < until; ) {
        if (answer.body.status === 'failed') break;
        await sleep(5);
        answer = await own.workflow(workflow);
      }
      expect(answer.body).toMatchObject({ ...RECENT, workflow });
    }
  } finally {
    going = false;
    await load;
  }
});

test('texts come back after a restart', async () => {
  const own = await testDaemon();
  const { begin, end } = execution('w');
  await own.send(...begin, ...end);
  await own.kill();
  await own.restart();
  expect((await own.workflow('w')).body).toMatchObject({ ...RECENT, workflow: 'w' });
});

describe('a question that has no answer', () => {
  test.each([
    [404, 'GET', '/v1/workflows/no%20such'],
    [404, 'GET', '/v1/workflows/plain?run=2'],
    [404, 'GET', '/v1/nothing'],
    [404, 'GET', '/'.repeat(5)],
    [404, 'GET', '//v1/status'],
    [404, 'GET', '/v1/workflows/../status'],
    [404, 'POST', '/v1/nothing'],
    [405, 'POST', '/v1/status'],
    [405, 'DELETE', '/v1/workflows/plain'],
    [405, 'PUT', '/readyz'],
    [400, 'GET', '/v1/workflows/%ff'],
    [400, 'GET', '/v1/workflows/%'],
    [400, 'GET', '/v1/workflows/plain?run=0'],
    [400, 'GET', '/v1/workflows/plain?run=x'],
    [400, 'GET', '/v1/stats?metric=m&limit=0'],
    [400, 'GET', '/v1/stats?metric=m&limit=100001'],
    [400, 'GET', '/v1/stats?metric=m&where=novalue'],
    [400, 'GET', '/v1/stats?metric=m&window=2y'],
  ])('is a problem document with status %i: %s %s', async (status, method, path) => {
    const answer = await daemon.get(path, method);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body).toMatchObject({ type: 'about:blank', status });
    expect(answer.body.title).toMatch(/\w/);
    expect(answer.body.detail).toMatch(/\w/);
    if (status === 405) expect(answer.headers.allow).toBe('GET, HEAD');
  });

  test('leaves no trace in the log', () => {
    expect(daemon.complaints).toEqual([]);
  });
});

test('an unknown metric and a condition that nothing meets are answers: no groups', async () => {
  await daemon.send({ type: 'sample', name: 'known', value: 1 });
  for (const query of ['metric=unknown', 'metric=known&where=a%3Db', 'metric=unknown&by=*&where=a%3Db%3Dc']) {
    const answer = await daemon.get(`/v1/stats?${query}`);
    expect(answer.status).toBe(200);
    expect(answer.body.groups).toEqual([]);
  }
});

test('HEAD answers with the headers of GET and nothing behind them', async () => {
  const [head, get] = await Promise.all([daemon.get('/healthz', 'HEAD'), daemon.get('/healthz')]);
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(head.headers['content-length']).toBe(get.headers['content-length']);
});
