import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder with a short path: that of a Unix socket may have 107 bytes. */
export function createFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'td-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
