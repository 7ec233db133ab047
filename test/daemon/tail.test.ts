/** `tallyd tail` as a process beside the real daemon: interrupted, with a closed pipe, and over a restart. */

import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { Child } from '../support/children.js';
import { PROGRAM, type TestDaemon, testDaemon } from '../support/daemon.js';

const note = (n: number) => ({ type: 'note', n, ts: 0 });
const line = (n: number) => `1970-01-01 00:00:00Z  note             {"n":${n}}\n`;

function tail(daemon: TestDaemon, ...args: string[]): Child {
  const child = new Child(PROGRAM, ['tail', '--runtime-dir', daemon.runtimeDir, ...args]);
  onTestFinished(() => child.kill());
  return child;
}

/** Sends notes until one of them is told: from then on the tail listens. @returns the number of the next note */
async function untilItListens(daemon: TestDaemon, child: Child): Promise<number> {
  let n = 0;
  for (const before = child.stdout.length; child.stdout.length === before; ) {
    await daemon.send(note(n++));
    await sleep(50);
  }
  return n;
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 2000) expect.fail('it does not come to hold');
    await sleep(10);
  }
}

test('SIGINT ends tail at once, with all that it was told printed', async () => {
  const daemon = await testDaemon();
  const child = tail(daemon, '--type', 'note');
  const n = await untilItListens(daemon, child);
  await daemon.send({ type: 'other' }, note(n), note(n + 1));
  await until(() => child.stdout.endsWith(line(n) + line(n + 1)));
  expect(child.stdout).not.toContain('other');
  child.signal('SIGINT');
  expect(await child.ended).toMatchObject({ code: 130, stderr: '' });
});

test('a reader of tail that has enough ends it quietly', async () => {
  const daemon = await testDaemon();
  const script = fileURLToPath(new URL(`../../dist/${PROGRAM}`, import.meta.url));
  const node = [process.execPath, script, 'tail', '--json', '--runtime-dir', daemon.runtimeDir];
  const pipe = spawn('sh', ['-c', '{ "$@"; echo "exit $?" >&2; } | head -n 1', 'sh', ...node]);
  onTestFinished(() => {
    pipe.kill('SIGKILL');
  });
  let stdout = '';
  let stderr = '';
  pipe.stdout.on('data', (part) => {
    stdout += part;
  });
  pipe.stderr.on('data', (part) => {
    stderr += part;
  });
  const closed = new Promise((resolve) => pipe.on('close', resolve));
  let over = false;
  closed.then(() => {
    over = true;
  });
  for (let n = 0; !over; n++) {
    await daemon.send({ type: 'note', n });
    await sleep(50);
  }
  expect(stdout).toMatch(/^\{"type":"note","n":\d+\}\n$/);
  expect(stderr).toBe('exit 0\n');
});

test('tail goes on when the daemon comes back, and every line of the meantime is told or counted as missed', async () => {
  const daemon = await testDaemon();
  const child = tail(daemon);
  await untilItListens(daemon, child);
  await daemon.stop();
  await until(() => child.stderr.includes('the daemon has ended the feed'));
  const before = child.stdout.length;
  await daemon.restart();
  const count = await untilItListens(daemon, child);
  await daemon.send(note(count));
  await until(() => child.stdout.endsWith(line(count)));
  const told = child.stdout.slice(before).trimEnd().split('\n').length;
  const missed = Number(/tallyd: (\d+) lines? missed/.exec(child.stderr)?.[1] ?? 0);
  expect(missed + told).toBe(count + 1);
  child.signal('SIGINT');
  expect((await child.ended).code).toBe(130);
});
