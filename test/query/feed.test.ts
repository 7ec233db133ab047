import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assertVisiting } from '../support/corners.js';
import { Ear, FeedFixture } from './feed-fixture.js';

const note = (n: number | string, more = '') => `{"type":"note","n":${JSON.stringify(n)}${more}}`;
const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => String(first + i));

function pumpAll(fixture: FeedFixture, ears: readonly Ear[]): void {
  while (fixture.feed.pump(new Set(ears)));
}

test('lines are numbered from what the archive has written, over the records behind it', () => {
  const fixture = new FeedFixture({ line: 1000, origin: 2 ** 32 - 64 });
  fixture.tryPublish([note(1), note(2)]);
  fixture.fold();
  fixture.archive();
  fixture.tryPublish([note(3), '', 'refused', note(4)]);
  fixture.fold();
  expect(fixture.feed.lastLine()).toBe(1004);
  fixture.feed.start();
  const ear = new Ear(fixture.feed.lastLine());
  fixture.tryPublish([note(5), '{"type":"sync","id":1}', note(6)]);
  pumpAll(fixture, [ear]);
  expect(ear.take(), 'what is not folded is not told').toEqual([]);
  fixture.fold();
  pumpAll(fixture, [ear]);
  expect(ear.text).toBe(
    `id: 1005\nevent: note\ndata: ${note(5)}\n\nid: 1006\nevent: note\ndata: ${note(6)}\n\n`,
  );
});

test('a listener that comes later gets what is folded later, and the others go on', () => {
  const fixture = new FeedFixture();
  fixture.feed.start();
  const first = new Ear(0);
  fixture.tryPublish([note(1)]);
  fixture.fold();
  const second = new Ear(fixture.feed.lastLine());
  fixture.tryPublish([note(2)]);
  fixture.fold();
  pumpAll(fixture, [first, second]);
  expect(first.take()).toEqual(['1', '2']);
  expect(second.take()).toEqual(['2']);
});

test('each listener gets what its own filter takes, and the numbers are those of the log', () => {
  const fixture = new FeedFixture();
  fixture.feed.start();
  const start = (workflow: string, agent: string) =>
    `{"type":"task.start","task":"t","workflow":"${workflow}","agent":"${agent}"}`;
  const ears = [
    new Ear(0),
    new Ear(0, { types: ['note'] }),
    new Ear(0, { workflows: ['w'] }),
    new Ear(0, { workflows: ['w'], agents: ['a', 'b'] }),
    new Ear(0, { agents: ['c'] }),
  ];
  fixture.tryPublish([start('w', 'a'), note(2), start('v', 'a'), start('w', 'c'), note(5), start('w', 'b')]);
  fixture.fold();
  pumpAll(fixture, ears);
  expect(ears.map((ear) => ear.take())).toEqual([
    ['1', '2', '3', '4', '5', '6'],
    ['2', '5'],
    ['1', '4', '6'],
    ['1', '6'],
    ['4'],
  ]);
});

test('the record of a connection that another has replaced is not told', () => {
  const fixture = new FeedFixture();
  fixture.feed.start();
  const ear = new Ear();
  fixture.tryPublish([note('old'), note('old')]);
  fixture.fold(() => true);
  fixture.tryPublish([note('new')]);
  fixture.fold();
  pumpAll(fixture, [ear]);
  expect(ear.take()).toEqual(['1']);
});

test('where the fold refused what the decoder takes, the lines of that record are told as missing', () => {
  const fixture = new FeedFixture();
  fixture.feed.start();
  const ear = new Ear();
  fixture.tryPublish([note(1)]);
  fixture.tryPublish([note(2), note('deadly'), note(3)]);
  fixture.tryPublish([note(4)]);
  fixture.fold((line) => line.includes('deadly'));
  pumpAll(fixture, [ear]);
  expect(ear.take()).toEqual(['1', '2-3', '4']);
});

test('a line over the limit is none, though the decoder takes it', () => {
  const fixture = new FeedFixture();
  fixture.feed.start();
  const ear = new Ear();
  const long = note('long', `,"x":"${'x'.repeat(2000)}"`);
  fixture.tryPublish([note(1), long, note(2)]);
  fixture.fold((line) => line === long);
  pumpAll(fixture, [ear]);
  expect(ear.take()).toEqual(['1', '2']);
});

test('a turn is short, and says that there is more', () => {
  const fixture = new FeedFixture({ capacityBytes: 1024 * 1024 });
  fixture.feed.start();
  const ear = new Ear();
  for (let i = 0; i < 1000; i++) fixture.tryPublish([note(i, `,"x":"${'x'.repeat(500)}"`)]);
  fixture.fold();
  expect(fixture.feed.pump(new Set([ear]))).toBe(true);
  expect(ear.take().length).toBeLessThan(400);
});

test('however late the feed is, a listener hears of every line once: as a message, or as missing', () => {
  const corners = new Set<string>();
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        lines: fc.array(fc.constantFrom('good', 'bad'), { minLength: 1, maxLength: 20 }),
      }),
    },
    { weight: 2, arbitrary: fc.constantFrom('archive', 'pump') },
  );
  assertVisiting(
    corners,
    ['a gap', 'a line'],
    fc.property(
      fc.constantFrom(0, 2 ** 32 - 30_000),
      fc.array(step, { minLength: 50, maxLength: 200 }),
      (origin, steps) => {
        const fixture = new FeedFixture({ capacityBytes: 16 * 1024, origin, line: 50 });
        fixture.feed.start();
        const ear = new Ear(50);
        let heard = 50;
        const pump = () => {
          pumpAll(fixture, [ear]);
          for (const told of ear.take()) {
            const [first, last = first] = told.split('-').map(Number) as [number, number?];
            expect(first).toBe(heard + 1);
            heard = last;
            corners.add(told.includes('-') ? 'a gap' : 'a line');
          }
          expect(heard).toBe(fixture.line);
        };
        for (const move of steps) {
          if (move === 'pump') pump();
          else if (move === 'archive') fixture.archive();
          else {
            const lines = move.lines.map((kind) =>
              kind === 'good' ? note(1, `,"x":"${'x'.repeat(100)}"`) : 'bad',
            );
            if (!fixture.tryPublish(lines)) fixture.archive();
            fixture.fold();
          }
        }
        pump();
      },
    ),
    { numRuns: 100 },
  );
});

test('messages hold any line: many of them, long ones, and characters of every kind', () => {
  const fixture = new FeedFixture({ capacityBytes: 4 * 1024 * 1024, origin: 0 });
  fixture.feed.start();
  const ear = new Ear();
  const lines = numbers(1, 2000).map((n) => note(n, `,"x":"ü数😀${'\\u00e4'.repeat(80)}"`));
  fixture.tryPublish(lines.slice(0, 1000));
  fixture.tryPublish(lines.slice(1000));
  fixture.fold();
  pumpAll(fixture, [ear]);
  const expected = lines.map((line, i) => `id: ${i + 1}\nevent: note\ndata: ${line}\n\n`);
  expect(ear.text).toBe(expected.join(''));
});
