import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { RefusalReason } from '../../src/model/refusal.js';
import { Child } from '../support/children.js';
import { TestDaemon, testDaemon } from '../support/daemon.js';
import { seededRandom } from '../support/seeded-random.js';

const MIB = 1024 * 1024;
const LINE_BYTES_MAX = 64 * 1024;

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(() => daemon.remove());

const good = (n: number | string) => `{"type":"sample","name":"good","value":1,"n":"${n}"}`;
/** A whole line of exactly so many bytes. */
const lineOf = (bytes: number) => `{"type":"note","text":"${'x'.repeat(bytes - 25)}"}`;
const nested = (depth: number) => `{"type":"note","deep":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
const json = (fields: object) => JSON.stringify(fields);
const start = (fields: object) => json({ type: 'task.start', task: 't', agent: 'a', ...fields });
const end = (fields: object) =>
  json({ type: 'task.end', task: 't', agent: 'a', status: 'completed', ...fields });
const sample = (fields: object) => json({ type: 'sample', name: 's', value: 1, ...fields });
const tags = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
const names = (count: number) => Array.from({ length: count }, (_, i) => `t${i}`);
const raw = (bytes: number[]) =>
  Buffer.concat([Buffer.from('{"type":"note","text":"'), Buffer.from(bytes), Buffer.from('"}')]);

const REFUSED: readonly (readonly [RefusalReason, string, string | Buffer])[] = [
  ['unsupported', 'a word', 'hello'],
  ['unsupported', 'a StatsD line', 'requests:1|c'],
  ['unsupported', 'an array', '[{"type":"note"}]'],
  ['unsupported', 'a number', '17'],
  ['unsupported', 'a null byte', '\0'],
  ['invalid_json', 'an opening brace', '{'],
  ['invalid_json', 'a comma before the end', '{"type":"note",}'],
  ['invalid_json', 'single quotes', "{'type':'note'}"],
  ['invalid_json', 'something behind the object', '{"type":"note"} {"type":"note"}'],
  ['invalid_json', 'a number with a leading zero', '{"type":"note","n":01}'],
  ['invalid_json', 'NaN', '{"type":"note","n":NaN}'],
  ['invalid_json', 'an unknown escape', '{"type":"note","s":"\\x41"}'],
  ['invalid_json', 'a tab inside a string', '{"type":"note","s":"\t"}'],
  ['invalid_json', 'a comment', '{"type":"note"/**/}'],
  ['invalid_json', 'a byte order mark after the brace', '{\ufeff"type":"note"}'],
  ['invalid_utf8', 'a lone continuation byte', raw([0x80])],
  ['invalid_utf8', 'an overlong slash', raw([0xc0, 0xaf])],
  ['invalid_utf8', 'a surrogate', raw([0xed, 0xa0, 0x80])],
  ['invalid_utf8', 'a code point above U+10FFFF', raw([0xf4, 0x90, 0x80, 0x80])],
  ['invalid_utf8', 'a character that is cut off', raw([0xe2, 0x82])],
  ['too_deep', '65 levels', nested(65)],
  ['too_deep', '20000 levels', nested(20_000)],
  ['too_long', 'one byte more than allowed', lineOf(LINE_BYTES_MAX + 1)],
  ['too_long', 'more than one read', lineOf(MIB)],
  ['missing_field', 'no type', '{}'],
  ['missing_field', 'type null', '{"type":null}'],
  ['missing_field', 'a task without an agent', json({ type: 'task.start', task: 't' })],
  ['missing_field', 'an empty task', start({ task: '' })],
  ['missing_field', 'an end without a status', end({ status: null })],
  ['missing_field', 'a sample without a value', json({ type: 'sample', name: 's' })],
  ['missing_field', 'a workflow without an id', json({ type: 'workflow.start' })],
  ['missing_field', 'a phase without a name', json({ type: 'workflow.phase', workflow: 'w' })],
  ['missing_field', 'a group of nothing', json({ type: 'group' })],
  ['wrong_type', 'type is a number', '{"type":1}'],
  ['wrong_type', 'a task is a number', start({ task: 7 })],
  ['wrong_type', 'parallel is a word', start({ parallel: 'yes' })],
  ['wrong_type', 'a description is an object', start({ description: {} })],
  ['wrong_type', 'a value is a string', sample({ value: '1' })],
  ['wrong_type', 'a tag is a number', sample({ tags: { a: 1 } })],
  ['wrong_type', 'tags are a list', sample({ tags: ['a'] })],
  ['wrong_type', 'ts is a string', sample({ ts: '2020-01-01' })],
  ['wrong_type', 'tokens are a string', end({ tokens: '5' })],
  ['wrong_type', 'tasks are a string', json({ type: 'group', tasks: 'abc' })],
  ['out_of_range', 'a name of 257 bytes', start({ agent: 'x'.repeat(257) })],
  ['out_of_range', 'a name of 129 characters in 258 bytes', start({ agent: 'é'.repeat(129) })],
  ['out_of_range', 'a status of something else', end({ status: 'pending' })],
  ['out_of_range', 'an unknown status', end({ status: 'done' })],
  ['out_of_range', 'a negative duration', end({ duration: -0.001 })],
  ['out_of_range', 'negative tokens', end({ tokens: -1 })],
  ['out_of_range', 'a negative ts', sample({ ts: -1 })],
  ['out_of_range', 'a ts in milliseconds', sample({ ts: 1.7e12 })],
  ['out_of_range', 'a value beyond the doubles', '{"type":"sample","name":"s","value":1e999}'],
  ['out_of_range', '17 tags', sample({ tags: tags(17) })],
  ['out_of_range', '1001 tasks', json({ type: 'group', tasks: names(1001) })],
  ['out_of_range', 'no tasks', json({ type: 'group', tasks: [] })],
];

describe('a line that is refused', () => {
  test.each(REFUSED)('is counted as %s: %s', async (reason, _, line) => {
    const before = (await daemon.status()).ingest;
    const client = await daemon.connect();
    await client.write(
      Buffer.concat([Buffer.from(`${good(1)}\n`), Buffer.from(line), Buffer.from(`\n${good(2)}\n`)]),
    );
    expect(await client.sync()).toMatchObject({ accepted: 2, rejected: 1 });
    const after = (await daemon.status()).ingest;
    const counted = Object.entries<number>(after.rejected_by_reason)
      .map(([name, count]) => [name, count - (before.rejected_by_reason[name] ?? 0)])
      .filter(([, count]) => count !== 0);
    expect(counted).toEqual([[reason, 1]]);
    expect(after.accepted - before.accepted).toBe(2);
    expect(after.lines - before.lines).toBe(3);
  });

  test('leaves its neighbours in the archive, and nothing else', async () => {
    const lines = await daemon.archiveLines();
    expect(lines).toEqual(REFUSED.flatMap(() => [good(1), good(2)]));
  });

  test('is judged by the last value of a key that stands twice', async () => {
    const twice = '{"type":"sample","name":"twice","value":"no","value":3}';
    const alsoTwice = '{"type":"sample","name":"twice","value":3,"value":"no"}';
    expect(await daemon.send(twice, alsoTwice)).toMatchObject({ accepted: 1, rejected: 1 });
    expect((await daemon.groups('twice'))[0]).toMatchObject({ count: 1, max: 3 });
  });
});

test('what looks odd and is allowed is accepted: escaped keys, the bounds themselves, unknown types and fields', async () => {
  const odd = [
    '{"\\u0074ype":"sam\\u0070le","n\\u0061me":"odd","valu\\u0065":1}',
    ' \t{ "value" : 2 , "name" : "odd" , "type" : "sample" } \r',
    '{"type":"sample","name":"odd","value":3,"tags":null,"ts":1e11}',
    '{"type":"sample","name":"odd","value":-0.0,"workflow":17}',
    json({ type: 'sample', name: 'odd', value: 1e308, tags: tags(16) }),
    json({ type: 'no.such.type', task: 17 }),
    '{"type":"note","lone":"\\ud800"}',
    start({ agent: 'x'.repeat(256), kind: '', parallel: null }),
    json({ type: 'group', tasks: names(1000) }),
    nested(64),
    lineOf(LINE_BYTES_MAX),
  ];
  expect(await daemon.send(...odd)).toMatchObject({ accepted: odd.length, rejected: 0 });
  expect((await daemon.groups('odd', ''))[0]).toMatchObject({ count: 5 });
  expect((await daemon.archiveLines()).slice(-odd.length)).toEqual(odd);
});

test('lines of white space are skipped, and not counted', async () => {
  const before = (await daemon.status()).ingest;
  expect(await daemon.send('', ' ', '\t', '\r', ' \r')).toMatchObject({ accepted: 0, rejected: 0 });
  const after = (await daemon.status()).ingest;
  expect(after.lines).toBe(before.lines);
  expect(after.in_flight).toBe(0);
});

test('a line cut at any byte is refused, and the whole one is accepted', async () => {
  const own = await testDaemon();
  const whole = Buffer.from(
    '{"type":"task.end","task":"größe €","agent":"a","status":"failed","output":{"n":[1,-2.5e3,"x"]}}',
  );
  const cuts = Array.from({ length: whole.length - 1 }, (_, i) => whole.subarray(0, i + 1));
  const inCharacter = cuts.filter((_, i) => (whole[i + 1]! & 0xc0) === 0x80).length;
  const client = await own.connect();
  await client.write(Buffer.concat([...cuts, whole].flatMap((line) => [line, Buffer.from('\n')])));
  expect(await client.sync()).toMatchObject({ accepted: 1, rejected: cuts.length });
  expect((await own.status()).ingest.rejected_by_reason).toEqual({
    invalid_json: cuts.length - inCharacter,
    invalid_utf8: inCharacter,
  });
  expect(await own.archiveBytes()).toEqual(Buffer.concat([whole, Buffer.from('\n')]));
});

test('binary noise is refused line by line while other connections lose nothing, and the log stays short', async () => {
  const own = await testDaemon();
  const random = seededRandom(7);
  const noise = Buffer.from(Array.from({ length: 4 * MIB }, () => random() * 256));
  noise[noise.length - 1] = 10;
  const noisy = await own.connect();
  const quiet = await own.connect();
  const writing = noisy.write(noise);
  const lines = Array.from({ length: 2000 }, (_, i) => good(i));
  for (const line of lines) await quiet.send(line);
  await writing;
  expect(await quiet.sync()).toMatchObject({ accepted: lines.length, rejected: 0 });
  const expected = noise
    .toString('latin1')
    .split('\n')
    .filter((line) => /[^ \t\r]/.test(line)).length;
  expect(await noisy.sync()).toMatchObject({ accepted: 0, rejected: expected });
  expect(expected).toBeGreaterThan(10_000);
  const { ingest } = await own.status();
  expect(ingest).toMatchObject({ lines: expected + 2000, accepted: 2000, rejected: expected, in_flight: 0 });
  expect(await own.archiveLines()).toEqual(lines);
  expect(own.stderr.length).toBeLessThan(8192);
});

test('a line of 10 MiB is counted once, when its end comes, and is never held in memory', async () => {
  const own = await testDaemon({ 'ring.bytes': '1MiB' });
  await own.send(...Array.from({ length: 5000 }, (_, i) => good(i)));
  const before = await own.status();
  const client = await own.connect();
  const part = Buffer.alloc(64 * 1024, '{');
  for (let i = 0; i < 160; i++) await client.write(part);
  const during = await own.statusWhere((status) => status.ingest.bytes >= before.ingest.bytes + 10 * MIB);
  expect(during.ingest.bytes).toBe(before.ingest.bytes + 10 * MIB);
  expect(during.ingest).toMatchObject({ rejected: 0, in_flight: 0 });
  await client.write('\n');
  await client.send(good('a'), good('b'));
  expect(await client.sync()).toMatchObject({ accepted: 2, rejected: 1 });
  const after = await own.status();
  expect(after.ingest.rejected_by_reason).toEqual({ too_long: 1 });
  expect(after.memory.rss_bytes - before.memory.rss_bytes).toBeLessThan(8 * MIB);
  expect((await own.archiveLines()).slice(-2)).toEqual([good('a'), good('b')]);
});

test('over-long lines on many connections at once cost no more memory than their connections', async () => {
  const own = await testDaemon();
  await own.send(...Array.from({ length: 5000 }, (_, i) => good(i)));
  const before = await own.status();
  const part = Buffer.alloc(MIB, 'x');
  const clients = await Promise.all(Array.from({ length: 40 }, () => own.connect()));
  await Promise.all(clients.map((client) => client.write(part)));
  await Promise.all(clients.map((client) => client.write('\n')));
  const synced = await Promise.all(clients.map((client) => client.sync()));
  for (const answer of synced) expect(answer).toMatchObject({ accepted: 0, rejected: 1 });
  const after = await own.status();
  expect(after.ingest.rejected_by_reason).toEqual({ too_long: 40 });
  expect(after.memory.rss_bytes - before.memory.rss_bytes).toBeLessThan(24 * MIB);
});

test('the longest line allowed is taken in pieces of any size', async () => {
  const own = await testDaemon({ 'ingest.max_line_bytes': '1KiB' });
  const client = await own.connect();
  for (const size of [1, 3, 500, 1023, 1024, 1025]) {
    const bytes = Buffer.from(`${lineOf(1024)}\n${lineOf(1025)}\n${good(size)}\n`);
    for (let at = 0; at < bytes.length; at += size) await client.write(bytes.subarray(at, at + size));
  }
  expect(await client.sync()).toMatchObject({ accepted: 12, rejected: 6 });
  expect((await own.status()).ingest.rejected_by_reason).toEqual({ too_long: 6 });
});

test('a thousand connections that connect and leave at once leave nothing behind', async () => {
  const own = await testDaemon();
  const stays = await own.connect();
  await stays.send(good('before'));
  await Promise.all(
    Array.from({ length: 1000 }, async () => {
      const client = await own.connect();
      client.destroy();
      await client.closed;
    }),
  );
  await stays.send(good('after'));
  expect(await stays.sync()).toMatchObject({ accepted: 2, rejected: 0 });
  const { ingest } = await own.statusWhere((status) => status.ingest.connections === 1);
  expect(ingest).toMatchObject({ connections: 1, lines: 2, accepted: 2, rejected: 0, in_flight: 0 });
  expect(own.complaints).toEqual([]);
});

test('connections over the limit are closed, the others go on, and places that are free again are given again', async () => {
  const own = await testDaemon({ 'ingest.max_connections': 5 });
  const held = await Promise.all(Array.from({ length: 5 }, () => own.connect()));
  await Promise.all(held.map((client) => client.sync()));
  for (let i = 0; i < 50; i++) {
    const surplus = await own.connect();
    await surplus.closed;
  }
  for (const client of held) expect(await client.sync()).toMatchObject({ accepted: 0 });
  expect(own.complaints).toHaveLength(1);
  expect(own.complaints[0]).toMatch(/ingest\.max_connections is 5/);
  for (const client of held.splice(0, 3)) {
    client.end();
    await client.closed;
  }
  expect(await own.send(good('again'))).toMatchObject({ accepted: 1 });
});

test.each([
  ['half an object is refused', '{"type":"sample","name":"ha', { accepted: 1, rejected: 1 }, []],
  ['a whole object is accepted', good('tail'), { accepted: 2, rejected: 0 }, [good('tail')]],
  ['white space is nothing', '  ', { accepted: 1, rejected: 0 }, []],
])('of a client killed in the middle of a line, %s as a line', async (_, tail, counts, archived) => {
  const own = await testDaemon();
  const child = new Child('test/support/unended-line-sender.js', [
    own.ingestPath,
    `${good('whole')}\n${tail}`,
  ]);
  onTestFinished(() => child.kill());
  const neighbour = await own.connect();
  await neighbour.write('{"type":"sample","name":"neighbour",');
  await own.statusWhere((status) => status.ingest.accepted === 1);
  await child.kill();
  await own.statusWhere((status) => status.ingest.connections === 1);
  const { ingest } = await own.statusWhere(
    (status) => status.ingest.in_flight === 0 && status.ingest.connections === 1,
  );
  expect(ingest).toMatchObject({ ...counts, lines: counts.accepted + counts.rejected });
  await neighbour.send('"value":1}');
  expect(await neighbour.sync()).toMatchObject({ accepted: 1, rejected: 0 });
  const lines = await own.archiveLines();
  expect(lines).toEqual([good('whole'), ...archived, '{"type":"sample","name":"neighbour","value":1}']);
});
