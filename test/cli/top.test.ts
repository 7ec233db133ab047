import type { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { serveControl, temporaryFolder } from './fake-daemon.js';
import { tallyd, testIo } from './terminal.js';

const STATUS = { ready: true, ingest: { rate_1s: 12 } };
const WORKFLOW = { workflow: 'w', status: 'running', tasks_total: 1, tasks_by_status: { running: 1 } };
const GROUP = { count: 4, mean: 1, stddev: 0.5, p50: 1, p99: 2, rate: 3 };

function answers(url: string): object {
  if (url.startsWith('/v1/status')) return STATUS;
  if (url.startsWith('/v1/recent')) return { events_per_second: [null, 3] };
  if (url.startsWith('/v1/workflows')) return { workflows: [WORKFLOW], next_cursor: null };
  const isByStatus = decodeURIComponent(url).includes('agent,status');
  const groups = isByStatus
    ? [
        { ...GROUP, labels: { agent: 'a', status: 'completed' }, count: 1 },
        { ...GROUP, labels: { agent: 'a', status: 'failed' }, count: 2 },
        { ...GROUP, labels: { agent: 'a', status: 'timeout' }, count: 1 },
      ]
    : [{ ...GROUP, labels: { agent: 'a' } }];
  return { metric: 'task_duration_seconds', window: 'all', groups };
}

test('without a terminal it says what to do instead', async () => {
  const { exitCode, stderr } = await tallyd(['top'], { env: { TERM: 'xterm' } });
  expect(exitCode).toBe(64);
  expect(stderr).toMatch(/top needs a terminal .*tallyd status .*tallyd top --json/);
});

test.each([['0'], ['x'], [''], ['1e9']])('--interval %j is refused', async (interval) => {
  const { exitCode, stderr } = await tallyd(['top', '--interval', interval, '--json']);
  expect(exitCode).toBe(64);
  expect(stderr).toContain('--interval takes 0.1 to 3600 seconds');
});

test('with --json each look is a line, until it is interrupted', async () => {
  const { folder } = await serveControl(({ url }) => ({ body: answers(url!) }));
  const io = testIo();
  const running = tallyd(['top', '--json', '--interval', '0.1', '--runtime-dir', folder], io);
  while (io.texts.stdout.split('\n').length < 4) await new Promise((resolve) => setTimeout(resolve, 20));
  (io.signals as EventEmitter).emit('SIGINT');
  const { exitCode, stdout } = await running;
  expect(exitCode).toBe(0);
  for (const line of stdout.trimEnd().split('\n')) {
    expect(JSON.parse(line)).toEqual({
      status: STATUS,
      workflows: [WORKFLOW],
      agents: [{ agent: 'a', ...GROUP, failed: 3 }],
    });
  }
});

test('with --json and no daemon it ends with 69', async () => {
  const { exitCode, stderr } = await tallyd(['top', '--json', '--runtime-dir', temporaryFolder()]);
  expect(exitCode).toBe(69);
  expect(stderr).toContain('ERR_NO_DAEMON');
});

test('what the daemon refuses is null, and the rest is there', async () => {
  const { folder } = await serveControl(({ url }) =>
    url!.startsWith('/v1/stats')
      ? { status: 501, body: { title: 'Not built yet', detail: 'no window' } }
      : { body: answers(url!) },
  );
  const io = testIo();
  const running = tallyd(['top', '--json', '--interval', '0.1', '--runtime-dir', folder], io);
  while (!io.texts.stdout.includes('\n')) await new Promise((resolve) => setTimeout(resolve, 20));
  (io.signals as EventEmitter).emit('SIGINT');
  await running;
  expect(JSON.parse(io.texts.stdout.split('\n')[0]!)).toMatchObject({ agents: null, workflows: [WORKFLOW] });
});
