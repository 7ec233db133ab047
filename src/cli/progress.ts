/** One line on a terminal that says how far a transfer is, drawn over itself at most 10 times a second. */

import { humanBytes, humanDuration, humanPercent, humanRate, shorten } from '../model/human.js';
import { type Io, type Output, widthOf } from './io.js';

export interface ProgressState {
  readonly bytes: number;
  /** null where the input has no known end */
  readonly bytesTotal: number | null;
  readonly lines: number;
  /** in the last seconds */
  readonly bytesPerSecond: number;
  readonly linesPerSecond: number;
  readonly phase: ProgressPhase;
}

/**
 * `skipping` what the daemon has, `sending`, `waiting` for the answer that all is durable, and `away`: for a daemon that has
 * gone to come back.
 */
export type ProgressPhase = 'skipping' | 'sending' | 'waiting' | 'away';

const DRAW_INTERVAL_MS = 100;
/** Long enough to be steady, short enough to show a stall. */
const RATE_WINDOW_MS = 3000;
const BAR_COLUMNS_MAX = 24;
const BAR_COLUMNS_MIN = 8;

/** @returns at most `width` columns */
export function progressLine(state: ProgressState, width: number): string {
  const said = {
    skipping: 'read, on the disk already',
    waiting: 'sent, waiting until it is on the disk',
    away: 'read, waiting for the daemon to come back',
  };
  if (state.phase !== 'sending') return shorten(`${humanBytes(state.bytes)} ${said[state.phase]}`, width);
  const rate = `${humanRate(state.linesPerSecond)} events/s`;
  if (state.bytesTotal === null) return shorten(`${humanBytes(state.bytes)}  ${rate}`, width);
  const share = state.bytesTotal === 0 ? 1 : Math.min(1, state.bytes / state.bytesTotal);
  const left = Math.max(0, state.bytesTotal - state.bytes) / state.bytesPerSecond;
  const parts = [
    humanPercent(Math.floor(share * 100) / 100),
    `${humanBytes(state.bytes)} of ${humanBytes(state.bytesTotal)}`,
    rate,
    Number.isFinite(left)
      ? `${humanDuration(left < 1 ? Math.ceil(left) : Math.round(left))} left`
      : 'stalled',
  ];
  // On a narrow terminal the bar goes first, then parts from the right.
  while (parts.length > 1 && parts.join('  ').length > width) parts.pop();
  const text = parts.join('  ');
  const barColumns = Math.min(BAR_COLUMNS_MAX, width - text.length - 4);
  if (barColumns < BAR_COLUMNS_MIN) return shorten(text, width);
  const filled = Math.floor(share * barColumns);
  return `[${'#'.repeat(filled)}${'.'.repeat(barColumns - filled)}]  ${text}`;
}

/** None where standard error is no terminal that can be drawn on. */
export function progressOn({ stderr, env }: Io, bytesTotal: number | null): Progress | undefined {
  if (stderr.isTTY !== true || env.TERM === 'dumb') return undefined;
  return new Progress(stderr, bytesTotal, () => performance.now());
}

export class Progress {
  readonly #output: Output;
  readonly #bytesTotal: number | null;
  readonly #nowMs: () => number;
  readonly #timer: NodeJS.Timeout;
  readonly #samples: { ms: number; bytes: number; lines: number }[] = [];
  #bytes = 0;
  #lines = 0;
  #phase: ProgressPhase = 'sending';
  #drawnMs = Number.NEGATIVE_INFINITY;
  #drawn = false;

  /** @param nowMs a clock that never goes back */
  constructor(output: Output, bytesTotal: number | null, nowMs: () => number) {
    this.#output = output;
    this.#bytesTotal = bytesTotal;
    this.#nowMs = nowMs;
    // Also without news: a stall has to show.
    this.#timer = setInterval(() => this.#draw(), DRAW_INTERVAL_MS);
    this.#timer.unref();
  }

  update(bytes: number, lines: number, phase: ProgressPhase): void {
    // What was skipped, or stood still, says nothing of the rate.
    if (phase === 'sending' && this.#phase !== phase) this.#samples.length = 0;
    this.#bytes = bytes;
    this.#lines = lines;
    this.#phase = phase;
    this.#draw();
  }

  /** Takes the line off the terminal. */
  clear(): void {
    clearInterval(this.#timer);
    if (this.#drawn) this.#output.write('\r\x1b[K');
    this.#drawn = false;
  }

  #draw(): void {
    const now = this.#nowMs();
    if (now - this.#drawnMs < DRAW_INTERVAL_MS) return;
    this.#drawnMs = now;
    this.#samples.push({ ms: now, bytes: this.#bytes, lines: this.#lines });
    while (this.#samples.length > 2 && now - this.#samples[1]!.ms > RATE_WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0]!;
    const seconds = (now - first.ms) / 1000;
    if (seconds === 0) return;
    const line = progressLine(
      {
        bytes: this.#bytes,
        bytesTotal: this.#bytesTotal,
        lines: this.#lines,
        bytesPerSecond: (this.#bytes - first.bytes) / seconds,
        linesPerSecond: (this.#lines - first.lines) / seconds,
        phase: this.#phase,
      },
      // The last column would make some terminals wrap.
      widthOf(this.#output) - 1,
    );
    this.#output.write(`\r${line}\x1b[K`);
    this.#drawn = true;
  }
}
