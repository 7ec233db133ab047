import { expect, test } from 'vitest';
import { EXIT_CONFIG, EXIT_USAGE } from '../../src/model/failure.js';
import { filesBelow, readText } from './source-tree.js';

const WORKER_LINES_MAX = 60;
/** Names that say nothing about their subject, and so gather several. */
const VAGUE = /^(utils?|helpers?|types|common|misc|shared|index)$/;
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*$/;

const code = ['src', 'workers', 'wasm', 'test', 'bench', 'demo']
  .flatMap(filesBelow)
  .filter((path) => /\.tsx?$/.test(path));

/** `reader` of src/ring/reader.ts and of test/ring/reader.test.ts */
function subjectOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/(\.test)?\.tsx?$/, '');
}

test.each(filesBelow('workers').map((path) => [path]))('%s is wiring, and short', (path) => {
  const lines = readText(path).trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(WORKER_LINES_MAX);
});

test('every file is named for one subject, and none is a barrel', () => {
  expect(code.filter((path) => VAGUE.test(subjectOf(path)))).toEqual([]);
});

test('the names of files and folders are kebab-case', () => {
  const parts = (path: string) => [...path.split('/').slice(0, -1), subjectOf(path).replace(/\.d$/, '')];
  expect(code.filter((path) => !parts(path).every((part) => KEBAB.test(part)))).toEqual([]);
});

test('every file of src and workers opens by saying what it is', () => {
  const opens = (path: string) => /^(#!.*\n)?\/\*\*/.test(readText(path));
  const source = code.filter((path) => path.startsWith('src/') || path.startsWith('workers/'));
  expect(source.filter((path) => !opens(path))).toEqual([]);
});

test('package.json names exact versions, and the oldest Node that the project runs on', () => {
  const { dependencies, devDependencies, engines } = JSON.parse(readText('package.json'));
  const inexact = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^\d+\.\d+\.\d+$/.test(String(version)),
  );
  expect(inexact).toEqual([]);
  expect(engines.node).toBe('>=20.19');
});

test('the unit starts the daemon again after a crash, and not after what a start cannot mend', () => {
  const unit = readText('systemd/tallyd.service').split('\n');
  expect(unit).toContain('Restart=on-failure');
  expect(unit).toContain(`RestartPreventExitStatus=${EXIT_USAGE} ${EXIT_CONFIG}`);
  expect(unit.some((line) => line.startsWith('MemoryDenyWriteExecute'))).toBe(false);
});
