/** `tallyd top` in a real terminal, on the real executions. */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PROGRAM, TestDaemon } from '../support/daemon.js';
import { readExecutions } from '../support/real-executions.js';
import { Terminal } from '../support/tmux.js';

const program = fileURLToPath(new URL(`../../dist/${PROGRAM}`, import.meta.url));
/** Of a workflow that has not ended, so that something runs. */
const RUNNING = [
  { type: 'workflow.start', workflow: 'under-way', name: 'load', project: 'warehouse', phase: 'extract' },
  { type: 'task.start', workflow: 'under-way', task: 'orders', agent: 'loader-1' },
  { type: 'task.end', workflow: 'under-way', task: 'orders', agent: 'loader-1', status: 'completed' },
  { type: 'task.start', workflow: 'under-way', task: 'customers', agent: 'loader-2' },
];

let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await TestDaemon.start();
  const client = await daemon.connect();
  await client.write(readExecutions());
  await client.send(...RUNNING);
  await client.sync();
}, 120_000);
afterAll(() => daemon.remove());

const terminals: Terminal[] = [];
afterEach(async () => {
  for (const terminal of terminals.splice(0)) await terminal.end();
});

async function terminalOf(
  columns: number,
  rows: number,
  env: Record<string, string> = {},
): Promise<Terminal> {
  const terminal = await Terminal.start(columns, rows, env);
  terminals.push(terminal);
  return terminal;
}

function commandLine(of = daemon): string {
  return `node ${program} top --interval 0.2 --runtime-dir ${of.runtimeDir} --state-dir ${of.stateDir}`;
}

async function topIn(columns: number, rows: number, env: Record<string, string> = {}): Promise<Terminal> {
  const terminal = await terminalOf(columns, rows, env);
  await terminal.line(commandLine());
  await terminal.until((screen) => screen.includes('RUNNING WORKFLOWS 1') && screen.includes('AGENTS'));
  return terminal;
}

/** What the terminal is set to, as stty says it, in a word that fits into a line. */
async function settingsOf(terminal: Terminal): Promise<string> {
  await terminal.line('clear; stty -g | md5sum; echo end');
  const screen = await terminal.until((text) => /^end$/m.test(text));
  return /^[0-9a-f]{32}/m.exec(screen)![0];
}

test('80 by 24 has the daemon, the running workflows and the agents of the executions', async () => {
  const terminal = await topIn(80, 24);
  const lines = (await terminal.screen()).split('\n');
  expect(lines[0]).toMatch(/^tallyd \S+ {2}ready {2}up .* \d\d:\d\d:\d\d$/);
  expect(lines.join('\n')).toMatch(/92,850 accepted, 0 rejected/);
  expect(lines.join('\n')).toMatch(/threads +ingest +\d+ % +fold +\d+ %/);
  expect(lines.join('\n')).toMatch(/^under-way +warehouse +extract +\S+ +\S+ +1\/2 +0$/m);
  expect(lines.join('\n')).toMatch(/^worker-\d.*novalocal +[\d,]+ +\S+/m);
  expect(lines.every((line) => line.length <= 80)).toBe(true);
});

test('a terminal that is made wide and high shows the panels side by side, and all agents', async () => {
  const terminal = await topIn(80, 24);
  await terminal.resize(170, 50);
  await terminal.until((screen) => /^RUNNING WORKFLOWS 1.* AGENTS \d+/m.test(screen));
  await terminal.resize(60, 16);
  const screen = await terminal.until((text) => /^RUNNING WORKFLOWS 1/m.test(text) && /^AGENTS/m.test(text));
  expect(screen.trimEnd().split('\n')).toHaveLength(16);
});

test('a workflow that is over is found by its name and opened, and its timeline shown', async () => {
  const terminal = await topIn(100, 40);
  await terminal.keys('a', '/');
  await terminal.keys(...'blast-chameleon-small-001');
  await terminal.keys('Enter');
  await terminal.until(
    (screen) => screen.includes('WORKFLOWS 1 ') && screen.includes('/blast-chameleon-small-001'),
  );
  await terminal.keys('Enter');
  const screen = await terminal.until((text) => text.includes('parallel') && text.includes('split_fasta'));
  expect(screen).toMatch(/^blast-chameleon-small-001 {2}completed after/m);
  await terminal.keys('Escape');
  await terminal.until((text) => text.includes('AGENTS'));
});

