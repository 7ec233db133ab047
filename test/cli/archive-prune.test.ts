import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkpointName } from '../../src/checkpoint/checkpoint-files.js';
import { eventLines, LogBuilder, temporaryDirectory, writeSegment } from '../archive/log-fixture.js';
import { tallyd } from './terminal.js';

const DAY_US = 86_400_000_000;

/** Four segments of four old lines each; `checkpoints` are at these lines. */
function state(checkpoints: readonly number[] = [16, 15], daysApart = 0) {
  const stateDir = temporaryDirectory();
  for (const folder of ['archive', 'checkpoint']) mkdirSync(join(stateDir, folder));
  const builder = new LogBuilder();
  const paths = [1, 5, 9, 13].map((line) => {
    builder.arrivalUs += daysApart * DAY_US;
    return writeSegment(join(stateDir, 'archive'), [builder.frame(eventLines(4, line))]);
  });
  for (const line of checkpoints) writeFileSync(join(stateDir, 'checkpoint', checkpointName(line)), '');
  const prune = (...options: string[]) => tallyd(['archive', 'prune', '--state-dir', stateDir, ...options]);
  return { stateDir, paths, prune, names: () => readdirSync(join(stateDir, 'archive')).sort() };
}

test('prune keeps to the configuration where nothing else is said', async () => {
  const { prune, names } = state([16, 15], 2);
  expect(await prune('--set', 'archive.max_age=36500d')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^nothing to remove; .* are left\n$/),
  });
  expect(names()).toHaveLength(4);
  const { exitCode, stdout } = await prune('--set', 'archive.max_age=1d');
  expect(exitCode).toBe(0);
  expect(stdout.split('\n')[0]).toMatch(/^removed 0{19}1\.ndjson\.lz4 {2}lines 1 to 4 {2}\d+ B$/);
  expect(stdout).toMatch(/\n3 segments, .*; .* are left\n$/);
  expect(names()).toEqual(['00000000000000000013.ndjson.lz4']);
});

test('by the configuration lines grow old only when newer ones come, so a wall that is years ahead removes none', async () => {
  const { prune, names } = state();
  expect((await prune('--set', 'archive.max_age=1d')).stdout).toMatch(/^nothing to remove; /);
  expect(names()).toHaveLength(4);
});

test('prune by an option leaves the rules of the configuration aside', async () => {
  const { paths, prune, names } = state();
  const bytes = paths.reduce((sum, path) => sum + statSync(path).size, 0);
  await prune('--max-bytes', `${bytes - 1}`, '--set', 'archive.max_age=1d');
  expect(names()).toHaveLength(3);
  await prune('--older-than', '36500d', '--set', 'archive.max_bytes=4KiB');
  expect(names()).toHaveLength(3);
  await prune('--older-than', '1d');
  expect(names()).toHaveLength(1);
});

test('prune --dry-run says what would go, and removes nothing', async () => {
  const { prune, names } = state();
  const { stdout } = await prune('--older-than', '1d', '--dry-run');
  expect(stdout).toMatch(/^would remove 0{19}1/);
  expect(stdout).toMatch(/would be left/);
  expect(names()).toHaveLength(4);
});

test.each([
  [[], 4],
  [[16], 4],
  [[16, 9], 2],
  [[16, 8], 3],
])(
  'with checkpoints at lines %j prune keeps %d segments, which a start may need, and says why',
  async (checkpoints, kept) => {
    const { prune, names } = state(checkpoints);
    const { exitCode, stdout } = await prune('--older-than', '1d');
    expect(exitCode).toBe(0);
    expect(names()).toHaveLength(kept);
    expect(stdout).toContain('the next one is due too, but a start of the daemon may need it');
  },
);

test('prune --json gives the same as data', async () => {
  const { prune } = state([16, 9]);
  const { stdout } = await prune('--older-than', '1d', '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    removed: [
      { segment: '00000000000000000001.ndjson.lz4', first_line: 1, last_line: 4 },
      { segment: '00000000000000000005.ndjson.lz4', first_line: 5, last_line: 8 },
    ],
    held: true,
    oldest_ts: 1_732_000_000.132456,
  });
});

test.each([
  [['--older-than', 'long'], /^ERR_USAGE: --older-than takes a duration, as 30d, is "long"/],
  [['--max-bytes', '5 GB'], /^ERR_USAGE: --max-bytes takes a size, as 5GiB, is "5 GB"/],
])('prune %j is wrong usage', async (options, message) => {
  const { exitCode, stderr } = await state().prune(...options);
  expect(exitCode).toBe(64);
  expect(stderr).toMatch(message);
});
