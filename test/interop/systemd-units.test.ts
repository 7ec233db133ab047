/** The units as systemd's own tools read them. Nothing of systemd is started. */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { builtFile, Child, Program } from '../support/children.js';
import { PROGRAM } from '../support/daemon.js';
import { createFolder } from '../support/folder.js';

const UNITS = fileURLToPath(new URL('../../systemd/', import.meta.url));
const EXPOSURE_MAX = 1.5;

function testFolder(): string {
  const folder = createFolder();
  onTestFinished(() => folder.remove());
  return folder.path;
}

/** A program's words and its exit code. */
function run(program: string, args: readonly string[], env: Record<string, string> = {}) {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (error !== undefined) throw error;
  return { status, output: stdout + stderr };
}

test.each([
  ['the units of the system', '', []],
  ['the units of a user', 'user/', ['--user']],
])('systemd-analyze verify says nothing about %s', (_, folder, flags) => {
  const root = testFolder();
  const files = ['tallyd.socket', 'tallyd.service'].map((name) => {
    const text = readFileSync(join(UNITS, folder, name), 'utf8');
    const file = join(root, name);
    // The program is installed nowhere here; this clone's stands for it.
    writeFileSync(file, text.replaceAll('=tallyd ', `=${builtFile(PROGRAM)} `));
    return file;
  });
  const verify = ['--man=no', ...flags, 'verify', ...files];
  expect(run('systemd-analyze', verify, { XDG_RUNTIME_DIR: root })).toEqual({ status: 0, output: '' });
});

test('systemd-analyze verify finds what is wrong in a unit', () => {
  const file = join(testFolder(), 'tallyd.service');
  writeFileSync(file, '[Service]\nExecStart=/bin/true\nRestrat=always\n');
  expect(run('systemd-analyze', ['--man=no', 'verify', file]).output).toContain('Restrat');
});

test(`systemd-analyze security rates the service at ${EXPOSURE_MAX} or better`, () => {
  const { output } = run('systemd-analyze', ['security', '--offline=true', join(UNITS, 'tallyd.service')]);
  const exposure = Number(/Overall exposure level for tallyd\.service: ([\d.]+)/.exec(output)?.[1]);
  expect(exposure).toBeLessThanOrEqual(EXPOSURE_MAX);
});

test('the units can be enabled, and the user and the folder of the sockets made, in an empty root', () => {
  const root = testFolder();
  const put = (name: string, folder: string) => {
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, folder, name), readFileSync(join(UNITS, name)));
  };
  put('tallyd.service', 'etc/systemd/system');
  put('tallyd.socket', 'etc/systemd/system');
  run('systemctl', [`--root=${root}`, 'enable', 'tallyd.service']);
  const wantedBy = (target: string) => readdirSync(join(root, 'etc/systemd/system', `${target}.wants`));
  expect(wantedBy('multi-user.target')).toEqual(['tallyd.service']);
  expect(wantedBy('sockets.target')).toEqual(['tallyd.socket']);
  execFileSync('systemd-sysusers', [`--root=${root}`, join(UNITS, 'tallyd.sysusers.conf')]);
  expect(readFileSync(join(root, 'etc/passwd'), 'utf8')).toMatch(
    /^tallyd:[^:]*:\d+:\d+:tallyd event daemon:\/var\/lib\/tallyd:\/usr\/sbin\/nologin$/m,
  );
  expect(readFileSync(join(root, 'etc/group'), 'utf8')).toMatch(/^tallyd:/m);
  execFileSync('systemd-tmpfiles', ['--create', `--root=${root}`, join(UNITS, 'tallyd.tmpfiles.conf')]);
  expect(existsSync(join(root, 'run/tallyd'))).toBe(true);
});

test('the example configuration is one that the daemon takes', async () => {
  const { code, stderr } = await new Child(PROGRAM, ['check', '--config', join(UNITS, 'tallyd.toml')]).ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

test('the daemon makes no system call that the service forbids', async () => {
  const folder = testFolder();
  const trace = join(folder, 'trace');
  const flags = ['--state-dir', join(folder, 's'), '--runtime-dir', folder];
  const command = [process.execPath, builtFile(PROGRAM), 'run', ...flags];
  const traced = new Program('strace', ['-f', '-o', trace, ...command]);
  onTestFinished(() => traced.kill());
  const lines = join(folder, 'lines');
  writeFileSync(lines, '{"type":"sample","name":"m","value":1}\n'.repeat(10_000));
  const pid = () => Number(/"pid":(\d+)/.exec(traced.stderr)?.[1]);
  while (traced.isAlive && !pid()) await sleep(20);
  expect(await new Child(PROGRAM, ['send', ...flags, lines]).ended).toMatchObject({ code: 0 });
  for (const command of ['status', 'stats']) {
    expect(await new Child(PROGRAM, [command, ...flags]).ended).toMatchObject({ code: 0 });
  }
  process.kill(pid(), 'SIGTERM');
  expect((await traced.ended).code).toBe(0);
  const called = new Set(
    [...readFileSync(trace, 'utf8').matchAll(/^\d+ +([a-z]\w*)\(/gm)].map(([, name]) => name!),
  );
  expect(called.size).toBeGreaterThan(30);
  const service = readFileSync(join(UNITS, 'tallyd.service'), 'utf8');
  const allowed = new Set<string>();
  for (const [, not, groups] of service.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)) {
    for (const call of groups!.split(' ').flatMap(callsOf)) {
      if (not === '') allowed.add(call);
      else allowed.delete(call);
    }
  }
  expect([...called].filter((call) => !allowed.has(call))).toEqual([]);
});

/** The calls of a group, and of the groups in it. */
function callsOf(group: string): string[] {
  if (!group.startsWith('@')) return [group];
  const { output } = run('systemd-analyze', ['syscall-filter', group]);
  const members = output.split('\n').filter((line) => /^ {4}[^#]/.test(line));
  return members.flatMap((line) => callsOf(line.trim()));
}
