/** Numbered clients: what each connection of one ID has counted goes on over all of them, and over a daemon that dies. */

import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Client } from '../support/client.js';
import { type TestDaemon, testDaemon } from '../support/daemon.js';
import { numberedLine } from '../support/numbered-lines.js';
import { seededRandom } from '../support/seeded-random.js';

const event = (n: number | string) => JSON.stringify({ type: 'sample', name: 'm', value: 1, n });
const BAD = '{"type":"sample"}';

const numbersOf = (lines: readonly string[]) => lines.map((line) => JSON.parse(line).n);

async function hello(daemon: TestDaemon, client: string, first?: number) {
  const connection = await daemon.connect();
  await connection.send({ type: 'hello', client, first });
  return { connection, welcome: await connection.reply(({ type }) => type === 'welcome') };
}

/** Resolves when the connection is over, however the daemon ended it. */
function isOver(connection: Client): Promise<void> {
  connection.socket.on('error', () => {});
  return connection.closed;
}

describe('the welcome', () => {
  test('of a new client says 0 and unknown, and of one that has sent lines their number, over its connections', async () => {
    const daemon = await testDaemon();
    const { connection, welcome } = await hello(daemon, 'é "1"\n');
    expect(welcome).toEqual({
      type: 'welcome',
      client: 'é "1"\n',
      seq: 0,
      known: false,
      gap: 0,
      protocol: 1,
    });
    await connection.send(event(1), '', event(2), '   ');
    expect(await connection.sync('a')).toEqual({ type: 'synced', id: 'a', seq: 2, accepted: 2, rejected: 0 });
    connection.end();
    await connection.closed;
    const again = await hello(daemon, 'é "1"\n');
    expect(again.welcome).toMatchObject({ seq: 2, known: true, gap: 0 });
    await again.connection.send(event(3));
    expect(await again.connection.sync()).toMatchObject({ seq: 3, accepted: 1, rejected: 0 });
  });

  test('counts refused lines too, over-long ones with them, and no empty or control lines', async () => {
    const daemon = await testDaemon({ 'ingest.max_line_bytes': '1KiB' });
    const { connection } = await hello(daemon, 'c');
    await connection.send(BAD, 'no json', 'x'.repeat(5000), '', event(4), '{"type":"sync"}', ' \t ');
    expect(await connection.sync()).toMatchObject({ seq: 4, accepted: 1, rejected: 3 });
    await daemon.kill();
    await daemon.restart();
    expect((await hello(daemon, 'c')).welcome).toMatchObject({ seq: 4, known: true });
  });

  test('says how many lines are missing where the client can only go on later, and goes on from there', async () => {
    const daemon = await testDaemon();
    const { connection, welcome } = await hello(daemon, 'c', 1);
    expect(welcome).toMatchObject({ seq: 0, known: false, gap: 0 });
    await connection.send(event(1), event(2));
    await connection.sync();
    const behind = await hello(daemon, 'c', 2);
    expect(behind.welcome).toMatchObject({ seq: 2, known: true, gap: 0 });
    const next = await hello(daemon, 'c', 3);
    expect(next.welcome).toMatchObject({ seq: 2, known: true, gap: 0 });
    const later = await hello(daemon, 'c', 6);
    expect(later.welcome).toMatchObject({ seq: 5, known: true, gap: 3 });
    await later.connection.send(event(6));
    expect(await later.connection.sync()).toMatchObject({ seq: 6, accepted: 1 });
    await daemon.kill();
    await daemon.restart();
    expect((await hello(daemon, 'c', 7)).welcome).toMatchObject({ seq: 6, known: true, gap: 0 });
  });

  test('comes when what counts so far is durable, and at once then', async () => {
    const daemon = await testDaemon({ 'archive.sync_interval': '1h' });
    const first = await hello(daemon, 'c');
    await first.connection.send(event(1), BAD, event(3));
    await daemon.statusWhere(({ ingest }) => ingest.accepted === 2);
    expect((await daemon.status()).archive.durable_seq).toBe(0);
    expect((await hello(daemon, 'c')).welcome).toMatchObject({ seq: 3, known: true });
    expect((await daemon.status()).archive.durable_seq).toBe(2);
    await daemon.kill();
    await daemon.restart();
    expect((await hello(daemon, 'c')).welcome).toMatchObject({ seq: 3, known: true });
  });

  test('tells ids apart by their bytes, whatever they are', async () => {
    const daemon = await testDaemon();
    const ids = ['a', 'a ', 'A', 'é', 'e\u0301', '\u0000', 'x'.repeat(256), `${'x'.repeat(255)}y`];
    for (const [i, id] of ids.entries()) {
      const { connection, welcome } = await hello(daemon, id);
      expect(welcome).toMatchObject({ client: id, seq: 0, known: false });
      await connection.send(...Array.from({ length: i }, (_, n) => event(n)));
      expect(await connection.sync()).toMatchObject({ seq: i });
    }
    await daemon.kill();
    await daemon.restart();
    for (const [i, id] of ids.entries()) {
      // One that has sent nothing is nowhere in the log.
      expect((await hello(daemon, id)).welcome).toMatchObject({ seq: i, known: i > 0 });
    }
  });
});

