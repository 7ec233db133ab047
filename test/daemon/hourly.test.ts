/** `since` and `until` on the real daemon, over the socket and on the command line: the open hour, and hours that are over. */

import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Settings, testDaemon } from '../support/daemon.js';

const HOUR = 3600;
const thisHour = () => Math.floor(Date.now() / 1000 / HOUR);

test('the open hour is answered over the socket and on the command line, also after a kill', async () => {
  const daemon = await testDaemon();
  const hour = thisHour();
  await daemon.send(
    { type: 'sample', name: 'deploy', value: 10, tags: { env: 'prod' } },
    { type: 'workflow.start', workflow: 'w', project: 'p' },
    { type: 'task.end', task: 't', agent: 'a', workflow: 'w', status: 'completed', duration: 4 },
  );
  const stats = async (query: string) => (await daemon.get(`/v1/stats?metric=deploy&${query}`)).body;
  const report = async (query: string) => (await daemon.get(`/v1/report?${query}`)).body;
  const since = `since=${hour * HOUR}`;
  const open = await stats(`${since}&by=env`);
  expect(open).toMatchObject({
    metric: 'deploy',
    by: ['env'],
    since: hour * HOUR,
    groups: [{ count: 1, sum: 10 }],
  });
  expect(open.partial).toBeUndefined();
  expect(await stats(`until=${hour * HOUR}`)).toMatchObject({ groups: [] });
  const time = new Date((hour - 2) * HOUR * 1000).toISOString();
  expect(await stats(`since=${encodeURIComponent(time)}`)).toMatchObject({ since: (hour - 2) * HOUR });
  expect(await report(`${since}&project=p`)).toMatchObject({
    total_executions: 1,
    total_duration: 4,
    since: hour * HOUR,
  });
  expect((await daemon.get(`/v1/stats?metric=deploy&window=1h&${since}`)).status).toBe(400);
  expect((await daemon.get('/v1/stats?metric=deploy&since=noon')).status).toBe(400);
  await daemon.kill();
  await daemon.restart();
  expect((await stats(`${since}&by=env`)).groups).toMatchObject([{ count: 1, sum: 10 }]);
  const { stdout, code } = await daemon.command('stats', 'deploy', '--since', '-1h', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ groups: [{ count: 1, sum: 10 }] });
});

/** A daemon whose clock stands in the middle of an hour, and goes to that of a later one when it is told to. */
async function daemonOfHours(settings: Settings = {}) {
  const daemon = await testDaemon(settings, { isMoody: true });
  const first = thisHour() + 2;
  const steps = () => daemon.stderr.split('was set ahead').length;
  const turnTo = async (hour: number) => {
    const before = steps();
    daemon.order({ clockAheadMs: (hour + 0.5) * HOUR * 1000 - Date.now() });
    await daemon.statusWhere(() => steps() > before);
  };
  await turnTo(first);
  const stats = async (from: number, to: number) => {
    const query = `metric=m&since=${from * HOUR}&until=${to * HOUR}`;
    const { groups, partial } = (await daemon.get(`/v1/stats?${query}`)).body;
    return { count: groups[0]?.count ?? 0, sum: groups[0]?.sum ?? 0, partial: partial === true };
  };
  const wholeAgain = async (from: number, to: number) => {
    const until = performance.now() + 30_000;
    let answer = await stats(from, to);
    while (answer.partial && performance.now() < until) {
      await sleep(50);
      answer = await stats(from, to);
    }
    return answer;
  };
  return { daemon, first, turnTo, stats, wholeAgain, directory: join(daemon.stateDir, 'rollups') };
}

const value = (n: number) => ({ type: 'sample', name: 'm', value: n });

