import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type Client, type ClientOptions, connect } from '../../src/client/client.js';
import { type FakeDaemon, fakeDaemon } from '../support/fake-daemon.js';
import { seededRandom } from '../support/seeded-random.js';

const QUICK = { batchDelayMs: 1, syncDelayMs: 5, reconnectMinMs: 1, reconnectMaxMs: 5 };

function clientOf(daemon: FakeDaemon, options: Partial<ClientOptions> = {}): Client {
  const client = connect({ path: daemon.path, client: 'c', ...QUICK, ...options });
  onTestFinished(async () => {
    await client.close({ timeoutMs: 0 });
  });
  return client;
}

const lineOf = (number: number) => `{"type":"note","n":${number}}`;
const linesOf = (count: number, first = 1) => Array.from({ length: count }, (_, i) => lineOf(first + i));
const until = (holds: () => boolean) => vi.waitUntil(holds, { timeout: 10_000, interval: 2 });

test('what is sent while no daemon runs arrives when one does', async () => {
  const daemon = await fakeDaemon();
  await daemon.die();
  const client = clientOf(daemon);
  const lost: Error[] = [];
  client.on('lost', (reason) => lost.push(reason));
  for (const line of linesOf(100)) expect(client.trySend(line)).toBe(true);
  await until(() => lost.length >= 3);
  expect(lost[0]).toMatchObject({ code: 'ENOENT' });
  expect(client.stats).toMatchObject({ connected: false, taken: 100, queued: 100, durable: 0 });
  await daemon.start();
  await client.flush();
  expect(daemon.linesOf('c')).toEqual(linesOf(100));
  expect(client.stats).toMatchObject({ connected: true, taken: 100, queued: 0, durable: 100, accepted: 100 });
});

test('each line is in the log once and in order, whatever breaks at whatever byte', async () => {
  const seen = { cut: 0, died: 0, answerLost: 0, restarted: 0, blocked: 0 };
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ does: fc.constant('send' as const), count: fc.integer({ min: 1, max: 60 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ does: fc.constant('cut' as const), after: fc.integer({ min: 0, max: 3000 }) }),
    },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('die' as const) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('loseAnswer' as const) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('breakOff' as const) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('flush' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ does: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 8 }) }),
    },
  );
  const daemon = await fakeDaemon();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25, size: 'max' }), async (steps) => {
      const name = `client ${++run}`;
      const random = seededRandom(run);
      const client = connect({
        path: daemon.path,
        client: name,
        ...QUICK,
        queueBytes: 4096,
        syncBytes: 700,
        random,
      });
      let sent = 0;
      const taken: Promise<boolean>[] = [];
      const durable: number[] = [];
      client.on('durable', (number) => durable.push(number));
      for (const each of steps) {
        if (each.does === 'send') {
          for (const line of linesOf(each.count, sent + 1)) taken.push(client.send(line));
          sent += each.count;
          if (client.stats.taken < sent) seen.blocked++;
        } else if (each.does === 'cut') {
          daemon.bytesUntilCut = each.after;
          seen.cut++;
        } else if (each.does === 'die') {
          await daemon.die();
          await sleep(random() * 4);
          await daemon.start();
          seen.died++;
        } else if (each.does === 'loseAnswer') {
          daemon.answersToLose++;
          seen.answerLost++;
        } else if (each.does === 'breakOff') {
          daemon.loseConnections();
          seen.restarted++;
        } else if (each.does === 'flush') {
          const before = sent;
          await client.flush();
          expect(client.stats.durable).toBeGreaterThanOrEqual(before);
          expect(daemon.durable).toBeGreaterThanOrEqual(before);
        } else {
          await sleep(each.ms);
        }
      }
      daemon.bytesUntilCut = Number.POSITIVE_INFINITY;
      daemon.answersToLose = 0;
      expect(await client.close({ timeoutMs: 20_000 })).toBe(0);
      expect(new Set(await Promise.all(taken)).has(false)).toBe(false);
      expect(daemon.linesOf(name)).toEqual(linesOf(sent));
      expect(client.stats).toMatchObject({ taken: sent, durable: sent, dropped: 0, queued: 0, gap: 0 });
      expect(client.stats.accepted).toBeLessThanOrEqual(sent);
      expect(durable).toEqual([...durable].sort((a, b) => a - b));
      expect(durable.at(-1) ?? 0).toBe(sent);
      await daemon.die();
      daemon.forget();
      await daemon.start();
    }),
    { numRuns: 80 },
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(5);
});

