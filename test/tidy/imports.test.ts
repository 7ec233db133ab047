import { expect, test } from 'vitest';
import {
  folderOf,
  folderViolations,
  importsOf,
  packageViolations,
  readBundledRules,
  readFolderRules,
  readPackageRules,
  readSource,
} from './import-rules.js';
import { filesBelow, ROOT, readText } from './source-tree.js';

const markdown = readText('src/README.md');
const paths = [...filesBelow('src'), ...filesBelow('workers')].filter((path) => /\.tsx?$/.test(path));
const files = readSource(ROOT, paths);

test('every import of src and workers is one that the table in src/README.md allows', () => {
  expect(folderViolations(files, readFolderRules(markdown))).toEqual([]);
});

test('the table in src/README.md has a row for each folder, and none for others', () => {
  const folders = new Set(paths.map(folderOf));
  expect([...readFolderRules(markdown).keys()].sort()).toEqual([...folders].sort());
});

test('a package is imported by the one file or folder that the tables in src/README.md name', () => {
  const rules = new Map([...readPackageRules(markdown), ...readBundledRules(markdown)]);
  expect(packageViolations(files, rules)).toEqual([]);
  for (const [name, place] of rules) {
    const inPlace = files.filter(({ path }) => path.startsWith(place));
    const specifiers = inPlace.flatMap(({ text }) => importsOf(text).map(({ specifier }) => specifier));
    expect(specifiers, `${place} does not import ${name} any more`).toContain(name);
  }
});

test('every production dependency has a row in the package table, and no other package has one', () => {
  const { dependencies } = JSON.parse(readText('package.json'));
  expect([...readPackageRules(markdown).keys()].sort()).toEqual(Object.keys(dependencies).sort());
});

test('what is bundled into the page is no dependency of who installs the program', () => {
  const { devDependencies } = JSON.parse(readText('package.json'));
  for (const name of readBundledRules(markdown).keys()) expect(devDependencies).toHaveProperty(name);
});

// The checker, on an architecture of three folders.

const TABLE = `
| folder  | may import       |
| ------- | ---------------- |
| a       | nothing          |
| b, c    | a                |
| d       | a, b (types)     |
| workers | all but c        |
| e       | all of the above |
`;

test.each([
  ['b imports a', 'src/b/one.ts', "import { x } from '../a/x.js';"],
  ['a folder imports itself', 'src/a/one.ts', "import { x } from './x.js';"],
  ['types of b go to d', 'src/d/one.ts', "import type { X } from '../b/x.js';"],
  ['workers import d', 'workers/one.ts', "import { x } from '../src/d/x.js';"],
  ['e imports workers', 'src/e/one.ts', "await import('../../workers/x.js');"],
  ['a comment is no import', 'src/a/one.ts', "/** Goes from 'b' to '../c/x.js'. */"],
])('the checker allows that %s', (_, path, text) => {
  expect(folderViolations([{ path, text }], readFolderRules(TABLE))).toEqual([]);
});

test.each([
  ['an import', 'src/a/one.ts', "import { x } from '../b/x.js';", 'a may not import b'],
  [
    'one over several lines',
    'src/a/one.ts',
    "import {\n  x,\n  y,\n} from '../b/x.js';",
    'a may not import b',
  ],
  ['a re-export', 'src/b/one.ts', "export { x } from '../c/x.js';", 'b may not import c'],
  ['an import of all', 'src/b/one.ts', "import * as x from '../c/x.js';", 'b may not import c'],
  ['a type', 'src/a/one.ts', "import type { X } from '../b/x.js';", 'a may not import b'],
  ['an import for its effect', 'src/b/one.ts', "import '../c/x.js';", 'b may not import c'],
  ['one at run time', 'src/b/one.ts', "const x = await import('../c/x.js');", 'b may not import c'],
  ['a value where types are allowed', 'src/d/one.ts', "import { x } from '../b/x.js';", 'types alone'],
  [
    'an import that "all but" leaves out',
    'workers/one.ts',
    "import '../src/c/x.js';",
    'workers may not import c',
  ],
  ['a folder below a folder', 'src/a/deep/one.ts', "import '../../b/x.js';", 'a may not import b'],
  ['a folder without a row', 'src/z/one.ts', '', 'no row for z'],
])('the checker finds %s that is not allowed', (_, path, text, violation) => {
  const found = folderViolations([{ path, text }], readFolderRules(TABLE));
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(violation);
});

test('a table that allows a folder without a row is refused', () => {
  const table = '| folder | may import |\n| - | - |\n| a | b |\n';
  expect(() => readFolderRules(table)).toThrow('no row for b');
});

test('the checker finds a second file that imports a package, and a package without a row', () => {
  const rules = readPackageRules('| package | only file |\n| - | - |\n| `lz4` | `src/a/lz4.ts` |\n');
  const text = "import { x } from 'lz4/sub';\nimport fs from 'node:fs';";
  expect(packageViolations([{ path: 'src/a/lz4.ts', text }], rules)).toEqual([]);
  expect(packageViolations([{ path: 'src/b/one.ts', text }], rules)).toEqual([
    'src/b/one.ts: only src/a/lz4.ts may import lz4',
  ]);
  expect(packageViolations([{ path: 'src/b/one.ts', text: "import '@x/y/z';" }], rules)).toEqual([
    'src/b/one.ts: @x/y is in no row of the package table',
  ]);
});