test.each([
  ['no client', '{"type":"hello"}'],
  ['an empty client', '{"type":"hello","client":""}'],
  ['a client of 257 bytes', `{"type":"hello","client":"${'x'.repeat(257)}"}`],
  ['a number for a client', '{"type":"hello","client":5}'],
  ['a first of 0', '{"type":"hello","client":"c","first":0}'],
  ['half a first', '{"type":"hello","client":"c","first":1.5}'],
  ['a text for a first', '{"type":"hello","client":"c","first":"1"}'],
])(
  'a hello with %s is answered by an error, and the connection goes on without a number',
  async (_, line) => {
    const daemon = await testDaemon();
    const client = await daemon.connect();
    await client.send(line);
    expect(await client.reply()).toMatchObject({ type: 'error', reason: expect.stringMatching(/^hello: /) });
    await client.send(event(1));
    expect(await client.sync()).toMatchObject({ seq: null, accepted: 1, rejected: 0 });
  },
);

test.each([
  ['an event', event(1)],
  ['a refused line', BAD],
  ['a sync', '{"type":"sync","id":0}'],
  ['a malformed control line', '{"type":"sync"}'],
  ['another hello', '{"type":"hello","client":"other"}'],
])('a hello behind %s is answered by an error, and changes nothing', async (what, line) => {
  const daemon = await testDaemon();
  const client = await daemon.connect();
  await client.send('', line, '{"type":"hello","client":"late"}', event(2));
  const { reason } = await client.reply(({ reason }) => /first line/.test(String(reason)));
  expect(reason).toBe('hello: must be the first line of its connection');
  const { seq } = await client.sync('end');
  expect(seq).toBe(what === 'another hello' ? 1 : null);
  expect((await hello(daemon, 'late')).welcome).toMatchObject({ known: false });
});

test('a last line without an end is thrown away uncounted, half or whole or over-long, and the next connection goes on', async () => {
  const daemon = await testDaemon({ 'ingest.max_line_bytes': '1KiB' });
  for (const tail of ['{"type":"sam', event('tail'), BAD, 'x'.repeat(9000), ' ']) {
    const { connection } = await hello(daemon, 'c');
    await connection.send(event('whole'));
    await connection.write(tail);
    connection.end();
    await connection.closed;
  }
  expect((await hello(daemon, 'c')).welcome).toMatchObject({ seq: 5 });
  const { ingest } = await daemon.statusWhere((status) => status.ingest.in_flight === 0);
  expect(ingest).toMatchObject({ lines: 5, accepted: 5, rejected: 0, in_flight: 0 });
  expect(numbersOf(await daemon.archiveLines())).toEqual(Array(5).fill('whole'));
});

