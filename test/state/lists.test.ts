/** The lists of workflows (live and recent) and of tasks (all and ended ones) against arrays. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashBytes } from '../../src/model/hash.js';
import { STATUS_COMPLETED, STATUS_FAILED, STATUS_RUNNING } from '../../src/model/status.js';
import { allocateTables } from '../../src/state/layout.js';
import { Tables } from '../../src/state/tables.js';
import { TASK_WORKFLOW } from '../../src/state/tasks.js';
import { LIMITS } from '../fold/replaying.js';
import { assertVisiting } from '../support/corners.js';

function key(text: string) {
  const bytes = Buffer.from(text);
  return {
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    length: bytes.length,
    hash: hashBytes(bytes, 0, bytes.length),
  };
}

const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

test('workflows leave by their list in the order in which they were touched, whatever comes to life and ends', () => {
  const act = fc.constantFrom('touch' as const, 'end' as const, 'revive' as const, 'remove' as const);
  const corners = new Set<string>();
  assertVisiting(
    corners,
    ['no slot left', 'removed'],
    fc.property(
      fc.array(fc.tuple(act, fc.constantFrom(...IDS)), { maxLength: 150, size: 'max' }),
      (steps) => {
        const { workflows, names } = new Tables(
          allocateTables({ ...LIMITS, maxLiveWorkflows: 4, maxRecentWorkflows: 2 }),
        );
        // Oldest first.
        const lists = { live: [] as string[], recent: [] as string[] };
        const slots = new Map<string, number>();
        const move = (id: string, to: 'live' | 'recent' | null) => {
          lists.live = lists.live.filter((one) => one !== id);
          lists.recent = lists.recent.filter((one) => one !== id);
          if (to !== null) lists[to].push(id);
        };
        for (const [what, id] of steps) {
          const { view, length, hash } = key(id);
          const slot = workflows.find(view, 0, length, hash);
          expect(slot).toBe(slots.get(id) ?? 0);
          if (slot === 0) {
            const made = workflows.create(view, 0, length, hash);
            if (slots.size === 7) {
              expect(made).toBe(0);
              corners.add('no slot left');
              continue;
            }
            slots.set(id, made);
            move(id, 'live');
          } else if (what === 'remove') {
            workflows.remove(slot);
            slots.delete(id);
            move(id, null);
            corners.add('removed');
          } else if (what === 'touch') {
            workflows.touch(slot, 1);
            move(id, lists.live.includes(id) ? 'live' : 'recent');
          } else {
            const over = what === 'end';
            const isOver = lists.recent.includes(id);
            workflows.setOver(slot, over);
            if (isOver !== over) move(id, over ? 'recent' : 'live');
          }
          expect([workflows.live, workflows.recent]).toEqual([lists.live.length, lists.recent.length]);
          expect(workflows.oldestLive).toBe(slots.get(lists.live[0] ?? '') ?? 0);
          expect(workflows.oldestRecent).toBe(slots.get(lists.recent[0] ?? '') ?? 0);
        }
        // Emptied from the old end, each list gives its workflows in order.
        for (const list of ['live', 'recent'] as const) {
          for (const id of lists[list]) {
            const oldest = list === 'live' ? workflows.oldestLive : workflows.oldestRecent;
            expect(oldest).toBe(slots.get(id));
            workflows.remove(oldest);
          }
        }
        expect([workflows.table.used, names.blocks]).toEqual([0, 0]);
      },
    ),
    { numRuns: 60 },
  );
});

test('tasks keep the order of their first event and that of their ends, within their workflow and without one', () => {
  const act = fc.constantFrom(
    'end' as const,
    'fail' as const,
    'restart' as const,
    'remove' as const,
    'look' as const,
  );
  const steps = fc.array(
    fc.tuple(act, fc.nat(1), fc.constantFrom('x', 'y'), fc.constantFrom(...IDS.slice(0, 5))),
    {
      maxLength: 150,
      size: 'max',
    },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const { workflows, tasks, names } = new Tables(allocateTables({ ...LIMITS, maxTasks: 12 }));
      const w = key('w');
      const homes = [0, workflows.create(w.view, 0, w.length, w.hash)];
      const agents = new Map(
        ['x', 'y'].map((name) => [name, names.intern(key(name).view, 0, 1, key(name).hash)]),
      );
      let line = 0;
      const model = homes.map(() => ({ all: [] as string[], ended: [] as string[] }));
      const slots = new Map<string, number>();
      for (const [what, home, agent, id] of all) {
        const { view, length, hash } = key(id);
        const name = `${home}/${agent}/${id}`;
        const lists = model[home]!;
        const slot = tasks.find(homes[home]!, agents.get(agent)!, view, 0, length, hash);
        expect(slot).toBe(slots.get(name) ?? 0);
        if (slot === 0) {
          line++;
          const made = tasks.create(homes[home]!, agents.get(agent)!, view, 0, length, hash, line);
          if (made === 0) {
            expect(slots.size).toBeGreaterThanOrEqual(12);
            continue;
          }
          slots.set(name, made);
          lists.all.push(name);
          expect(tasks.table.words[made * tasks.table.slotWords + TASK_WORKFLOW]).toBe(homes[home]);
        } else if (what === 'remove') {
          tasks.remove(slot);
          slots.delete(name);
          lists.all = lists.all.filter((one) => one !== name);
          lists.ended = lists.ended.filter((one) => one !== name);
        } else if (what === 'restart') {
          tasks.setStatus(slot, STATUS_RUNNING, ++line);
          lists.ended = lists.ended.filter((one) => one !== name);
        } else if (what !== 'look') {
          tasks.setStatus(slot, what === 'end' ? STATUS_COMPLETED : STATUS_FAILED, ++line);
          if (!lists.ended.includes(name)) lists.ended.push(name);
        }
        const running = model.reduce((sum, one) => sum + one.all.length - one.ended.length, 0);
        expect([tasks.running, tasks.used]).toEqual([running, slots.size]);
        model.forEach((one, i) => {
          expect(tasks.held(homes[i]!)).toBe(one.all.length);
          expect(tasks.oldestEnded(homes[i]!)).toBe(slots.get(one.ended[0] ?? '') ?? 0);
          const walked: number[] = [];
          for (let at = tasks.first(homes[i]!); at !== 0; at = tasks.next(at)) walked.push(at);
          expect(walked).toEqual(one.all.map((each) => slots.get(each)));
        });
      }
      for (const [i, one] of model.entries()) {
        for (const ended of one.ended) {
          expect(tasks.oldestEnded(homes[i]!)).toBe(slots.get(ended));
          tasks.remove(tasks.oldestEnded(homes[i]!));
        }
        for (let at = tasks.first(homes[i]!); at !== 0; at = tasks.first(homes[i]!)) tasks.remove(at);
      }
      for (const agent of agents.values()) names.release(agent);
      workflows.remove(homes[1]!);
      expect([tasks.used, tasks.running, names.blocks]).toEqual([0, 0, 0]);
    }),
    { numRuns: 60 },
  );
});
