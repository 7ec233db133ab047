/** The package as `npm pack` makes it, installed where neither a compiler nor this clone is. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { Program } from '../support/children.js';
import { createFolder } from '../support/folder.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const INSTALL_MS_MAX = 150_000;

test('the packed package installs and runs without a compiler, and brings its manual pages and units', async () => {
  const folder = createFolder();
  onTestFinished(() => folder.remove());
  const prefix = join(folder.path, 'prefix');
  const bin = join(folder.path, 'bin');
  mkdirSync(bin);
  // All that there is on the PATH: no cc, no make, no python.
  const npm = execFileSync('bash', ['-c', 'readlink -f "$(command -v npm)"'], { encoding: 'utf8' }).trim();
  symlinkSync(process.execPath, join(bin, 'node'));
  symlinkSync(npm, join(bin, 'npm'));
  for (const name of ['sh', 'env']) symlinkSync(`/usr/bin/${name}`, join(bin, name));
  const env = { PATH: bin };

  // dist/ is there: this test runs behind the build, and a second one would change the files of tests that run now.
  const pack = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder.path];
  const tarball = execFileSync('npm', pack, { cwd: ROOT, encoding: 'utf8' }).trim();
  const install = ['install', '--global', '--prefix', prefix, '--prefer-offline', '--no-audit', '--no-fund'];
  const installed = new Program(join(bin, 'npm'), [...install, join(folder.path, tarball)], env);
  const timer = setTimeout(() => installed.signal('SIGKILL'), INSTALL_MS_MAX);
  const { code, stderr } = await installed.ended;
  clearTimeout(timer);
  expect({ code, stderr }).toMatchObject({ code: 0 });

  const tallyd = join(prefix, 'bin/tallyd');
  const flags = ['--state-dir', join(folder.path, 's'), '--runtime-dir', join(folder.path, 'r')];
  const daemon = new Program(tallyd, ['run', ...flags], env);
  onTestFinished(() => daemon.kill());
  while (daemon.isAlive && !daemon.stderr.includes('listening')) await sleep(20);
  const lines = join(folder.path, 'lines');
  writeFileSync(lines, '{"type":"sample","name":"m","value":1}\n');
  expect(await new Program(tallyd, ['send', ...flags, lines], env).ended).toMatchObject({ code: 0 });
  const asked = await new Program(tallyd, ['stats', 'm', ...flags, '--json'], env).ended;
  expect(JSON.parse(asked.stdout).groups).toMatchObject([{ count: 1, sum: 1 }]);
  daemon.signal('SIGTERM');
  expect((await daemon.ended).code).toBe(0);

  const pages = ['man1/tallyd.1', 'man5/tallyd.toml.5', 'man5/tallyd-archive.5', 'man7/tallyd-protocol.7'];
  expect(pages.filter((page) => !existsSync(join(prefix, 'share/man', page)))).toEqual([]);
  const unitsOf = (root: string) => readdirSync(join(root, 'systemd'), { recursive: true, encoding: 'utf8' });
  expect(unitsOf(join(prefix, 'lib/node_modules/tallyd')).sort()).toEqual(unitsOf(ROOT).sort());
});
