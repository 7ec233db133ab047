/** The C program that the pipeline is measured beside: a compiler is there, and it counts every line of the load. */

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { BenchResult } from '../../bench/harness.js';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../dist/bench/main.js', import.meta.url));

test('the pipeline bench runs its C reference, whose counts are right', async () => {
  const args = ['pipeline', '--small', '--json', '--passes', '1', '--seconds', '1', '--connections', '2'];
  const { stdout } = await run(process.execPath, [MAIN, ...args]);
  const { comparisons }: BenchResult = JSON.parse(stdout);
  expect(comparisons[0]!.variants.map(({ name }) => name)).toEqual(['tallyd', 'naive daemon', 'C reference']);
}, 120_000);
