/** Which bytes of the tables' memories are the state: what a checkpoint copies, and nothing behind it. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { allocateTables, type TableName } from '../../src/state/layout.js';
import { randomRecords } from '../fold/random-events.js';
import { differences, Folded, LIMITS, TINY } from '../fold/replaying.js';

test('each memory of the tables has its used range', () => {
  const { tables, memory } = new Folded();
  const { limits: _, linear: __, ...memories } = memory;
  expect(Object.keys(tables.usedRanges()).sort()).toEqual(Object.keys(memories).sort());
});

test.each([
  ['with room for everything', {}],
  ['at tiny limits', TINY],
])('%s, behind the used ranges there are zeros only, and what they hold is the whole state', (_, limits) => {
  fc.assert(
    fc.property(randomRecords(300), fc.boolean(), (records, cleared) => {
      const folded = new Folded(limits);
      for (const record of records) folded.fold(...record);
      if (cleared) folded.tables.clear();
      const copy = allocateTables({ ...LIMITS, ...limits });
      for (const [name, bytes] of Object.entries(folded.tables.usedRanges()) as [TableName, number][]) {
        const memory = folded.memory[name];
        expect(memory.subarray(bytes).every((byte) => byte === 0)).toBe(true);
        copy[name].set(memory.subarray(0, bytes));
      }
      expect(differences(copy, folded.memory)).toEqual({});
    }),
    { numRuns: 15 },
  );
});
