/** What a command talks to: the process's own streams, or a test's. */

import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import pc from 'picocolors';

export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };
type Input = Readable & { readonly isTTY?: boolean; readonly fd?: number };

export interface Io {
  readonly stdin: Input;
  /** data */
  readonly stdout: Output;
  /** talk */
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** emits SIGINT, as `process` does */
  readonly signals: EventEmitter;
}

export type Colors = ReturnType<typeof pc.createColors>;

export function colorsOf(output: Output, env: Io['env']): Colors {
  return pc.createColors(output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb');
}

const COLUMNS_DEFAULT = 80;

export function widthOf(output: Output): number {
  return output.columns || COLUMNS_DEFAULT;
}