describe('two connections of one ID', () => {
  test('the newest owns it: the older one is closed, and what it still says counts nowhere', async () => {
    const daemon = await testDaemon();
    const old = await hello(daemon, 'c');
    const ended = isOver(old.connection);
    await old.connection.send(event(1), event(2));
    await old.connection.sync();
    await old.connection.write('{"type":"sample","name":"half",');
    const young = await hello(daemon, 'c');
    expect(young.welcome).toMatchObject({ seq: 2, known: true });
    old.connection.write(`"value":1}\n${event(3)}\n{"type":"sync","id":"late"}\n`).catch(() => {});
    await ended;
    expect(old.connection.replies).toEqual([]);
    await young.connection.send(event(3));
    expect(await young.connection.sync()).toMatchObject({ seq: 3, accepted: 1 });
    const { ingest } = await daemon.statusWhere((status) => status.ingest.connections === 1);
    expect(ingest).toMatchObject({ lines: 3, accepted: 3, rejected: 0, in_flight: 0 });
    expect(numbersOf(await daemon.archiveLines())).toEqual([1, 2, 3]);
  });

  test('at once, many times over: one of them is left, and each line that was answered for is there once', async () => {
    const daemon = await testDaemon();
    const connections = await Promise.all(Array.from({ length: 30 }, () => hello(daemon, 'c')));
    // All but one are closed by the one after them.
    const { ingest } = await daemon.statusWhere((status) => status.ingest.connections === 1);
    expect(ingest.connections).toBe(1);
    const [{ client }] = (await daemon.get('/v1/status?connections=1')).body.connections;
    expect(client).toBe('c');
    expect(connections).toHaveLength(30);
  });

  test('a client that comes back while its old bytes are still on their way loses none and doubles none', async () => {
    const daemon = await testDaemon({ 'ring.bytes': '1MiB', 'archive.sync_interval': '10ms' });
    const random = seededRandom(7);
    const total = 60_000;
    const linesOf = (at: number, end: number) =>
      Array.from({ length: Math.min(500, end - at) }, (_, i) => numberedLine('c', at + i));
    let next = 0;
    for (let round = 0; next < total; round++) {
      const { connection, welcome } = await hello(daemon, 'c', 1);
      expect(welcome.gap).toBe(0);
      next = Number(welcome.seq);
      isOver(connection).catch(() => {});
      if (round < 12) {
        // As much as goes, not waiting for anything, and then a new connection beside it.
        const end = Math.min(total, next + 30_000);
        for (let at = next; at < end; at += 500) connection.send(...linesOf(at, end)).catch(() => {});
        await sleep(random() * 15);
        if (random() < 0.5) connection.destroy();
        continue;
      }
      for (let at = next; at < total; at += 500) await connection.send(...linesOf(at, total));
      expect(await connection.sync()).toMatchObject({ seq: total });
      next = total;
    }
    const lines = await daemon.archiveLines();
    const wrong = lines.findIndex((line, i) => line !== numberedLine('c', i));
    expect([wrong, lines[wrong]]).toEqual([-1, undefined]);
    expect(lines).toHaveLength(total);
    const { ingest } = await daemon.statusWhere((status) => status.ingest.in_flight === 0);
    expect(ingest).toMatchObject({ lines: total, accepted: total, rejected: 0, in_flight: 0 });
  });
});

describe('a daemon that is killed', () => {
  test('says after its start what is durable, and the client goes on from there, each line once', async () => {
    const daemon = await testDaemon({ 'archive.sync_interval': '5ms', 'archive.segment_bytes': '16KiB' });
    const random = seededRandom(11);
    const clients = ['a', 'b', 'c'];
    const sent = new Map<string, number>();
    for (let round = 0; round < 4; round++) {
      await Promise.all(
        clients.map(async (name) => {
          const { connection, welcome } = await hello(daemon, name);
          isOver(connection).catch(() => {});
          let n = Number(welcome.seq);
          expect(n).toBeLessThanOrEqual(sent.get(name) ?? 0);
          expect(welcome).toMatchObject({ known: n > 0, gap: 0 });
          for (let i = 0; i < 40; i++, n += 50) {
            // Every fifth is refused: numbers go on over them.
            const lines = Array.from({ length: 50 }, (_, k) => ((n + k) % 5 === 4 ? BAD : event(n + k)));
            connection.send(...lines).catch(() => {});
          }
          sent.set(name, Math.max(n, sent.get(name) ?? 0));
        }),
      );
      await sleep(random() * 60);
      await daemon.kill();
      await daemon.restart();
    }
    for (const name of clients) {
      const { connection, welcome } = await hello(daemon, name);
      const from = Number(welcome.seq);
      const count = sent.get(name)! + 10 - from;
      await connection.send(
        ...Array.from({ length: count }, (_, k) => ((from + k) % 5 === 4 ? BAD : event(from + k))),
      );
      expect(await connection.sync()).toMatchObject({ seq: from + count });
    }
    const all = numbersOf(await daemon.archiveLines());
    const expected = clients.flatMap((name) =>
      Array.from({ length: sent.get(name)! + 10 }, (_, n) => n).filter((n) => n % 5 !== 4),
    );
    const ascending = (a: number, b: number) => a - b;
    expect(all.sort(ascending)).toEqual(expected.sort(ascending));
  });

  test('remembers what was refused alone, though the log has no line of it', async () => {
    const daemon = await testDaemon({ 'archive.sync_interval': '1h', 'archive.segment_age': '100ms' });
    for (let round = 1; round <= 4; round++) {
      const { connection, welcome } = await hello(daemon, 'c');
      expect(welcome).toMatchObject({ seq: (round - 1) * 3, known: round > 1 });
      await connection.send(BAD, BAD, BAD);
      expect(await connection.sync()).toMatchObject({ seq: round * 3, rejected: 3 });
      await sleep(120);
      await daemon.kill();
      await daemon.restart();
    }
    expect(await daemon.send(event(1))).toMatchObject({ accepted: 1 });
    expect(await daemon.archiveLines()).toEqual([event(1)]);
    await daemon.kill();
    await daemon.restart();
    expect((await hello(daemon, 'c')).welcome).toMatchObject({ seq: 12 });
    expect(daemon.complaints).toEqual([]);
  });
});

