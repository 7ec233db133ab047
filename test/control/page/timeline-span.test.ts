import fc from 'fast-check';
import { expect, test } from 'vitest';
import { layoutTasks } from '../../../src/control/page/timeline-layout.js';
import { kept, wholeSpan, zoomed } from '../../../src/control/page/timeline-span.js';

const WHOLE = { from: 0, to: 100 };

test('zooming keeps what is under the pointer where it is', () => {
  expect(zoomed(WHOLE, WHOLE, 2, 25)).toEqual({ from: 12.5, to: 62.5 });
  expect(zoomed({ from: 40, to: 60 }, WHOLE, 0.5, 60)).toEqual({ from: 20, to: 60 });
});

test('zoomed out as far as there is time, all is shown', () => {
  expect(zoomed({ from: 10, to: 90 }, WHOLE, 0.5)).toBeNull();
});

test('moved beyond an end, it stops there', () => {
  expect(kept({ from: 90, to: 110 }, WHOLE)).toEqual({ from: 80, to: 100 });
  expect(kept({ from: -5, to: 5 }, WHOLE)).toEqual({ from: 0, to: 10 });
});

test('however it is zoomed and moved, it lies within the whole and shows at least a millisecond', () => {
  const step = fc.record({
    factor: fc.double({ min: 0.1, max: 50, noNaN: true }),
    by: fc.double({ min: -200, max: 200, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let span = WHOLE;
      for (const { factor, by } of steps) {
        span = zoomed(span, WHOLE, factor) ?? WHOLE;
        span = kept({ from: span.from + by, to: span.to + by }, WHOLE) ?? WHOLE;
        expect(span.from).toBeGreaterThanOrEqual(-1e-9);
        expect(span.to).toBeLessThanOrEqual(100 + 1e-9);
        expect(span.to - span.from).toBeGreaterThan(0.000_99);
      }
    }),
  );
});

test('the whole of a workflow that runs goes up to now, that of one that is over to its end', () => {
  const task = {
    task: 't',
    agent: 'a',
    kind: null,
    parallel: null,
    description: null,
    tokens: null,
    error: null,
    output: null,
  };
  const running = { ...task, status: 'running', started_at: 110, ended_at: null, duration: null } as const;
  const layout = layoutTasks([running], 'agent');
  expect(wholeSpan(layout, 100, null, 200).to).toBeCloseTo(201, 5);
  const over = { ...task, status: 'completed', started_at: 110, ended_at: 120, duration: 10 } as const;
  expect(wholeSpan(layoutTasks([over], 'agent'), 100, 130, 200)).toEqual({ from: 99.7, to: 130.3 });
  expect(wholeSpan(layoutTasks([], 'agent'), null, null, 200)).toEqual({ from: 0, to: 1 });
});
