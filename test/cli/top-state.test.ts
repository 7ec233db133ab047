import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chosenIndex, pressKey, type Shown, TOP_BEGIN, type TopState } from '../../src/cli/top-state.js';

const ROWS = ['a', 'b', 'c', 'd', 'e'];
const SHOWN: Shown = { rows: ROWS, page: 2, lines: 0 };

function press(keys: readonly string[], shown = SHOWN, state = TOP_BEGIN): TopState {
  return keys.reduce((now, key) => pressKey(now, key, shown), state);
}

function chosenAfter(...keys: string[]): string {
  const { workflows } = press(keys);
  return ROWS[chosenIndex(workflows, ROWS)]!;
}

test.each([
  [['down'], 'b'],
  [['down', 'j', 'up'], 'b'],
  [['pagedown', 'pagedown'], 'e'],
  [['end', 'k'], 'd'],
  [['G', 'pageup'], 'c'],
  [['G', 'home'], 'a'],
  [['up'], 'a'],
])('after %j the row %s is chosen', (keys, row) => {
  expect(chosenAfter(...keys)).toBe(row);
});

test('the chosen row stays chosen when others move, and the first is chosen when it is gone', () => {
  const { workflows } = press(['down', 'down']);
  expect(chosenIndex(workflows, ['x', 'c', 'y'])).toBe(1);
  expect(chosenIndex(workflows, ['x', 'y'])).toBe(0);
});

test('a row is chosen in each panel by itself', () => {
  const state = press(['down', 'tab', 'end', 'tab', 'down']);
  expect([state.panel, state.workflows.chosen, state.agents.chosen]).toEqual(['workflows', 'c', 'e']);
});

test('s takes the next order and begins again after the last, r turns it round', () => {
  expect(press(['s']).workflows.order).toBe(1);
  expect(press(['s', 's', 's', 's']).workflows.order).toBe(0);
  expect(press(['tab', 's', 'r']).agents).toMatchObject({ order: 1, isReversed: true });
  expect(press(['r', 's']).workflows.isReversed).toBe(false);
});

test('what is typed after / is the filter, keys that mean something elsewhere too', () => {
  expect(press(['/', 'q', '?', 's', 'é']).workflows.filter).toBe('q?sé');
  expect(press(['/', 'q', 'backspace', 'x', 'return']).workflows.filter).toBe('x');
  expect(press(['/', 'x', 'return']).isFiltering).toBe(false);
  expect(press(['/', 'x', 'y', 'ctrl+u', 'z']).workflows.filter).toBe('z');
});

test('Esc clears the filter while it is typed and afterwards', () => {
  expect(press(['/', 'x', 'escape'])).toMatchObject({ isFiltering: false, workflows: { filter: '' } });
  expect(press(['/', 'x', 'return', 'escape']).workflows.filter).toBe('');
});

test('Enter opens the chosen workflow, and Esc, q and Backspace come back', () => {
  expect(press(['down', 'return'])).toMatchObject({ view: 'workflow', opened: 'b', scroll: 0 });
  for (const key of ['escape', 'q', 'backspace']) {
    expect(press(['return', key])).toMatchObject({ view: 'main', opened: null, isOver: false });
  }
  expect(press(['tab', 'return']).view).toBe('main');
  expect(press(['return'], { ...SHOWN, rows: [] }).view).toBe('main');
});

test('a timeline scrolls between its first line and its last page', () => {
  const shown = { rows: [], page: 10, lines: 25 };
  const open = { ...TOP_BEGIN, view: 'workflow', opened: 'a' } as const;
  expect(press(['down', 'down', 'up'], shown, open).scroll).toBe(1);
  expect(press(['pagedown', 'pagedown', 'pagedown'], shown, open).scroll).toBe(15);
  expect(press(['G', 'home', 'up'], shown, open).scroll).toBe(0);
});

test('any key leaves the help, to where one was', () => {
  expect(press(['?', 'x']).view).toBe('main');
  expect(press(['return', '?', 'q'])).toMatchObject({ view: 'workflow', isOver: false });
});

test('w goes through the windows, a shows workflows that are over, Space holds the screen', () => {
  expect(press(['w']).window).toBe('1d');
  expect(press(['w', 'w', 'w', 'w', 'w']).window).toBe('all');
  expect(press(['a']).withEnded).toBe(true);
  expect(press([' ']).isPaused).toBe(true);
  expect(press([' ', 'p']).isPaused).toBe(false);
});

describe('the end', () => {
  test.each([['q'], ['ctrl+c']])('comes by %s', (key) => {
    expect(press([key]).isOver).toBe(true);
  });

  test('comes by Ctrl-C from everywhere', () => {
    const keys = fc.constantFrom('/', '?', 'return', 'escape', 'tab', 'x', 's', 'a', 'w');
    fc.assert(
      fc.property(fc.array(keys, { maxLength: 8 }), (pressed) => {
        expect(press([...pressed, 'ctrl+c']).isOver).toBe(true);
      }),
    );
  });
});
