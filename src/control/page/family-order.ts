/** Rows so ordered that each stands below its parent, as deep as it has ancestors among them. */

export interface Nested<Row> {
  readonly row: Row;
  readonly depth: number;
}

export interface FamilyKeys {
  readonly own: string;
  readonly parent: string | null;
}

/** @param rows in the order that roots and brothers keep; one whose parent is not among them is a root */
export function inFamilyOrder<Row>(rows: readonly Row[], keysOf: (row: Row) => FamilyKeys): Nested<Row>[] {
  const known = new Set(rows.map((row) => keysOf(row).own));
  const children = new Map<string | null, Row[]>();
  for (const row of rows) {
    const { parent } = keysOf(row);
    const key = parent !== null && known.has(parent) ? parent : null;
    const brothers = children.get(key);
    if (brothers === undefined) children.set(key, [row]);
    else brothers.push(row);
  }
  const placed = new Set<Row>();
  const ordered: Nested<Row>[] = [];
  const place = (row: Row, depth: number) => {
    if (placed.has(row)) return;
    placed.add(row);
    ordered.push({ row, depth });
    for (const child of children.get(keysOf(row).own) ?? []) place(child, depth + 1);
  };
  for (const root of children.get(null) ?? []) place(root, 0);
  // Where somebody is said to be his own grandfather there is no root: the first one met stands for it.
  for (const row of rows) place(row, 0);
  return ordered;
}
