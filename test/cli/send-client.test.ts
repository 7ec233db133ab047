import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { openInput } from '../../src/cli/input.js';
import { NumberedSending } from '../../src/cli/numbered-sending.js';
import { type FakeDaemon, fakeDaemon } from '../support/fake-daemon.js';
import { temporaryFolder } from './fake-daemon.js';
import { endlessInput, type TestIoOptions, tallyd, testIo } from './terminal.js';

const lineOf = (number: number) => `{"type":"note","n":${number}}`;
const linesOf = (count: number, first = 1) => Array.from({ length: count }, (_, i) => lineOf(first + i));
const textOf = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');

function send(daemon: FakeDaemon, input: TestIoOptions['input'], ...args: readonly string[]) {
  const flags = ['--client', 'c', '--runtime-dir', dirname(daemon.path)];
  return tallyd(['send', ...args, ...flags], input === undefined ? {} : { input });
}

test('the lines of an input have the numbers of their places, and what the daemon has is skipped', async () => {
  const daemon = await fakeDaemon();
  const first = await send(daemon, textOf(linesOf(3)));
  expect(first.stderr).toMatch(/^sent 3 lines \(66 B\) in [\d.]+ s, accepted 3, rejected 0, durable\n$/);
  const more = await send(daemon, textOf(linesOf(5)));
  expect(more.stderr).toMatch(
    /^sent 2 lines \(44 B\) in .* accepted 2, rejected 0, durable; skipped 3 lines that the daemon had\n$/,
  );
  const again = await send(daemon, textOf(linesOf(5)), '--json');
  expect(JSON.parse(again.stdout)).toEqual({
    lines: 0,
    bytes: 0,
    accepted: 0,
    rejected: 0,
    skipped: 5,
    unjudged: 0,
    lost: 0,
    seconds: expect.any(Number),
  });
  expect([first.exitCode, more.exitCode, again.exitCode]).toEqual([0, 0, 0]);
  expect(daemon.linesOf('c')).toEqual(linesOf(5));
});

test('a daemon that dies again and again gets each line of a file once', async () => {
  const daemon = await fakeDaemon();
  const file = join(dirname(daemon.path), 'events.ndjson');
  const lines = linesOf(40_000);
  writeFileSync(file, textOf(lines).trimEnd());
  let isOver = false;
  const sent = send(daemon, undefined, file).finally(() => {
    isOver = true;
  });
  let deaths = 0;
  while (!isOver && deaths < 20) {
    daemon.bytesUntilCut = 60_000;
    await vi.waitUntil(() => isOver || daemon.bytesUntilCut > 60_000, { timeout: 10_000, interval: 1 });
    if (isOver) break;
    daemon.durable = Math.floor((daemon.durable + daemon.log.length) / 2);
    await daemon.die();
    await daemon.start();
    deaths++;
  }
  daemon.bytesUntilCut = Number.POSITIVE_INFINITY;
  const { exitCode, stderr } = await sent;
  expect(deaths).toBeGreaterThan(5);
  expect(stderr).toMatch(/^sent 40000 lines /);
  expect(exitCode).toBe(0);
  expect(daemon.linesOf('c')).toEqual(lines);
});

test('a sender that is interrupted goes on where the daemon is', async () => {
  const daemon = await fakeDaemon();
  const input = endlessInput(textOf(linesOf(1000)));
  const io = testIo({ input });
  const args = ['send', '--client', 'c', '--runtime-dir', dirname(daemon.path)];
  const done = tallyd(args, io);
  await vi.waitUntil(() => daemon.log.length > 0, { timeout: 10_000 });
  io.signals.emit('SIGINT');
  expect((await done).exitCode).toBe(130);
  expect(input.destroyed).toBe(true);
  const { exitCode, stderr } = await send(daemon, textOf(linesOf(1500)));
  expect(exitCode).toBe(0);
  expect(stderr).toMatch(/skipped [\d,]+ lines that the daemon had/);
  expect(daemon.linesOf('c')).toEqual(linesOf(1500));
});

test('refused lines have their number, and control and empty lines have none and are not sent', async () => {
  const daemon = await fakeDaemon();
  const input = `bad "bad"\n\n{"type":"sync","id":1}\n \r\n${lineOf(2)}\n{"type":"hello","client":"x"}\n${lineOf(3)}`;
  const { exitCode, stderr } = await send(daemon, input);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(
    /^sent 3 lines .* accepted 2, rejected 1, durable\n2 control lines of the input left out\n/,
  );
  expect(daemon.linesOf('c')).toEqual(['bad "bad"', lineOf(2), lineOf(3)]);
  expect(daemon.questions.map(({ type }) => type)).toEqual(['hello', 'sync']);
});

