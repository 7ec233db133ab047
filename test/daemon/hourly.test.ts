/** `since` and `until` on the real daemon: the open hour, over the socket and on the command line, also after a kill. */

import { expect, test } from 'vitest';
import { testDaemon } from '../support/daemon.js';

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
