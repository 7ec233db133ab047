/** The manual pages as the tools of the system read them. */

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const PAGES = fileURLToPath(new URL('../../dist/man-pages', import.meta.url));

function run(program: string, ...args: readonly string[]) {
  const env = { ...process.env, LC_ALL: 'C.UTF-8', MANWIDTH: '100', MANPAGER: 'cat' };
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

test('there are four pages', () => {
  expect(readdirSync(PAGES).sort()).toEqual([
    'tallyd-archive.5',
    'tallyd-protocol.7',
    'tallyd.1',
    'tallyd.toml.5',
  ]);
});

test.each(readdirSync(PAGES))('man shows %s, and neither groff nor mandoc has anything to say', (file) => {
  const path = join(PAGES, file);
  expect(run('mandoc', '-Tlint', path)).toEqual({ status: 0, stdout: '', stderr: '' });
  const shown = run('man', '--warnings', '--encoding=UTF-8', '--local-file', path);
  expect({ status: shown.status, stderr: shown.stderr }).toEqual({ status: 0, stderr: '' });
  expect(shown.stdout).toMatch(/^ *NAME$/m);
});
