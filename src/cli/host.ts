/** What `tallyd doctor` asks of the host. A test gives it another one. */

import { execFileSync } from 'node:child_process';
import { accessSync, constants, lstatSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isClockSynchronized } from '../daemon/libc.js';

export interface FileFacts {
  readonly isSocket: boolean;
  readonly isFolder: boolean;
  /** the rights alone */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface DiskFacts {
  /** statfs(2) */
  readonly type: number;
  readonly freeBytes: number;
}

export interface Host {
  readonly uid: number;
  readonly nodeVersion: string;
  nowMs(): number;
  /** null: there is none */
  file(path: string): FileFacts | null;
  /** Of a folder: make files in it; of a socket: connect to it. */
  canWrite(path: string): boolean;
  /** null: it cannot be read */
  text(path: string): string | null;
  disk(path: string): DiskFacts;
  /** Files of a folder with their sizes and the times of their last change; none where there is no such folder. */
  files(path: string): { readonly bytes: number; readonly changedMs: number }[];
  /** null: nobody can say */
  isClockSynchronized(): boolean | null;
  /** What a program prints; null where it fails or is not there. */
  output(program: string, args: readonly string[]): string | null;
}

const PROGRAM_MS_MAX = 5000;

export const REAL_HOST: Host = {
  uid: process.getuid?.() ?? -1,
  nodeVersion: process.version,
  nowMs: Date.now,
  file(path) {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    const { uid, gid } = stats;
    return { isSocket: stats.isSocket(), isFolder: stats.isDirectory(), mode: stats.mode & 0o7777, uid, gid };
  },
  canWrite(path) {
    try {
      accessSync(path, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  },
  text(path) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return null;
    }
  },
  disk(path) {
    const { type, bavail, bsize } = statfsSync(path);
    return { type, freeBytes: bavail * bsize };
  },
  files(path) {
    try {
      return readdirSync(path).map((name) => {
        const { size, mtimeMs } = statSync(join(path, name));
        return { bytes: size, changedMs: mtimeMs };
      });
    } catch {
      return [];
    }
  },
  isClockSynchronized,
  output(program, args) {
    try {
      const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
      return execFileSync(program, args, { encoding: 'utf8', stdio, timeout: PROGRAM_MS_MAX });
    } catch {
      return null;
    }
  },
};
