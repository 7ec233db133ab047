import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { tallyd } from '../cli/terminal.js';
import { readTable } from './import-rules.js';
import { filesBelow, ROOT, readText } from './source-tree.js';

const readme = readText('README.md');
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'systemd/README.md',
  ...filesBelow('docs'),
  ...filesBelow('src'),
].filter((path) => path.endsWith('.md'));

test('the README begins with the two commands that start and test a fresh clone', () => {
  const block = /```sh\n([^`]*)```/.exec(readme)?.[1] ?? '';
  const commands = block.split('\n').map((line) => line.replace(/\s+#.*$/, ''));
  expect(commands.filter((command) => command !== '')).toEqual(['npm ci && npm start', 'npm ci && npm test']);
});

test('the README lists the commands that the program has', async () => {
  const { stdout: help } = await tallyd(['--help']);
  const { stdout: archiveHelp } = await tallyd(['archive', '--help']);
  const built = [
    ...namesIn(help).filter((name) => name !== 'archive'),
    ...namesIn(archiveHelp).map((n) => `archive ${n}`),
  ];
  const listed = readTable(readme, 'command', 'does').map(([usage = '']) =>
    usage.replace(/^tallyd |( [[A-Z-].*)$/g, ''),
  );
  expect(listed.sort()).toEqual(built.sort());
});

function namesIn(help: string): string[] {
  const list = help.slice(help.indexOf('Commands:'));
  return [...list.matchAll(/^ {2}([a-z]+)/gm)].map((match) => match[1]!).filter((name) => name !== 'help');
}

test('the README gives a reason for each dependency, and for no other package', () => {
  const { dependencies } = JSON.parse(readText('package.json'));
  const listed = readTable(readme, 'dependency', 'why').map(([name]) => name);
  expect(listed.sort()).toEqual(Object.keys(dependencies).sort());
});

test.each(documents.map((path) => [path]))('the links of %s lead to files', (path) => {
  const targets = [...readText(path).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map((match) => match[1]!);
  const local = targets.filter((target) => !/^[a-z]+:/.test(target));
  const missing = local.filter((target) => !existsSync(join(fileURLToPath(ROOT), dirname(path), target)));
  expect(missing).toEqual([]);
});
