/** The table of clients against a map in the order of activity, with a fold that is another one now and then. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allocatePart } from '../../src/model/memory.js';
import { Clients } from '../../src/state/clients.js';
import { CLIENT_BYTES } from '../../src/state/slot-bytes.js';
import { assertVisiting } from '../support/corners.js';

const bytesOf = (id: string) => Buffer.from(id);
const memoryFor = (clients: number) => allocatePart((clients + 1) * CLIENT_BYTES);

interface ModelClient {
  line: number;
  owner: number;
  activeUs: number;
  born: number;
}

/** As a hello does it: the client's slot, whether known or new. */
function slotOf(clients: Clients, id: string, born: number, nowUs: number): { slot: number; known: boolean } {
  const known = clients.find(bytesOf(id));
  if (known !== 0) return { slot: known, known: true };
  const slot = clients.slotForNew();
  clients.assign(slot, bytesOf(id), born, nowUs);
  return { slot, known: false };
}

// Two with one hash would be no surprise: the bytes decide, so short ones of many shapes will do.
const anId = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'é', '\u0000', 'x'.repeat(256)),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }),
);

const command = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('hello' as const), id: anId, owner: fc.nat(3) }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('lines' as const), pick: fc.nat(20), count: fc.nat(9) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('close' as const), pick: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take over' as const) }) },
);

test('clients keep their numbers while there is room, and the one that was silent for longest leaves first', () => {
  const corners = new Set<string>();
  assertVisiting(
    corners,
    ['all connected', 'connected passed over', 'known', 'oldest'],
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.array(command, { maxLength: 60, size: 'max' }),
      (max, steps) => {
        const memory = memoryFor(max);
        let clients = new Clients(memory);
        clients.begin();
        const model = new Map<string, ModelClient>();
        let now = 0;
        const touch = (id: string, client: ModelClient) => {
          model.delete(id);
          model.set(id, client);
        };
        const evict = () => {
          const free = [...model].findIndex(([, { owner }]) => owner === 0);
          corners.add(free < 0 ? 'all connected' : free > 0 ? 'connected passed over' : 'oldest');
          for (const [id, client] of [...model].slice(0, Math.max(0, free))) touch(id, client);
          model.delete([...model.keys()][0]!);
        };
        for (const step of steps) {
          now++;
          if (step.kind === 'hello') {
            const { slot, known } = slotOf(clients, step.id, now, now);
            expect(known).toBe(model.has(step.id));
            if (!known && model.size === max) evict();
            const client = model.get(step.id) ?? { line: 0, owner: 0, activeUs: now, born: now };
            client.owner = step.owner;
            clients.setOwner(slot, step.owner);
            if (!known) touch(step.id, client);
            if (known) corners.add('known');
          } else if (step.kind === 'take over') {
            // The order of those that were touched without an arrival of their own is as if they had not been.
            clients = new Clients(memory);
            clients.isLive = true;
            const byActivity = [...model].sort(([, a], [, b]) => a.activeUs - b.activeUs);
            model.clear();
            for (const [id, client] of byActivity) model.set(id, client);
          } else if (model.size > 0) {
            const [id, client] = [...model][step.pick % model.size]!;
            const slot = clients.find(bytesOf(id));
            if (step.kind === 'lines') {
              client.line += step.count;
              client.activeUs = now;
              clients.setFolded(slot, client.born, client.line, now, now);
              // Of a client that the slot had before.
              clients.setFolded(slot, client.born - 0.5, 1e6, now, now);
              touch(id, client);
            } else {
              client.owner = 0;
              clients.setOwner(slot, 0);
            }
          }
          for (const [id, { line, owner, activeUs, born }] of model) {
            const slot = clients.find(bytesOf(id));
            expect(Buffer.from(clients.idOf(slot))).toEqual(bytesOf(id));
            expect([clients.lastLine(slot), clients.owner(slot)]).toEqual([line, owner]);
            expect([clients.activeUs(slot), clients.born(slot)]).toEqual([activeUs, born]);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('a slot that a fold was giving away when it died is free, is given again, and is locked for no reader', () => {
  class Dying extends Clients {
    override restart(): never {
      throw new Error('a death in the middle');
    }
  }
  const memory = memoryFor(2);
  const before = new Clients(memory);
  before.begin();
  slotOf(before, 'stays', 1, 1);
  slotOf(before, 'leaves', 2, 2);
  before.setFolded(before.find(bytesOf('stays')), 1, 5, 3, 3);
  expect(() => slotOf(new Dying(memory), 'new', 4, 4)).toThrow('a death');
  const after = new Clients(memory);
  expect(after.find(bytesOf('leaves'))).toBe(0);
  expect(after.find(bytesOf('new'))).toBe(0);
  const { slot } = slotOf(after, 'new', 4, 5);
  expect(after.lastLine(after.find(bytesOf('stays')))).toBe(5);
  expect(after.version(slot)).toBeGreaterThanOrEqual(0);
});

describe('read back from the log', () => {
  test('the later word of a client is right, also where its number is lower', () => {
    const clients = new Clients(memoryFor(3));
    clients.restore(bytesOf('a'), 900, 10);
    clients.restore(bytesOf('b'), 3, 20);
    clients.restore(bytesOf('a'), 2, 30);
    expect(clients.lastLine(clients.find(bytesOf('a')))).toBe(2);
    expect(clients.lastLine(clients.find(bytesOf('b')))).toBe(3);
  });

  test('the most recently active stay where the log has more of them than there is room for', () => {
    const clients = new Clients(memoryFor(2));
    for (const [i, id] of ['a', 'b', 'a', 'c'].entries()) clients.restore(bytesOf(id), i + 1, i);
    expect(['a', 'b', 'c'].map((id) => clients.lastLine(clients.find(bytesOf(id))))).toEqual([3, 0, 4]);
    expect(clients.find(bytesOf('b'))).toBe(0);
  });

  test('no connection of the process before owns them, and a rebuild beside running clients changes none', () => {
    const memory = memoryFor(3);
    const clients = new Clients(memory);
    clients.restore(bytesOf('a'), 7, 10);
    const slot = clients.find(bytesOf('a'));
    clients.setOwner(slot, 5);
    clients.begin();
    expect([clients.owner(slot), clients.position(slot)]).toEqual([0, 0]);
    clients.setFolded(slot, clients.born(slot), 9, 20, 100);
    clients.clear();
    clients.restore(bytesOf('a'), 7, 10);
    clients.restore(bytesOf('late'), 1, 10);
    expect(clients.lastLine(slot)).toBe(9);
    expect(clients.find(bytesOf('late'))).toBe(0);
  });

  test('a rebuild that begins again begins with none', () => {
    const clients = new Clients(memoryFor(3));
    clients.restore(bytesOf('a'), 7, 10);
    clients.clear();
    expect(clients.find(bytesOf('a'))).toBe(0);
    expect(clients.usedBytes).toBe(CLIENT_BYTES);
  });
});
