/** GET /v1/events: exactly the accepted lines, numbered and in order, to whoever listens, and at no cost to ingestion. */

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestDaemon, testDaemon } from '../support/daemon.js';
import { FeedClient } from '../support/event-feed.js';
import { numberedLine, numberedLines } from '../support/numbered-lines.js';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(() => daemon.remove());

const lastLine = async () => (await daemon.status()).archive.durable_seq as number;

test('who listens gets exactly the accepted lines, in order, with the numbers that they have in the log', async () => {
  await daemon.send({ type: 'note', before: true });
  const seen = await lastLine();
  const feed = await FeedClient.listen(daemon.runtimeDir);
  expect(feed.response.headers['content-type']).toBe('text/event-stream');
  const lines = [
    '{"type":"workflow.start","workflow":"w","name":"größe 数 😀"}',
    '{"type":"sample"}',
    '',
    ' {"type" : "task.start","workflow":"w","task":"t","agent":"a","x":[1,{"y":null}]} ',
    '{"type":"sync","id":1}',
    'no JSON',
    '{"type":"note","text":"\\u0041\\n"}',
    `{"type":"note","long":"${'x'.repeat(70_000)}"}`,
    '{"type":"task.end","workflow":"w","task":"t","agent":"a","status":"failed","error":"e"}',
  ];
  await daemon.send(...lines);
  await daemon.send({ type: 'note', last: true });
  const messages = await feed.atLeast(5);
  const accepted = [lines[0], lines[3], lines[6], lines[8], '{"type":"note","last":true}'];
  expect(messages.map(({ data }) => data)).toEqual(accepted);
  expect(messages.map(({ event }) => event)).toEqual([
    'workflow.start',
    'task.start',
    'note',
    'task.end',
    'note',
  ]);
  expect(messages.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5].map((n) => seen + n));
  expect((await daemon.archiveLines()).slice(seen)).toEqual(accepted);
});

test('a carriage return, which SSE cannot carry, is told as the white space that it is', async () => {
  const feed = await FeedClient.listen(daemon.runtimeDir);
  await daemon.send('{"type":\r"note",\r"n":1}\r', '{"type":"a\\nid: 7","n":2}');
  const messages = await feed.atLeast(2);
  expect(messages[0]).toMatchObject({ event: 'note', data: '{"type":\n"note",\n"n":1}' });
  expect(messages[1]).toMatchObject({ id: messages[0]!.id! + 1, event: 'message' });
});

test.each([
  ['one type', '?type=task.end', ['3', '6']],
  ['two types', '?type=task.end&type=sample', ['3', '6', '7']],
  ['a type that tallyd does not know', '?type=note', ['8']],
  ['a workflow', '?workflow=w%201', ['1', '2', '3']],
  ['one of two workflows', '?workflow=w%201&workflow=w2', ['1', '2', '3', '4', '5', '6']],
  ['an agent, however its name is written', '?agent=%C3%A4', ['5', '6']],
  ['all of type, workflow and agent', '?type=task.start&workflow=w2&agent=%C3%A4', ['5']],
  ['nothing that there is', '?workflow=w', []],
  [
    'anything, where the values are empty',
    '?type=&workflow=&agent=',
    ['1', '2', '3', '4', '5', '6', '7', '8', '9'],
  ],
])('a filter takes %s', async (_, query, expected) => {
  const feed = await FeedClient.listen(daemon.runtimeDir, query);
  const all = await FeedClient.listen(daemon.runtimeDir);
  const end = (n: number, workflow: string, agent: string) =>
    `{"type":"task.end","workflow":"${workflow}","task":"t","agent":"${agent}","status":"completed","n":"${n}"}`;
  await daemon.send(
    { type: 'workflow.start', workflow: 'w 1', n: '1' },
    { type: 'task.start', workflow: 'w 1', task: 't', agent: 'a', n: '2' },
    end(3, 'w\\u00201', 'a'),
    { type: 'workflow.start', workflow: 'w2', n: '4' },
    { type: 'task.start', workflow: 'w2', task: 't', agent: 'ä', n: '5' },
    end(6, 'w2', '\\u00e4'),
    { type: 'sample', name: 's', value: 1, tags: { workflow: 'w2', agent: 'ä' }, n: '7' },
    { type: 'note', workflow: 'w2', agent: 'ä', n: '8' },
    { type: 'workflow.end', workflow: 'w3', status: 'completed', n: '9' },
  );
  await all.atLeast(9);
  const numbers = await feed.atLeast(expected.length);
  // What was made in the same turn goes out in the same turn: nothing of it is still to come.
  expect(numbers.map(({ data }) => JSON.parse(data).n)).toEqual(expected);
});

