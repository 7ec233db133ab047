/** A few rounds of the torture; `npm run torture` does 200. */

import { expect, test } from 'vitest';
import { torture } from '../support/torture.js';

test('whatever dies, each line is in the log once and in the aggregates once', async () => {
  const said: string[] = [];
  const counts = await torture({ seed: 7, rounds: 6, roundsPerEpisode: 6, say: (text) => said.push(text) });
  expect(counts.lines).toBeGreaterThan(1000);
  expect(counts.killAtWork).toBeGreaterThan(0);
});
