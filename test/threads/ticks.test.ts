/** Ticks through the real stages, which die on order: each is applied once, at its place, and the log gives the same state. */

import { describe, expect, test } from 'vitest';
import { foldLog } from '../../src/daemon/rebuild.js';
import { TICK_LIMITS, TICK_TIME } from '../../src/model/tick.js';
import { encodeLimits } from '../../src/state/limits.js';
import { differences, Folded } from '../fold/replaying.js';
import type { FileFault, FoldFault } from './faults.js';
import { Pipeline } from './pipeline.js';
import { workload } from './workload.js';

const NO_PAYLOAD = new Uint8Array(0);

interface Deaths {
  readonly fold?: FoldFault[];
  readonly archive?: FileFault[];
  /** Number of the tick (from 0) at which the fold dies twice: it is passed over. */
  readonly refused?: number;
}

/** Records with a tick behind every fifth; every fourth tick is one of limits. */
async function runAndCompare({ fold = [], archive = [], refused = -1 }: Deaths): Promise<Pipeline> {
  // Arrivals are a millisecond apart.
  const limits = { maxRecentWorkflows: 4, maxTasksPerWorkflow: 5, staleAfterMs: 8 };
  const pipeline = new Pipeline({ fold, archive, limits, segmentBytes: 8 * 1024, syncIntervalMs: 5 });
  const folded = new Folded(pipeline.limits);
  const { memory } = folded;
  let ticks = 0;
  for (const [i, { connection, lines }] of workload(900, 7).entries()) {
    const arrivedUs = await pipeline.send(
      connection,
      lines.map(({ text }) => text),
    );
    const events = lines.filter(({ kind }) => kind === 'event').map(({ text }) => text);
    if (events.length > 0) folded.record(events, arrivedUs);
    if (i % 5 !== 4) continue;
    const isLimits = ticks % 4 === 3;
    const maxRecentWorkflows = 2 + (ticks % 3);
    const payload = isLimits ? encodeLimits({ ...pipeline.limits, maxRecentWorkflows }) : NO_PAYLOAD;
    const kind = isLimits ? TICK_LIMITS : TICK_TIME;
    const at = await pipeline.tick(kind, payload);
    if (ticks++ !== refused) folded.tick(kind, payload, at);
  }
  await pipeline.drain();
  expect(folded.tables.board.ticks).toBeGreaterThan(10);
  expect(folded.counts().workflows_stale).toBeGreaterThan(10);
  expect(differences(pipeline.memory.tables, memory)).toEqual({});
  const replayed = new Folded(pipeline.limits);
  const flaws: unknown[] = [];
  await foldLog(replayed.tables, pipeline.directory, {
    fromLine: 1,
    toLine: Number.POSITIVE_INFINITY,
    clientsToLine: 0,
    upTo: null,
    onFlaw: (flaw) => flaws.push(flaw),
  });
  expect(flaws).toEqual([]);
  expect(differences(replayed.memory, memory)).toEqual({});
  return pipeline;
}

test('without a death each tick is where it belongs, and the log has those that changed something', async () => {
  await runAndCompare({});
});

describe('a fold that dies', () => {
  test.each(['throw', 'exit'] as const)(
    'by %s before a tick, after half of one, and before or after its record is done, has applied each once',
    async (how) => {
      const fold: FoldFault[] = [
        { at: 'before tick', how, skip: 3 },
        { at: 'after tick', how, skip: 9 },
        { at: 'tick done', how, skip: 15 },
        { at: 'tick done', how, skip: 19 },
        { at: 'rebuilt', how, skip: 1 },
      ];
      const pipeline = await runAndCompare({ fold });
      expect(pipeline.deaths('fold')).toEqual([1, 1, 1, 1, 1]);
    },
  );

  test('twice at one tick has passed it over, in the state and in the log', async () => {
    const pipeline = await runAndCompare({
      fold: [{ at: 'after tick', how: 'throw', skip: 6, times: 2 }],
      refused: 6,
    });
    expect(pipeline.deaths('fold')).toEqual([2]);
  });
});

test.each(['before', 'half', 'after'] as const)(
  'an archive that dies %s writing a frame has each tick in the log once',
  async (when) => {
    const archive: FileFault[] = [1, 3, 5].map((call) => ({
      operation: 'writevSync',
      call,
      when,
      how: 'throw',
    }));
    const pipeline = await runAndCompare({ archive });
    expect(pipeline.deaths('archive')).toEqual([1, 1, 1]);
  },
);
