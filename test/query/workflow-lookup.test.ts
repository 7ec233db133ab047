/** Workflows that have left memory, out of a log on disk, against a state that has forgotten nothing. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeTicks, type FrameTick } from '../../src/archive/frame-ticks.js';
import { LogIndex } from '../../src/archive/log-index.js';
import { endOfLog } from '../../src/archive/log-reader.js';
import { TICK_LIMITS, TICK_TIME } from '../../src/model/tick.js';
import { readChildren } from '../../src/query/named-children.js';
import { readHistory } from '../../src/query/workflow-history.js';
import { type Historian, WorkflowLookup } from '../../src/query/workflow-lookup.js';
import type { StateLimits } from '../../src/state/layout.js';
import { encodeLimits } from '../../src/state/limits.js';
import { type BuiltFrame, LogBuilder, temporaryDirectory, writeSegment } from '../archive/log-fixture.js';
import { type RandomEvent, randomRecords } from '../fold/random-events.js';
import { Folded, LIMITS } from '../fold/replaying.js';
import { assertVisitingAsync } from '../support/corners.js';

const HERE: Historian = { history: readHistory, children: readChildren };

type Event = Record<string, unknown> & { readonly type: string };
/** `after`: so many seconds later a tick says the time. */
type Step = { readonly event: Event } | { readonly after: number };

interface Split {
  readonly framesLines: number;
  readonly segmentFrames: number;
}

/** A log, and the states that folded it: a small one that forgets, and one with room for all. */
class History {
  readonly directory = join(temporaryDirectory(), 'archive');
  readonly small: Folded;
  readonly whole: Folded;
  /** What the whole state said last of each run, by workflow. */
  readonly runs = new Map<string, Record<string, unknown>[]>();
  readonly #builder = new LogBuilder();
  readonly #segments: BuiltFrame[][] = [[]];
  readonly #limits: StateLimits;
  readonly #split: Split;
  #lines: string[] = [];
  #ticks: FrameTick[] = [];
  #tickNumber = 1;

  constructor(limits: StateLimits, small: Partial<StateLimits>, split: Split) {
    mkdirSync(this.directory);
    this.#limits = limits;
    this.#split = split;
    this.small = new Folded({ ...limits, ...small });
    this.whole = new Folded(limits);
    this.#repeatLimits();
  }

  async take(step: Step): Promise<void> {
    if ('after' in step) {
      this.#tick(step.after);
      for (const id of this.runs.keys()) await this.#note(id);
      return;
    }
    const event = await this.#told(step.event);
    this.#lines.push(JSON.stringify(event));
    // As the builder will have it.
    const arrivalUs = this.#builder.arrivalUs + this.#lines.length * 1000;
    this.small.record([event], arrivalUs);
    this.whole.record([event], arrivalUs);
    if (typeof event.workflow === 'string') await this.#note(event.workflow);
    if (this.#lines.length >= this.#split.framesLines) this.#closeFrame();
  }

  /**
   * A start may be dated before an end. Where that has left memory with all else of its run, the small state takes the start for
   * one of the remainder that it has, and the log does not say so: no lookup can know how that went on.
   */
  async #told(event: Event): Promise<Event> {
    if (event.type !== 'workflow.start') return event;
    const id = String(event.workflow);
    const there = await this.small.workflowOrNull(id);
    const { ts: _, ...undated } = event;
    return there !== null && there.implicit !== (await this.whole.workflow(id)).implicit ? undated : event;
  }

  /** @returns what answers out of the small state and the log */
  async finish(): Promise<WorkflowLookup> {
    this.#closeFrame();
    for (const frames of this.#segments) if (frames.length > 0) writeSegment(this.directory, frames);
    for (const id of this.runs.keys()) await this.#note(id);
    const position = endOfLog(this.directory)!;
    const index = new LogIndex(this.directory);
    await index.follow(position);
    return new WorkflowLookup({
      tables: this.small.tables,
      texts: this.small.texts,
      end: { position, behind: async () => position },
      index,
      historian: HERE,
    });
  }

  async #note(id: string): Promise<void> {
    const {
      source: _,
      children: __,
      runs: ___,
      ...facts
    } = (await this.whole.workflow(id)) as never as {
      source: string;
      children: unknown;
      runs: unknown;
      run: number;
    };
    const runs = this.runs.get(id) ?? [];
    runs[facts.run - 1] = facts;
    this.runs.set(id, runs);
  }

  #tick(afterSeconds: number): void {
    if (this.#lines.length > 0) this.#closeFrame();
    this.#builder.arrivalUs += afterSeconds * 1e6;
    const { arrivalUs } = this.#builder;
    const number = ++this.#tickNumber;
    this.small.tick(TICK_TIME, new Uint8Array(0), arrivalUs, number);
    this.whole.tick(TICK_TIME, new Uint8Array(0), arrivalUs, number);
    this.#ticks.push({ lineOffset: 0, kind: TICK_TIME, number, arrivalUs, payload: new Uint8Array(0) });
  }

  #repeatLimits(): void {
    const { arrivalUs } = this.#builder;
    const payload = encodeLimits(this.#limits);
    this.#ticks.push({ lineOffset: 0, kind: TICK_LIMITS, number: 1, arrivalUs, payload });
  }

