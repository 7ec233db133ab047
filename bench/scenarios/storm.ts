/**
 * A storm of questions beside the load: 500,000 events/s, paced, and 1,000 questions a second of all kinds (storm-asker.ts).
 * Events must not notice: every line durable and exact as ever, the ring never full, and the ingest and fold threads no more
 * than a fifth busier than without the questions. Every question must be answered.
 *
 * Baseline: the same load, and nobody asks. The threads' busy time is what the status says, the median over the seconds;
 * on few cores it has some of the time in it that they wait for one.
 */

import { LINE_BYTES } from '../../src/load/load.js';
import { percentileOf } from '../../src/load/percentiles.js';
import { Child } from '../child.js';
import type { Daemon } from '../daemon.js';
import { type Bench, type Comparison, check, type Figures } from '../harness.js';
import { ARCHIVE_BYTES_PER_SECOND, daemonPass, type LoadRun, RATE } from '../load-run.js';
import { inFolder } from '../run-folder.js';
import type { Asked } from './storm-asker.js';

const SECONDS = 20;
const LINES_PER_SECOND = 500_000;
const QUESTIONS_PER_SECOND = 1000;
const P50 = 'ms an answer, p50';
const P99 = 'ms an answer, p99';

export const stormBench: Bench = {
  name: 'storm',
  goals: [
    '500,000 events/s go on without a stall under 1,000 questions/s of all kinds',
    'which makes the ingest and fold threads at most 20 % busier',
  ],
  nonGoals: ['how fast the answers come: bench queries'],
  warmUps: 0,
  comparisons: ({ small, seconds }) => comparisons(small, seconds ?? (small ? 1 : SECONDS)),
  judge: (results) => {
    const [asked, alone] = results[0]!.variants.map(({ figures }) => figures);
    const rate = asked![RATE]!.median;
    const verdicts = ['ingest', 'fold'].map((thread) => {
      const unit = `${thread} thread, % busy`;
      const more = asked![unit]!.median / alone![unit]!.median - 1;
      return {
        goal: `${thread} at most 20 % busier`,
        value: `${(100 * more).toFixed(1)} %`,
        holds: more < 0.2,
      };
    });
    const least = (0.95 * LINES_PER_SECOND) / 1e6;
    return [
      { goal: 'no stall', value: `${asked!.stalls!.median} stalls`, holds: asked!.stalls!.median === 0 },
      { goal: 'the rate holds', value: `${rate.toFixed(3)} M events/s`, holds: rate >= least },
      ...verdicts,
    ];
  },
};

function* comparisons(small: boolean, seconds: number): Generator<Comparison> {
  const linesPerSecond = small ? 50_000 : LINES_PER_SECOND;
  const run: LoadRun = {
    connections: 16,
    seconds,
    depth: 64,
    profileDirectory: null,
    linesPerSecond,
    lineBytes: LINE_BYTES,
  };
  const perSecond = small ? 100 : QUESTIONS_PER_SECOND;
  const bytes = seconds * ARCHIVE_BYTES_PER_SECOND;
  yield {
    name: `${linesPerSecond} events/s for ${seconds} s`,
    variants: [
      {
        name: `${perSecond} questions/s`,
        pass: () =>
          inFolder(bytes, (directory) =>
            daemonPass(run, directory, (daemon) => ask(daemon, seconds, perSecond)),
          ),
      },
      {
        name: 'no questions',
        isBaseline: true,
        pass: () => inFolder(bytes, (directory) => daemonPass(run, directory)),
      },
    ],
  };
}

async function ask(daemon: Daemon, seconds: number, perSecond: number): Promise<Figures> {
  const asker = new Child(new URL('./storm-asker.js', import.meta.url), [daemon.controlPath]);
  try {
    await asker.receive();
    const answer = asker.receive<Asked>();
    asker.send({ seconds, perSecond });
    const { times, wrong } = await answer;
    check('wrong answers', JSON.stringify(wrong), '{}');
    check('answers', times.length, seconds * perSecond);
    return { [P50]: percentileOf(times, 50), [P99]: percentileOf(times, 99) };
  } finally {
    await asker.end();
  }
}
