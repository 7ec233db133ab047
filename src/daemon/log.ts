/**
 * The daemon's log, on standard error. Lines are written in the calling thread and before the call returns: a log that is
 * still in a queue when the process dies says nothing about why.
 */

import { fstatSync } from 'node:fs';
import { type Logger, type LoggerOptions, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';

export type Log = Logger;

export interface LogTarget {
  readonly isTTY?: boolean;
  readonly fd?: number;
  write(text: string): unknown;
  on?(event: 'error', listener: (error: Error) => void): unknown;
}

export interface LogSettings {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  /** `auto`: pretty on a terminal, JSON elsewhere */
  readonly format: 'auto' | 'json' | 'pretty';
  readonly stderr: LogTarget;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function createLog({ level, format, stderr, env }: LogSettings): Log {
  // A terminal that is gone must not take the daemon with it.
  stderr.on?.('error', () => {});
  const journal = isJournal(stderr, env);
  const terminal = stderr.isTTY === true;
  const options: LoggerOptions = { level, base: null, formatters: { level: (label) => ({ level: label }) } };
  options.timestamp = journal ? false : pino.stdTimeFunctions.isoTime;
  const pretty = format === 'pretty' || (format === 'auto' && terminal);
  const render = pretty ? prettyRenderer(terminal && !env.NO_COLOR, journal) : (line: string) => line;
  const destination = {
    // pino sets the level of the line on a stream that carries this mark, before it writes.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(line: string): void {
      const text = render(line);
      stderr.write(journal ? withPriority(text, this.lastLevel) : text);
    },
  };
  return pino(options, destination);
}

/** systemd.exec(5): JOURNAL_STREAM is device:inode of the stream; a process whose stderr was redirected inherits the variable too. */
function isJournal(stderr: LogTarget, env: LogSettings['env']): boolean {
  if (!env.JOURNAL_STREAM || stderr.fd === undefined) return false;
  try {
    const { dev, ino } = fstatSync(stderr.fd, { bigint: true });
    return env.JOURNAL_STREAM === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

function prettyRenderer(colorize: boolean, journal: boolean): (line: string) => string {
  const pretty = prettyFactory({
    colorize,
    // The priority says it.
    ...(journal ? { ignore: 'level' } : {}),
    translateTime: 'SYS:yyyy-mm-dd HH:MM:ss.l',
    singleLine: true,
  });
  return (line) => pretty(withoutControls(line));
}

/**
 * A logged id or line may hold what a terminal obeys. In the JSON of pino such characters stand as escapes or, from U+007F,
 * as they are; one more backslash makes them plain text. Line ends stay: stacks have them.
 */
function withoutControls(jsonLine: string): string {
  return jsonLine
    .replace(/(\\\\)|\\(u00[01][0-9a-f]|[rbf])/g, (_, pair?: string, name?: string) => pair ?? `\\\\${name}`)
    .replace(/[\x7f-\x9f]/g, (c) => `\\\\u00${c.charCodeAt(0).toString(16)}`);
}

/** sd-daemon(3). Each line is an entry of its own, so each gets the prefix. */
function withPriority(text: string, level: number): string {
  let priority = 7;
  if (level >= 50) priority = 3;
  else if (level >= 40) priority = 4;
  else if (level >= 30) priority = 6;
  return text.replace(/^(?=[^\n])/gm, `<${priority}>`);
}

export interface RateLimit {
  /** messages of one key in one interval */
  readonly countMax: number;
  readonly intervalMs: number;
  /** a clock that never goes back */
  readonly nowMs: () => number;
  /** keys remembered; the others share one */
  readonly keysMax?: number;
}

interface KeyState {
  startedMs: number;
  said: number;
  heldBack: number;
}

/**
 * Says at most so many messages of one key in one interval, and how many it kept to itself.
 *
 *     limited.say(reason, (more) => log.warn({ reason }, `line refused${more}`));
 */
export class RateLimited {
  readonly #limit: RateLimit;
  readonly #states = new Map<string, KeyState>();

  constructor(limit: RateLimit) {
    this.#limit = limit;
  }

  /** @param write called at once or never; its argument is empty, or ` (and 1234 more)` */
  say(key: string, write: (more: string) => void): void {
    const now = this.#limit.nowMs();
    const state = this.#stateOf(key, now);
    if (now - state.startedMs >= this.#limit.intervalMs) {
      const more = moreText(state.heldBack);
      state.startedMs = now;
      state.said = 1;
      state.heldBack = 0;
      write(more);
    } else if (state.said < this.#limit.countMax) {
      state.said++;
      write('');
    } else {
      state.heldBack++;
    }
  }

  /** For a timer and for the end: names what was held back where no later message did, and forgets keys that are quiet. */
  flush(write: (key: string, more: string) => void, atEnd = false): void {
    const now = this.#limit.nowMs();
    for (const [key, state] of this.#states) {
      if (!atEnd && now - state.startedMs < this.#limit.intervalMs) continue;
      this.#states.delete(key);
      if (state.heldBack > 0) write(key, moreText(state.heldBack));
    }
  }

  #stateOf(key: string, now: number): KeyState {
    const full = this.#states.size >= (this.#limit.keysMax ?? 1000);
    const kept = full && !this.#states.has(key) ? 'other' : key;
    let state = this.#states.get(kept);
    if (state === undefined) {
      state = { startedMs: now, said: 0, heldBack: 0 };
      this.#states.set(kept, state);
    }
    return state;
  }
}

function moreText(heldBack: number): string {
  return heldBack === 0 ? '' : ` (and ${heldBack} more)`;
}
