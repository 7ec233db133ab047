/**
 * Threads that die at any point: nothing is lost, nothing counts twice. The real stages under the real supervisor; what
 * kills them is on order (faults.ts).
 */

import { describe, expect, test } from 'vitest';
import type { FileFault, FoldFault } from './faults.js';
import { Pipeline } from './pipeline.js';
import { type Batch, openFilesIn, randomOf, runAndCompare, workload } from './workload.js';

const SEED = Number(process.env.TALLYD_SEED ?? 20250611);

/** Positions pass 2^32 on the way. */
const ORIGIN = 2 ** 32 - 100_000;

/** Numbers of events that are not the first of their record: what was done before them is counted again. */
function eventsOf(batches: readonly Batch[]): number[] {
  return batches.flatMap(({ lines }) => {
    const events = lines.filter(({ kind }) => kind === 'event');
    return events.slice(1).map(({ n }) => n);
  });
}

test(`without a death every line is where it belongs (seed ${SEED})`, async () => {
  const pipeline = new Pipeline({ origin: ORIGIN });
  await runAndCompare(pipeline, workload(4000, SEED));
  expect(pipeline.published).toBeGreaterThan(2 ** 32);
});

describe('a fold that dies', () => {
  const how: FoldFault['how'][] = ['throw', 'exit'];
  const places: FoldFault['at'][] = ['decode', 'before', 'after'];
  const batches = workload(700, SEED + 1);
  const events = eventsOf(batches);

  test.each(how)(
    'by %s, while it decodes, before a change or after half of one, has counted each line once',
    async (how) => {
      const fold = places.map((at, i) => ({ at, how, n: events[100 + 150 * i]! }));
      const pipeline = new Pipeline({ fold, origin: ORIGIN });
      await runAndCompare(pipeline, batches);
      expect(pipeline.deaths('fold')).toEqual([1, 1, 1]);
    },
  );

  // A rebuild would mend what is applied twice, so none may follow.
  test('while it decodes, and only then, goes on where it was, and has counted each line once', async () => {
    const fold = [100, 200, 300, 400].map((i) => ({
      at: 'decode' as const,
      how: 'throw' as const,
      n: events[i]!,
    }));
    const pipeline = new Pipeline({ fold });
    await runAndCompare(pipeline, batches);
    expect(pipeline.deaths('fold')).toEqual([1, 1, 1, 1]);
  });

  test('twice at one line has that line refused as internal, and its neighbours intact', async () => {
    const [a, b, c] = [events[50]!, events[300]!, events[400]!];
    const fold: FoldFault[] = [
      { at: 'after', n: a, how: 'throw', times: 2 },
      { at: 'decode', n: b, how: 'throw', times: 2 },
      { at: 'before', n: c, how: 'exit', times: 2 },
    ];
    const pipeline = new Pipeline({ fold });
    await runAndCompare(pipeline, batches, { internal: new Set([a, b, c]) });
    expect(pipeline.deaths('fold')).toEqual([2, 2, 2]);
  });

  test('at the first and the last line of a record, and at two lines of one record, has counted each line once', async () => {
    const record = batches.find(
      ({ lines }) => lines.length === 12 && lines.every(({ kind }) => kind !== 'empty'),
    )!;
    const numbers = record.lines.map(({ n }) => n);
    const inner = record.lines.filter(({ kind }) => kind === 'event').map(({ n }) => n);
    const fold: FoldFault[] = [
      { at: 'decode', n: numbers[0]!, how: 'throw' },
      { at: 'after', n: inner[1]!, how: 'throw' },
      { at: 'after', n: inner[2]!, how: 'throw' },
      { at: 'before', n: inner.at(-2)!, how: 'throw' },
      { at: 'decode', n: numbers.at(-1)!, how: 'throw' },
    ];
    const pipeline = new Pipeline({ fold });
    await runAndCompare(pipeline, batches);
    expect(pipeline.deaths('fold')).toEqual([1, 1, 1, 1, 1]);
  });

  test('while it rebuilds, when it has, and at a line that it applies again, has counted each line once', async () => {
    const record = batches
      .slice(40)
      .find(({ lines }) => lines.filter(({ kind }) => kind === 'event').length > 6)!;
    const inner = record.lines.filter(({ kind }) => kind === 'event').map(({ n }) => n);
    const fold: FoldFault[] = [
      { at: 'after', n: inner[5]!, how: 'throw' },
      { at: 'rebuild', how: 'throw', skip: 1 },
      { at: 'rebuilt', how: 'exit', skip: 1 },
      { at: 'after', n: inner[2]!, how: 'throw', skip: 1 },
    ];
    const pipeline = new Pipeline({ fold });
    await runAndCompare(pipeline, batches);
    expect(pipeline.deaths('fold')).toEqual([1, 1, 1, 1]);
  });

  test('at refused, empty and sync lines has counted each line once and answered each sync once', async () => {
    const first = (kind: string) =>
      batches
        .slice(30)
        .flatMap(({ lines }) => lines)
        .find((line) => line.kind === kind)!.n;
    const refused = first('refused');
    const sync = first('sync');
    const record = batches.find(({ lines }) => lines.some(({ n }) => n === sync))!;
    const others = record.lines.filter(({ kind }) => kind === 'event').map(({ n }) => n);
    expect(others.length).toBeGreaterThan(1);
    const fold: FoldFault[] = [
      { at: 'decode', n: refused, how: 'throw' },
      { at: 'decode', n: sync, how: 'exit' },
      ...others.map((n) => ({ at: 'after' as const, n, how: 'throw' as const })),
    ];
    const pipeline = new Pipeline({ fold });
    await runAndCompare(pipeline, batches);
    expect(pipeline.deaths('fold')).toEqual(fold.map(() => 1));
  });

  test(`at lines and in ways of a random choice (seed ${SEED + 2}) has counted each line once`, async () => {
    const random = randomOf(SEED + 2);
    const many = workload(2500, SEED + 3);
    const numbers = eventsOf(many);
    const fold: FoldFault[] = Array.from({ length: 8 }, (_, i) => ({
      at: places[random(3)]!,
      how: how[random(2)]!,
      // One line may be chosen but once: dying there twice is another test.
      n: numbers[Math.floor((numbers.length / 8) * i) + random(Math.floor(numbers.length / 8))]!,
    }));
    fold.push({ at: 'rebuild', how: 'exit', skip: 1 }, { at: 'rebuilt', how: 'throw', skip: 2 });
    const pipeline = new Pipeline({ fold, origin: ORIGIN });
    await runAndCompare(pipeline, many);
    expect(pipeline.deaths('fold').slice(0, 8)).toEqual(Array(8).fill(1));
  });

  test('has a sync answered at once all the same, and not when the interval is over', async () => {
    const last = batches.at(-1)!;
    const event = {
      n: 9000,
      kind: 'event' as const,
      text: '{"type":"sample","n":9000,"name":"m","value":1}',
    };
    const sync = { n: 9001, kind: 'sync' as const, text: '{"type":"sync","n":9001,"id":"s9001"}' };
    const more = { ...event, n: 9002, text: event.text.replace('9000', '9002') };
    const fold: FoldFault[] = [{ at: 'after', n: 9002, how: 'throw' }];
    const pipeline = new Pipeline({ fold, syncIntervalMs: 60_000 });
    await pipeline.send(last.connection, [event.text, sync.text, more.text]);
    await pipeline.until(() => pipeline.answers.length === 1, 'the answer', 5000);
    expect(pipeline.deaths('fold')).toEqual([1]);
    await pipeline.drain();
    expect(pipeline.answers).toMatchObject([{ id: 's9001', accepted: 1, rejected: 0 }]);
  });
});

