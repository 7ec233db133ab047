import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inFamilyOrder } from '../../../src/control/page/family-order.js';

type Row = readonly [own: string, parent: string | null];

function pictureOf(rows: readonly Row[]): string[] {
  const nested = inFamilyOrder(rows, ([own, parent]) => ({ own, parent }));
  return nested.map(({ row, depth }) => '.'.repeat(depth) + row[0]);
}

test('children stand below their parents, brothers keep their order', () => {
  const rows: Row[] = [
    ['b2', 'b'],
    ['a', null],
    ['b1', 'b'],
    ['b', null],
    ['b2x', 'b2'],
  ];
  expect(pictureOf(rows)).toEqual(['a', 'b', '.b2', '..b2x', '.b1']);
});

test('a row whose parent is not there stands by itself', () => {
  expect(pictureOf([['a', 'gone']])).toEqual(['a']);
});

test.each<[string, Row[], string[]]>([
  ['its own parent', [['a', 'a']], ['a']],
  [
    'two that are parents of each other',
    [
      ['a', 'b'],
      ['b', 'a'],
    ],
    ['a', '.b'],
  ],
])('%s is shown once', (_, rows, picture) => {
  expect(pictureOf(rows)).toEqual(picture);
});

test('whatever the parents are, each row is there once', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const family = fc.dictionary(name, fc.option(name));
  fc.assert(
    fc.property(family, (parents) => {
      const rows = Object.entries(parents).map(([own, parent]): Row => [own, parent]);
      const shown = pictureOf(rows).map((line) => line.replaceAll('.', ''));
      expect(shown.sort()).toEqual(Object.keys(parents).sort());
    }),
  );
});
