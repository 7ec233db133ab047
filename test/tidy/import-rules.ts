/**
 * The rules on imports as src/README.md writes them, and the imports as the code has them. Imports are found by their words, not
 * by a parser: TypeScript 7 has no compiler API, and an import that the words miss cannot be compiled either.
 */

import { readFileSync } from 'node:fs';
import { posix } from 'node:path';

export interface SourceFile {
  /** from the root of the repository: `src/ring/reader.ts` */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

export interface FolderRule {
  readonly allowed: ReadonlySet<string>;
  /** folders of which only types may be imported */
  readonly typesOf: ReadonlySet<string>;
}

export type FolderRules = ReadonlyMap<string, FolderRule>;

/** The only file that imports a package, or the only folder where it ends in `/`, by the package's name. */
export type PackageRules = ReadonlyMap<string, string>;

/** The rows of the first markdown table whose head begins with these columns, without head and rule. */
export function readTable(markdown: string, ...columns: readonly string[]): string[][] {
  const lines = markdown.split('\n');
  const head = lines.findIndex((line) =>
    columns.every((column, i) => line.startsWith('|') && cellsOf(line)[i] === column),
  );
  if (head === -1) throw new Error(`no table with the columns ${columns.join(', ')}`);
  const rows: string[][] = [];
  for (let i = head + 2; lines[i]?.startsWith('|'); i++) rows.push(cellsOf(lines[i]!));
  return rows;
}

function cellsOf(line: string): string[] {
  const cells = line.split('|').slice(1, -1);
  return cells.map((cell) => cell.trim().replaceAll('`', ''));
}

/** A folder with what it may import: `nothing`, names, `all of the above`, `all but NAME`; `NAME (types)` for types alone. */
export function readFolderRules(markdown: string): FolderRules {
  const rows = readTable(markdown, 'folder', 'may import').map(([folders = '', may = '']) => ({
    folders: folders.split(', '),
    may,
  }));
  const all = rows.flatMap(({ folders }) => folders);
  const rules = new Map<string, FolderRule>();
  for (const { folders, may } of rows) {
    const words = may === 'nothing' ? [] : may.split(', ');
    const typesOf = new Set<string>();
    const allowed = words.flatMap((word) => {
      if (word === 'all of the above') return [...rules.keys()];
      if (word.startsWith('all but '))
        return all.filter((folder) => folder !== word.slice('all but '.length));
      if (!word.endsWith(' (types)')) return [word];
      typesOf.add(word.slice(0, -' (types)'.length));
      return [];
    });
    const unknown = [...allowed, ...typesOf].filter((folder) => !all.includes(folder));
    if (unknown.length > 0) throw new Error(`the import table has no row for ${unknown.join(', ')}`);
    for (const folder of folders) rules.set(folder, { allowed: new Set(allowed), typesOf });
  }
  return rules;
}

export function readPackageRules(markdown: string): PackageRules {
  return new Map(readTable(markdown, 'package', 'only file').map(([name = '', file = '']) => [name, file]));
}

/** Of packages that the build puts into the page. */
export function readBundledRules(markdown: string): PackageRules {
  return new Map(
    readTable(markdown, 'bundled package', 'only in').map(([name = '', place = '']) => [name, place]),
  );
}

const FROM = /^[ \t]*(?:import|export)\s+(type\s)?[^;'"]*?\bfrom\s*(['"])(.+?)\2/gm;
const FOR_EFFECT = /^[ \t]*import\s*(['"])(.+?)\1/gm;
const AT_RUN_TIME = /\b(?:import|require)\s*\(\s*(['"`])(.+?)\1/g;

export function importsOf(text: string): Import[] {
  return [
    ...[...text.matchAll(FROM)].map((match) => ({ specifier: match[3]!, typeOnly: match[1] !== undefined })),
    ...[...text.matchAll(FOR_EFFECT)].map((match) => ({ specifier: match[2]!, typeOnly: false })),
    ...[...text.matchAll(AT_RUN_TIME)].map((match) => ({ specifier: match[2]!, typeOnly: false })),
  ];
}

/** `ring` for src/ring/reader.ts, `workers` for workers/fold.ts */
export function folderOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'src' ? second : first;
}

/** A sentence for each import that the rules do not allow. */
export function folderViolations(files: readonly SourceFile[], rules: FolderRules): string[] {
  return files.flatMap(({ path, text }) => {
    const folder = folderOf(path);
    const rule = rules.get(folder);
    if (rule === undefined) return [`${path}: the import table has no row for ${folder}`];
    return importsOf(text).flatMap(({ specifier, typeOnly }) => {
      if (!specifier.startsWith('.')) return [];
      const target = folderOf(posix.join(posix.dirname(path), specifier));
      if (target === folder || rule.allowed.has(target)) return [];
      if (rule.typesOf.has(target)) {
        return typeOnly ? [] : [`${path}: ${folder} may import types alone from ${target} (${specifier})`];
      }
      return [`${path}: ${folder} may not import ${target} (${specifier})`];
    });
  });
}

/** A sentence for each package that another file imports than the one that may. */
export function packageViolations(files: readonly SourceFile[], rules: PackageRules): string[] {
  return files.flatMap(({ path, text }) =>
    importsOf(text).flatMap(({ specifier }) => {
      if (specifier.startsWith('.') || specifier.startsWith('node:')) return [];
      const name = packageOf(specifier);
      const only = rules.get(name);
      if (only === undefined) return [`${path}: ${name} is in no row of the package table`];
      const allowed = only.endsWith('/') ? path.startsWith(only) : path === only;
      return allowed ? [] : [`${path}: only ${only} may import ${name}`];
    }),
  );
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

export function readSource(root: URL, paths: readonly string[]): SourceFile[] {
  return paths.map((path) => ({ path, text: readFileSync(new URL(path, root), 'utf8') }));
}
