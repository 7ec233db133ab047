import { rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventLine } from '../../src/cli/event-line.js';
import { colorsOf } from '../../src/cli/io.js';
import { tail } from '../../src/cli/tail.js';
import type { Config } from '../../src/config/config.js';
import { EventSource } from '../../src/model/event-source.js';
import { displayWidth } from '../../src/model/human.js';
import { serveControl, temporaryFolder } from './fake-daemon.js';
import { type TestIo, tallyd, testIo } from './terminal.js';

const message = (id: number, data: string) => `id: ${id}\nevent: x\ndata: ${data}\n\n`;

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(2);
}

/** A tail against what `streams` do with its first, second … connection; the last of them also with the rest. */
async function tailing(
  streams: ((response: ServerResponse) => void)[],
  args: string[] = [],
  io: TestIo = testIo(),
) {
  const lastIds: unknown[] = [];
  const { folder, requests } = await serveControl(({ headers }) => {
    lastIds.push(headers['last-event-id']);
    return { stream: streams[Math.min(lastIds.length, streams.length) - 1]! };
  });
  const ended = tallyd(['tail', ...args, '--runtime-dir', folder], io);
  return { io, requests, lastIds, ended };
}

test('tail prints an event a line as they come, and Ctrl-C ends it', async () => {
  let send: (text: string) => void = () => {};
  const { io, requests, ended } = await tailing([
    (response) => {
      send = (text) => response.write(text);
      send(':\n\n');
      send(message(1, '{"type":"workflow.start","workflow":"w","name":"build","ts":100}').slice(0, 30));
    },
  ]);
  await until(() => requests.length > 0);
  await sleep(20);
  expect(io.texts.stdout).toBe('');
  send(message(1, '{"type":"workflow.start","workflow":"w","name":"build","ts":100}').slice(30));
  await until(() => io.texts.stdout !== '');
  expect(io.texts.stdout).toBe('1970-01-01 00:01:40Z  workflow.start   w  build\n');
  expect(requests).toEqual(['GET /v1/events']);
  io.signals.emit('SIGINT');
  expect(await ended).toMatchObject({ exitCode: 130, stderr: '' });
  expect(io.signals.listenerCount('SIGINT')).toBe(0);
});

test('its filters go to the daemon, and each may be repeated', async () => {
  const args = ['--type', 'task.end', '--type', 'x', '--workflow', 'a b', '--agent', 'ä,b'];
  const { io, requests, ended } = await tailing([() => {}], args);
  await until(() => requests.length > 0);
  io.signals.emit('SIGINT');
  await ended;
  expect(requests).toEqual(['GET /v1/events?type=task.end&type=x&workflow=a+b&agent=%C3%A4%2Cb']);
});

test.each([[['--type', '']], [['--workflow', '']], [['--agent', '']]])('%j is wrong usage', async (args) => {
  const { exitCode, stderr } = await tallyd(['tail', ...args, '--runtime-dir', '/nowhere']);
  expect(exitCode).toBe(64);
  expect(stderr).toContain('is empty');
});

test('--json prints the lines as they were accepted, to a terminal without what it would obey', async () => {
  const lines = ['{"type":"note",\n"n":1}', '{"type":"note","text":"\u009b2J"}'];
  const stream = (response: ServerResponse) => {
    response.write(`id: 1\ndata: ${lines[0]!.replace('\n', '\ndata: ')}\n\n${message(2, lines[1]!)}`);
  };
  for (const [terminalColumns, second] of [
    [undefined, lines[1]!],
    [80, '{"type":"note","text":"\\u009b2J"}'],
  ] as const) {
    const io = testIo(terminalColumns === undefined ? {} : { terminalColumns });
    const { ended } = await tailing([stream], ['--json'], io);
    await until(() => io.texts.stdout.split('\n').length > 2);
    io.signals.emit('SIGINT');
    expect((await ended).stdout).toBe(`{"type":"note", "n":1}\n${second}\n`);
  }
});

test('a feed that ends is asked for again from the last line on, and what was missed is counted', async () => {
  const { io, lastIds, ended } = await tailing([
    (response) => response.end(message(7, '{"type":"note","n":7,"ts":0}')),
    (response) => {
      response.write(message(8, '{"type":"note","n":8,"ts":0}'), () => response.destroy());
    },
    (response) => {
      const gap = 'id: 1020\nevent: gap\ndata: {"missed":1012,"first":9,"last":1020}\n\n';
      response.write(gap + message(1021, '{"type":"gap","n":1021,"ts":0}').replace('event: x', 'event: gap'));
    },
  ]);
  await until(() => io.texts.stdout.includes('1021'));
  io.signals.emit('SIGINT');
  const { exitCode, stdout, stderr } = await ended;
  expect(exitCode).toBe(130);
  expect(lastIds).toEqual([undefined, '7', '8']);
  expect(stdout.split('\n').map((line) => /"n":(\d+)/.exec(line)?.[1])).toEqual([
    '7',
    '8',
    '1021',
    undefined,
  ]);
  expect(stderr.split('\n')).toEqual([
    'tallyd: the daemon has ended the feed; waiting for it to come back',
    'tallyd: cut off: this reader was too slow, or the daemon died; listening again',
    'tallyd: 1,012 lines missed (9 to 1,020); tallyd archive cat has them',
    '',
  ]);
});