test('a process that starts without memory goes on behind the lines that the daemon has', async () => {
  const daemon = await fakeDaemon();
  const before = clientOf(daemon);
  for (const line of linesOf(5)) before.trySend(line);
  expect(await before.close()).toBe(0);
  const after = clientOf(daemon);
  expect(await after.ready()).toEqual({ seq: 5, known: true, gap: 0 });
  for (const line of linesOf(5, 6)) after.trySend(line);
  await after.flush();
  expect(daemon.linesOf('c')).toEqual(linesOf(10));
  expect(daemon.questions.filter(({ type }) => type === 'hello')).toEqual([
    { type: 'hello', client: 'c' },
    { type: 'hello', client: 'c' },
  ]);
});

test('a program that numbers its lines itself says the first that it has, and learns where to go on', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon, { first: 11 });
  const gaps: number[] = [];
  client.on('gap', (lines) => gaps.push(lines));
  expect(await client.ready()).toEqual({ seq: 10, known: false, gap: 10 });
  await client.send(lineOf(11));
  await client.flush();
  expect(gaps).toEqual([10]);
  const again = clientOf(daemon, { first: 3 });
  expect(await again.ready()).toEqual({ seq: 11, known: true, gap: 0 });
});

test('a daemon whose state directory was wiped gets the lines that are left, and the loss is told', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon);
  const gaps: number[] = [];
  const welcomes: boolean[] = [];
  client.on('gap', (lines) => gaps.push(lines));
  client.on('welcome', ({ known }) => welcomes.push(known));
  for (const line of linesOf(7)) client.trySend(line);
  await client.flush();
  await daemon.die();
  for (const line of linesOf(3, 8)) client.trySend(line);
  daemon.forget();
  await daemon.start();
  await client.flush();
  expect(daemon.linesOf('c')).toEqual(linesOf(3, 8));
  expect(gaps).toEqual([7]);
  expect(welcomes).toEqual([false, false]);
  expect(daemon.questions.at(-2)).toEqual({ type: 'hello', client: 'c', first: 8 });
  expect(client.stats).toMatchObject({ taken: 10, durable: 10, gap: 7, reconnects: 1 });
});

test('an older state directory gets the lines that are left, and the loss is told', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon);
  for (const line of linesOf(7)) client.trySend(line);
  await client.flush();
  await daemon.die();
  daemon.forget(4);
  await daemon.start();
  client.trySend(lineOf(8));
  await client.flush();
  expect(daemon.linesOf('c')).toEqual([...linesOf(3), lineOf(8)]);
  expect(client.stats.gap).toBe(4);
});

test('two clients of one name are found out, and the one that was overtaken gives up', async () => {
  const daemon = await fakeDaemon();
  const one = clientOf(daemon);
  one.trySend(lineOf(1));
  await one.flush();
  await daemon.die();
  daemon.log.push(...['x', 'y'].map((text) => ({ client: 'c', text, gap: 0 })));
  daemon.durable = 3;
  const failed = new Promise((resolve) => one.once('failed', resolve));
  one.trySend(lineOf(2));
  const flushed = one.flush();
  await expect(Promise.all([daemon.die().then(() => daemon.start()), flushed])).rejects.toMatchObject({
    code: 'ERR_TAKEN',
  });
  expect(await failed).toMatchObject({ code: 'ERR_TAKEN', message: expect.stringContaining('"c"') });
  expect(one.trySend(lineOf(3))).toBe(false);
  expect(await one.send(lineOf(3))).toBe(false);
  await expect(one.ready()).rejects.toMatchObject({ code: 'ERR_TAKEN' });
  expect(await one.close()).toBe(1);
});

test('a full queue makes send wait in order, and trySend say no', async () => {
  const daemon = await fakeDaemon();
  daemon.isDeaf = true;
  const client = clientOf(daemon, { queueBytes: 1024 });
  let fits = 0;
  while (client.trySend(lineOf(fits + 1))) fits++;
  expect(client.stats.queuedBytes).toBeLessThanOrEqual(1024);
  const waiting = linesOf(50, fits + 1).map((line) => client.send(line));
  expect(await Promise.race([waiting[0], sleep(30)])).toBeUndefined();
  const flushed = client.flush();
  expect(client.trySend(lineOf(0))).toBe(false);
  expect(client.stats.taken).toBe(fits);
  daemon.readAgain();
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([true]));
  await flushed;
  expect(daemon.linesOf('c')).toEqual(linesOf(fits + 50));
});

