import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { indexPathOf, listSegments } from '../../src/archive/segment-name.js';
import { type TestDaemon, testDaemon } from '../support/daemon.js';
import { seededRandom } from '../support/seeded-random.js';

function ask(daemon: TestDaemon, query = '') {
  return daemon.get(`/v1/archive${query}`);
}

function eventsOf(text: string) {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

const LINES = [
  { type: 'workflow.start', workflow: 'w-1', ts: 5 },
  { type: 'task.start', workflow: 'w-1', task: 't', agent: 'x' },
  { type: 'task.start', workflow: 'w-2', task: 't', agent: 'y' },
  { type: 'task.end', workflow: 'w-1', task: 't', agent: 'x', status: 'completed' },
  { type: 'deploy', workflow: 'w-1' },
];

test('the archive is told as it was accepted, all of it or by type, workflow and agent, lines of an open frame too', async () => {
  const daemon = await testDaemon({ 'archive.sync_interval': '1h' });
  const client = await daemon.connect();
  await client.send(...LINES);
  await daemon.statusWhere(({ ingest }) => ingest.accepted === LINES.length);
  const all = await ask(daemon);
  expect(all.status).toBe(200);
  expect(all.headers['content-type']).toBe('application/x-ndjson');
  expect(all.text).toBe(LINES.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const by = async (query: string) => eventsOf((await ask(daemon, query)).text);
  expect(await by('?workflow=w-1')).toEqual([LINES[0], LINES[1], LINES[3]]);
  expect(await by('?workflow=w-1&workflow=w-2&type=task.start')).toEqual([LINES[1], LINES[2]]);
  expect(await by('?agent=y')).toEqual([LINES[2]]);
  expect(await by('?type=deploy')).toEqual([LINES[4]]);
  expect(await by('?workflow=never')).toEqual([]);
  expect(await by('?workflow=')).toEqual(LINES);
  expect(await daemon.get('/v1/archive', 'HEAD')).toMatchObject({ status: 200, text: '' });
  expect(daemon.complaints).toEqual([]);
});

test('since and until go by arrival, as Unix seconds, RFC 3339, or so long ago', async () => {
  const daemon = await testDaemon();
  await daemon.send(LINES[0]!);
  await sleep(5);
  const { stdout } = await daemon.command('archive', 'cat', '--json');
  const { arrived } = JSON.parse(stdout);
  await daemon.send(LINES[1]!);
  const by = async (query: string) => eventsOf((await ask(daemon, query)).text);
  expect(await by(`?since=${arrived}`)).toEqual([LINES[0], LINES[1]]);
  expect(await by(`?since=${arrived + 1e-5}`)).toEqual([LINES[1]]);
  expect(await by(`?until=${arrived}`)).toEqual([]);
  expect(await by(`?until=${arrived + 1e-5}`)).toEqual([LINES[0]]);
  expect(await by('?since=-1h')).toEqual([LINES[0], LINES[1]]);
  expect(await by(`?until=${encodeURIComponent('2020-01-01T00:00:00Z')}`)).toEqual([]);
  const cat = await daemon.command(
    'archive',
    'cat',
    '--since',
    String(arrived + 1e-5),
    '--type',
    'task.start',
  );
  expect(await ask(daemon, '?since=soon')).toMatchObject({ status: 400, body: { title: 'Bad parameter' } });
  expect(cat).toMatchObject({ code: 0, stdout: `${JSON.stringify(LINES[1])}\n`, stderr: '' });
});

test('a reader that speaks HTTP/1.0 is answered, too', async () => {
  const daemon = await testDaemon();
  await daemon.send(LINES[0]!);
  const socket = net.connect(join(daemon.runtimeDir, 'control.sock'));
  socket.write('GET /v1/archive HTTP/1.0\r\n\r\n');
  let text = '';
  for await (const part of socket.setEncoding('utf8')) text += part;
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(text.split('\r\n\r\n')[1]).toBe(`${JSON.stringify(LINES[0])}\n`);
  expect(daemon.complaints).toEqual([]);
});

/** Some 8 MiB that compress badly, in segments of 1 MiB, so that there is something for every thread. */
async function largeArchive() {
  const daemon = await testDaemon({ 'archive.segment_bytes': '1MiB' });
  const client = await daemon.connect();
  const random = seededRandom(7);
  const all: string[] = [];
  for (let batch = 0; batch < 40; batch++) {
    const lines = Array.from({ length: 400 }, (_, n) => {
      const output = Array.from({ length: 60 }, () => random().toString(36).slice(2, 10)).join('');
      const workflow = `w-${batch * 10 + (n % 10)}`;
      const line = { type: 'task.end', workflow, task: `${n}`, agent: 'a', status: 'completed', output };
      return JSON.stringify(line);
    });
    all.push(...lines);
    await client.send(...lines);
  }
  await client.sync();
  return { daemon, all };
}

function open(
  daemon: TestDaemon,
  path: string,
): Promise<{ asked: ClientRequest; response: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    const socketPath = join(daemon.runtimeDir, 'control.sock');
    const asked = request({ socketPath, path, agent: false }, (response) => resolve({ asked, response }));
    onTestFinished(() => void asked.destroy());
    asked.on('error', reject);
    asked.end();
  });
}