test('each hour has what arrived in it, also after a kill and when its lines have left; and what is lost is made anew', async () => {
  const settings = { 'checkpoint.interval': '100ms' };
  const { daemon, first, turnTo, stats, wholeAgain, directory } = await daemonOfHours(settings);
  await daemon.send(value(1), value(2));
  expect(existsSync(directory)).toBe(false);
  await turnTo(first + 1);
  expect(await stats(first, first + 1)).toEqual({ count: 2, sum: 3, partial: false });
  await daemon.send(value(4));
  await turnTo(first + 2);
  await daemon.send(value(8));
  const hours = async () => [
    await stats(first, first + 1),
    await stats(first + 1, first + 2),
    await stats(first + 2, first + 3),
    await stats(first, first + 3),
    await stats(first - 5, first),
  ];
  const answers = await hours();
  expect(answers.map(({ count, sum, partial }) => [count, sum, partial])).toEqual([
    [2, 3, false],
    [1, 4, false],
    [1, 8, false],
    [4, 15, false],
    [0, 0, false],
  ]);
  await daemon.kill();
  await daemon.restart(settings);
  expect(await hours()).toEqual(answers);

  // Under the running daemon, and under one that does not run.
  rmSync(directory, { recursive: true });
  expect(await wholeAgain(first, first + 3)).toEqual(answers[3]);
  expect(await daemon.stop()).toBe(0);
  for (const name of readdirSync(directory)) writeFileSync(join(directory, name), 'damaged');
  await daemon.restart(settings);
  expect(await wholeAgain(first, first + 3)).toEqual(answers[3]);
  expect(await hours()).toEqual(answers);
  const text = 'hours of the roll-ups were missing, and are made anew';
  await daemon.statusWhere(() => daemon.stderr.includes(text));
  expect(daemon.stderr).toContain(text);

  // Without the lines.
  daemon.signal('SIGUSR2');
  const until = performance.now() + 30_000;
  let removed = 0;
  while (removed === 0 && performance.now() < until) {
    await daemon.send({ type: 'note' });
    const { stdout } = await daemon.command('archive', 'prune', '--max-bytes', '1B', '--json');
    removed += JSON.parse(stdout).removed.length;
  }
  expect(removed).toBe(1);
  expect(await hours()).toEqual(answers);
});

test('a disk that takes no roll-ups is said, holds up nothing, and has them when it takes them again', async () => {
  const { daemon, first, turnTo, stats, wholeAgain } = await daemonOfHours();
  await daemon.send(value(1));
  await turnTo(first + 1);
  const clockAheadMs = (first + 1.5) * HOUR * 1000 - Date.now();
  daemon.order({ clockAheadMs, path: '/rollups/', refuse: { openSync: 'EROFS', writevSync: 'ENOSPC' } });
  expect(await daemon.send(value(2))).toMatchObject({ accepted: 1 });
  const { degraded } = await daemon.statusWhere(({ degraded }) => degraded.length > 0);
  expect(degraded).toEqual([expect.stringMatching(/^rollup_failed: /)]);
  expect(await stats(first, first + 2)).toEqual({ count: 1, sum: 2, partial: true });
  daemon.order({ clockAheadMs });
  // No line comes meanwhile.
  const mended = await daemon.statusWhere(({ degraded }) => degraded.length === 0, 30_000);
  expect(mended.degraded).toEqual([]);
  expect(await wholeAgain(first, first + 2)).toEqual({ count: 2, sum: 3, partial: false });
  expect(mended.threads.every(({ restarts }: { restarts: number }) => restarts === 0)).toBe(true);

  // What a stop loses comes back out of the archive.
  await turnTo(first + 2);
  const later = (first + 2.5) * HOUR * 1000 - Date.now();
  daemon.order({ clockAheadMs: later, path: '/rollups/', refuse: { openSync: 'EACCES' } });
  await daemon.send(value(4));
  await daemon.statusWhere(({ degraded }) => degraded.length > 0);
  expect(await daemon.stop()).toBe(0);
  daemon.order({ clockAheadMs: later });
  await daemon.restart();
  expect(await wholeAgain(first, first + 3)).toEqual({ count: 3, sum: 7, partial: false });
});