test('a client that goes on after the state directory was wiped says where, and is told what is missing', async () => {
  const daemon = await testDaemon();
  const { connection } = await hello(daemon, 'c');
  await connection.send(event(1), event(2), event(3));
  await connection.sync();
  await daemon.kill();
  rmSync(daemon.stateDir, { recursive: true });
  await daemon.restart();
  const after = await hello(daemon, 'c', 3);
  expect(after.welcome).toMatchObject({ seq: 2, known: false, gap: 2 });
  await after.connection.send(event(3), event(4));
  expect(await after.connection.sync()).toMatchObject({ seq: 4, accepted: 2 });
  const forgetful = await hello(daemon, 'other');
  expect(forgetful.welcome).toMatchObject({ seq: 0, known: false, gap: 0 });
  expect(numbersOf(await daemon.archiveLines())).toEqual([3, 4]);
});

test('over ingest.max_clients the client that was silent for longest is forgotten, also after a restart', async () => {
  const daemon = await testDaemon({ 'ingest.max_clients': 3 });
  for (const id of ['a', 'b', 'c']) {
    const { connection } = await hello(daemon, id);
    await connection.send(event(id));
    await connection.sync();
    connection.end();
    await connection.closed;
  }
  await daemon.statusWhere((status) => status.ingest.connections === 0);
  expect((await hello(daemon, 'a')).welcome).toMatchObject({ seq: 1, known: true });
  const { connection, welcome } = await hello(daemon, 'd');
  expect(welcome).toMatchObject({ known: false });
  await connection.send(event('d'));
  await connection.sync();
  expect((await hello(daemon, 'c')).welcome).toMatchObject({ seq: 1, known: true });
  expect((await hello(daemon, 'b')).welcome).toMatchObject({ seq: 0, known: false });
  await daemon.stop();
  await daemon.restart({ 'ingest.max_clients': 2 });
  expect((await hello(daemon, 'd')).welcome).toMatchObject({ seq: 1, known: true });
  expect((await hello(daemon, 'a')).welcome).toMatchObject({ known: false });
});

test('where every client of ingest.max_clients is connected, the newest takes the place of one, and that one is closed', async () => {
  const daemon = await testDaemon({ 'ingest.max_clients': 2 });
  const a = await hello(daemon, 'a');
  const b = await hello(daemon, 'b');
  await b.connection.send(event('b'));
  await b.connection.sync();
  const c = await hello(daemon, 'c');
  await isOver(a.connection);
  await c.connection.send(event('c'));
  expect(await c.connection.sync()).toMatchObject({ seq: 1 });
  await b.connection.send(event('b'));
  expect(await b.connection.sync()).toMatchObject({ seq: 2 });
  expect((await hello(daemon, 'b')).welcome).toMatchObject({ seq: 2, known: true });
});

test('a client that is silent for longer than ingest.client_memory begins anew, one that is connected does not', async () => {
  const daemon = await testDaemon({ 'ingest.client_memory': '1s' });
  const gone = await hello(daemon, 'gone');
  await gone.connection.send(event(1));
  await gone.connection.sync();
  gone.connection.end();
  await gone.connection.closed;
  const stays = await hello(daemon, 'stays');
  await stays.connection.send(event(1));
  await stays.connection.sync();
  await sleep(1300);
  expect((await hello(daemon, 'stays')).welcome).toMatchObject({ seq: 1, known: true });
  const back = await hello(daemon, 'gone', 2);
  expect(back.welcome).toMatchObject({ seq: 1, known: false, gap: 1 });
  await back.connection.send(event(2));
  expect(await back.connection.sync()).toMatchObject({ seq: 2 });
});

test('one that began anew is known after a restart by its new numbers, which are the lower ones', async () => {
  const daemon = await testDaemon({ 'ingest.client_memory': '1s' });
  const before = await hello(daemon, 'c');
  await before.connection.send(...Array.from({ length: 50 }, (_, n) => event(n)));
  await before.connection.sync();
  before.connection.end();
  await before.connection.closed;
  await sleep(1300);
  const after = await hello(daemon, 'c');
  expect(after.welcome).toMatchObject({ seq: 0, known: false });
  await after.connection.send(event('new'));
  await after.connection.sync();
  await daemon.kill();
  await daemon.restart();
  expect((await hello(daemon, 'c')).welcome).toMatchObject({ seq: 1, known: true });
});
