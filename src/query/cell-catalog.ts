/**
 * The labels of the cells as text, and which cells a question is about. Both change seldom, when a cell comes to life or is
 * forgotten, and cost more than the numbers: so they are kept for the next question, by the cell's serial number
 * (state/cells.ts), and a question costs one look at that of each cell.
 */

import { readSlot, type Tables } from '../state/tables.js';

export interface StatsScope {
  readonly metric: string;
  /** Labels to group by; none: one group; null: full detail. */
  readonly by: readonly string[] | null;
  /** All must hold; an absent label is the empty string. */
  readonly where: readonly (readonly [label: string, value: string])[];
}

export interface CellGroup {
  readonly labels: Readonly<Record<string, string>>;
  /** Of its cells: slots, and what these must say to hold them still. */
  readonly slots: Int32Array;
  readonly serials: Int32Array;
}

interface CellName {
  readonly slot: number;
  readonly serial: number;
  readonly hash: number;
  readonly metric: string;
  readonly labels: ReadonlyMap<string, string>;
}

/** Questions whose groups are kept; a dashboard asks some dozens again and again. */
const SCOPES_MAX = 64;

const catalogs = new WeakMap<Tables, CellCatalog>();

export function catalogOf(tables: Tables): CellCatalog {
  const known = catalogs.get(tables);
  if (known !== undefined) return known;
  const catalog = new CellCatalog(tables);
  catalogs.set(tables, catalog);
  return catalog;
}

export class CellCatalog {
  readonly #tables: Tables;
  readonly #serials: Int32Array;
  /** Of the cells' keys: serial numbers begin anew where the tables are rebuilt. */
  readonly #hashes: Int32Array;
  readonly #names: (CellName | null)[] = [];
  readonly #groups = new Map<string, readonly CellGroup[]>();

  constructor(tables: Tables) {
    this.#tables = tables;
    const { table } = tables.cells;
    const slots = Math.ceil(table.words.length / table.slotWords);
    this.#serials = new Int32Array(slots);
    this.#hashes = new Int32Array(slots);
  }

  /** All cells that hold something to be found by. */
  *cells(): Generator<CellName> {
    this.#refresh();
    for (const name of this.#names) if (name) yield name;
  }

  groups({ metric, by, where }: StatsScope): readonly CellGroup[] {
    this.#refresh();
    const key = JSON.stringify([metric, by, where]);
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const groups = new Map<string, { labels: Labels; cells: CellName[] }>();
    for (const cell of this.#names) {
      if (!cell || cell.metric !== metric) continue;
      const all = Object.fromEntries(cell.labels);
      if (!isWithin(all, where)) continue;
      const labels = groupLabels(all, by);
      const name = JSON.stringify(labels);
      const group = groups.get(name);
      if (group === undefined) groups.set(name, { labels, cells: [cell] });
      else group.cells.push(cell);
    }
    const found = [...groups.values()].map(({ labels, cells }) => ({
      labels,
      slots: Int32Array.from(cells, ({ slot }) => slot),
      serials: Int32Array.from(cells, ({ serial }) => serial),
    }));
    if (this.#groups.size >= SCOPES_MAX) this.#groups.clear();
    this.#groups.set(key, found);
    return found;
  }

  #refresh(): void {
    const { cells } = this.#tables;
    const { top } = cells.table;
    const serials = this.#serials;
    const hashes = this.#hashes;
    let isChanged = false;
    for (let slot = 1; slot < Math.max(top, this.#names.length); slot++) {
      if (cells.serial(slot) === serials[slot] && cells.hash(slot) === hashes[slot]) continue;
      const name = readSlot(cells.table, slot, () => this.#read(slot));
      // Never at rest for so long: it is looked at again at the next question.
      if (name === undefined) continue;
      serials[slot] = name?.serial ?? 0;
      hashes[slot] = name?.hash ?? 0;
      this.#names[slot] = name;
      isChanged = true;
    }
    if (isChanged) this.#groups.clear();
  }

  #read(slot: number): CellName | null {
    const { cells, names } = this.#tables;
    const serial = cells.serial(slot);
    if (serial === 0) return null;
    const labels = new Map<string, string>();
    const refs = cells.labels(slot);
    for (let i = 0; i < refs.length; i += 2) labels.set(names.text(refs[i]!), names.text(refs[i + 1]!));
    return { slot, serial, hash: cells.hash(slot), metric: names.text(cells.metric(slot)), labels };
  }
}

type Labels = Readonly<Record<string, string>>;

export function isWithin(labels: Labels, where: StatsScope['where']): boolean {
  return where.every(([label, value]) => labelOf(labels, label) === value);
}

/** What a group is called whose cells have these labels. */
export function groupLabels(labels: Labels, by: StatsScope['by']): Labels {
  return by === null ? labels : Object.fromEntries(by.map((label) => [label, labelOf(labels, label)]));
}

/** A label may be called as something that every object has. */
function labelOf(labels: Labels, label: string): string {
  return Object.hasOwn(labels, label) ? labels[label]! : '';
}
