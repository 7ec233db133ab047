/** The worker of aggregates.test.ts: folds samples as fast as it can. */

import { Replay } from '../../src/fold/replay.js';
import type { TablesMemory } from '../../src/state/layout.js';
import { Tables } from '../../src/state/tables.js';

export interface SamplesTask {
  readonly memory: TablesMemory;
  readonly rounds: number;
}

export const SERIES = 4;
export const SAMPLES_PER_ROUND = 2 * SERIES;
export const FIRST_ARRIVAL = 1_700_000_000;
/** So that slots of all widths but the last close all the time. */
const ROUND_SECONDS = 0.25;

/** In each round a sample of each of `steady`, always the same value, and as many of `churn`, each of a series of its own. */
export default function write({ memory, rounds }: SamplesTask): void {
  const replay = new Replay(new Tables(memory), 0);
  let next = 0;
  for (let round = 0; round < rounds; round++) {
    const lines: string[] = [];
    for (let i = 0; i < SERIES; i++) {
      lines.push(`{"type":"sample","name":"steady","value":${i + 1},"tags":{"k":"${i}"}}\n`);
      lines.push(`{"type":"sample","name":"churn","value":1,"tags":{"n":"${next++}"}}\n`);
    }
    const bytes = Buffer.from(lines.join(''));
    replay.attach(bytes);
    replay.fold(0, bytes.length, lines.length, (FIRST_ARRIVAL + round * ROUND_SECONDS) * 1e6);
  }
}
