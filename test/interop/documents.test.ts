/** Every command of the documents is run, and prints what they say. */

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { builtFile, Program } from '../support/children.js';
import { PROGRAM, testDaemon } from '../support/daemon.js';
import { codeBlocks, commandsOf, requireLines } from '../support/documents.js';
import { createFolder } from '../support/folder.js';
import { Shell } from '../support/shell.js';
import { readText } from '../tidy/source-tree.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const START_MS_MAX = 150_000;

function testFolder(): string {
  const folder = createFolder();
  onTestFinished(() => folder.remove());
  return folder.path;
}

function shell(env: Record<string, string>): Shell {
  const one = new Shell(env);
  onTestFinished(() => one.end());
  return one;
}

/** Runs the commands of console blocks in their order. */
async function follow(markdown: string, one: Shell): Promise<number> {
  let count = 0;
  for (const block of codeBlocks(markdown).filter(({ language }) => language === 'console')) {
    for (const { line, output } of commandsOf(block)) {
      const { lines } = await one.run(line);
      requireLines(output, lines);
      count++;
    }
  }
  return count;
}

test('the examples of clients do what they say', async () => {
  const daemon = await testDaemon();
  const folder = testFolder();
  const here = (text: string) => text.replaceAll('/run/tallyd/', `${daemon.runtimeDir}/`);
  const document = here(readText('docs/clients.md'));
  for (const { text } of codeBlocks(document)) {
    const file = /^# (\S+\.(?:py|sh))\n/.exec(text)?.[1];
    if (file !== undefined) writeFileSync(join(folder, file), text);
  }
  const one = shell({ STATE_DIRECTORY: daemon.stateDir, RUNTIME_DIRECTORY: daemon.runtimeDir });
  await one.run(`cd ${folder}; tallyd() { node ${builtFile(PROGRAM)} "$@"; }`);
  expect(await follow(document, one)).toBeGreaterThan(8);
  expect(daemon.complaints).toEqual([]);
});

test('the numbered client in Python counts each event once, though the daemon is killed again and again', async () => {
  const daemon = await testDaemon();
  const folder = testFolder();
  const source = codeBlocks(readText('docs/clients.md')).find(({ text }) =>
    text.startsWith('# numbered.py'),
  )!;
  const file = join(folder, 'numbered.py');
  writeFileSync(file, source.text.replaceAll('/run/tallyd/', `${daemon.runtimeDir}/`));
  const count = 300_000;
  const client = new Program('python3', [file, String(count)]);
  onTestFinished(() => client.kill());
  let kills = 0;
  for (; kills < 4 && client.isAlive; kills++) {
    await sleep(300);
    await daemon.kill();
    await daemon.restart();
  }
  expect(await client.ended).toMatchObject({ code: 0, stderr: '' });
  expect(kills).toBeGreaterThan(1);
  expect(await daemon.groups('numbered')).toMatchObject([{ count, sum: (count * (count - 1)) / 2 }]);
});

test('a fresh clone becomes a running, queried service by the commands of the README', async () => {
  const folder = testFolder();
  const clone = join(folder, 'clone');
  const demo = join(folder, 'demo');
  mkdirSync(clone);
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: ROOT,
  });
  for (const file of files.toString().split('\0').filter(Boolean)) {
    cpSync(join(ROOT, file), join(clone, file));
  }
  const readme = readText('README.md')
    .replaceAll('/tmp/tallyd-demo', demo)
    .replaceAll('/tmp/bad.toml', join(folder, 'bad.toml'));
  writeFileSync(join(folder, 'bad.toml'), '[ring]\nbytes = 100000\nbyts = 1\n');
  const [first, ...others] = codeBlocks(readme).filter(({ language }) => language === 'console');
  const env = {
    NO_COLOR: '1',
    npm_config_prefer_offline: 'true',
    npm_config_audit: 'false',
    npm_config_fund: 'false',
    npm_config_progress: 'false',
  };

  // The daemon, on a terminal, as the README shows it.
  const starting = commandsOf(first!);
  const script = `cd ${clone}\n${starting.map(({ line }) => line).join('\n')}`;
  const daemon = new Program(
    'script',
    ['--quiet', '--flush', '--command', `bash -c '${script}'`, '/dev/null'],
    env,
  );
  onTestFinished(() => daemon.kill());
  const until = performance.now() + START_MS_MAX;
  while (!daemon.stdout.includes('listening') && daemon.isAlive && performance.now() < until)
    await sleep(100);
  await sleep(100);
  const expected = starting.flatMap(({ output }) => output);
  requireLines(expected, daemon.stdout.split(/\r?\n/));

  const one = shell(env);
  await one.run(`cd ${clone}`);
  const blocks = others.map(({ text }) => `\`\`\`console\n${text}\`\`\`\n`).join('');
  expect(await follow(blocks, one)).toBeGreaterThan(7);

  // Commands in the text; and those of the configuration, as far as the daemon reads it.
  for (const [, command] of readme.matchAll(/`(curl --unix-socket [^`]+)`/g)) {
    expect(await one.run(command!)).toMatchObject({ code: 0 });
  }
  const configuring = codeBlocks(readme).filter(
    ({ language, text }) => language === 'sh' && text.includes('tallyd run'),
  );
  const runs = configuring.flatMap(({ text }) => text.trim().split('\n'));
  expect(runs.length).toBeGreaterThan(2);
  for (const line of runs) {
    const own = join(folder, 'own');
    await one.run(
      `cd ${folder}; tallyd() { [ "$1" = run ] && shift; STATE_DIRECTORY=${own} node ${clone}/dist/src/cli/main.js check "$@"; }`,
    );
    const { code, lines } = await one.run(line);
    expect({ code, line, ring: lines.find((text) => text.startsWith('bytes =')) }).toEqual({
      code: 0,
      line,
      ring: 'bytes = "64MiB"',
    });
  }
  daemon.write('\x03'); // Ctrl-C
  expect((await daemon.ended).stdout).toContain('drained');
});