test('rows are sorted and turned round by keys', async () => {
  const terminal = await topIn(100, 40);
  await terminal.keys('Tab', 's', 'r');
  const screen = await terminal.until((text) => text.includes('by agent ↓'));
  const names = [...screen.slice(screen.indexOf('mean')).matchAll(/^([a-z]\S+) +[\d,]+ +\S+s? /gm)].map(
    (match) => match[1]!,
  );
  expect(names.length).toBeGreaterThan(3);
  expect([...names].sort().reverse()).toEqual(names);
});

test('NO_COLOR leaves no colour, and an ASCII locale nothing but ASCII', async () => {
  const terminal = await topIn(80, 24, { NO_COLOR: '1', LC_ALL: 'C' });
  const screen = await terminal.coloredScreen();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  const codes = [...screen.matchAll(/\x1b\[([\d;]*)m/g)].map((match) => match[1]!);
  expect(codes.filter((code) => /(^|;)(3[0-8]|4[0-8]|9\d|10\d)(;|$)/.test(code))).toEqual([]);
  expect(screen.replaceAll('\x1b', '')).toMatch(/^[\x20-\x7e\n]*$/);
});

describe('the terminal is as it was', () => {
  test.each([
    ['q', async (terminal: Terminal) => terminal.keys('q')],
    ['Ctrl-C', async (terminal: Terminal) => terminal.keys('C-c')],
    ['SIGTERM', async () => process.kill(pidOfTop(), 'SIGTERM')],
    ['SIGHUP', async () => process.kill(pidOfTop(), 'SIGHUP')],
  ])('after %s', async (_, end) => {
    const terminal = await terminalOf(80, 24);
    const before = await settingsOf(terminal);
    await terminal.line(commandLine());
    await terminal.until((screen) => screen.includes('RUNNING WORKFLOWS'));
    await end(terminal);
    // What stood on the screen before stands there again.
    await terminal.until((screen) => screen.includes(before) && !screen.includes('RUNNING WORKFLOWS'));
    expect(await settingsOf(terminal)).toBe(before);
  });

  test.each([
    ['Ctrl-Z', async (terminal: Terminal) => terminal.keys('C-z')],
    ['SIGTSTP of another process', async () => process.kill(pidOfTop(), 'SIGTSTP')],
  ])('while it is suspended by %s, and fg brings the screen back', async (_, suspend) => {
    const terminal = await terminalOf(80, 24);
    const before = await settingsOf(terminal);
    await terminal.line(commandLine());
    for (let round = 0; round < 2; round++) {
      await terminal.until((screen) => screen.includes('RUNNING WORKFLOWS 1'));
      await suspend(terminal);
      await terminal.until((screen) => screen.includes('Stopped') && !screen.includes('RUNNING WORKFLOWS'));
      expect(await settingsOf(terminal)).toBe(before);
      await terminal.line('fg');
    }
    await terminal.until((screen) => screen.includes('RUNNING WORKFLOWS 1'));
    await terminal.keys('q');
    await terminal.until((screen) => !screen.includes('RUNNING WORKFLOWS'));
    expect(await settingsOf(terminal)).toBe(before);
  });
});

test('a daemon that ends while one looks is said to be gone, and is back when it is', async () => {
  const own = await TestDaemon.start();
  try {
    const terminal = await terminalOf(80, 24);
    await terminal.line(commandLine(own));
    await terminal.until((screen) => screen.includes('ready'));
    await own.stop();
    await terminal.until((screen) => screen.includes('no answer for'));
    await own.restart();
    await terminal.until((screen) => !screen.includes('no answer for') && screen.includes('ready'));
  } finally {
    await own.remove();
  }
});

test('a terminal that cannot move its cursor is told of tallyd status', async () => {
  const terminal = await terminalOf(100, 24, {});
  await terminal.line(`TERM=dumb ${commandLine()}; echo code $?`);
  const screen = await terminal.until((text) => /^code \d+$/m.test(text));
  expect(screen).toMatch(/ERR_USAGE: top needs a terminal that can move its cursor; tallyd status/);
  expect(screen).toContain('code 64');
});

/** Of the program of the last terminal: it names the folder of our daemon. */
function pidOfTop(): number {
  const lines = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  const own = lines.find((line) => / node \S*main\.js top /.test(line) && line.includes(daemon.runtimeDir));
  return Number(own!.trim().split(' ')[0]);
}
