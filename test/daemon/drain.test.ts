/** The end of the daemon: what clients have written is in the archive, and the exit code says how it went. */

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Child } from '../support/children.js';
import type { Client } from '../support/client.js';
import { testDaemon } from '../support/daemon.js';
import {
  areInSequence,
  NUMBERED_LINE_BYTES,
  numberedLines,
  numbersBySender,
} from '../support/numbered-lines.js';

const MIB = 1024 * 1024;

const event = (n: number | string) => `{"type":"sample","name":"m","value":1,"n":"${n}"}`;

test.each([
  ['with room in the ring', { 'ring.bytes': '32MiB' }],
  ['while the ring is full', { 'ring.bytes': '1MiB' }],
])('SIGTERM under load %s loses no line that a write() call had returned for', async (_, settings) => {
  const daemon = await testDaemon(settings);
  const senders = ['a', 'b', 'c'].map((name) => {
    return { name, child: new Child('test/support/full-speed-sender.js', [daemon.ingestPath, name]) };
  });
  onTestFinished(async () => {
    await Promise.all(senders.map(({ child }) => child.kill()));
  });
  const running = await daemon.statusWhere(
    (status) => status.ingest.connections === 3 && status.ingest.bytes > 30 * MIB,
  );
  expect(running.ingest.connections).toBe(3);
  if (settings['ring.bytes'] === '1MiB') expect(running.ring.stalls).toBeGreaterThan(0);
  expect(await daemon.stop()).toBe(0);
  const numbers = numbersBySender(await daemon.archiveLines());
  for (const { name, child } of senders) {
    const { code, stdout } = await child.ended;
    expect(code).toBe(0);
    // Every whole line, in order; and nothing of the last one, if it was not whole.
    expect(numbers.get(name)?.length).toBe(Math.floor(Number(stdout) / NUMBERED_LINE_BYTES));
    expect(areInSequence(numbers.get(name)!)).toBe(true);
  }
  expect(daemon.complaints).toEqual([]);
});

test('SIGTERM takes what waits: connections in the backlog, lines in their buffers, and syncs without an answer', async () => {
  const daemon = await testDaemon();
  daemon.signal('SIGSTOP');
  const clients: Client[] = [];
  for (let i = 0; i < 60; i++) {
    const client = await daemon.connect(); // the kernel accepts into the backlog
    await client.write(
      `${numberedLines(`s${i}`, 0, 500)}{"type":"sync","id":${i}}\n${numberedLines(`s${i}`, 500, 100)}{"half`,
    );
    clients.push(client);
  }
  daemon.signal('SIGTERM');
  daemon.signal('SIGCONT');
  expect((await daemon.ended()).code).toBe(0);
  const numbers = numbersBySender(await daemon.archiveLines());
  expect(numbers.size).toBe(clients.length);
  for (const [i, client] of clients.entries()) {
    await client.closed;
    expect(numbers.get(`s${i}`)).toHaveLength(600);
    expect(areInSequence(numbers.get(`s${i}`)!)).toBe(true);
    expect(client.replies).toMatchObject([{ type: 'synced', id: i, accepted: 500, rejected: 0 }]);
  }
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends idle connections, and throws away their half lines',
  async (signal) => {
    const daemon = await testDaemon();
    const clients = await Promise.all(Array.from({ length: 50 }, () => daemon.connect()));
    await Promise.all(clients.map((client, i) => client.send(event(i))));
    await Promise.all(clients.map((client) => client.sync()));
    await clients[0]!.write('{"type":"sample","name":"m","value":2}');
    await daemon.statusWhere((status) => status.ingest.bytes > 50 * 60);
    const startedMs = performance.now();
    expect(await daemon.stop(signal)).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    await Promise.all(clients.map((client) => client.closed));
    expect((await daemon.archiveLines()).sort()).toEqual(clients.map((_, i) => event(i)).sort());
    expect([daemon.ingestPath, daemon.ingestPath.replace('ingest', 'control')].filter(existsSync)).toEqual(
      [],
    );
    expect(daemon.stderr).toMatch(/"accepted":50,"rejected":0,"msg":"drained"/);
  },
);

test('a client that reads none of its answers holds up neither its neighbours nor SIGTERM', async () => {
  const daemon = await testDaemon();
  const deaf = await daemon.connect();
  deaf.socket.pause();
  let text = '';
  for (let i = 0; i < 20_000; i++) text += `{"type":"sync","id":"${'x'.repeat(200)}"}\n`;
  const startedMs = performance.now();
  deaf.write(text).catch(() => {}); // the daemon need not take it all
  await daemon.send(event(1));
  expect(await daemon.stop()).toBe(0);
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

test('a second SIGINT ends a drain that takes too long, at once, with 130, and the log is whole', async () => {
  // A ring that takes in a second what the fold needs several for; it is the fold that the drain then waits for.
  const daemon = await testDaemon({ 'ring.bytes': '256MiB' });
  const client = await daemon.connect();
  const tags = Array.from({ length: 16 }, (_, i) => `"k${i}":"v"`).join();
  const lines = `{"type":"sample","name":"m","value":1,"tags":{${tags}}}\n`.repeat(10_000);
  for (let i = 0; i < 70; i++) await client.write(lines);
  daemon.signal('SIGINT');
  const until = performance.now() + 5000;
  while (!daemon.stderr.includes('"draining"') && performance.now() < until) await sleep(1);
  expect(daemon.stderr).toMatch(/"signal":"SIGINT","msg":"draining"/);
  expect(await daemon.stop('SIGINT')).toBe(130);
  await daemon.restart();
  const { archive } = await daemon.status();
  expect((await daemon.archiveLines()).length).toBe(archive.durable_seq);
});