test('a large archive is scanned by many threads, in the order of the log, over the socket and by archive cat', async () => {
  const { daemon, all } = await largeArchive();
  const whole = all.map((line) => `${line}\n`).join('');
  const { response } = await open(daemon, '/v1/archive');
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  // Not by `toBe`, which would print 8 MiB.
  expect(text === whole).toBe(true);
  expect(response.trailers['tallyd-flaws']).toBe('0');
  const cat = await daemon.command('archive', 'cat');
  expect(cat.code).toBe(0);
  expect(cat.stdout === whole).toBe(true);
  const verified = await daemon.command('archive', 'verify');
  expect(verified).toMatchObject({ code: 0, stderr: '' });
  expect(verified.stdout).toContain(`${all.length.toLocaleString('en-US')} lines`);

  // Closed segments get their indexes while the daemon runs, and what is asked for is found by them.
  const segments = listSegments(daemon.archiveDir);
  const closed = segments.slice(0, -1);
  const deadline = performance.now() + 20_000;
  while (!closed.every(({ path }) => existsSync(indexPathOf(path))) && performance.now() < deadline) {
    await sleep(50);
  }
  expect(closed.length).toBeGreaterThan(3);
  expect(readdirSync(daemon.archiveDir).filter((name) => name.endsWith('.index'))).toHaveLength(
    closed.length,
  );
  for (const workflow of ['w-0', 'w-199', 'w-399', 'w-400']) {
    const expected = all.filter((line) => line.includes(`"${workflow}"`));
    expect(eventsOf((await ask(daemon, `?workflow=${workflow}`)).text)).toEqual(
      expected.map((line) => JSON.parse(line)),
    );
  }
  expect((await daemon.command('archive', 'verify')).code).toBe(0);
  expect(daemon.complaints).toEqual([]);

  // One that is gone at a start is built again.
  expect(await daemon.stop()).toBe(0);
  writeFileSync(indexPathOf(closed[0]!.path), 'damaged');
  await daemon.restart();
  const again = performance.now() + 20_000;
  while (readFileSync(indexPathOf(closed[0]!.path), 'latin1') === 'damaged' && performance.now() < again) {
    await sleep(50);
  }
  expect((await daemon.command('archive', 'verify')).stdout).toMatch(/^whole: /);
});

test('a reader that stops reading holds its own answer alone, and one that goes away ends its scan', async () => {
  const { daemon, all } = await largeArchive();
  const paused: IncomingMessage[] = [];
  for (let i = 0; i < 16; i++) {
    const { response } = await open(daemon, '/v1/archive');
    response.pause();
    paused.push(response);
  }
  expect(await ask(daemon)).toMatchObject({ status: 503, body: { title: 'Too many scans' } });
  expect((await daemon.get('/readyz')).status).toBe(200);
  await daemon.send(LINES[0]!);
  for (const response of paused) response.destroy();
  const deadline = performance.now() + 20_000;
  let { status } = await ask(daemon, '?workflow=w-1');
  while (status !== 200 && performance.now() < deadline) {
    await sleep(20);
    ({ status } = await ask(daemon, '?workflow=w-1'));
  }
  expect(status).toBe(200);
  expect(eventsOf((await ask(daemon)).text)).toHaveLength(all.length + 1);
  expect(daemon.complaints).toEqual([]);
});

test('damage is counted behind the answer and named in the log, and all else is told', async () => {
  const daemon = await testDaemon();
  await daemon.send(LINES[0]!);
  await daemon.send(LINES[1]!);
  const { path } = listSegments(daemon.archiveDir)[0]!;
  const bytes = readFileSync(path);
  bytes[bytes.indexOf('workflow.start')]! ^= 1;
  writeFileSync(path, bytes);
  const { response } = await open(daemon, '/v1/archive');
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  expect(eventsOf(text)).toEqual([LINES[1]]);
  expect(response.trailers['tallyd-flaws']).toBe('1');
  const deadline = performance.now() + 20_000;
  while (daemon.complaints.length === 0 && performance.now() < deadline) await sleep(20);
  expect(daemon.complaints.join('\n')).toMatch(
    /a scan of the archive could not give all: .* at byte \d+: the data frame/,
  );
  expect((await daemon.command('archive', 'verify')).code).toBe(1);
});
