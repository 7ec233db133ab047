/** A daemon that the system gives little: few file descriptors, no time. */

import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import type { Client } from '../support/client.js';
import { testDaemon } from '../support/daemon.js';
import { areInSequence, numberedLines, numbersBySender } from '../support/numbered-lines.js';

const event = (n: number | string) => `{"type":"sample","name":"m","value":1,"n":"${n}"}`;

test('with few file descriptors it takes fewer connections, and the log, questions and those it has are served', async () => {
  const daemon = await testDaemon({ 'archive.segment_bytes': '4KiB' }, { openFilesMax: 200 });
  expect(daemon.complaints).toEqual([
    expect.stringMatching(/takes 100 connections and not ingest.max_connections, 4096: .* 200 files open/),
  ]);
  const clients: Client[] = [];
  const gone = new Set<Client>();
  for (let i = 0; i < 150; i++) {
    const client = await daemon.connect();
    client.closed.then(() => gone.add(client));
    clients.push(client);
  }
  // Whoever asks takes none of them either.
  const askers = Array.from({ length: 100 }, () => net.connect(join(daemon.runtimeDir, 'control.sock')));
  for (const asker of askers) {
    asker.on('error', () => {});
    onTestFinished(() => void asker.destroy());
  }
  const served = askers.map((asker) => new Promise((resolve) => asker.once('close', resolve)));
  await Promise.race(served);
  expect(await clients[0]!.sync()).toMatchObject({ accepted: 0 });
  for (const asker of askers) asker.destroy();
  const isAnswered = () =>
    daemon.get('/readyz').then(
      () => true,
      () => false,
    );
  while (!(await isAnswered())) await sleep(10);
  const { ingest } = await daemon.statusWhere(() => gone.size === 50);
  expect([gone.size, ingest.connections]).toEqual([50, 100]);
  // Each sync closes a frame, and some frames a segment: files are opened all the time.
  const open = clients.filter((client) => !gone.has(client));
  for (const [i, client] of open.entries()) {
    await client.send(...Array.from({ length: 20 }, (_, n) => event(`${i}/${n}/${'x'.repeat(n * i)}`)));
    expect(await client.sync()).toMatchObject({ accepted: 20 });
  }
  const { degraded, archive, threads } = await daemon.status();
  expect(degraded).toEqual([]);
  expect(archive.segments).toBeGreaterThan(5);
  expect(threads.every(({ restarts }: { restarts: number }) => restarts === 0)).toBe(true);
  expect((await daemon.groups('m'))[0]).toMatchObject({ count: 100 * 20 });
  for (const client of open) client.end();
  await Promise.all(open.map((client) => client.closed));
  expect(await daemon.send(event('last'))).toMatchObject({ accepted: 1 });
  expect(await daemon.stop()).toBe(0);
  expect(await daemon.archiveLines()).toHaveLength(100 * 20 + 1);
});

test('stopped for a while it goes on where it was: what clients wrote meanwhile comes in, and each sync is answered', async () => {
  const daemon = await testDaemon({ 'ring.bytes': '1MiB' });
  const clients = await Promise.all(
    ['a', 'b', 'c'].map(async (name) => ({ name, client: await daemon.connect() })),
  );
  await Promise.all(clients.map(({ name, client }) => client.write(numberedLines(name, 0, 1000))));
  daemon.signal('SIGSTOP');
  const writing = clients.map(({ name, client }) => client.write(numberedLines(name, 1000, 20_000)));
  const syncs = Promise.all(writing).then(() => Promise.all(clients.map(({ client }) => client.sync())));
  await sleep(2000);
  daemon.signal('SIGCONT');
  expect(await syncs).toMatchObject(clients.map(() => ({ accepted: 21_000, rejected: 0 })));
  expect(await daemon.status()).toMatchObject({ degraded: [], ready: true, ingest: { in_flight: 0 } });
  expect(daemon.complaints).toEqual([]);
  expect(await daemon.stop()).toBe(0);
  const numbers = numbersBySender(await daemon.archiveLines());
  for (const { name } of clients) {
    expect(numbers.get(name)).toHaveLength(21_000);
    expect(areInSequence(numbers.get(name)!)).toBe(true);
  }
});