describe('an archive that dies', () => {
  const batches = workload(2500, SEED + 4);
  /** Small segments, so that it creates and closes some. */
  const options = { segmentBytes: 12 * 1024, syncIntervalMs: 20, origin: ORIGIN };
  const fault = (
    operation: FileFault['operation'],
    call: number,
    when: FileFault['when'],
    how: FileFault['how'],
  ) => {
    return { operation, call, when, how };
  };

  test.each([
    ['writing', [fault('writevSync', 2, 'before', 'throw'), fault('writevSync', 5, 'before', 'exit')]],
    [
      'in the middle of writing',
      [fault('writevSync', 1, 'half', 'throw'), fault('writevSync', 4, 'half', 'exit')],
    ],
    ['after writing', [fault('writevSync', 0, 'after', 'throw'), fault('writevSync', 3, 'after', 'exit')]],
    [
      'closing the old segment',
      [fault('closeSync', 1, 'after', 'exit'), fault('closeSync', 3, 'before', 'throw')],
    ],
    ['creating a segment', [fault('openSync', 0, 'after', 'throw'), fault('openSync', 3, 'after', 'exit')]],
    [
      'making its name durable',
      [fault('fsyncSync', 0, 'before', 'throw'), fault('fsyncSync', 1, 'after', 'exit')],
    ],
    [
      'removing what one that died has left',
      [fault('openSync', 0, 'after', 'throw'), fault('unlinkSync', 0, 'after', 'exit')],
    ],
  ] as const)('%s leaves no line out and none in twice', async (_, archive) => {
    const pipeline = new Pipeline({ archive, ...options });
    await runAndCompare(pipeline, batches);
    expect(pipeline.deaths('archive')).toEqual(archive.map(() => 1));
  });

  test('cutting off the half frame of one that died leaves no line out and none in twice', async () => {
    const archive = [
      fault('writevSync', 2, 'half', 'exit'),
      fault('ftruncateSync', 0, 'before', 'exit'),
      fault('ftruncateSync', 1, 'after', 'throw'),
    ];
    const pipeline = new Pipeline({ archive, ...options, segmentBytes: 1024 * 1024 });
    await runAndCompare(pipeline, batches);
    expect(pipeline.deaths('archive')).toEqual([1, 1, 1]);
  });

  test('with a fold that dies and rebuilds meanwhile leaves no line out and none in twice', async () => {
    const events = eventsOf(batches);
    const fold: FoldFault[] = [400, 800, 1200, 1600].map((i) => ({
      at: 'after',
      how: 'throw',
      n: events[i]!,
    }));
    const archive = [fault('writevSync', 1, 'half', 'exit'), fault('openSync', 4, 'after', 'throw')];
    const sync = [fault('fdatasyncSync', 1, 'before', 'exit')];
    const pipeline = new Pipeline({ fold, archive, sync, ...options });
    await runAndCompare(pipeline, batches);
    expect(pipeline.deaths('fold')).toEqual([1, 1, 1, 1]);
    expect(pipeline.deaths('archive')).toEqual([1, 1]);
    expect(pipeline.deaths('sync')).toEqual([1]);
  });
});

