/** The control routes over TCP on the loopback. */

import { once } from 'node:events';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type TestDaemon, testDaemon } from '../support/daemon.js';

/** What the log says; port 0 is any free one. */
function urlOf(daemon: TestDaemon): URL {
  return new URL(/"url":"([^"]+)"/.exec(daemon.stderr)![1]!);
}

/** The status line and the body of an answer to bytes that are sent as they are. */
async function exchange({ hostname, port }: URL, request: string): Promise<string> {
  const socket = net.connect(Number(port), hostname.replace(/[[\]]/g, ''));
  socket.setEncoding('utf8');
  socket.end(request);
  let text = '';
  for await (const part of socket) text += part;
  return text;
}

test.each(['127.0.0.1:0', 'localhost:0'])('%s answers what the control socket answers', async (listen) => {
  const daemon = await testDaemon({ 'control.listen': listen });
  const url = urlOf(daemon);
  const { version, pid } = await daemon.status();
  const response = await fetch(new URL('/v1/status', url));
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ version, pid });
  expect((await fetch(new URL('/metrics', url))).status).toBe(200);
  expect((await fetch(new URL('/nowhere', url))).status).toBe(404);
});

test('a request for another host is refused, so no web page can ask in its name', async () => {
  const daemon = await testDaemon({ 'control.listen': '127.0.0.1:0' });
  const url = urlOf(daemon);
  const status = async (head: string) =>
    (await exchange(url, `${head}\r\nConnection: close\r\n\r\n`)).slice(0, 12);
  for (const host of [
    'localhost',
    `localhost:${url.port}`,
    '127.0.0.1',
    '127.1.2.3:80',
    '[::1]:9',
    'LOCALHOST.',
  ]) {
    expect(await status(`GET /v1/status HTTP/1.1\r\nHost: ${host}`)).toBe('HTTP/1.1 200');
  }
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '192.168.0.1',
    '',
  ]) {
    expect(await status(`GET /v1/status HTTP/1.1\r\nHost: ${host}`)).toBe('HTTP/1.1 421');
  }
  // The absolute form names a host of its own.
  expect(await status('GET http://evil.example/v1/status HTTP/1.1\r\nHost: localhost')).toBe('HTTP/1.1 421');
  expect(await status('GET /v1/status HTTP/1.0')).toBe('HTTP/1.1 421');
  const refused = await exchange(url, 'GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
  expect(refused).toMatch(/application\/problem\+json/);
  expect(refused).toMatch(
    /"detail":"this is no host called \\"evil\.example\\"; ask for localhost or 127\.0\.0\.1"/,
  );
});

test('a page of another host can have nothing done', async () => {
  const daemon = await testDaemon({ 'control.listen': '127.0.0.1:0' });
  const url = urlOf(daemon);
  const ask = (origin: string) =>
    fetch(new URL('/v1/checkpoint', url), { method: 'POST', headers: { origin } }).then(
      ({ status }) => status,
    );
  for (const origin of ['https://evil.example', 'http://localhost.evil.example', 'null']) {
    expect(await ask(origin)).toBe(403);
  }
  expect(await ask(url.origin)).toBe(200);
});

test('the control socket asks for no host', async () => {
  const daemon = await testDaemon();
  expect((await daemon.get('/v1/status', 'GET', { host: 'anything.example' })).status).toBe(200);
});

test('a port that another program has ends the start, and the failure names it', async () => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  onTestFinished(() => void taken.close());
  const { port } = taken.address() as net.AddressInfo;
  const daemon = await testDaemon();
  await daemon.stop();
  const { code, stderr } = await daemon.spawn({ 'control.listen': `127.0.0.1:${port}` }).ended;
  expect(code).toBe(73);
  expect(stderr).toContain(
    `ERR_TAKEN: another program listens on http://127.0.0.1:${port}/; name a free port`,
  );
});
