/**
 * Scenario `endurance`: a day in some minutes. Two ways, since the daemon has two clocks:
 *
 * - A running daemon takes events whose `ts` go through 24 h. They arrive now: so durations, workflows and the archive see a day,
 *   and the windows, which go by arrival, see the minutes. Every line must be durable, every number exact, and resident
 *   memory flat.
 * - The fold takes a log whose arrivals go through 24 h and a bit, as a replay does: windows move on, roll up and forget, all the
 *   time. At the end each window must hold exactly what arrived in it, and the memory of the windows must be flat.
 *
 * Baselines: naive-daemon.ts under the same sender; the fold over the same lines that all arrive at once.
 */

import { Replay } from '../../src/fold/replay.js';
import { LINE_BYTES, TASKS_PER_BATCH, WORKFLOWS_PER_BATCH } from '../../src/load/load.js';
import { SLOT_SECONDS, SLOTS_KEPT, WINDOW_NAMES } from '../../src/model/windows.js';
import { queryStats } from '../../src/query/stats.js';
import { allocateTables } from '../../src/state/layout.js';
import { Tables } from '../../src/state/tables.js';
import { type Bench, type Comparison, check, type Figures } from '../harness.js';
import { DEFAULT_LIMITS } from '../limits.js';
import { ARCHIVE_BYTES_PER_SECOND, daemonPass, type LoadRun, naivePass, SLOPE } from '../load-run.js';
import { inFolder } from '../run-folder.js';

const DAY_SECONDS = 86_400;
const SECONDS = 120;
/** A batch of the load is a second of its time. */
const LINES_PER_BATCH = 2 * (TASKS_PER_BATCH + WORKFLOWS_PER_BATCH);
const DEPTH = 64;
const CHUNKS = 'window chunks, largest hour';
const GROWTH = 'window chunks, last hour over most before';

export const enduranceBench: Bench = {
  name: 'endurance',
  goals: [
    'a day of events in two minutes: all durable, every number exact, resident memory flat (under 1 MiB/s)',
    'a day of arrivals: every window exact at its end, and no more memory of windows in the last hour than at its most before',
  ],
  nonGoals: ['the largest rate: bench pipeline'],
  warmUps: 0,
  comparisons: ({ small, seconds }) => comparisons(small, seconds ?? (small ? 1 : SECONDS)),
  judge: ([daemon, fold]) => {
    const slope = daemon!.variants[0]!.figures[SLOPE]!.median;
    const growth = fold!.variants[0]!.figures[GROWTH]!.median;
    return [
      { goal: 'resident memory flat over a day', value: `${slope.toFixed(2)} MiB/s`, holds: slope < 1 },
      { goal: 'memory of windows flat over a day', value: `× ${growth.toFixed(2)}`, holds: growth < 1.1 },
    ];
  },
};

function* comparisons(small: boolean, seconds: number): Generator<Comparison> {
  const linesPerSecond = small ? 50_000 : (DAY_SECONDS * LINES_PER_BATCH) / seconds;
  const run: LoadRun = {
    connections: 16,
    seconds,
    depth: DEPTH,
    profileDirectory: null,
    linesPerSecond,
    lineBytes: LINE_BYTES,
  };
  const bytes = seconds * ARCHIVE_BYTES_PER_SECOND;
  yield {
    name: `a daemon, ${small ? 'some' : DAY_SECONDS} s of events in ${seconds} s`,
    variants: [
      { name: 'tallyd', pass: () => inFolder(bytes, (directory) => daemonPass(run, directory)) },
      {
        name: 'naive daemon',
        isBaseline: true,
        pass: () => inFolder(bytes, (directory) => naivePass(run, directory)),
      },
    ],
  };
  const day = new ArrivalDay(small ? 4 : 200, small ? 3 * 3600 : DAY_SECONDS + 2 * 3600);
  yield {
    name: `the fold, ${day.samples} samples of ${day.series} series that arrive within a day`,
    variants: [
      { name: 'as they arrive', pass: () => day.pass(true) },
      { name: 'all at once', isBaseline: true, pass: () => day.pass(false) },
    ],
  };
}

/** A sample a second of some series, in turns of their own. */
class ArrivalDay {
  readonly series: number;
  readonly samples: number;
  readonly #seconds: number;
  readonly #bytes: Buffer[] = [];
  readonly #lines: number[] = [];

  constructor(series: number, seconds: number) {
    this.series = series;
    this.#seconds = seconds;
    let samples = 0;
    for (let second = 0; second < seconds; second++) {
      const lines: string[] = [];
      for (let one = second % 7; one < series; one += 7) {
        const value = valueAt(second, one);
        lines.push(`{"type":"sample","name":"m","value":${value},"tags":{"k":"${one}"}}\n`);
      }
      samples += lines.length;
      this.#bytes.push(Buffer.from(lines.join('')));
      this.#lines.push(lines.length);
    }
    this.samples = samples;
  }

  pass(doesArrive: boolean): Figures {
    const tables = new Tables(
      allocateTables({
        ...DEFAULT_LIMITS,
        maxSeries: this.series + 10,
      }),
    );
    const replay = new Replay(tables, 0);
    const first = 1_700_000_000;
    const chunks: number[] = [];
    const startedMs = performance.now();
    for (let second = 0; second < this.#seconds; second++) {
      const bytes = this.#bytes[second]!;
      replay.attach(bytes);
      replay.fold(0, bytes.length, this.#lines[second]!, (first + (doesArrive ? second : 0)) * 1e6);
      if (second % 3600 === 3599) chunks.push(tables.windowBlocks.chunksUsed);
    }
    const seconds = (performance.now() - startedMs) / 1000;
    check('refused lines', replay.refused, 0);
    check('slots that were lost', tables.board.counts().windows_lost, 0);
    if (doesArrive) this.#checkWindows(tables, first);
    const largest = Math.max(...chunks);
    return {
      'M samples/s': this.samples / seconds / 1e6,
      [CHUNKS]: largest,
      [GROWTH]: doesArrive ? chunks.at(-1)! / Math.max(...chunks.slice(0, -1)) : 1,
    };
  }

  #checkWindows(tables: Tables, first: number): void {
    const now = first + this.#seconds - 1;
    for (const [level, window] of WINDOW_NAMES.entries()) {
      const width = SLOT_SECONDS[level]!;
      const from = Math.max(0, (Math.floor(now / width) - SLOTS_KEPT[level]!) * width - first);
      let count = 0;
      let sum = 0;
      for (let second = from; second < this.#seconds; second++) {
        for (let one = second % 7; one < this.series; one += 7) {
          count++;
          sum += valueAt(second, one);
        }
      }
      const { groups } = queryStats(tables, { metric: 'm', by: [], where: [], window, limit: 1 }, now) as {
        groups: { count: number; sum: number }[];
      };
      check(`samples in ${window}`, groups[0]!.count, count);
      check(`sum in ${window}`, groups[0]!.sum, sum);
    }
  }
}

/** Eighths, so that sums are exact, over four octaves. */
function valueAt(second: number, series: number): number {
  return (8 + ((second * 31 + series * 17) % 120)) / 8;
}
