import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type Config, type ConfigInput, loadConfig } from '../../src/config/config.js';
import { Failure } from '../../src/model/failure.js';

const folder = mkdtempSync(join(tmpdir(), 'tallyd-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let filesWritten = 0;

export function writeFile(text: string): string {
  const path = join(folder, `${filesWritten++}.toml`);
  writeFileSync(path, text);
  return path;
}

/** Nothing of this machine's own shows: no environment, no default file, nobody's home. */
export function load(input: Partial<ConfigInput> = {}): Config {
  return loadConfig({
    flags: {},
    env: {},
    defaultFile: join(folder, 'none.toml'),
    host: { uid: 1000, homeDir: '/home/ann' },
    ...input,
  });
}

export function loadSet(...set: string[]): Config {
  return load({ flags: { set } });
}

export function failureOf(act: () => unknown): Failure {
  try {
    act();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
