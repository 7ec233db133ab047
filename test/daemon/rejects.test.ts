/** What is told of refused lines, by the real daemon: in `rejects/`, in its log, and in its status. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type TestDaemon, testDaemon } from '../support/daemon.js';

const GOOD = '{"type":"sample","name":"m","value":1}';

// biome-ignore lint/suspicious/noExplicitAny: read as the contract describes it
function rejectsOf(daemon: TestDaemon): any[] {
  const text = readFileSync(join(daemon.stateDir, 'rejects', 'rejects.ndjson'), 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

test('each refused line is in rejects/ when a sync behind it is answered, and its neighbours are not', async () => {
  const daemon = await testDaemon({ 'ingest.max_line_bytes': '4KiB' });
  const client = await daemon.connect();
  const startedAt = Date.now() / 1000;
  await client.send(GOOD, 'no json', '{"type":"sample"}', '{"type":"group"}', '', GOOD);
  await client.write(Buffer.from([0x7b, 0xff, 0x7d, 0x0a]));
  await client.send('x'.repeat(500_000), '{"type":"sync","id":null}', GOOD);
  expect(await client.sync()).toMatchObject({ accepted: 3, rejected: 5 });
  const rejects = rejectsOf(daemon);
  expect(rejects).toMatchObject([
    { reason: 'unsupported', line: 'no json' },
    { reason: 'missing_field', line: '{"type":"sample"}' },
    { reason: 'missing_field', line: '{"type":"group"}' },
    { reason: 'invalid_utf8', line_base64: 'e/99' },
    { reason: 'too_long', line: 'x'.repeat(1024), truncated: true, bytes: 500_000 },
  ]);
  for (const { arrived } of rejects) {
    expect(arrived).toBeGreaterThan(startedAt - 1);
    expect(arrived).toBeLessThan(Date.now() / 1000 + 1);
  }
  expect((await daemon.status()).rejects).toEqual({ written: 5, skipped: 0, failed: 0 });
  expect(await daemon.archiveLines()).toEqual([GOOD, GOOD, GOOD]);
  await daemon.stop();
  expect(daemon.complaints).toHaveLength(1);
  const { refused, msg } = JSON.parse(daemon.complaints[0]!);
  expect(refused).toEqual({ unsupported: 1, missing_field: 2, invalid_utf8: 1, too_long: 1 });
  expect(msg).toBe(`refused 5 lines; see ${join(daemon.stateDir, 'rejects')}`);
});

test('the log says once in a while that lines are refused, however many there are, and the rest at the end', async () => {
  const daemon = await testDaemon();
  const client = await daemon.connect();
  let sent = 0;
  const until = performance.now() + 2500;
  while (performance.now() < until) {
    await client.send(...Array.from({ length: 100 }, () => 'no json'));
    await client.sync();
    sent += 100;
  }
  await daemon.stop();
  const messages = daemon.complaints.map((line) => JSON.parse(line));
  expect(messages).toHaveLength(2);
  expect(messages.reduce((sum, { refused }) => sum + refused.unsupported, 0)).toBe(sent);
});

test('where rejects/ cannot be written the lines are counted, the log says so, and events are taken as ever', async () => {
  const daemon = await testDaemon();
  writeFileSync(join(daemon.stateDir, 'rejects'), 'in the way');
  expect(await daemon.send(GOOD, 'no json', GOOD)).toMatchObject({ accepted: 2, rejected: 1 });
  const { rejects, threads } = await daemon.status();
  expect(rejects).toEqual({ written: 0, skipped: 0, failed: 1 });
  expect(threads.every(({ restarts }: { restarts: number }) => restarts === 0)).toBe(true);
  await daemon.stop();
  expect(daemon.complaints.join()).toMatch(/the disk did not take 1 of them/);
  rmSync(join(daemon.stateDir, 'rejects'));
});
