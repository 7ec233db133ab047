/**
 * `npm run torture`: SEED (default: another one each time, and printed) and ROUNDS (default 200) from the environment.
 */

import { expect, test } from 'vitest';
import { torture } from '../support/torture.js';

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(process.env.ROUNDS ?? 200);

test(`${ROUNDS} rounds of torture with seed ${SEED} lose no line and count none twice`, async () => {
  const counts = await torture({ seed: SEED, rounds: ROUNDS, roundsPerEpisode: 10, say: console.log });
  console.log(counts);
  expect(counts.lines).toBeGreaterThan(0);
});