test('a small line does not overtake a large one that waits for room', async () => {
  const daemon = await fakeDaemon();
  daemon.isDeaf = true;
  const client = clientOf(daemon, { queueBytes: 1024 });
  const large = `{"type":"note","x":"${'x'.repeat(400)}"}`;
  client.trySend(large);
  client.trySend(large);
  const waits = client.send(large);
  expect(client.trySend(lineOf(1))).toBe(false);
  const behind = client.send(lineOf(1));
  daemon.readAgain();
  expect([await waits, await behind]).toEqual([true, true]);
  await client.flush();
  expect(daemon.linesOf('c')).toEqual([large, large, large, lineOf(1)]);
});

test('a daemon that reads and does not answer leaves half of the queue to drop from', async () => {
  const daemon = await fakeDaemon();
  daemon.isDeafAfterHello = true;
  const client = clientOf(daemon, { queueBytes: 2048, whenFull: 'drop-oldest' });
  await client.ready();
  for (const line of linesOf(500)) {
    expect(client.trySend(line)).toBe(true);
    if (client.stats.taken % 20 === 0) await sleep(1);
  }
  const { dropped, queued } = client.stats;
  expect(dropped + queued).toBe(500);
  daemon.isDeafAfterHello = false;
  daemon.readAgain();
  await client.flush();
  expect(daemon.linesOf('c')).toHaveLength(queued);
  expect(daemon.linesOf('c')[0]).toBe(lineOf(1));
  expect(daemon.linesOf('c').at(-1)).toBe(lineOf(500));
});

test('a full queue of drop-oldest drops what was not written, counts it, and never waits', async () => {
  const daemon = await fakeDaemon();
  await daemon.die();
  const client = clientOf(daemon, { queueBytes: 2048, whenFull: 'drop-oldest' });
  for (const line of linesOf(1000)) expect(client.trySend(line)).toBe(true);
  const { dropped, queued, queuedBytes } = client.stats;
  expect(queuedBytes).toBeLessThanOrEqual(2048);
  expect(dropped + queued).toBe(1000);
  expect(dropped).toBeGreaterThan(800);
  await daemon.start();
  await client.flush();
  expect(daemon.linesOf('c')).toEqual(linesOf(queued, dropped + 1));
  expect(client.stats).toMatchObject({ durable: queued, dropped, queued: 0, gap: 0 });
});

test('lines that were written are not dropped while the daemon is away: it may have them', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon, { queueBytes: 2048, whenFull: 'drop-oldest', syncDelayMs: 60_000 });
  await client.ready();
  for (const line of linesOf(5)) client.trySend(line);
  await until(() => daemon.log.length === 5);
  await daemon.die();
  for (const line of linesOf(500, 6)) client.trySend(line);
  await daemon.start();
  await client.flush();
  const { dropped } = client.stats;
  expect(dropped).toBeGreaterThan(300);
  expect(daemon.linesOf('c')).toEqual([...linesOf(5), ...linesOf(500 - dropped, 6 + dropped)]);
});

test('a flush is fulfilled when all lines before it are dropped', async () => {
  const daemon = await fakeDaemon();
  await daemon.die();
  const client = clientOf(daemon, { queueBytes: 1024, whenFull: 'drop-oldest' });
  client.trySend(lineOf(1));
  const flushed = client.flush();
  for (const line of linesOf(500, 2)) client.trySend(line);
  await flushed;
  expect(client.stats).toMatchObject({ connected: false, durable: 0 });
});

test('the queue drains by itself, by bytes and by time', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon, { syncDelayMs: 60_000, syncBytes: 1000 });
  for (const line of linesOf(2000)) await client.send(line);
  await until(() => client.stats.queuedBytes < 1000);
  const slow = clientOf(daemon, { client: 'slow', syncDelayMs: 20 });
  slow.trySend(lineOf(1));
  await until(() => slow.stats.queued === 0);
  expect(slow.stats.durable).toBe(1);
});

test('lines are written together, and an idle client writes nothing', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon, { batchDelayMs: 20 });
  await client.ready();
  for (const line of linesOf(100)) client.trySend(line);
  await until(() => client.stats.durable === 100);
  const asked = daemon.questions.length;
  expect(asked).toBe(2);
  await sleep(50);
  expect(daemon.questions).toHaveLength(asked);
});

