/** The files of the repository, as the tests about the code look at them. */

import { readdirSync, readFileSync } from 'node:fs';

export const ROOT = new URL('../../', import.meta.url);

/** Paths of all files below a folder, from the root of the repository, in a fixed order. */
export function filesBelow(folder: string): string[] {
  return readdirSync(new URL(folder, ROOT), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(ROOT.pathname.length))
    .sort();
}

export function readText(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}
