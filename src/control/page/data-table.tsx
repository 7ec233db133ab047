/** Rows in columns, sorted by the head that was pressed. */

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { humanCount } from '../../model/human.js';
import { type FamilyKeys, inFamilyOrder } from './family-order.js';

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  readonly cell: (row: Row) => ComponentChildren;
  /** what to sort by; a column without is not sorted */
  readonly order?: (row: Row) => number | string | null;
  readonly number?: boolean;
  /** may be left out: 1 on a phone, 2 below a wide screen */
  readonly spare?: 1 | 2;
  readonly wide?: boolean;
  readonly hint?: string;
}

export interface Sort {
  readonly key: string;
  readonly down: boolean;
}

export function DataTable<Row>({
  label,
  columns,
  rows,
  rowKey,
  firstSort,
  pageSize = Infinity,
  family,
}: {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  firstSort?: Sort;
  /** so many rows at first, and as many more each time somebody asks */
  pageSize?: number;
  /** where given, children stand below their parents */
  family?: ((row: Row) => FamilyKeys) | undefined;
}) {
  const [sort, setSort] = useState<Sort | undefined>(firstSort);
  const [pages, setPages] = useState(1);
  const sorted = sortRows(rows, columns, sort);
  const nested =
    family === undefined ? sorted.map((row) => ({ row, depth: 0 })) : inFamilyOrder(sorted, family);
  const shown = nested.slice(0, pages * pageSize);
  const left = sorted.length - shown.length;
  return (
    <div class="table-box">
      <table aria-label={label}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.key} column={column} sort={sort} onSort={setSort} />
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map(({ row, depth }) => (
            <tr key={rowKey(row)} style={depth > 0 ? { '--depth': depth } : undefined}>
              {columns.map((column) => (
                <td key={column.key} class={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {left > 0 && (
        <button type="button" class="more" onClick={() => setPages(pages + 1)}>
          {humanCount(Math.min(left, pageSize))} more of {humanCount(left)}
        </button>
      )}
    </div>
  );
}

function Head<Row>({
  column,
  sort,
  onSort,
}: {
  column: Column<Row>;
  sort: Sort | undefined;
  onSort: (sort: Sort) => void;
}) {
  const { key, title, order, hint } = column;
  const own = sort?.key === key;
  const direction = own ? (sort.down ? 'descending' : 'ascending') : undefined;
  if (order === undefined) {
    return (
      <th scope="col" class={classOf(column)} title={hint}>
        {title}
      </th>
    );
  }
  return (
    <th scope="col" class={classOf(column)} aria-sort={direction} title={hint}>
      <button
        type="button"
        class="sort"
        onClick={() => onSort({ key, down: own ? !sort.down : column.number === true })}
      >
        {title}
        <span class="arrow" aria-hidden="true">
          {own ? (sort.down ? '↓' : '↑') : ''}
        </span>
      </button>
    </th>
  );
}

/** What has no value comes last, whichever way. */
function sortRows<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  sort: Sort | undefined,
): readonly Row[] {
  const order = columns.find(({ key }) => key === sort?.key)?.order;
  if (order === undefined || sort === undefined) return rows;
  const sign = sort.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const x = order(a);
    const y = order(b);
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return sign * (typeof x === 'number' ? x - Number(y) : x.localeCompare(String(y)));
  });
}

function classOf<Row>({ number, spare, wide }: Column<Row>): string | undefined {
  const classes = [number ? 'num' : '', spare === undefined ? '' : `spare-${spare}`, wide ? 'wide' : ''];
  return classes.filter((name) => name !== '').join(' ') || undefined;
}
