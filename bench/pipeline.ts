/**
 * The whole daemon as it is installed, with everything on, under a sender on the same machine: lines of 136 bytes over
 * 1, 16 and 200 connections for a time, then a sync on each, which must find all of them durable. Afterwards the ledger must
 * close, the counts and the sum of all durations must be exact, and the archive must hold every line, in order.
 *
 * Baselines, under the same sender: naive-daemon.ts, and where a C compiler is there reference.c, which does the bare work.
 */

import { join } from 'node:path';
import { LINE_BYTES } from '../src/load/load.js';
import {
  type Bench,
  type Comparison,
  check,
  type Figures,
  type Options,
  type Series,
  type Variant,
  type Verdict,
} from './harness.js';
import {
  ARCHIVE_BYTES_PER_SECOND,
  checkSent,
  daemonPass,
  figuresOf,
  type LoadRun,
  measure,
  naivePass,
  RATE,
  SLOPE,
} from './load-run.js';
import { compilerIsThere, Reference } from './reference.js';
import { inFolder } from './run-folder.js';

export const pipelineBench: Bench = {
  name: 'pipeline',
  goals: [
    'at least 1 M events/s of 136 bytes, sustained for 30 s and durable, sender on the same cores, nothing lost',
    'resident memory flat: its slope over the last 20 s is under 1 MiB/s',
  ],
  nonGoals: [
    'latency',
    'clients that write one event at a time',
    'queries meanwhile: one status a second is asked',
  ],
  warmUps: 0,
  comparisons: (options) => comparisons(options),
  judge: (results) =>
    results.flatMap(({ name, variants }): Verdict[] => {
      const { figures } = variants[0]!;
      const rate = figures[RATE]!.median;
      const slope = figures[SLOPE]!.median;
      return [
        { goal: `${name}: 1 M events/s`, value: `${rate.toFixed(2)} M events/s`, holds: rate >= 1 },
        { goal: `${name}: slope under 1 MiB/s`, value: `${slope.toFixed(2)} MiB/s`, holds: slope < 1 },
      ];
    }),
};

const CONNECTIONS = [1, 16, 200];
const SECONDS = 30;
const SECONDS_SMALL = 1;
/** Batches whose workflows run at one time; rounded up to a multiple of the connections. */
const DEPTH = 200;
const DEPTH_SMALL = 4;

const MEMORY_SERIES = 'rss MiB by seconds';
const REFERENCE = 'C reference';

function* comparisons(options: Options): Generator<Comparison> {
  const seconds = options.seconds ?? (options.small ? SECONDS_SMALL : SECONDS);
  const sizes = options.eventBytes ?? [LINE_BYTES];
  const shapes = sizes.flatMap((lineBytes) =>
    (options.connections ?? CONNECTIONS).map((connections) => ({ connections, lineBytes })),
  );
  for (const { connections, lineBytes } of shapes) {
    const depth = Math.ceil((options.small ? DEPTH_SMALL : DEPTH) / connections) * connections;
    const { profileDirectory } = options;
    const run: LoadRun = { connections, seconds, depth, profileDirectory, linesPerSecond: null, lineBytes };
    let memory: Series = [];
    const takeMemory = (series: Series) => {
      memory = series;
    };
    yield {
      name: `${connections} connection${connections === 1 ? '' : 's'}, ${lineBytes} bytes, ${seconds} s`,
      variants: [
        {
          name: 'tallyd',
          pass: () =>
            inFolder(seconds * ARCHIVE_BYTES_PER_SECOND, (directory) =>
              daemonPass(run, directory, undefined, takeMemory),
            ),
          series: () => ({ [MEMORY_SERIES]: memory }),
        },
        {
          name: 'naive daemon',
          isBaseline: true,
          pass: () => inFolder(seconds * ARCHIVE_BYTES_PER_SECOND, (directory) => naivePass(run, directory)),
        },
        ...(compilerIsThere() ? [referenceVariant(run)] : []),
      ],
    };
  }
}

function referenceVariant(run: LoadRun): Variant {
  return {
    name: REFERENCE,
    pass: () =>
      inFolder(run.seconds * ARCHIVE_BYTES_PER_SECOND, (directory) => referencePass(run, directory)),
  };
}

async function referencePass(run: LoadRun, directory: string): Promise<Figures> {
  const socketPath = join(directory, 'ingest.sock');
  const reference = await Reference.start(directory, socketPath);
  try {
    const measured = await measure(run, socketPath, reference.pid, async () => {});
    const facts = checkSent(measured.sent, run);
    const totals = await reference.stop();
    check('lines', totals.lines, facts.lines);
    check('malformed lines', totals.malformed, 0);
    check('ends of tasks', totals.ends, facts.tasks);
    check('sum of tokens', totals.tokens, facts.tokens);
    check('samples', totals.samples, facts.lines);
    return figuresOf(measured);
  } finally {
    reference.kill();
  }
}
