/** The documents for operators against what they are about. */

import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { OPTION_BY_KEY } from '../../src/config/options.js';
import { readTable } from './import-rules.js';
import { filesBelow, ROOT, readText } from './source-tree.js';

/** The reasons that `degraded` can have: the word before the colon. */
function reasonsIn(path: string): string[] {
  return [...readText(path).matchAll(/['"`]([a-z]+(?:_[a-z]+)+): /g)].map((match) => match[1]!);
}

test('the runbook has each reason that the status can give, and no other', () => {
  const given = ['src/query/status.ts', 'src/archive/disk-fault.ts'].flatMap(reasonsIn);
  expect(given.length).toBeGreaterThan(7);
  const described = [...readText('docs/runbook.md').matchAll(/^### (\w+)$/gm)].map((match) => match[1]!);
  expect(described.sort()).toEqual([...new Set(given)].sort());
});

test('each guarantee is shown by tests that are there', () => {
  const rows = readTable(readText('docs/guarantees.md'), 'what happens', 'none');
  expect(rows.length).toBeGreaterThan(8);
  for (const [what, ...cells] of rows) {
    const tests = [...cells.at(-1)!.matchAll(/test\/[\w/.-]+/g)].map(([path]) => path);
    expect({ what, count: tests.length }).not.toEqual({ what, count: 0 });
    expect(tests.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
  }
});

test('the sizes are those that the bench has measured', () => {
  const { comparisons } = JSON.parse(readText('bench/results/sizing.json'));
  const rows = readTable(readText('docs/sizing.md'), 'what', 'bytes resident each');
  expect(rows).toHaveLength(comparisons.length);
  for (const [i, [what, bytes]] of rows.entries()) {
    const { name, variants } = comparisons[i];
    expect(name.endsWith(` × ${what}`)).toBe(true);
    const { median } = variants[0].figures['bytes resident each'];
    expect(Math.abs(Number(bytes) / median - 1)).toBeLessThan(0.05);
  }
});

test('options that the documents name are options', () => {
  const documents = [...filesBelow('docs'), 'systemd/README.md', 'README.md'].filter((path) =>
    path.endsWith('.md'),
  );
  const sections = [...new Set([...OPTION_BY_KEY.keys()].map((key) => key.split('.')[0]))].join('|');
  const named = new RegExp(`\`((?:${sections})\\.[a-z_]+)\``, 'g');
  for (const path of documents) {
    const keys = [...readText(path).matchAll(named)].map((match) => match[1]!);
    const fields = ['ingest.sock', 'control.sock', 'state.counts', 'state.tasks_running', 'archive.damage'];
    expect({ path, unknown: keys.filter((key) => !OPTION_BY_KEY.has(key) && !fields.includes(key)) }).toEqual(
      { path, unknown: [] },
    );
  }
});
