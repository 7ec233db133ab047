import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestDaemon, testDaemon } from '../support/daemon.js';

let daemon: TestDaemon;
beforeAll(async () => {
  // Nothing is synced by the interval while a test runs.
  daemon = await TestDaemon.start({ 'archive.sync_interval': '1h' });
});
afterAll(() => daemon.remove());

const event = (n: number | string) => ({ type: 'sample', name: 'm', value: 1, n });
const BAD = '{"type":"sample"}';

test.each([
  ['a word', '"abc"'],
  ['an empty string', '""'],
  ['a string with escapes', '"q\\"b\\\\s\\/n\\nu\\u00e9\\ud83d\\ude00 \\u0000"'],
  ['a string of other scripts', '"größe 数 😀"'],
  ['256 bytes', `"${'é'.repeat(128)}"`],
  ['0', '0'],
  ['a fraction', '-12.5e-3'],
  ['a number of many digits', '123456789012345678901234567890'],
])('answers with the id as it was given: %s', async (_, id) => {
  const client = await daemon.connect();
  await client.write(`{"type":"sync","id":${id}}\n`);
  expect(await client.reply()).toEqual({
    type: 'synced',
    id: JSON.parse(id),
    seq: null,
    accepted: 0,
    rejected: 0,
  });
});

test('keeps all digits of a number', async () => {
  const client = await daemon.connect();
  let text = '';
  client.socket.on('data', (part: unknown) => {
    text += String(part);
  });
  await client.write('{"type":"sync","id":12345678901234567890.10}\n');
  await client.reply();
  expect(text).toMatch(/"id":12345678901234567890\.10[,}]/);
});

test.each([
  ['no id', '{"type":"sync"}'],
  ['null', '{"type":"sync","id":null}'],
  ['a boolean', '{"type":"sync","id":true}'],
  ['an object', '{"type":"sync","id":{"a":1}}'],
  ['257 bytes', `{"type":"sync","id":"${'x'.repeat(257)}"}`],
  ['a number without bounds', '{"type":"sync","id":1e999}'],
])('answers an error to %s, and counts no line', async (_, line) => {
  const before = (await daemon.status()).ingest;
  const client = await daemon.connect();
  await client.send(line);
  const { type, reason } = await client.reply();
  expect(type).toBe('error');
  expect(reason).toMatch(/^sync: /);
  expect(await client.sync()).toMatchObject({ accepted: 0, rejected: 0 });
  const after = (await daemon.status()).ingest;
  expect(after).toMatchObject({
    lines: before.lines,
    accepted: before.accepted,
    rejected: before.rejected,
    in_flight: 0,
  });
});

test('counts the lines of its own connection, before it', async () => {
  const own = await testDaemon();
  const answers = await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      const client = await own.connect();
      for (let n = 0; n < 50 * i; n++) client.send(event(`${i}/${n}`), ...(n % 5 === 0 ? [BAD] : []));
      const first = await client.sync('same id for all');
      await client.send(event('behind'));
      return [first, await client.sync(2)];
    }),
  );
  answers.forEach(([first, second], i) => {
    expect(first).toMatchObject({ accepted: 50 * i, rejected: 10 * i });
    expect(second).toMatchObject({ accepted: 50 * i + 1, rejected: 10 * i });
  });
  const { ingest, archive } = await own.status();
  expect(ingest).toMatchObject({ accepted: 50 * 190 + 20, rejected: 10 * 190, in_flight: 0 });
  expect(archive.durable_seq).toBe(ingest.accepted);
});

test('thousands in one write are all answered, in order', async () => {
  const client = await daemon.connect();
  const count = 20_000;
  let text = '';
  for (let i = 1; i <= count; i++) text += `${JSON.stringify(event(i))}\n{"type":"sync","id":${i}}\n`;
  await Promise.all([client.write(text), client.reply((reply) => reply.id === count)]);
  expect(client.replies).toHaveLength(count - 1);
  for (const [i, reply] of client.replies.entries()) {
    if (reply.id !== i + 1 || reply.accepted !== i + 1)
      expect(reply).toMatchObject({ id: i + 1, accepted: i + 1 });
  }
});

