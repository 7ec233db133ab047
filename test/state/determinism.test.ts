/** The same lines give the same bytes: however they are cut into records, and in tables that were used before. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Replay } from '../../src/fold/replay.js';
import { TICK_LIMITS, TICK_TIME } from '../../src/model/tick.js';
import { allocateTables } from '../../src/state/layout.js';
import { encodeLimits } from '../../src/state/limits.js';
import { Tables } from '../../src/state/tables.js';
import { randomRecords } from '../fold/random-events.js';
import { ARRIVED, differences, Folded, LIMITS, TINY } from '../fold/replaying.js';

test.each([
  ['with room for everything', {}],
  ['at tiny limits', TINY],
])('%s, lines of one arrival give the same bytes in any records', (_, limits) => {
  fc.assert(
    fc.property(randomRecords(200), fc.integer({ min: 1, max: 9 }), (records, size) => {
      const lines = records.flat();
      const one = new Folded(limits).record(lines, ARRIVED * 1e6);
      const split = new Folded(limits);
      for (let at = 0; at < lines.length; at += size) split.record(lines.slice(at, at + size), ARRIVED * 1e6);
      expect(differences(split.memory, one.memory)).toEqual({});
    }),
    { numRuns: 15 },
  );
});

test('ticks at their places in the log give the same bytes as they gave live', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ after: fc.integer({ min: 0, max: 5 }) }) },
    { weight: 1, arbitrary: fc.record({ maxRecentWorkflows: fc.integer({ min: 0, max: 3 }) }) },
  );
  fc.assert(
    fc.property(randomRecords(200), fc.infiniteStream(fc.option(step, { freq: 3 })), (records, ticks) => {
      const memory = { ...TINY, staleAfterMs: 4000 };
      const live = new Folded(memory);
      const log: ((into: Folded) => void)[] = [];
      let arrivedUs = ARRIVED * 1e6;
      const note = (kind: number, payload: Uint8Array) => {
        const at = arrivedUs;
        const changed = live.tick(kind, payload, at);
        const number = live.tables.board.ticks;
        // One that changes nothing is not in the log.
        if (changed) log.push((into) => into.tick(kind, payload, at, number));
      };
      for (const record of records) {
        arrivedUs += 1e6;
        const at = arrivedUs;
        live.record(record, at);
        log.push((into) => into.record(record, at));
        const tick = ticks.next().value;
        if (tick === null) continue;
        if ('after' in tick) {
          arrivedUs += tick.after * 1e6;
          note(TICK_TIME, new Uint8Array(0));
        } else {
          note(TICK_LIMITS, encodeLimits({ ...LIMITS, ...memory, ...tick }));
        }
      }
      const replayed = new Folded(memory);
      for (const apply of log) apply(replayed);
      expect(differences(replayed.memory, live.memory)).toEqual({});
      // A tick that the state has in it already changes nothing.
      expect(replayed.tick(TICK_TIME, new Uint8Array(0), 9e15, live.tables.board.ticks)).toBe(false);
      expect(differences(replayed.memory, live.memory)).toEqual({});
    }),
    { numRuns: 30 },
  );
});

test('tables that are cleared are as new, byte by byte', () => {
  fc.assert(
    fc.property(randomRecords(200), (records) => {
      const folded = new Folded(TINY);
      for (const record of records) folded.fold(...record);
      folded.tables.clear();
      const fresh = allocateTables({ ...LIMITS, ...TINY });
      new Tables(fresh);
      expect(differences(folded.memory, fresh)).toEqual({});
    }),
    { numRuns: 15 },
  );
});

test('tables that are cleared and filled again, whatever a death had left in them, are as those filled once', () => {
  fc.assert(
    fc.property(randomRecords(200), randomRecords(200), fc.nat(3), (before, records, locked) => {
      const reused = new Folded(TINY);
      for (const record of before) reused.fold(...record);
      const { table } = reused.tables.workflows;
      for (let slot = 1; slot <= locked && slot < table.top; slot++) table.lock(slot);
      reused.tables.clear();
      const once = new Folded(TINY);
      const again = new Replay(reused.tables, 0);
      let arrivedUs = ARRIVED * 1e6;
      for (const record of records) {
        arrivedUs += 1000;
        once.record(record, arrivedUs);
        const raw = Buffer.from(record.map((event) => `${JSON.stringify(event)}\n`).join(''));
        again.attach(raw);
        again.fold(0, raw.length, record.length, arrivedUs);
      }
      expect(differences(reused.memory, once.memory)).toEqual({});
    }),
    { numRuns: 15 },
  );
});
