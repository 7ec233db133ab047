/** Lines of all kinds for a pipeline, and what must have come of them afterwards. */

import { readdirSync, readlinkSync } from 'node:fs';
import { expect } from 'vitest';
import { readLog } from '../archive/log-fixture.js';
import { differences, Folded } from '../fold/replaying.js';
import type { Pipeline } from './pipeline.js';

export type LineKind = 'event' | 'refused' | 'empty' | 'sync';

export interface Line {
  /** Stands in the line too, as `"n":…`, but in an empty one. */
  readonly n: number;
  readonly kind: LineKind;
  readonly text: string;
}

export interface Batch {
  readonly connection: number;
  readonly lines: readonly Line[];
}

/** Mulberry32 (Ettinger 2017): the same numbers for the same seed, everywhere. */
export function randomOf(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

/** Records of one to twelve lines over three connections: tasks, workflows, samples; refused, empty and sync lines between. */
export function workload(lineCount: number, seed: number): Batch[] {
  const random = randomOf(seed);
  const batches: Batch[] = [];
  for (let n = 0; n < lineCount; ) {
    const lines: Line[] = [];
    for (let i = 1 + random(12); i > 0 && n < lineCount; i--, n++) lines.push(lineOf(n, random));
    batches.push({ connection: 1 + random(3), lines });
  }
  return batches;
}

function lineOf(n: number, random: (below: number) => number): Line {
  const pick = random(100);
  if (pick < 4) return { n, kind: 'refused', text: `{"type":"task.end","n":${n},"task":"no agent"}` };
  if (pick < 6) return { n, kind: 'refused', text: `no json "n":${n}` };
  if (pick < 9) return { n, kind: 'empty', text: ' '.repeat(random(3)) };
  if (pick < 11) return { n, kind: 'sync', text: `{"type":"sync","n":${n},"id":"s${n}"}` };
  const workflow = `w${random(12)}`;
  const task = `t${random(40)}`;
  const agent = `a${random(5)}`;
  const ts = 1000 + n + random(7) / 8;
  const event =
    pick < 45
      ? { type: 'task.start', n, workflow, task, agent, kind: `k${random(3)}`, ts, description: `does ${n}` }
      : pick < 80
        ? { type: 'task.end', n, workflow, task, agent, status: 'completed', ts, tokens: random(900) }
        : pick < 84
          ? { type: 'workflow.start', n, workflow, name: `name ${random(4)}`, request: `please ${n}`, ts }
          : pick < 88
            ? { type: 'workflow.end', n, workflow, status: 'failed', error: `broken ${n}`, ts }
            : {
                type: 'sample',
                n,
                name: `m${random(3)}`,
                value: random(1e6) / 7,
                tags: { host: `h${random(4)}` },
              };
  return { n, kind: 'event', text: JSON.stringify(event) };
}

interface Expectations {
  /** Numbers of the lines at which the fold dies twice. */
  readonly internal?: ReadonlySet<number>;
  /** Each sync is answered before the next record is sent. */
  readonly inStep?: boolean;
}

/** Sends the records one after the other, ends the pipeline, and holds it against what the lines alone say. */
export async function runAndCompare(
  pipeline: Pipeline,
  batches: readonly Batch[],
  { internal = new Set(), inStep = false }: Expectations = {},
): Promise<void> {
  const folded = new Folded(pipeline.limits);
  const sums = new Map<number, { accepted: number; rejected: number }>();
  const answers: { id: string; connection: number; accepted: number; rejected: number }[] = [];
  const accepted: string[] = [];
  let rejected = 0;
  for (const { connection, lines } of batches) {
    const arrivedUs = await pipeline.send(
      connection,
      lines.map(({ text }) => text),
    );
    const sum = sums.get(connection) ?? { accepted: 0, rejected: 0 };
    sums.set(connection, sum);
    const events: string[] = [];
    for (const { n, kind, text } of lines) {
      if (kind === 'refused' || internal.has(n)) {
        sum.rejected++;
        rejected++;
      } else if (kind === 'event') {
        sum.accepted++;
        events.push(text);
      } else if (kind === 'sync') {
        answers.push({ id: `s${n}`, connection, ...sum });
      }
    }
    if (events.length > 0) folded.record(events, arrivedUs);
    accepted.push(...events);
    if (inStep) await pipeline.until(() => pipeline.answers.length === answers.length, 'the answer');
  }
  await pipeline.drain();
  const log = await readLog(pipeline.directory);
  expect(log.flaws).toEqual([]);
  expectSame(log.text.split('\n').slice(0, -1), accepted);
  expect(differences(pipeline.memory.tables, folded.memory)).toEqual({});
  const totals = pipeline.ledger.totals();
  const lineCount = batches.reduce((count, { lines }) => count + lines.length, 0);
  expect(totals).toMatchObject({ accepted: accepted.length, rejected, inFlight: 0 });
  expect(totals.rejectedByReason.internal ?? 0).toBe(internal.size);
  expect(totals.lines).toBe(totals.accepted + totals.rejected);
  expect(lineCount - totals.lines).toBe(
    countOf(batches, 'empty', internal) + countOf(batches, 'sync', internal),
  );
  for (const [connection, sum] of sums) {
    const found = {
      accepted: pipeline.ledger.accepted(connection),
      rejected: pipeline.ledger.rejected(connection),
    };
    expect(found).toEqual(sum);
  }
  expect(pipeline.answers).toMatchObject(answers);
  expect(pipeline.errors).toEqual([]);
}

/** Which of its files this process, with all its threads, has open. */
export function openFilesIn(directory: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(directory) ? [path] : [];
    } catch {
      return []; // closed since it was listed
    }
  });
}

function countOf(batches: readonly Batch[], kind: LineKind, but: ReadonlySet<number>): number {
  return batches.reduce(
    (sum, { lines }) => sum + lines.filter((one) => one.kind === kind && !but.has(one.n)).length,
    0,
  );
}

/** Long lists: the first difference says more than both of them. */
function expectSame(found: readonly string[], expected: readonly string[]): void {
  const at = expected.findIndex((line, i) => found[i] !== line);
  if (at >= 0) expect({ at, line: found[at] }).toEqual({ at, line: expected[at] });
  expect(found.length).toBe(expected.length);
}
