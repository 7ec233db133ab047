/** `tallyd top`: the status, the running workflows and the agents, live on a terminal; or each second a line of JSON. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { EXIT_DONE, Failure } from '../model/failure.js';
import { escapeControlsInJson } from '../model/human.js';
import { request } from './control-client.js';
import { type Io, screenColorsOf, showsUnicode } from './io.js';
import { TOP_DATA_BEGIN, type TopData, takeTopData } from './top-data.js';
import { renderTop, type Screen } from './top-screen.js';
import { pressKey, TOP_BEGIN, type TopState } from './top-state.js';
import { TopTerminal } from './top-terminal.js';

export interface TopOptions {
  readonly interval?: string;
  readonly json?: boolean;
}

const INTERVAL_SECONDS = { default: 1, min: 0.1, max: 3600 };
/** An answer that takes longer is missed. */
const SILENCE_SECONDS = 5;
/** As shells say it of a process that a signal ended. */
const EXIT_OF_SIGNAL = { SIGINT: EXIT_DONE, SIGTERM: 128 + 15, SIGHUP: 128 + 1 };

/** @throws Failure ERR_USAGE without a terminal, and as `request` where no daemon is there at the start */
export async function top(config: Config, options: TopOptions, io: Io): Promise<number> {
  const intervalMs = 1000 * intervalOf(options.interval);
  if (options.json) return printTop(config, intervalMs, io);
  const { stdin, stdout, env } = io;
  if (stdin.isTTY !== true || stdout.isTTY !== true || env.TERM === 'dumb' || !env.TERM) {
    const mend = 'tallyd status prints the same once, and tallyd top --json goes on as JSON lines';
    throw new Failure('ERR_USAGE', `top needs a terminal that can move its cursor; ${mend}`);
  }
  // Who has mistyped a folder is told so on the command line, not on a screen that waits.
  await request(config, 'GET', '/v1/status');
  return new Top(config, intervalMs, io).run();
}

function intervalOf(text: string | undefined): number {
  if (text === undefined) return INTERVAL_SECONDS.default;
  const seconds = Number(text);
  const { min, max } = INTERVAL_SECONDS;
  if (text.trim() !== '' && seconds >= min && seconds <= max) return seconds;
  throw new Failure('ERR_USAGE', `--interval takes ${min} to ${max} seconds, is ${JSON.stringify(text)}`);
}

class Top {
  readonly #config: Config;
  readonly #intervalMs: number;
  readonly #io: Io;
  readonly #terminal: TopTerminal;
  readonly #over: Promise<number>;
  #end!: (exitCode: number) => void;
  #fail!: (error: unknown) => void;
  #state: TopState = TOP_BEGIN;
  #data: TopData = TOP_DATA_BEGIN;
  #screen: Screen = { lines: [], shown: { rows: [], page: 1, lines: 0 } };
  /** Unix seconds; null: nothing is awaited */
  #askedAt: number | null = null;
  #wake: () => void = () => {};

  constructor(config: Config, intervalMs: number, io: Io) {
    this.#config = config;
    this.#intervalMs = intervalMs;
    this.#io = io;
    this.#over = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
    this.#terminal = new TopTerminal(io, {
      onKey: (key) => this.#press(key),
      onRedraw: () => this.#draw(),
      onEnd: (signal) => this.#end(EXIT_OF_SIGNAL[signal]),
    });
  }

  async run(): Promise<number> {
    this.#terminal.open();
    // The clock goes on, and a daemon that is silent is seen to be, while an answer is awaited.
    const ticking = setInterval(() => this.#draw(), this.#intervalMs);
    try {
      this.#draw();
      this.#follow().catch(this.#fail);
      return await this.#over;
    } finally {
      clearInterval(ticking);
      this.#terminal.close();
    }
  }

  /** Asks, draws, rests; a key that needs other answers ends the rest. */
  async #follow(): Promise<never> {
    for (;;) {
      if (!this.#state.isPaused) {
        this.#askedAt = nowSeconds();
        this.#data = await takeTopData(this.#config, this.#state, this.#data, nowSeconds);
        this.#askedAt = null;
      }
      this.#draw();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#intervalMs);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  #press(key: string): void {
    const before = this.#state;
    this.#state = pressKey(before, key, this.#screen.shown);
    const { isOver, opened, window, withEnded } = this.#state;
    if (isOver) {
      this.#end(EXIT_DONE);
      return;
    }
    this.#draw();
    if (opened !== before.opened || window !== before.window || withEnded !== before.withEnded) this.#wake();
  }

  #draw(): void {
    const { columns, rows } = this.#terminal;
    const { env } = this.#io;
    const style = {
      columns,
      rows,
      colors: screenColorsOf(env),
      unicode: showsUnicode(env),
      now: nowSeconds(),
    };
    this.#screen = renderTop(this.#state, this.#dataSoFar(style.now), style);
    this.#terminal.draw(this.#screen.lines);
  }

  #dataSoFar(now: number): TopData {
    const since = this.#askedAt;
    if (since === null || now - since < SILENCE_SECONDS || this.#data.silence !== null) return this.#data;
    return { ...this.#data, silence: { since, why: 'the daemon is silent' } };
  }
}

/** `{status, workflows, agents}` a line, for programs and for terminals without a cursor. */
async function printTop(config: Config, intervalMs: number, io: Io): Promise<number> {
  const over = new AbortController();
  const stop = () => over.abort();
  io.signals.once('SIGINT', stop);
  try {
    for (;;) {
      const { status, workflows, agents, silence } = await takeTopData(
        config,
        TOP_BEGIN,
        TOP_DATA_BEGIN,
        nowSeconds,
      );
      if (silence !== null) throw new Failure('ERR_NO_DAEMON', silence.why);
      const line = {
        status,
        workflows: 'rows' in workflows ? workflows.rows : null,
        agents: 'rows' in agents ? agents.rows : null,
      };
      io.stdout.write(`${escapeControlsInJson(JSON.stringify(line))}\n`);
      await sleep(intervalMs, undefined, { signal: over.signal });
    }
  } catch (error) {
    if (over.signal.aborted) return EXIT_DONE;
    throw error;
  } finally {
    io.signals.off('SIGINT', stop);
  }
}

function nowSeconds(): number {
  return Date.now() / 1000;
}
