import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reportError } from '../../src/cli/program.js';
import { OPTIONS } from '../../src/config/options.js';
import { Failure } from '../../src/model/failure.js';
import { temporaryFolder } from './fake-daemon.js';
import { tallyd, testIo } from './terminal.js';

test.each([
  [['--help'], /^Usage: tallyd /],
  [['help', 'send'], /^Usage: tallyd send /],
  [['send', '--help'], /--set <KEY=VALUE>/],
  [['--version'], /^tallyd \d+\.\d+\.\d+\n$/],
])('%j is answered on stdout, with exit code 0', async (args, text) => {
  const { exitCode, stdout, stderr } = await tallyd(args);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toMatch(text);
});

test.each([
  [
    'an unknown command',
    ['staus'],
    /^ERR_USAGE: unknown command 'staus' \(Did you mean .*status.*\?\); see tallyd --help\n$/,
  ],
  [
    'an unknown option',
    ['check', '--sett=1'],
    /^ERR_USAGE: unknown option '--sett=1' \(Did you mean --set\?\)/,
  ],
  ['an argument too many', ['check', 'x'], /^ERR_USAGE: too many arguments/],
  ['a missing argument', ['show'], /^ERR_USAGE: missing required argument 'WORKFLOW'/],
  ['a missing value', ['check', '--set'], /^ERR_USAGE: option '--set <KEY=VALUE>' argument missing/],
  ['a setting without a value', ['check', '--set', 'ring.bytes'], /^ERR_USAGE: --set takes KEY=VALUE/],
  ['no command at all', [], /^Usage: tallyd /],
  ['half a command', ['archive'], /^Usage: tallyd archive /],
  ['an unknown half', ['archive', 'cta'], /^ERR_USAGE: unknown command 'cta' \(Did you mean cat\?\)/],
])('%s is wrong usage, said on stderr', async (_, args, text) => {
  const { exitCode, stdout, stderr } = await tallyd(args);
  expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: '' });
  expect(stderr).toMatch(text);
});

test.each(['run', 'check', 'send', 'status', 'stats', 'ps', 'show', 'report', 'tail'])(
  '%s takes the options that all commands take',
  async (command) => {
    const { stdout } = await tallyd([command, '--help']);
    for (const option of ['--config', '--state-dir', '--runtime-dir', '--set'])
      expect(stdout).toContain(option);
  },
);

test('check prints the effective configuration, and where each value came from', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'tallyd.toml');
  writeFileSync(file, '[ring]\nbytes = "2MiB"\n');
  const args = ['check', '--config', file, '--set', 'log.level=debug', '--state-dir', '/s'];
  const text = await tallyd(args, { env: { TALLYD_ARCHIVE__SYNC_INTERVAL: '250ms' } });
  expect(text.exitCode).toBe(0);
  expect(text.stdout).toContain(`Set by ${file} line 2.\nbytes = "2MiB"\n`);
  const json = await tallyd([...args, '--json'], { env: { TALLYD_ARCHIVE__SYNC_INTERVAL: '250ms' } });
  const config = JSON.parse(json.stdout);
  expect(config).toMatchObject({
    file,
    state_dir: '/s',
    ring: { bytes: 2097152 },
    archive: { sync_interval: 0.25 },
    ingest: { mode: '0660', group: null },
    sources: { 'ring.bytes': `${file} line 2`, 'log.level': '--set', 'log.format': 'default' },
  });
  expect(Object.keys(config.sources)).toHaveLength(OPTIONS.length);
});

test('check refuses a wrong configuration with all that is wrong', async () => {
  const args = ['check', '--set', 'ring.byts=1', '--set', 'log.level=loud'];
  const { exitCode, stdout, stderr } = await tallyd(args);
  expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
  expect(stderr).toMatch(
    /^ERR_CONFIG_INVALID: 2 problems in the configuration\n {2}ring\.byts .*\n {2}log\.level .*\n$/,
  );
});

test('archive cat reads the state directory that is named', async () => {
  const folder = temporaryFolder();
  const { exitCode, stderr } = await tallyd(['archive', 'cat', '--state-dir', folder]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(new RegExp(`^ERR_NOT_FOUND: no archive in ${folder}; `));
});

test('a failure is one line with its code, and decides the exit code', () => {
  const io = testIo();
  expect(reportError(new Failure('ERR_TAKEN', 'held by \x1b[31mpid 7'), io)).toBe(73);
  expect(io.texts.stderr).toBe('ERR_TAKEN: held by \\x1b[31mpid 7\n');
});

test('any other error is a bug: its stack, and the wish for a report', () => {
  const io = testIo();
  expect(reportError(new TypeError('x is not a function'), io)).toBe(70);
  expect(io.texts.stderr).toMatch(
    /^ERR_BUG: TypeError: x is not a function\n {4}at .*\nThis is a bug in tallyd\./s,
  );
});
