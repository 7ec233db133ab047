import pc from 'picocolors';
import { expect, test } from 'vitest';
import { type Column, renderFacts, renderTable, wrapList } from '../../src/cli/table.js';
import { displayWidth } from '../../src/model/human.js';

const colors = pc.createColors(false);
const COLUMNS: Column[] = [
  { title: 'agent', align: 'left', cut: true },
  { title: 'count', align: 'right' },
  { title: 'p95', align: 'right', leaves: 2 },
  { title: 'rate', align: 'right', leaves: 1 },
];

test('columns are aligned, wide characters included, and no line ends in spaces', () => {
  const text = renderTable(
    COLUMNS.slice(0, 2),
    [
      ['漢字', '1'],
      ['b', '1,000'],
      ['', '7'],
    ],
    {
      width: 80,
      cut: true,
      colors,
    },
  );
  expect(text).toBe('agent  count\n漢字       1\nb      1,000\n           7\n');
});

test('controls in a cell are shown as escapes', () => {
  const text = renderTable(COLUMNS.slice(0, 1), [['\x1b]0;owned\x07\n']], { width: 80, cut: true, colors });
  expect(text).toBe('agent\n\\x1b]0;owned\\x07\\n\n');
});

test.each([[80], [40], [30], [24], [18]])('a table fits %i columns', (width) => {
  const row = ['a-very-long-name-of-an-agent-that-nobody-would-use', '123', '4.56s', '7.89'];
  const text = renderTable(COLUMNS, [row, row], { width, cut: true, colors });
  for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width);
});

test('texts are cut first, then columns leave, and numbers are never cut', () => {
  const rows = [['a-very-long-name-of-an-agent', '123,456,789', '4.56s', '7.89']];
  const at = (width: number) => renderTable(COLUMNS, rows, { width, cut: true, colors }).split('\n')[0]!;
  expect(at(60)).toMatch(/p95.*rate/);
  expect(at(36)).toMatch(/p95$/);
  expect(at(30)).not.toMatch(/p95/);
  expect(renderTable(COLUMNS, rows, { width: 5, cut: true, colors })).toContain('123,456,789');
});

test('where another program reads, ids stay whole', () => {
  const rows = [['a-very-long-name-of-an-agent', '1', '2', '3']];
  const text = renderTable(COLUMNS, rows, { width: 20, cut: false, colors });
  expect(text).toContain('a-very-long-name-of-an-agent');
});

test('facts are aligned, and a value of several lines goes on under itself', () => {
  expect(
    renderFacts(
      [
        ['a', '1\n2'],
        ['long', '3'],
        ['', ''],
      ],
      colors,
    ),
  ).toBe('a     1\n      2\nlong  3\n\n');
});

test('a list breaks between its items', () => {
  expect(wrapList(['aaa', 'bbb', 'ccc'], 9)).toBe('aaa, bbb,\nccc');
  expect(wrapList([], 9)).toBe('');
});
