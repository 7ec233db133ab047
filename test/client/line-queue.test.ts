import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineQueue, type Mark, sizeOfLine } from '../../src/client/line-queue.js';

/** The same, as arrays of lines. */
class Model {
  durable = 0;
  inFlight: string[] = [];
  waiting: string[] = [];
  /** How many of `inFlight` were written since the last rewind. */
  written = 0;
  marks: { mark: Mark; linesBefore: number }[] = [];
  left = 0;

  get bytes(): number {
    return [...this.inFlight, ...this.waiting].reduce((sum, line) => sum + sizeOfLine(line), 0);
  }
}

const seen = new Set<string>();
const line = fc.oneof(
  fc.string({ minLength: 1, maxLength: 40 }).map((text) => text.replaceAll('\n', 'ä')),
  fc.integer({ min: 1, max: 500 }).map((length) => 'x'.repeat(length)),
);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ does: fc.constant('push' as const), line }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('pushDropping' as const), line }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('take' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('settle' as const),
      share: fc.constantFrom(0, 0.1, 0.5, 1),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('rewind' as const) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('mark' as const) }) },
);

test('a queue holds what a list of lines does, whatever is done to it', () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 50, maxLength: 200, size: 'max' }),
      fc.integer({ min: 0, max: 9 }),
      (steps, first) => {
        const queue = new LineQueue(1024);
        const model = new Model();
        queue.start(first);
        model.durable = first;
        for (const each of steps) {
          if (each.does === 'push' || each.does === 'pushDropping') {
            const size = sizeOfLine(each.line);
            if (size > queue.lineBytesMax) continue;
            if (each.does === 'pushDropping' && model.bytes + size > 1024) {
              let dropped = 0;
              while (model.bytes + size > 1024) {
                model.waiting.shift();
                model.left++;
                dropped++;
              }
              seen.add('dropped');
              expect(queue.dropFor(each.line)).toBe(dropped);
            }
            const fits = model.bytes + size <= 1024;
            if (!fits) seen.add('full');
            expect(queue.tryPush(seen.size % 2 === 0 ? each.line : Buffer.from(each.line))).toBe(fits);
            if (fits) model.waiting.push(each.line);
          } else if (each.does === 'take') {
            if (queue.isWindowFull) {
              seen.add('window full');
              continue;
            }
            const taken = queue.take();
            if (taken === undefined) {
              expect(model.waiting).toEqual([]);
              expect(model.written).toBe(model.inFlight.length);
              continue;
            }
            if (model.written < model.inFlight.length) {
              seen.add('resent');
            } else {
              model.inFlight.push(...model.waiting.splice(0, taken.lines));
              model.left += taken.lines;
            }
            const lines = model.inFlight.slice(model.written, model.written + taken.lines);
            expect(taken.bytes.toString()).toBe(lines.map((text) => `${text}\n`).join(''));
            model.written += taken.lines;
          } else if (each.does === 'settle') {
            const count = Math.floor(each.share * model.inFlight.length);
            queue.settle(model.durable + count);
            model.durable += count;
            model.inFlight.splice(0, count);
            model.written = Math.max(0, model.written - count);
            if (count > 0) seen.add('settled');
          } else if (each.does === 'rewind') {
            queue.rewind();
            model.written = 0;
          } else {
            model.marks.push({ mark: queue.mark(), linesBefore: model.left + model.waiting.length });
          }
          expect(queue.durable).toBe(model.durable);
          expect(queue.numbered).toBe(model.durable + model.inFlight.length);
          expect(queue.lines).toBe(model.inFlight.length + model.waiting.length);
          expect(queue.bytes).toBe(model.bytes);
          for (const { mark, linesBefore } of model.marks) {
            expect(mark.number === undefined).toBe(linesBefore > model.left);
            if (mark.number !== undefined) expect(mark.number).toBe(queue.numbered);
          }
          model.marks = model.marks.filter(({ mark }) => mark.number === undefined);
        }
      },
    ),
  );
  expect([...seen].sort()).toEqual(['dropped', 'full', 'resent', 'settled', 'window full']);
});

test('a line of half the queue always finds room where old ones are dropped', () => {
  const queue = new LineQueue(1000);
  const half = 'x'.repeat(499);
  queue.start(0);
  expect(queue.tryPush(half)).toBe(true);
  expect(queue.take()?.lines).toBe(1);
  expect(queue.tryPush(half)).toBe(true);
  expect(queue.isWindowFull).toBe(true);
  expect(queue.dropFor(half)).toBe(1);
  expect(queue.tryPush(half)).toBe(true);
});
