/** States that were written down as checkpoints. */

import { type WriteOptions, writeCheckpoint } from '../../src/checkpoint/checkpoint-writer.js';
import type { Folded } from '../fold/replaying.js';
import { seededRandom } from '../support/seeded-random.js';

const AT_ONCE = async () => {};

/** Lines of all kinds, that arrive by ones and twos. */
export function foldLines(folded: Folded, count: number, seed: number): Folded {
  const next = seededRandom(seed);
  const random = (below: number) => Math.floor(next() * below);
  for (let i = 0; i < count; i++) {
    const workflow = `w${random(30)}`;
    const task = { workflow, task: `t${random(9)}`, agent: `a${random(4)}`, ts: 1000 + i };
    folded.fold(
      [
        { type: 'task.start', ...task, kind: `k${random(3)}` },
        { type: 'task.end', ...task, status: 'completed', tokens: random(100) },
        { type: 'workflow.start', workflow, name: `name ${random(5)}`, ts: 1000 + i },
        { type: 'workflow.end', workflow, status: 'failed', ts: 1000 + i },
        { type: 'sample', name: `m${random(3)}`, value: random(1e6) / 7, tags: { host: `h${random(5)}` } },
      ][random(5)]!,
    );
  }
  return folded;
}

/** Of the tables themselves: in these tests nobody changes them meanwhile. */
export function writeDown(folded: Folded, directory: string, options: Partial<WriteOptions> = {}) {
  return writeCheckpoint(folded.memory, { directory, copiedUs: 5e15, whenDurable: AT_ONCE, ...options });
}
