/**
 * `npm run profile [-- SECONDS [FOLDER]]`: the pipeline's load on a real daemon, a profile of each of its threads meanwhile,
 * and each as a flame graph by 0x, named by its thread. The folder (default: profiles) is made; what it holds of that is replaced.
 */

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LINE_BYTES } from '../src/load/load.js';
import { Child } from './child.js';
import { Daemon } from './daemon.js';
import { check } from './harness.js';
import type { SenderResult } from './sender.js';

const SECONDS_DEFAULT = 5;
/** The tables fill, and code is compiled. */
const WARM_UP_SECONDS = 3;
const CONNECTIONS = 16;
const DEPTH = 208;
const ZERO_X = fileURLToPath(new URL('../../node_modules/.bin/0x', import.meta.url));

const seconds = Number(process.argv[2] ?? SECONDS_DEFAULT);
check('seconds, a number above 0', seconds > 0, true);
const folder = resolve(process.argv[3] ?? 'profiles');
const directory = mkdtempSync(join(tmpdir(), 'tallyd-profile-'));
const daemon = new Daemon(directory, ['log.level=warn'], []);
try {
  await daemon.ready();
  for (const { thread, path } of await record()) draw(thread, path);
  check('the exit code', await daemon.stop(), 0);
} finally {
  daemon.kill();
  rmSync(directory, { recursive: true, force: true });
}

async function record(): Promise<{ thread: string; path: string }[]> {
  const args = [daemon.ingestPath, String(CONNECTIONS), String(DEPTH), String(LINE_BYTES)];
  const sender = new Child(new URL('./sender.js', import.meta.url), args);
  try {
    await sender.receive();
    const sent = sender.receive<SenderResult>();
    sender.send({ seconds: WARM_UP_SECONDS + seconds + 1, linesPerSecond: null });
    await sleep(WARM_UP_SECONDS * 1000);
    const { threads } = await daemon.post(`/v1/profile?seconds=${seconds}`);
    const { lines, accepted } = await sent;
    check('lines that were accepted', accepted, lines);
    return threads;
  } finally {
    await sender.end();
  }
}

function draw(thread: string, path: string): void {
  mkdirSync(folder, { recursive: true });
  const profile = join(folder, `${thread}.cpuprofile`);
  copyFileSync(path, profile);
  const graph = join(folder, `${thread}.html`);
  const options = ['--visualize-cpu-profile', profile, '-F', `${thread}.html`, '-s'];
  const { status, stderr } = spawnSync(ZERO_X, options, { cwd: folder, encoding: 'utf8' });
  check(`the exit code of 0x for ${thread} (${stderr})`, status, 0);
  process.stdout.write(`${graph}\n`);
}