test('many flushes at once ask once', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon, { syncDelayMs: 60_000 });
  await client.ready();
  client.trySend(lineOf(1));
  await Promise.all(Array.from({ length: 50 }, () => client.flush()));
  expect(daemon.questions.filter(({ type }) => type === 'sync')).toHaveLength(1);
  await client.flush();
  expect(daemon.questions).toHaveLength(2);
});

test('what was refused is counted, and has its number', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon);
  for (const line of ['"bad"', lineOf(1), '{"bad"}']) client.trySend(line);
  await client.flush();
  daemon.loseConnections();
  client.trySend('again "bad"');
  await client.flush();
  expect(client.stats).toMatchObject({ durable: 4, accepted: 1, rejected: 3, reconnects: 1 });
});

test('an event is sent as the contract writes it, with the time of the call', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon);
  const before = Date.now() / 1000;
  client.trySend({
    type: 'task.end',
    task: 't',
    agent: 'a',
    status: 'failed',
    tokens: undefined,
    output: { x: [1] },
  });
  await client.flush();
  const { ts, ...sent } = JSON.parse(daemon.linesOf('c')[0]!);
  expect(sent).toEqual({ type: 'task.end', task: 't', agent: 'a', status: 'failed', output: { x: [1] } });
  expect(ts).toBeGreaterThanOrEqual(before);
  expect(ts).toBeLessThanOrEqual(Date.now() / 1000);
});

test('bytes are sent as they are, and may be written over once send has returned', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon, { queueBytes: 1024 });
  const bytes = Buffer.from('{"type":"note","x":"ä"}');
  for (let i = 0; i < 100; i++) client.send(bytes);
  bytes.fill(0x20);
  await client.flush();
  expect(new Set(daemon.linesOf('c'))).toEqual(new Set(['{"type":"note","x":"ä"}']));
  expect(daemon.log).toHaveLength(100);
});

test('a line over half of the queue is an error of the caller, also in bytes beyond ASCII', async () => {
  const client = clientOf(await fakeDaemon(), { queueBytes: 1024 });
  expect(client.trySend('x'.repeat(511))).toBe(true);
  expect(() => client.trySend('x'.repeat(512))).toThrow(RangeError);
  expect(() => client.send('€'.repeat(171))).toThrow(RangeError);
});

test('a signal ends the wait for room, for durability and for the welcome, and nothing else', async () => {
  const daemon = await fakeDaemon();
  await daemon.die();
  const client = clientOf(daemon, { queueBytes: 1024 });
  while (client.trySend('{"type":"note"}'));
  const { taken } = client.stats;
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = [client.send(lineOf(1), { signal }), client.flush({ signal }), client.ready({ signal })];
  const stays = client.send(lineOf(2));
  const ended = Promise.allSettled(waiting);
  controller.abort(new Error('enough'));
  for (const outcome of await ended) expect(outcome).toMatchObject({ reason: { message: 'enough' } });
  await expect(client.flush({ signal })).rejects.toThrow('enough');
  await expect(client.ready({ signal })).rejects.toThrow('enough');
  await daemon.start();
  expect(await stays).toBe(true);
  await client.flush();
  expect(daemon.linesOf('c')).toHaveLength(taken + 1);
  expect(daemon.linesOf('c').at(-1)).toBe(lineOf(2));
});

test('close flushes, takes no more, and leaves no connection', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon);
  for (const line of linesOf(100)) client.trySend(line);
  const closed = client.close();
  expect(client.close()).toBe(closed);
  expect(client.trySend(lineOf(0))).toBe(false);
  expect(await client.send(lineOf(0))).toBe(false);
  expect(await closed).toBe(0);
  expect(daemon.linesOf('c')).toEqual(linesOf(100));
  await until(() => daemon.connections === 0);
  await expect(client.flush()).rejects.toMatchObject({ code: 'ERR_NO_DAEMON' });
});

test('close keeps its deadline, and says how much is left', async () => {
  const daemon = await fakeDaemon();
  await daemon.die();
  const client = clientOf(daemon, { queueBytes: 1024 });
  let sent = 0;
  while (client.trySend(lineOf(sent))) sent++;
  const waits = client.send(lineOf(sent));
  const flushed = client.flush();
  const outcome = expect(flushed).rejects.toThrow(`${sent + 1} of its lines are not known to be durable`);
  expect(await client.close({ timeoutMs: 20 })).toBe(sent + 1);
  expect(await waits).toBe(false);
  await outcome;
});

