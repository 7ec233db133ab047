import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.js';

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
});
afterAll(() => daemon.remove());

describe.each([
  ['/', 'text/html; charset=utf-8'],
  ['/page.js', 'text/javascript; charset=utf-8'],
  ['/page.css', 'text/css; charset=utf-8'],
  ['/icon.svg', 'image/svg+xml'],
])('GET %s', (path, type) => {
  test('is a file of the page, with a policy that allows nothing from elsewhere and nothing inline', async () => {
    const { status, headers, text } = await daemon.get(path);
    expect(status).toBe(200);
    expect(text.length).toBeGreaterThan(100);
    expect(headers).toMatchObject({
      'content-type': type,
      'content-length': String(Buffer.byteLength(text)),
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    const policy = Object.fromEntries(
      String(headers['content-security-policy'])
        .split('; ')
        .map((part) => part.split(/ (.*)/)),
    );
    expect(policy).toMatchObject({
      'default-src': "'none'",
      'script-src': "'self'",
      'style-src': "'self'",
      'base-uri': "'none'",
      'form-action': "'none'",
      'frame-ancestors': "'none'",
      'require-trusted-types-for': "'script'",
    });
    expect(String(headers['content-security-policy'])).not.toMatch(/unsafe|https?:|data:|\*/);
  });

  test('is not sent again to who has it', async () => {
    const { headers } = await daemon.get(path);
    const again = await ask(path, { 'if-none-match': String(headers.etag) });
    expect(again).toMatchObject({ status: 304, text: '' });
    expect((await ask(path, { 'if-none-match': '"another"' })).status).toBe(200);
  });

  test('has no body for HEAD, and takes no POST', async () => {
    expect(await daemon.get(path, 'HEAD')).toMatchObject({ status: 200, text: '' });
    expect(await daemon.get(path, 'POST')).toMatchObject({ status: 405, body: { status: 405 } });
  });
});

test('the page names no resource but its own files, and has no script or style in it', async () => {
  const { text } = await daemon.get('/');
  const named = [...text.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1]);
  expect(named.sort()).toEqual(['/icon.svg', '/page.css', '/page.js']);
  expect(text).not.toMatch(/<style|<script[^>]*>[^<]|\son[a-z]+=|\sstyle=/);
  const { text: css } = await daemon.get('/page.css');
  expect(css).not.toMatch(/url\(|@import/);
});

function ask(path: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socketPath = join(daemon.runtimeDir, 'control.sock');
    const asked = request({ socketPath, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode!, text }));
    });
    asked.on('error', reject);
    asked.end();
  });
}