test('answers a client that has ended its side', async () => {
  const client = await daemon.connect();
  await client.send(event(1), event(2), { type: 'sync', id: 'last' });
  client.end();
  expect(await client.reply()).toMatchObject({ type: 'synced', id: 'last', accepted: 2 });
  await client.closed;
});

test('answers every sync of a client that has ended its side, however many there are', async () => {
  for (let round = 0; round < 20; round++) {
    const client = await daemon.connect();
    const count = 200;
    for (let i = 1; i <= count; i++) client.send(event(i), { type: 'sync', id: i });
    client.end();
    await client.closed;
    expect(client.replies.map((reply) => reply.id)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  }
});

test('answers every sync of a client that has ended its side long before the fold comes to them', async () => {
  const own = await testDaemon({ 'ring.bytes': '128MiB' });
  const load = '{"type":"sample","name":"m","value":1,"tags":{"a":"b","c":"d"}}\n'.repeat(300_000);
  const ahead = await own.connect();
  const client = await own.connect();
  await ahead.write(load);
  client.write('{"type":"sync","id":1}\n');
  client.write(load.slice(0, load.length / 2));
  client.write('{"type":"sync","id":2}\n');
  client.end();
  await client.closed;
  expect(client.replies).toMatchObject([
    { id: 1, accepted: 0 },
    { id: 2, accepted: 150_000 },
  ]);
});

test('counts the line without an end that a client leaves behind it', async () => {
  const before = (await daemon.status()).ingest.accepted;
  const client = await daemon.connect();
  await client.write('{"type":"sync","id":1}\n{"type":"sample","name":"m","value":1}');
  client.end();
  await client.closed;
  expect(client.replies).toMatchObject([{ id: 1, accepted: 0 }]);
  expect((await daemon.statusWhere((status) => status.ingest.in_flight === 0)).ingest.accepted).toBe(
    before + 1,
  );
});

test('a sync without a line end is answered when its client ends', async () => {
  const client = await daemon.connect();
  await client.write('{"type":"sync","id":"tail"}');
  client.end();
  await client.closed;
  expect(client.replies).toMatchObject([{ type: 'synced', id: 'tail' }]);
});

test('what it has answered for survives the next moment, whatever ends the daemon', async () => {
  const own = await testDaemon({ 'archive.sync_interval': '1h' });
  const client = await own.connect();
  const lines = Array.from({ length: 1000 }, (_, i) => JSON.stringify(event(i)));
  await client.send(...lines);
  await client.sync();
  await own.kill();
  expect(await own.archiveLines()).toEqual(lines);
});

test('durable_seq is where sync has brought it, and the interval brings it on without one', async () => {
  const own = await testDaemon({ 'archive.sync_interval': '50ms' });
  const client = await own.connect();
  await client.send(event(1), event(2));
  await client.sync();
  expect((await own.status()).archive.durable_seq).toBe(2);
  await client.send(event(3), BAD, event(4));
  const { archive } = await own.statusWhere((status) => status.archive.durable_seq === 4);
  expect(archive.durable_seq).toBe(4);
  const slow = await daemon.connect();
  await slow.sync();
  const { archive: archiveBefore, ingest } = await daemon.status();
  const before = archiveBefore.durable_seq;
  await slow.send(event('not yet'));
  await daemon.statusWhere((status) => status.ingest.accepted === ingest.accepted + 1);
  expect((await daemon.status()).archive.durable_seq).toBe(before);
  await slow.sync();
  expect((await daemon.status()).archive.durable_seq).toBe(before + 1);
});

test('a client that asks and leaves without its answer disturbs nobody', async () => {
  const stays = await daemon.connect();
  for (let i = 0; i < 100; i++) {
    const leaves = await daemon.connect();
    leaves.socket.write(`${JSON.stringify(event(i))}\n{"type":"sync","id":${i}}\n`);
    leaves.destroy();
  }
  expect(await stays.sync()).toMatchObject({ accepted: 0 });
});