test('a reader that comes again is told how many lines it has missed, whatever its filter', async () => {
  await daemon.send({ type: 'note', n: 1 }, { type: 'note', n: 2 }, { type: 'note', n: 3 });
  const last = await lastLine();
  const feed = await FeedClient.listen(daemon.runtimeDir, '?type=never', {
    'last-event-id': String(last - 2),
  });
  const [gap] = await feed.atLeast(1);
  expect(gap).toMatchObject({ id: last, event: 'gap' });
  expect(JSON.parse(gap!.data)).toEqual({ missed: 2, first: last - 1, last });
  const whole = await FeedClient.listen(daemon.runtimeDir, '', { 'last-event-id': String(last) });
  const strange = await FeedClient.listen(daemon.runtimeDir, '', { 'last-event-id': 'x' });
  await daemon.send({ type: 'note', n: 4 });
  for (const one of [whole, strange])
    expect((await one.atLeast(1))[0]).toMatchObject({ id: last + 1, event: 'note' });
});

test('HEAD is answered without a stream, and other methods are not', async () => {
  const head = await daemon.get('/v1/events', 'HEAD');
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(head.headers['content-type']).toBe('text/event-stream');
  expect(await daemon.get('/v1/events', 'POST')).toMatchObject({ status: 405 });
});

test('a hundred may listen at a time, and one more is asked to come again', async () => {
  const many = await testDaemon();
  const feeds = await Promise.all(Array.from({ length: 100 }, () => FeedClient.listen(many.runtimeDir)));
  const refused = await many.get('/v1/events');
  expect(refused).toMatchObject({ status: 503, body: { title: 'Too many listeners', status: 503 } });
  await many.send(...numberedLines('s', 0, 500).trimEnd().split('\n'));
  for (const feed of feeds) {
    await feed.atLeast(500);
    expect(feed.lines).toEqual(Array.from({ length: 500 }, (_, n) => numberedLine('s', n)));
  }
  feeds[0]!.close();
  await feeds[0]!.ended;
  for (let tries = 0; tries < 500; tries++) {
    const again = await FeedClient.listen(many.runtimeDir).catch(() => null);
    if (again !== null) return;
    await sleep(10);
  }
  expect.fail('the place of the one that left was not given to another');
});

test('a reader that does not read is cut off and named in the log; ingestion and the other readers lose nothing', async () => {
  const busy = await testDaemon();
  const deaf = await FeedClient.listen(busy.runtimeDir);
  deaf.response.pause();
  const other = await FeedClient.listen(busy.runtimeDir, '?type=note');
  const client = await busy.connect();
  const blocks = 20;
  for (let i = 0; i < blocks; i++) {
    await client.write(numberedLines('s', i * 5000, 5000));
    await client.send({ type: 'note', i });
  }
  expect(await client.sync()).toMatchObject({ accepted: blocks * 5001, rejected: 0 });
  await other.atLeast(1);
  const { ring } = await busy.statusWhere(({ lag }) => lag.events === 0);
  expect(ring.stalls).toBe(0);
  for (let tries = 0; tries < 1000 && busy.complaints.length === 0; tries++) await sleep(10);
  expect(busy.complaints).toHaveLength(1);
  expect(busy.complaints[0]).toContain('cut off a reader of /v1/events');
  deaf.response.resume();
  expect(await deaf.ended).toBe(false);
  // All notes have come, or a gap says that lines are missing.
  const told = await notesAndGaps(other, blocks);
  expect(told.at(-1)).toBe(blocks - 1);
  expect(deaf.messages.map(({ id }) => id)).toEqual(deaf.messages.map((_, n) => n + 1));
});

async function notesAndGaps(feed: FeedClient, blocks: number): Promise<(number | 'gap')[]> {
  for (;;) {
    const told = feed.messages.map(({ event, data }) =>
      event === 'gap' ? 'gap' : (JSON.parse(data).i as number),
    );
    if (told.includes(blocks - 1)) return told;
    await feed.atLeast(feed.messages.length + 1);
  }
}

test('through a ring of 1 MiB at full speed a listener gets each line once and in order, or is told how many are missing', async () => {
  const small = await testDaemon({ 'ring.bytes': '1MiB' });
  const feed = await FeedClient.listen(small.runtimeDir);
  const client = await small.connect();
  const count = 100_000;
  for (let i = 0; i < count; i += 5000) await client.write(numberedLines('s', i, 5000));
  await client.sync();
  let next = 1;
  for (let at = 0; next <= count; at++) {
    const { id, event, data } = (await feed.atLeast(at + 1))[at]!;
    if (event === 'gap') {
      expect(JSON.parse(data)).toMatchObject({ first: next, last: id });
      next = id! + 1;
    } else {
      expect({ id, data }).toEqual({ id: next, data: numberedLine('s', next - 1) });
      next++;
    }
  }
  expect(next).toBe(count + 1);
});

test('a daemon that drains sends what it has taken, and ends the stream', async () => {
  const draining = await testDaemon();
  const feed = await FeedClient.listen(draining.runtimeDir);
  const client = await draining.connect();
  await client.write(numberedLines('s', 0, 1000));
  expect(await draining.stop()).toBe(0);
  expect(await feed.ended).toBe(true);
  expect(feed.lines).toEqual(Array.from({ length: 1000 }, (_, n) => numberedLine('s', n)));
});