test('a sync stage that dies before or after its fdatasync answers each sync once, when it is durable', async () => {
  const sync: FileFault[] = [
    { operation: 'openSync', call: 0, when: 'after', how: 'throw' },
    { operation: 'fdatasyncSync', call: 0, when: 'before', how: 'throw' },
    { operation: 'fdatasyncSync', call: 2, when: 'after', how: 'exit' },
    { operation: 'fdatasyncSync', call: 4, when: 'before', how: 'exit' },
  ];
  const pipeline = new Pipeline({ sync, syncIntervalMs: 20, segmentBytes: 12 * 1024 });
  await runAndCompare(pipeline, workload(600, SEED + 5), { inStep: true });
  expect(pipeline.deaths('sync')).toEqual([1, 1, 1, 1]);
});

test('stages that die of the disk leave no file open', async () => {
  const archive: FileFault[] = [0, 2].map((call) => ({
    operation: 'writevSync',
    call,
    when: 'half',
    how: 'throw',
  }));
  const sync: FileFault[] = [0, 2].map((call) => ({
    operation: 'fdatasyncSync',
    call,
    when: 'before',
    how: 'throw',
  }));
  const pipeline = new Pipeline({ archive, sync, syncIntervalMs: 20 });
  await runAndCompare(pipeline, workload(400, SEED + 6), { inStep: true });
  expect([...pipeline.deaths('archive'), ...pipeline.deaths('sync')]).toEqual([1, 1, 1, 1]);
  expect(openFilesIn(pipeline.directory)).toEqual([]);
});
