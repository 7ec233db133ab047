/**
 * Loaded into a real daemon before anything else (`--import`), in each of its threads: lets the system refuse, dawdle, or tell
 * another time, as a file of orders says at that moment. What is refused is a call of `node:fs` on a path below a folder, or
 * on a descriptor that was opened there.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { type ErrorCode, systemError } from './system-error.js';

export interface Orders {
  /** Means only paths that hold this: `/checkpoint/`. */
  readonly path?: string;
  /** Calls by name, and the error that each throws. */
  readonly refuse?: Readonly<Record<string, ErrorCode>>;
  /** Calls by name, and how long each takes. */
  readonly delayMs?: Readonly<Record<string, number>>;
  /** What the wall clock says more than it should. */
  readonly clockAheadMs?: number;
}

export const ORDERS_ENV = 'MOODY_ORDERS';
export const BELOW_ENV = 'MOODY_BELOW';
/** That can be refused or slowed down. */
export const CALLS = [
  'openSync',
  'writevSync',
  'writeSync',
  'fdatasyncSync',
  'fsyncSync',
  'ftruncateSync',
  'renameSync',
  'unlinkSync',
  'mkdirSync',
];
const CLOCK_LOOK_MS = 20;

const ordersPath = process.env[ORDERS_ENV];
const below = process.env[BELOW_ENV];
if (ordersPath !== undefined && below !== undefined) install(ordersPath, below);

function install(path: string, folder: string): void {
  const { readFileSync } = fs;
  const orders = (): Orders => {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as Orders;
    } catch {
      return {}; // there are none, or they are being written
    }
  };
  const paths = new Map<number, string>();
  const calls = fs as unknown as Record<string, (...args: unknown[]) => unknown>;
  const idle = new Int32Array(new SharedArrayBuffer(4));
  for (const name of CALLS) {
    const call = calls[name]!;
    calls[name] = (...args) => {
      const [subject] = args;
      const place = typeof subject === 'number' ? paths.get(subject) : String(subject);
      if (place?.startsWith(folder)) {
        const { path: part = '', refuse = {}, delayMs = {} } = orders();
        const isMeant = place.includes(part);
        if (isMeant) Atomics.wait(idle, 0, 0, delayMs[name] ?? 0);
        const code = isMeant ? refuse[name] : undefined;
        if (code !== undefined) throw systemError(code, `${name} as ordered`);
      }
      const result = call(...args);
      if (name === 'openSync') paths.set(result as number, place ?? '');
      return result;
    };
  }
  syncBuiltinESMExports();
  turnClock(() => orders().clockAheadMs ?? 0);
}

function turnClock(ahead: () => number): void {
  const now = Date.now;
  let aheadMs = ahead();
  let lookedMs = performance.now();
  Date.now = () => {
    if (performance.now() - lookedMs > CLOCK_LOOK_MS) {
      aheadMs = ahead();
      lookedMs = performance.now();
    }
    return now() + aheadMs;
  };
}
