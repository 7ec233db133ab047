/**
 * `npm run demo`: a daemon of its own in a temporary folder, an example workload played into it, and the address of the page. Ctrl-C
 * ends the daemon and removes the folder.
 *
 *     node dist/demo/main.js [SPEED] [PORT]
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exampleWorkload } from './workload.js';

const PROGRAM = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const SEED = 1;
const STEP_MS = 50;
/** Of the workload that is over when the demo begins, so that no view is empty. */
const EARLIER_SECONDS = 120;

const [speed = 1, port = 0] = process.argv.slice(2).map(Number);
if (!(speed > 0) || !Number.isInteger(port)) {
  process.stderr.write(
    'node dist/demo/main.js [SPEED] [PORT]: SPEED is 1 where it is left out, PORT any free one\n',
  );
  process.exit(64);
}

const folder = mkdtempSync(join(tmpdir(), 'tallyd-demo-'));
const daemon = startDaemon(folder, port);
const over = new AbortController();
process.on('SIGINT', () => over.abort());
process.on('SIGTERM', () => over.abort());
try {
  const url = await urlOf(daemon);
  const flags = `--state-dir ${folder} --runtime-dir ${folder}`;
  process.stdout.write(
    `the page:      ${url}\nin a terminal: node ${PROGRAM} top ${flags}\nCtrl-C ends the demo\n`,
  );
  await play(join(folder, 'ingest.sock'), speed, over.signal);
} finally {
  await stopDaemon(daemon);
  rmSync(folder, { recursive: true, force: true });
}

/** Not in our process group: Ctrl-C is for us, and we end it in order. */
function startDaemon(directory: string, listenPort: number): ChildProcess {
  const flags = [
    '--state-dir',
    directory,
    '--runtime-dir',
    directory,
    '--set',
    `control.listen=127.0.0.1:${listenPort}`,
  ];
  const child = spawn(process.execPath, [PROGRAM, 'run', ...flags, '--set', 'log.format=json'], {
    stdio: ['ignore', 'inherit', 'pipe'],
    detached: true,
  });
  process.on('exit', () => child.kill('SIGKILL'));
  return child;
}

/** Out of its log, when it listens. The rest of the log goes on to our standard error where it complains. */
async function urlOf({ stderr }: ChildProcess): Promise<string> {
  const lines = createInterface({ input: stderr! });
  const url = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      const record = parse(line);
      if (typeof record?.url === 'string') resolve(record.url);
      if (record === null || /warn|error|fatal/.test(String(record.level))) process.stderr.write(`${line}\n`);
    });
    lines.on('close', () => reject(new Error('the daemon ended before it listened')));
  });
  return url;
}

function parse(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

/** Writes each event at its time, the earlier ones at once and with the times that they would have had. */
async function play(path: string, atSpeed: number, signal: AbortSignal): Promise<void> {
  const socket = connect(path);
  await once(socket, 'connect');
  const beginsAt = Date.now() / 1000 - EARLIER_SECONDS / atSpeed;
  const events = exampleWorkload(SEED);
  let next = events.next().value;
  while (!signal.aborted && !socket.destroyed) {
    const now = Date.now() / 1000;
    let lines = '';
    while (beginsAt + next.at / atSpeed <= now) {
      lines += `${JSON.stringify({ ...next.event, ts: beginsAt + next.at / atSpeed })}\n`;
      next = events.next().value;
    }
    if (lines !== '') await write(socket, lines);
    await sleep(STEP_MS, undefined, { signal }).catch(() => {});
  }
  socket.end();
}

function write(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(text, (error) => (error ? reject(error) : resolve()));
  });
}

async function stopDaemon(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'close');
}
