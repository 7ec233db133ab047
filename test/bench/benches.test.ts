/** Each bench in a tiny size, as the built program runs it: so none rots, and every check in it holds. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { BenchResult } from '../../bench/harness.js';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url));

async function runSmall(name: string, ...args: string[]): Promise<BenchResult> {
  const { stdout } = await run(process.execPath, [MAIN, name, '--small', '--json', '--passes', '1', ...args]);
  return JSON.parse(stdout);
}

describe.each([
  ['socket', 3, []],
  ['ring', 4, []],
  ['decode', 4, []],
  ['fold', 4, []],
  ['lz4', 1, []],
  ['recovery', 2, []],
  ['sync', 1, []],
  ['scan', 3, []],
  ['queries', 9, []],
  ['load', 1, []],
  ['spike', 1, []],
  ['endurance', 2, []],
  ['memory', 2, []],
  ['io', 1, []],
  ['storm', 1, []],
  ['sizing', 4, []],
  ['pipeline', 1, ['--seconds', '1', '--connections', '16']],
] as const)('the %s bench', (name, comparisonCount, args) => {
  test('finds every result right, and measures each variant beside a baseline', async () => {
    const { comparisons, passes } = await runSmall(name, ...args);
    expect(passes).toBe(1);
    expect(comparisons).toHaveLength(comparisonCount);
    for (const { variants } of comparisons) {
      expect(variants.filter(({ isBaseline }) => isBaseline)).toHaveLength(1);
      for (const { figures } of variants) {
        const [first] = Object.values(figures);
        expect(first!.passes).toHaveLength(1);
        expect(first!.median).toBeGreaterThan(0);
      }
    }
  }, 120_000);
});

test('a name that is no bench is answered with the names that are', async () => {
  const failure = run(process.execPath, [MAIN, 'sockets']);
  await expect(failure).rejects.toMatchObject({ code: 64, stderr: expect.stringContaining('socket, ring') });
});
