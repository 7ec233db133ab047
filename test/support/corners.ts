/** Properties that are to visit corners, which chance alone may miss. */

import fc from 'fast-check';
import { expect } from 'vitest';

/**
 * How often a property is run with a further seed for a corner that it has not visited. A corner that one round in
 * four misses is missed by all of them once in 10^12; one that is missed after them cannot be reached.
 */
const ROUNDS_MAX = 20;

/** Asserts a property of synchronous code as `assertVisitingAsync` does. */
export function assertVisiting<Ts>(
  visited: ReadonlySet<string>,
  corners: readonly string[],
  property: fc.IProperty<Ts>,
  parameters: fc.Parameters<Ts> = {},
): void {
  const seeds: number[] = [];
  while (isAnotherRoundDue(visited, corners, seeds)) {
    fc.assert(property, { ...parameters, seed: seeds.at(-1)! });
  }
  expectVisited(visited, corners, seeds);
}

/** Asserts a property with random seeds until its runs have visited all corners. */
export async function assertVisitingAsync<Ts>(
  visited: ReadonlySet<string>,
  corners: readonly string[],
  property: fc.IAsyncProperty<Ts>,
  parameters: fc.Parameters<Ts> = {},
): Promise<void> {
  const seeds: number[] = [];
  while (isAnotherRoundDue(visited, corners, seeds)) {
    await fc.assert(property, { ...parameters, seed: seeds.at(-1)! });
  }
  expectVisited(visited, corners, seeds);
}

function isAnotherRoundDue(
  visited: ReadonlySet<string>,
  corners: readonly string[],
  seeds: number[],
): boolean {
  const isDue =
    seeds.length === 0 || (seeds.length < ROUNDS_MAX && corners.some((corner) => !visited.has(corner)));
  if (isDue) seeds.push(Math.floor(Math.random() * 2 ** 32) | 0);
  return isDue;
}

function expectVisited(
  visited: ReadonlySet<string>,
  corners: readonly string[],
  seeds: readonly number[],
): void {
  const missed = corners.filter((corner) => !visited.has(corner));
  expect(missed, `the corners missed with the seeds ${seeds.join(', ')}`).toEqual([]);
}