test.each([
  ['does not know hello', '{"type":"error","reason":"hello is not supported"}\n', /hello is not supported/],
  [
    'speaks another protocol',
    '{"type":"welcome","client":"c","seq":0,"known":true,"gap":0,"protocol":2}\n',
    /protocol 2/,
  ],
  [
    'welcomes another',
    '{"type":"welcome","client":"d","seq":0,"known":true,"gap":0,"protocol":1}\n',
    /another client/,
  ],
  [
    'says no number',
    '{"type":"welcome","client":"c","seq":null,"known":true,"gap":0,"protocol":1}\n',
    /another client/,
  ],
  ['answers in no JSON', 'HTTP/1.1 400 Bad Request\r\n', /does not speak like a tallyd/],
  ['never ends a line', 'x'.repeat(70_000), /does not speak like a tallyd/],
])('a daemon that %s gets no line, and is asked again later', async (_, answer, reason) => {
  const daemon = await fakeDaemon();
  daemon.answerToHello = answer;
  const client = clientOf(daemon);
  client.trySend(lineOf(1));
  const lost: string[] = [];
  client.on('lost', ({ message }) => lost.push(message));
  await until(() => lost.length >= 2);
  expect(lost[0]).toMatch(reason);
  expect(daemon.log).toEqual([]);
  daemon.answerToHello = undefined;
  await client.flush();
  expect(daemon.linesOf('c')).toEqual([lineOf(1)]);
});

test('a daemon that counts otherwise is left, and its next welcome is believed', async () => {
  const daemon = await fakeDaemon();
  const client = clientOf(daemon);
  client.trySend(lineOf(1));
  await client.flush();
  const reasons: string[] = [];
  client.on('lost', ({ message }) => reasons.push(message));
  daemon.miscount = -1; // as if a line had been lost on the way
  client.trySend(lineOf(2));
  await until(() => reasons.length > 0);
  daemon.miscount = 0;
  client.trySend(lineOf(3));
  await client.flush();
  expect(daemon.linesOf('c')).toEqual(linesOf(3));
  expect(reasons[0]).toMatch(/counts 1 lines where this client counts 2/);
});

test('a path that no socket can have is told, and nothing throws', async () => {
  const client = connect({ path: `/tmp/${'x'.repeat(200)}`, ...QUICK });
  const reason = await new Promise<Error>((resolve) => client.once('lost', resolve));
  expect(reason).toMatchObject({ syscall: 'connect' });
  expect(await client.close()).toBe(0);
});

test('pauses between connections grow to their longest, and are spread at random', async () => {
  const daemon = await fakeDaemon();
  await daemon.die();
  const client = clientOf(daemon, { reconnectMinMs: 4, reconnectMaxMs: 32, random: () => 0 });
  const times: number[] = [];
  client.on('lost', () => times.push(performance.now()));
  await until(() => times.length >= 7);
  const pauses = times.slice(1).map((time, i) => time - times[i]!);
  // Timers are late at will, never early.
  for (const [i, ms] of [4, 8, 16, 32, 32, 32].entries()) expect(pauses[i]).toBeGreaterThan(ms - 1.5);
});

test.each([
  ['no path', { path: '' }, /path/],
  ['an empty name', { client: '' }, /client/],
  ['a long name', { client: 'ä'.repeat(129) }, /256/],
  ['half a character', { client: '\ud800' }, /client/],
  ['a small queue', { queueBytes: 10 }, /queueBytes .* 1024/],
  ['a fraction', { syncBytes: 1.5 }, /syncBytes/],
  ['a wrong word', { whenFull: 'drop' as never }, /block or drop-oldest/],
  ['first 0', { first: 0 }, /first/],
  ['pauses that shrink', { reconnectMinMs: 10, reconnectMaxMs: 9 }, /reconnectMaxMs/],
])('%s is an error of the options that names its bound', (_, options, message) => {
  expect(() => connect({ path: '/nowhere', ...options })).toThrow(message);
});

test('a client without a name has one of its own', async () => {
  const daemon = await fakeDaemon();
  const [one, other] = [connect({ path: daemon.path }), connect({ path: daemon.path })];
  one.trySend(lineOf(1));
  other.trySend(lineOf(2));
  expect(await one.close()).toBe(0);
  expect(await other.close()).toBe(0);
  expect(one.name).not.toBe(other.name);
  expect(daemon.linesOf(one.name)).toEqual([lineOf(1)]);
});
