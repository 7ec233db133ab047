/** The ledger: whatever is read and folded, its sum closes. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { REFUSAL_REASONS } from '../../src/model/refusal.js';
import {
  allocateLedger,
  CONNECTION_CLOSING,
  CONNECTION_FREE,
  CONNECTION_OPEN,
  Ledger,
  SLOT_TOTAL,
} from '../../src/ring/ledger.js';

test('lines are accepted, rejected or in flight at every moment, in all and by connection', () => {
  const slots = 4;
  const read = fc.record({
    slot: fc.integer({ min: 1, max: slots }),
    lines: fc.array(fc.integer({ min: -1, max: 8 })),
  });
  fc.assert(
    fc.property(fc.array(read), fc.integer({ min: 0, max: 3 }), (reads, lag) => {
      const memory = allocateLedger(slots);
      const ledger = new Ledger(memory);
      const observer = new Ledger(memory);
      for (let slot = 1; slot <= slots; slot++) ledger.open(slot, 1, slot);
      let lines = 0;
      let bytes = 0;
      const byReason = REFUSAL_REASONS.map(() => 0);
      let accepted = 0;
      let uncounted = 0;
      const fold = ({ slot, lines: codes }: (typeof reads)[number]) => {
        // −1 is an empty line, 0 an accepted one, others are refused.
        for (const code of codes) {
          if (code === -1) uncounted++;
          else if (code === 0) accepted++;
          else byReason[code]! += 1;
        }
        const count = (test: (code: number) => boolean) => codes.filter(test).length;
        ledger.setFolded(
          slot,
          ledger.accepted(slot) + count((code) => code === 0),
          ledger.rejected(slot) + count((code) => code > 0),
          ledger.uncounted(slot) + count((code) => code === -1),
        );
        byReason.forEach((sum, reason) => {
          ledger.setReason(reason, sum);
        });
        const rejected = byReason.reduce((sum, one) => sum + one, 0);
        ledger.setFolded(SLOT_TOTAL, accepted, rejected, uncounted);
      };
      const flying: typeof reads = [];
      for (const one of reads) {
        ledger.countRead(one.slot, one.lines.length, one.lines.length * 10);
        lines += one.lines.length;
        bytes += one.lines.length * 10;
        flying.push(one);
        while (flying.length > lag) fold(flying.shift()!);
        const totals = observer.totals();
        expect(totals.lines).toBe(totals.accepted + totals.rejected + totals.dropped + totals.inFlight);
        expect(totals.inFlight).toBe(flying.reduce((sum, each) => sum + each.lines.length, 0));
        expect([totals.lines, totals.bytes]).toEqual([lines - uncounted, bytes]);
      }
      for (const one of flying.splice(0)) fold(one);
      const { inFlight, rejected, rejectedByReason } = observer.totals();
      expect(inFlight).toBe(0);
      expect(Object.values(rejectedByReason).reduce((sum, one) => sum + one, 0)).toBe(rejected);
      let ofSlots = 0;
      for (let slot = 1; slot <= slots; slot++) ofSlots += observer.accepted(slot) + observer.rejected(slot);
      expect(ofSlots).toBe(accepted + rejected);
    }),
  );
});

test('a slot that is opened again begins at zero, and leaves the sums of the process as they are', () => {
  const ledger = new Ledger(allocateLedger(2));
  ledger.open(1, 1, 5);
  ledger.countRead(1, 3, 30);
  ledger.setFolded(1, 2, 1, 0);
  ledger.setFolded(SLOT_TOTAL, 2, 1, 0);
  ledger.countStall();
  ledger.setState(1, CONNECTION_CLOSING);
  expect(ledger.openConnections()).toBe(0);
  ledger.setState(1, CONNECTION_FREE);
  ledger.open(1, 2, 6);
  expect([ledger.accepted(1), ledger.rejected(1), ledger.uncounted(1)]).toEqual([0, 0, 0]);
  expect([ledger.generation(1), ledger.state(1)]).toEqual([2, CONNECTION_OPEN]);
  expect(ledger.openConnections()).toBe(1);
  expect(ledger.totals()).toMatchObject({
    lines: 3,
    accepted: 2,
    rejected: 1,
    bytes: 30,
    inFlight: 0,
    stalls: 1,
  });
});

test('each connection has an account of its own, until the fold has passed its end', () => {
  const ledger = new Ledger(allocateLedger(3));
  ledger.open(1, 1, 5, { pid: 0, uid: 4294967294, gid: 7 });
  ledger.open(3, 4, 6);
  ledger.countRead(1, 7, 70);
  ledger.setFolded(1, 2, 1, 1);
  ledger.setClient(1, 9, 1);
  ledger.setUnread(1, 500);
  ledger.supersede(3);
  ledger.setState(3, CONNECTION_CLOSING);
  const none = { lines: 0, bytes: 0, accepted: 0, rejected: 0, dropped: 0, inFlight: 0 };
  expect(ledger.connections()).toEqual([
    {
      slot: 1,
      generation: 1,
      isOpen: true,
      client: 9,
      isSuperseded: false,
      peer: { pid: 0, uid: 4294967294, gid: 7 },
      sinceUs: 5,
      unreadBytes: 500,
      ...{ lines: 6, bytes: 70, accepted: 2, rejected: 1, dropped: 0, inFlight: 3 },
    },
    {
      slot: 3,
      generation: 4,
      isOpen: false,
      client: 0,
      isSuperseded: true,
      peer: null,
      sinceUs: 6,
      unreadBytes: 0,
      ...none,
    },
  ]);
  ledger.setState(3, CONNECTION_FREE);
  expect(ledger.connections().map(({ slot }) => slot)).toEqual([1]);
  ledger.open(1, 2, 8);
  expect(ledger.connections()).toMatchObject([{ client: 0, generation: 2, unreadBytes: 0, ...none }]);
  expect([ledger.spoken(1), ledger.isSuperseded(1)]).toEqual([0, false]);
});

test('every reason of a refusal has a place of its own within the slot', () => {
  const ledger = new Ledger(allocateLedger(1));
  ledger.open(1, 7, 0);
  ledger.setClient(0, 3, 1);
  REFUSAL_REASONS.forEach((_, reason) => {
    ledger.setReason(reason, reason + 1);
  });
  expect(ledger.totals().rejectedByReason).toEqual(
    Object.fromEntries(REFUSAL_REASONS.map((name, reason) => [name, reason + 1])),
  );
  expect([ledger.generation(1), ledger.accepted(1)]).toEqual([7, 0]);
  expect([ledger.client(0), ledger.spoken(0), ledger.isSuperseded(0)]).toEqual([3, 1, false]);
});
