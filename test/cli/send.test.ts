import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { serveCountingIngest, serveIngest, temporaryFolder } from './fake-daemon.js';
import { endlessInput, tallyd, testIo } from './terminal.js';

const LINE = '{"type":"sample","name":"x","value":1}\n';

test('standard input goes to the daemon byte for byte, and the answer is told', async () => {
  const { folder, taken } = await serveCountingIngest();
  const { exitCode, stdout, stderr } = await tallyd(['send', '--runtime-dir', folder], {
    input: LINE.repeat(3),
  });
  expect(stderr).toMatch(/^sent 3 lines \(117 B\) in \d+\.\d{3} s, accepted 3, rejected 0, durable\n$/);
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' });
  expect(taken.events).toBe(LINE.repeat(3));
});

test('a file of many reads arrives whole, and a line end that it lacks is added', async () => {
  const { folder, taken } = await serveCountingIngest();
  const text = LINE.repeat(50_000).trimEnd();
  const file = join(folder, 'events.ndjson');
  writeFileSync(file, text);
  const { exitCode, stdout } = await tallyd(['send', file, '--json', '--runtime-dir', folder]);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    lines: 50_000,
    bytes: text.length + 1,
    seconds: expect.any(Number),
    accepted: 50_000,
    rejected: 0,
  });
  expect(taken.events === `${text}\n`).toBe(true);
});

test('an empty input is sent, and durable', async () => {
  const { folder } = await serveCountingIngest();
  const { exitCode, stderr } = await tallyd(['send', '-', '--runtime-dir', folder]);
  expect(exitCode).toBe(0);
  expect(stderr).toContain('sent 0 lines (0 B)');
});

test('refused lines make the answer no, and say where to look', async () => {
  const { folder } = await serveCountingIngest();
  const { exitCode, stderr } = await tallyd(['send', '--runtime-dir', folder], {
    input: `bad\n${LINE}bad\n`,
  });
  expect(exitCode).toBe(1);
  expect(stderr).toContain('accepted 1, rejected 2, durable\n');
  expect(stderr).toContain('2 lines refused: tallyd status counts them by reason');
});

test('control lines of the input do not end it early, and those not understood are told', async () => {
  const { folder } = await serveCountingIngest();
  const input = `{"type":"sync","id":1}\n${LINE}{"type":"hello"}\n`;
  const { exitCode, stderr } = await tallyd(['send', '--runtime-dir', folder], { input });
  expect(exitCode).toBe(0);
  expect(stderr).toContain('accepted 1, rejected 0, durable\n1 control line of the input not understood\n');
});

test('on a terminal a progress line is drawn, and gone at the end', async () => {
  const { folder } = await serveCountingIngest();
  const input = endlessInput(LINE);
  const io = testIo({ input, terminalColumns: 60 });
  const done = tallyd(['send', '--runtime-dir', folder], io);
  await sleep(450);
  input.end(LINE);
  const { stderr } = await done;
  const draws = stderr.split('\r');
  expect(draws[1]).toMatch(/^39 B {2}.* events\/s/);
  expect(draws[1]!.endsWith('\x1b[K')).toBe(true);
  expect(draws.at(-1)!.startsWith('\x1b[Ksent 2 lines ')).toBe(true);
});

test('where nobody listens there is no daemon', async () => {
  const folder = temporaryFolder();
  const { exitCode, stderr } = await tallyd(['send', '--runtime-dir', folder], { input: endlessInput(LINE) });
  expect(exitCode).toBe(69);
  expect(stderr).toMatch(
    /^ERR_NO_DAEMON: no daemon answers on .*ingest\.sock: .*tallyd run.*--runtime-dir\n$/,
  );
});

test.each([
  ['at once', (socket: import('node:net').Socket) => socket.destroy()],
  [
    'after the first bytes',
    (socket: import('node:net').Socket) => socket.once('data', () => socket.destroy()),
  ],
  ['in good order', (socket: import('node:net').Socket) => socket.resume().once('data', () => socket.end())],
])('a daemon that leaves %s is told without waiting for the rest of the input', async (_, take) => {
  const folder = await serveIngest(take);
  const { exitCode, stderr } = await tallyd(['send', '--runtime-dir', folder], {
    input: endlessInput(LINE.repeat(1000)),
  });
  expect(exitCode).toBe(69);
  expect(stderr).toMatch(/^ERR_NO_DAEMON: the daemon closed the connection/);
});

test('a daemon that leaves instead of acknowledging is a failure, though all was written', async () => {
  const folder = await serveIngest((socket) => {
    socket.on('data', (data) => {
      if (data.includes('"sync"')) socket.end();
    });
  });
  const { exitCode, stderr } = await tallyd(['send', '--runtime-dir', folder], { input: LINE });
  expect(exitCode).toBe(69);
  expect(stderr).toContain('after 39 bytes (1 line), before it said that they are durable');
});

test('a daemon that does not read makes the sender wait, and SIGINT ends it at once', async () => {
  const folder = await serveIngest((socket) => socket.pause());
  const file = join(folder, 'big.ndjson');
  writeFileSync(file, LINE.repeat(200_000));
  const io = testIo();
  const done = tallyd(['send', file, '--runtime-dir', folder], io);
  const early = await Promise.race([done, sleep(300)]);
  expect(early).toBeUndefined();
  io.signals.emit('SIGINT');
  expect(await done).toEqual({ exitCode: 130, stdout: '', stderr: '' });
  expect(io.signals.listenerCount('SIGINT')).toBe(0);
});

test('SIGINT ends a sender whose input is silent', async () => {
  const { folder } = await serveCountingIngest();
  const io = testIo({ input: endlessInput() });
  const done = tallyd(['send', '--runtime-dir', folder], io);
  await sleep(50);
  io.signals.emit('SIGINT');
  expect((await done).exitCode).toBe(130);
});

test('what answers without end and sense is no daemon', async () => {
  const folder = await serveIngest((socket) => socket.write('x'.repeat(100_000)));
  const { exitCode, stderr } = await tallyd(['send', '--runtime-dir', folder], { input: endlessInput() });
  expect(exitCode).toBe(69);
  expect(stderr).toContain('does not speak like a tallyd');
});

test('a file that is not there or is a folder is an error of input, whether a daemon runs or not', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'events'));
  const missing = await tallyd(['send', join(folder, 'none'), '--runtime-dir', folder]);
  expect(missing.exitCode).toBe(74);
  expect(missing.stderr).toMatch(/^ERR_IO: cannot read .*none: ENOENT/);
  const asFolder = await tallyd(['send', join(folder, 'events'), '--runtime-dir', folder]);
  expect(asFolder.exitCode).toBe(74);
  expect(asFolder.stderr).toContain('EISDIR');
});
