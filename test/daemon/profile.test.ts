/** CPU profiles of the running daemon's threads, whatever each of them does. */

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { testDaemon } from '../support/daemon.js';

interface Profile {
  readonly nodes: readonly { readonly callFrame: { readonly url: string } }[];
  readonly samples: readonly number[];
}

const THREADS = ['archive', 'control', 'fold', 'ingest', 'sync'];

test('tallyd profile records every thread, also those that never leave their loop, and the daemon goes on', async () => {
  const daemon = await testDaemon();
  const { code, stdout } = await daemon.command('profile', '--seconds', '0.3', '--json');
  expect(code).toBe(0);
  const { threads } = JSON.parse(stdout) as { threads: { thread: string; path: string }[] };
  expect(threads.map(({ thread }) => thread).sort()).toEqual(THREADS);
  for (const { thread, path } of threads) {
    expect(basename(path)).toBe(`${thread}.cpuprofile`);
    const { nodes, samples }: Profile = JSON.parse(readFileSync(path, 'utf8'));
    expect(samples.length).toBeGreaterThan(0);
    const files = nodes.map(({ callFrame }) => callFrame.url);
    // A stage stands in its own code; main and control may have been idle.
    if (['fold', 'archive', 'sync'].includes(thread)) {
      expect(files.some((url) => url.endsWith('/dist/src/ring/bell.js'))).toBe(true);
    }
  }
  expect(await daemon.send({ type: 'note' })).toMatchObject({ accepted: 1 });
});

test('one capture is taken at a time, and of a length that makes sense', async () => {
  const daemon = await testDaemon();
  const first = daemon.get('/v1/profile?seconds=1', 'POST');
  const second = await daemon.get('/v1/profile?seconds=1', 'POST');
  expect([(await first).status, second.status].sort()).toEqual([200, 409]);
  expect((await daemon.get('/v1/profile?seconds=0', 'POST')).status).toBe(400);
  expect((await daemon.get('/v1/profile?seconds=601', 'POST')).status).toBe(400);
  expect((await daemon.get('/v1/profile')).status).toBe(405);
});
