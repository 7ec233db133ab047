/** A wall clock that somebody sets, under a running daemon. */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { testDaemon } from '../support/daemon.js';

const DAY_MS = 86_400_000;

test('set ten years ahead and back, it is said, durations are those of time, and a restart goes on from there', async () => {
  const daemon = await testDaemon({ 'state.stale_after': '1500ms' }, { isMoody: true });
  await daemon.send('{"type":"sample","name":"m","value":1}');
  daemon.order({ clockAheadMs: 3650 * DAY_MS });
  await daemon.statusWhere(() => daemon.stderr.includes('was set ahead'));
  await daemon.send('{"type":"sample","name":"m","value":2}');
  expect((await daemon.status()).degraded).toEqual([]);
  daemon.order({ clockAheadMs: 0 });
  await daemon.send('{"type":"task.start","task":"t","agent":"a"}');
  await sleep(500);
  await daemon.send('{"type":"task.end","task":"t","agent":"a","status":"completed"}');
  const { degraded, uptime } = await daemon.statusWhere(({ degraded }) => degraded.length > 0);
  expect(degraded).toEqual([expect.stringMatching(/^clock_step: arrival times are 3153\d{5} s ahead/)]);
  expect(uptime).toBeLessThan(600);
  const [{ mean }] = await daemon.groups('task_duration_seconds');
  expect(mean).toBeGreaterThan(0.4);
  expect(mean).toBeLessThan(60);
  const recent = await daemon.get('/v1/stats?metric=task_duration_seconds&window=1m');
  expect(recent.body.groups).toMatchObject([{ count: 1 }]);
  await daemon.statusWhere(() => daemon.stderr.includes('was set back'));
  // Nor does what goes by the log's time stand still.
  await daemon.send('{"type":"workflow.start","workflow":"silent"}');
  const { state } = await daemon.statusWhere(({ state }) => state.counts.workflows_stale > 0, 30_000);
  expect(state.counts.workflows_stale).toBe(1);
  expect(daemon.complaints.map((line) => JSON.parse(line).msg)).toEqual([
    expect.stringMatching(/^the wall clock was set ahead/),
    expect.stringMatching(/^the wall clock was set back/),
  ]);
  expect(await daemon.stop()).toBe(0);
  await daemon.restart({ 'state.stale_after': '1500ms' });
  await daemon.send('{"type":"sample","name":"m","value":3}');
  expect((await daemon.status()).degraded).toEqual([expect.stringMatching(/^clock_step: /)]);
  expect((await daemon.groups('m'))[0]).toMatchObject({ count: 3 });
  expect(await daemon.archiveLines()).toHaveLength(6);
});

test('set ten years ahead while lines come, nothing is old for it: segments and roll-ups stay', async () => {
  const daemon = await testDaemon({ 'checkpoint.interval': '100ms' }, { isMoody: true });
  const value = (n: number) => `{"type":"sample","name":"m","value":${n}}`;
  const clockAheadMs = 3650 * DAY_MS;
  await daemon.send(value(1));
  daemon.signal('SIGUSR2');
  await daemon.statusWhere(() => daemon.stderr.includes('begins a new segment'));
  await daemon.send(value(2));
  daemon.order({ clockAheadMs });
  await daemon.statusWhere(() => daemon.stderr.includes('was set ahead'));
  const needed = async () => (await daemon.status()).checkpoint?.first_line_needed ?? 0;
  // Two checkpoints behind the first segment, so that nothing but its age keeps it.
  let sent = 2;
  for (const until = performance.now() + 30_000; (await needed()) <= 2 && performance.now() < until; sent++) {
    await daemon.send(value(sent + 1));
  }
  expect(await needed()).toBeGreaterThan(2);
  await sleep(2500); // as long as two looks
  expect(await daemon.archiveLines()).toHaveLength(sent);
  expect((await daemon.get('/v1/stats?metric=m&since=0')).body).toMatchObject({ groups: [{ count: sent }] });
  daemon.order({ clockAheadMs: 0 });
  await daemon.statusWhere(() => daemon.stderr.includes('was set back'));
  expect(await daemon.send(value(0))).toMatchObject({ accepted: 1 });
  expect(await daemon.stop()).toBe(0);
  await daemon.restart();
  await sleep(2500);
  expect(await daemon.archiveLines()).toHaveLength(sent + 1);
  expect((await daemon.get('/v1/stats?metric=m&since=0')).body).toMatchObject({
    groups: [{ count: sent + 1 }],
  });
});
