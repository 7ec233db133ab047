/** Shell completion in the shells themselves: what each offers behind a line that somebody has begun. */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tallyd } from '../cli/terminal.js';
import { createFolder } from '../support/folder.js';

const ZSH_DRIVER = fileURLToPath(new URL('../support/complete.zsh', import.meta.url));
let folder: ReturnType<typeof createFolder>;

beforeAll(async () => {
  folder = createFolder();
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = await tallyd(['completion', shell]);
    writeFileSync(join(folder.path, shell), stdout);
  }
  writeFileSync(join(folder.path, 'events.ndjson'), '');
});

afterAll(() => folder.remove());

function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, {
    cwd: folder.path,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** What is offered behind a line, by each shell. */
const OFFERED: Readonly<Record<string, (line: string) => string[]>> = {
  bash: (line) => {
    const words = line.split(/(=)| /).filter((word) => word !== undefined);
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const script = `source ./bash; compopt() { :; }; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _tallyd; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run('bash', '--norc', '-c', script).split('\n');
  },
  zsh: (line) =>
    [...run('zsh', '-f', ZSH_DRIVER, './zsh', line).matchAll(/<([^>]*)>/g)].map((match) => match[1]!),
  fish: (line) => {
    const script = `source ./fish; complete -C '${line}'`;
    return run('fish', '--no-config', '-c', script)
      .split('\n')
      .map((row) => row.split('\t')[0]!);
  },
};

test.each(Object.keys(OFFERED))('%s completes commands, options and their values', (shell) => {
  const offered = (line: string) =>
    OFFERED[shell]!(line)
      .filter((word) => word !== '')
      .sort();
  expect(offered('tallyd sta')).toEqual(['stats', 'status']);
  expect(offered('tallyd archive c')).toEqual(['cat']);
  expect(offered('tallyd stats --wi')).toEqual(['--window']);
  expect(offered('tallyd stats --window ')).toEqual(['1d', '1h', '1m', '5m', 'all']);
  expect(offered('tallyd run --set ring.')).toEqual(['ring.bytes=']);
  expect(offered('tallyd tail --type workflow.s')).toEqual(['workflow.start', 'workflow.status']);
  expect(offered('tallyd completion ')).toEqual(['bash', 'fish', 'zsh']);
  // An option of the command, not of the program, though words stand between.
  expect(offered('tallyd show nightly-42 --a')).toEqual(['--all']);
});

test.each(['bash', 'fish'])('%s completes the file to send', (shell) => {
  expect(OFFERED[shell]!('tallyd send ev')).toContain('events.ndjson');
  expect(OFFERED[shell]!('tallyd check --config ev')).toContain('events.ndjson');
});
