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

/** On a screen of our own, what is chosen must be told apart also where colours are not wanted: bold, dim and inverse are none. */
export function screenColorsOf(env: Io['env']): Colors {
  const { bold, dim, inverse } = pc.createColors(true);
  return env.NO_COLOR ? { ...pc.createColors(false), bold, dim, inverse } : pc.createColors(true);
}

/** Whether more than ASCII shows as it is meant: the locale says so (setlocale(3)), and the terminal is one. */
export function showsUnicode(env: Io['env']): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return /utf-?8/i.test(locale) && env.TERM !== 'dumb';
}

const COLUMNS_DEFAULT = 80;

export function widthOf(output: Output): number {
  return output.columns || COLUMNS_DEFAULT;
}

/** How a command's tables are shown on its output. */
export function tableStyleOf({ stdout, env }: Pick<Io, 'stdout' | 'env'>) {
  return { width: widthOf(stdout), cut: stdout.isTTY === true, colors: colorsOf(stdout, env) };
}