test('Ctrl-C also ends the waiting for a daemon', async () => {
  const { io, ended } = await tailing([(response) => response.end()]);
  await until(() => io.texts.stderr.includes('waiting'));
  io.signals.emit('SIGINT');
  expect(await ended).toMatchObject({ exitCode: 130 });
});

test('a daemon that does not come back is none', async () => {
  const { folder } = await serveControl(() => ({
    stream: (response) => {
      rmSync(join(folder, 'control.sock'));
      response.destroy();
    },
  }));
  const io = testIo();
  const config = { runtimeDir: folder } as Config;
  await expect(tail(config, {}, io, 300)).rejects.toMatchObject({ code: 'ERR_NO_DAEMON', exitCode: 69 });
  expect(io.texts.stderr).toMatch(/^tallyd: cut off: /);
});

test('without a daemon tail does not wait for one', async () => {
  const { exitCode, stderr } = await tallyd(['tail', '--runtime-dir', temporaryFolder()]);
  expect(exitCode).toBe(69);
  expect(stderr).toMatch(/^ERR_NO_DAEMON: /);
});

test('a daemon with listeners enough says so', async () => {
  const { folder } = await serveControl(() => ({
    status: 503,
    body: { title: 'Too many listeners', detail: 'the feed has 100 listeners, and takes no more' },
  }));
  const { exitCode, stderr } = await tallyd(['tail', '--runtime-dir', folder]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain('Too many listeners: the feed has 100 listeners');
});

const NOW = Date.UTC(2026, 10, 23, 15, 39, 52) / 1000;
const plain = { colors: colorsOf(testIo().stdout, {}), width: null };

test.each([
  [
    { type: 'workflow.start', workflow: 'w', name: 'n', project: 'p', request: 'do\nit' },
    'workflow.start   w  n  p  do\\nit',
  ],
  [{ type: 'workflow.phase', workflow: 'w', phase: 'design' }, 'workflow.phase   w  design'],
  [{ type: 'workflow.status', workflow: 'w', status: 'paused' }, 'workflow.status  w  paused'],
  [{ type: 'workflow.end', workflow: 'w', status: 'failed', error: 'e' }, 'workflow.end     w  failed  e'],
  [
    { type: 'task.start', workflow: 'w', agent: 'a', task: 't', kind: 'k', description: 'd' },
    'task.start       w  a  t  k  d',
  ],
  [{ type: 'task.start', agent: 'a', task: 't' }, 'task.start       -  a  t'],
  [
    {
      type: 'task.end',
      workflow: 'w',
      agent: 'a',
      task: 't',
      status: 'timeout',
      duration: 200,
      tokens: 1500,
    },
    'task.end         w  a  t  timeout  3m20s  1,500 tokens',
  ],
  [{ type: 'group', tasks: ['a', 'b'], agents: ['c'], duration: 0.5 }, 'group            2 tasks  500ms'],
  [{ type: 'group', agents: ['c'], workflow: 'w' }, 'group            w  1 agent'],
  [
    { type: 'sample', name: 'rows', value: 1234.5, tags: { table: 'orders', x: 'y' } },
    'sample           rows  1234.5  table=orders x=y',
  ],
  [{ type: 'deploy', workflow: 7, status: ['a'] }, 'deploy           {"workflow":7,"status":["a"]}'],
  [{ type: 'deploy' }, 'deploy'],
  [{ type: 'a\x1b[2J' }, 'a\\x1b[2J'],
  [{ type: '__proto__', workflow: 'w' }, '__proto__        {"workflow":"w"}'],
])('%j reads as one line', (event, text) => {
  const line = eventLine(JSON.stringify({ ...event, ts: NOW + 0.25 }), NOW, plain);
  expect(line).toBe(`15:39:52.250Z  ${text}`);
});

test.each([[40], [80], [200]])(
  'a long text is cut so that the line fits %i columns, if the rest does',
  (width) => {
    const event = { type: 'workflow.end', workflow: 'w', status: 'failed', error: 'größe 数 '.repeat(100) };
    const line = eventLine(JSON.stringify(event), NOW, { ...plain, width });
    expect(displayWidth(line)).toBeLessThan(Math.max(width, 64));
    expect(line).toContain('…');
  },
);

test('an event stream may be cut anywhere', () => {
  const text = `:\n\n${message(1, 'a')}id: 2\nevent: y\ndata: b\ndata:  c\n\nretry: 5\n\ndata\n\n`;
  const whole = new EventSource().take(text);
  expect(whole).toEqual([
    { id: '1', event: 'x', data: 'a' },
    { id: '2', event: 'y', data: 'b\n c' },
    { id: '', event: 'message', data: '' },
  ]);
  const source = new EventSource();
  expect([...text].flatMap((character) => source.take(character))).toEqual(whole);
});
