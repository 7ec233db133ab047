/** `tallyd bench` against the real daemon: what it says is right, and what it leaves behind. */

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testDaemon } from '../support/daemon.js';

test('the running daemon has every event of a bench, under names that say so', async () => {
  const daemon = await testDaemon();
  const { code, stdout } = await daemon.command('bench', '--running', '--seconds', '1', '--json');
  const result = JSON.parse(stdout);
  expect({ code, wrong: result.wrong }).toEqual({ code: 0, wrong: [] });
  expect(result).toMatchObject({ private: false, interrupted: false, accepted: result.sent, rejected: 0 });
  expect(result.sync_seconds.count).toBeGreaterThan(0);
  const { body } = await daemon.get('/v1/stats?metric=task_duration_seconds&by=agent');
  for (const { labels } of body.groups) expect(labels.agent).toMatch(/^bench\d\d$/);
});

test('a private daemon leaves no folder behind', async () => {
  const daemon = await testDaemon();
  const folder = mkdtempSync(join(tmpdir(), 'bench-test-'));
  const earlier = process.env.TMPDIR;
  process.env.TMPDIR = folder;
  try {
    const { code } = await daemon.command('bench', '--seconds', '1', '--rate', '20000');
    expect(code).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
    expect((await daemon.get('/v1/status')).body.ingest.lines).toBe(0);
  } finally {
    if (earlier === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = earlier;
    rmSync(folder, { recursive: true, force: true });
  }
  expect(existsSync(folder)).toBe(false);
});
