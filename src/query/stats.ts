/**
 * Aggregates: the cells of a metric, filtered, grouped by labels, and merged exactly. Reads the tables of the fold under
 * their sequence locks (cell-reading.ts), and never makes it wait.
 */

import { summarize } from '../fold/moments.js';
import { WINDOW_NAMES, WINDOW_SECONDS, type WindowName } from '../model/windows.js';
import { CELL_COUNT } from '../state/cells.js';
import type { Tables } from '../state/tables.js';
import { type CellGroup, catalogOf, type StatsScope } from './cell-catalog.js';
import { CellReading, Sum } from './cell-reading.js';
import { quantilesOf } from './quantiles.js';

export interface StatsQuery extends StatsScope {
  /** Over all time where it is absent. */
  readonly window?: WindowName;
  readonly limit: number;
}

interface RenderedGroup {
  readonly count: number;
}

/** While it was read the fold moved a cell's content into another one; then it is read anew. */
const MOVE_TRIES = 10;

/** @param nowSeconds the end of the window, and of the time that the rate is over */
export function queryStats(tables: Tables, query: StatsQuery, nowSeconds: number): object {
  // Arrivals never go back, so where the wall was set back they are ahead of it.
  const now = Math.max(nowSeconds, tables.board.arrivedUs / 1e6);
  const merging = new Merging(tables, query.window ?? null, now);
  for (let tries = 1; ; tries++) {
    const version = tables.cells.movesVersion();
    const groups = merging.groups(query);
    const hasMoved = version < 0 || tables.cells.movesVersion() !== version;
    if (hasMoved && tries < MOVE_TRIES) continue;
    const partial = merging.isPartial || hasMoved ? { partial: true } : {};
    return { metric: query.metric, window: query.window ?? 'all', by: query.by ?? ['*'], groups, ...partial };
  }
}

export function queryMetrics(tables: Tables): object {
  const { doubles, slotDoubles } = tables.cells.table;
  const metrics = new Map<string, { labels: Set<string>; count: number }>();
  for (const { slot, metric, labels } of catalogOf(tables).cells()) {
    const count = doubles[slot * slotDoubles + CELL_COUNT]!;
    if (count === 0) continue;
    const entry = metrics.get(metric) ?? { labels: new Set<string>(), count: 0 };
    metrics.set(metric, entry);
    for (const label of labels.keys()) entry.labels.add(label);
    entry.count += count;
  }
  const sorted = [...metrics].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    metrics: sorted.map(([metric, { labels, count }]) => ({ metric, labels: [...labels].sort(), count })),
  };
}

/** Groups one after the other, in the same memory. */
class Merging {
  /** Whether something is left out, of whatever group. */
  isPartial = false;
  readonly #tables: Tables;
  readonly #windowSeconds: number | null;
  readonly #now: number;
  readonly #reading: CellReading;
  readonly #sum = new Sum();

  /** @param window null: all time */
  constructor(tables: Tables, window: WindowName | null, now: number) {
    this.#tables = tables;
    this.#now = now;
    this.#reading = new CellReading(tables, window, now);
    this.#windowSeconds = window === null ? null : WINDOW_SECONDS[WINDOW_NAMES.indexOf(window)]!;
  }

  groups(query: StatsQuery): RenderedGroup[] {
    this.isPartial = false;
    let groups = catalogOf(this.#tables).groups(query);
    if (this.#windowSeconds === null && groups.length > query.limit)
      groups = this.#largest(groups, query.limit);
    const rendered: RenderedGroup[] = [];
    for (const group of groups) {
      const one = this.#render(group);
      if (one !== null) rendered.push(one);
    }
    return rendered.sort((a, b) => b.count - a.count).slice(0, query.limit);
  }

  /** Over all time a cell says how much it has counted, so of the others nothing more need be read. */
  #largest(groups: readonly CellGroup[], limit: number): CellGroup[] {
    const { doubles, slotDoubles } = this.#tables.cells.table;
    const counted = groups.map((group) => ({
      group,
      count: group.slots.reduce((sum, slot) => sum + doubles[slot * slotDoubles + CELL_COUNT]!, 0),
    }));
    counted.sort((a, b) => b.count - a.count);
    return counted.slice(0, limit).map(({ group }) => group);
  }

  /** null: it has no samples. */
  #render(group: CellGroup): RenderedGroup | null {
    const sum = this.#sum;
    this.#reading.sum(group, sum);
    if (sum.isPartial) this.isPartial = true;
    if (sum.moments[0] === 0) return null;
    const summary = summarize(sum.moments);
    const seconds = this.#windowSeconds ?? this.#now - sum.since;
    return {
      labels: group.labels,
      ...summary,
      ...quantilesOf(sum.histogram, summary.min ?? 0, summary.max ?? 0),
      rate: seconds > 0 ? summary.count / seconds : null,
      ...(sum.isPartial ? { partial: true } : {}),
    } as RenderedGroup;
  }
}