test('an input that is shorter than what the daemon has is another one, and nothing is skipped silently', async () => {
  const daemon = await fakeDaemon();
  await send(daemon, textOf(linesOf(5)));
  const { exitCode, stderr } = await send(daemon, textOf(linesOf(2)));
  expect(exitCode).toBe(64);
  expect(stderr).toMatch(
    /^ERR_USAGE: the daemon has 5 lines of client "c", and standard input only 2 lines: /,
  );
});

test('lines whose judgement was lost with a connection are told apart', async () => {
  const daemon = await fakeDaemon();
  const input = endlessInput(textOf(linesOf(4)));
  const done = send(daemon, input);
  await vi.waitUntil(() => daemon.log.length === 4, { timeout: 10_000 });
  daemon.answersToLose = 1;
  input.end(`${lineOf(5)}\n`);
  const { exitCode, stderr } = await done;
  expect(exitCode).toBe(0);
  expect(stderr).toContain(
    'accepted 0, rejected 0, durable\n5 lines durable, but not known as accepted or rejected',
  );
  expect(daemon.linesOf('c')).toEqual(linesOf(5));
});

test('a daemon that comes back without what it had is told, and the answer is no', async () => {
  const daemon = await fakeDaemon();
  const input = endlessInput(textOf(linesOf(4)));
  const done = send(daemon, input);
  await vi.waitUntil(() => daemon.questions.length === 2, { timeout: 10_000 });
  await sleep(50);
  await daemon.die();
  daemon.forget();
  await daemon.start();
  input.end(`${lineOf(5)}\n`);
  const { exitCode, stderr } = await done;
  expect(exitCode).toBe(1);
  expect(stderr).toContain('does not know any more of 4 lines that were durable');
});

test('without a daemon at the start nothing is waited for', async () => {
  const folder = temporaryFolder();
  const args = ['send', '--client', 'c', '--runtime-dir', folder];
  const { exitCode, stderr } = await tallyd(args, { input: endlessInput(lineOf(1)) });
  expect(exitCode).toBe(69);
  expect(stderr).toMatch(/^ERR_NO_DAEMON: no daemon answers on .*there is no such socket; .*tallyd run/);
});

test('a daemon that knows no hello is told', async () => {
  const daemon = await fakeDaemon();
  daemon.answerToHello = '{"type":"error","reason":"hello is not supported by this version"}\n';
  const { exitCode, stderr } = await send(daemon, endlessInput(lineOf(1)));
  expect(exitCode).toBe(69);
  expect(stderr).toContain('hello is not supported by this version');
});

test('a daemon that stays away is given up, with how to go on', async () => {
  const daemon = await fakeDaemon();
  const io = testIo({ input: endlessInput(textOf(linesOf(3))) });
  const sending = new NumberedSending(await openInput('-', io), daemon.path, 'c', io, 100);
  const outcome = expect(sending.run()).rejects.toMatchObject({
    code: 'ERR_NO_DAEMON',
    message: expect.stringMatching(/away for 100ms .*: the same command goes on behind them/),
  });
  await vi.waitUntil(() => daemon.log.length === 3, { timeout: 10_000 });
  await daemon.die();
  await outcome;
  await daemon.start();
});

test.each([
  ['an empty name', ''],
  ['a long name', 'x'.repeat(257)],
])('%s is wrong usage', async (_, name) => {
  const { exitCode, stderr } = await tallyd(['send', '--client', name, '--runtime-dir', '/nowhere']);
  expect(exitCode).toBe(64);
  expect(stderr).toMatch(/^ERR_USAGE: --client: client must be a name of 1 to 256 bytes/);
});

test.each([
  ['whole', `${'x'.repeat(9 * 1024 ** 2)}\n`],
  ['without an end', 'x'.repeat(9 * 1024 ** 2)],
])('a line that no daemon takes ends the sender: %s', async (_, text) => {
  const daemon = await fakeDaemon();
  const { exitCode, stderr } = await send(daemon, `${lineOf(1)}\n${text}`);
  expect(exitCode).toBe(74);
  expect(stderr).toMatch(/^ERR_IO: standard input has a line of over 8 MiB behind its first 1 line;/);
});

test('on a terminal it shows what is read, and that the daemon is away', async () => {
  const daemon = await fakeDaemon();
  const input = endlessInput(textOf(linesOf(2)));
  const io = testIo({ input, terminalColumns: 80 });
  const done = tallyd(['send', '--client', 'c', '--runtime-dir', dirname(daemon.path)], io);
  await vi.waitUntil(() => io.texts.stderr.includes('events/s'), { timeout: 10_000 });
  await daemon.die();
  await vi.waitUntil(() => io.texts.stderr.includes('44 B read, waiting for the daemon'), {
    timeout: 10_000,
  });
  await daemon.start();
  input.end();
  const { stderr } = await done;
  expect(stderr.split('\r').at(-1)!.startsWith('\x1b[Ksent 2 lines (44 B) ')).toBe(true);
});