  #closeFrame(): void {
    if (this.#lines.length === 0 && this.#ticks.length === 0) return;
    const last = this.#builder.arrivalUs + this.#lines.length * 1000;
    this.#segments.at(-1)!.push(this.#builder.frame(this.#lines, { ticks: encodeTicks(last, this.#ticks) }));
    const hasLines = this.#segments.at(-1)!.some(({ facts }) => facts.lineCount > 0);
    this.#lines = [];
    this.#ticks = [];
    if (this.#segments.at(-1)!.length < this.#split.segmentFrames || !hasLines) return;
    this.#segments.push([]);
    this.#repeatLimits();
  }
}

/** A parent for ever, or none: who has changed it and left memory is a child of both. */
function settled(event: RandomEvent): Event {
  if (event.type !== 'workflow.start') return event;
  const parent = ['w1', 'w3'].includes(String(event.workflow)) ? 'w0' : undefined;
  return { ...event, parent };
}

const steps: fc.Arbitrary<Step[]> = randomRecords(150).chain((records) => {
  const events = records.flat().map((event) => ({ event: settled(event) }));
  const gap = fc.option(fc.record({ after: fc.integer({ min: 0, max: 12 }) }), { freq: 8 });
  const gaps = fc.array(gap, { minLength: events.length, maxLength: events.length });
  return gaps.map((all) => events.flatMap((event, i) => (all[i] ? [all[i]!, event] : [event])));
});

const split = fc.record({
  framesLines: fc.integer({ min: 1, max: 20 }),
  segmentFrames: fc.integer({ min: 1, max: 6 }),
});

test('every run of every workflow is answered as by a state that has forgotten nothing', async () => {
  const visited = new Set<string>();
  await assertVisitingAsync(
    visited,
    [
      'archive',
      'live',
      'recent',
      'an earlier run',
      'a run before one in memory',
      'children that have left',
      'joined',
      'stale',
      'tasks forgotten at their limit',
    ],
    fc.asyncProperty(
      steps,
      fc.integer({ min: 0, max: 2 }),
      fc.constantFrom(3, 100),
      split,
      async (all, maxRecentWorkflows, maxTasksPerWorkflow, given) => {
        const limits = { ...LIMITS, staleAfterMs: 10_000, maxTasksPerWorkflow };
        const history = new History(limits, { maxRecentWorkflows }, given);
        for (const step of all) await history.take(step);
        const lookup = await history.finish();
        for (const [id, runs] of history.runs) {
          const inMemory = await history.small.workflowOrNull(id);
          const current = await history.whole.workflow(id);
          for (const [i, expected] of [...runs.entries(), [runs.length - 1, runs.at(-1)!] as const]) {
            const { children, source, ...found } = await lookup.find(id, i + 1);
            const isLast = i === runs.length - 1;
            expect(found).toEqual({
              ...expected,
              runs: runs.map(({ run, started_at, status }, at) => {
                const isThere = at === runs.length - 1 && inMemory !== null;
                return { run, started_at, status, source: isThere ? current.source : 'archive' };
              }),
            });
            expect([...children].sort()).toEqual([...current.children].sort());
            expect(source).toBe(isLast && inMemory !== null ? current.source : 'archive');
            visited.add(source);
            if (!isLast) visited.add(inMemory === null ? 'an earlier run' : 'a run before one in memory');
            const there = inMemory?.children.length ?? history.small.workflowIds(false).length;
            if (children.length > there) visited.add('children that have left');
            if (isLast && inMemory && inMemory.tasks_total < Number(expected.tasks_total))
              visited.add('joined');
            if (expected.status === 'cancelled' && expected.ended_at === null) visited.add('stale');
            if ((expected.tasks as object[]).length < Number(expected.tasks_total)) {
              visited.add('tasks forgotten at their limit');
            }
          }
          expect((await lookup.find(id, null)).run).toBe(runs.length);
          await expect(lookup.find(id, runs.length + 1)).rejects.toMatchObject({ status: 404 });
        }
        await expect(lookup.find('never', null)).rejects.toMatchObject({ status: 404 });
      },
    ),
    { numRuns: 10 },
  );
}, 120_000);

test('a remainder that runs is live, whichever of its runs is asked for', async () => {
  const small = { maxRecentWorkflows: 0 };
  const limits = { ...LIMITS, staleAfterMs: 10_000 };
  const history = new History(limits, small, { framesLines: 1, segmentFrames: 1 });
  const task = { workflow: 'w', task: 't', agent: 'a' };
  const events: Step[] = [
    { event: { type: 'task.start', ...task } },
    { event: { type: 'workflow.end', workflow: 'w', status: 'completed' } },
    { event: { type: 'workflow.start', workflow: 'w' } },
    { event: { type: 'workflow.end', workflow: 'w', status: 'failed' } },
    { event: { type: 'workflow.start', workflow: 'w' } },
    { after: 11 },
    { event: { type: 'task.start', ...task } },
    { event: { type: 'workflow.start', workflow: 'w' } },
  ];
  for (const step of events) await history.take(step);
  const lookup = await history.finish();
  const { runs } = await lookup.find('w', null);
  expect(runs.at(-1)!.source).toBe('live');
  for (const { run } of runs) expect((await lookup.find('w', run)).runs).toEqual(runs);
});
