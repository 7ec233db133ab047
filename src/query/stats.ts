/**
 * Aggregates: the cells of a metric, filtered, grouped by labels, and merged exactly. Reads the tables of the fold under
 * their sequence locks (state/layout.ts), and never makes it wait.
 */

import { MOMENT_LENGTH, mergeMoments, summarize } from '../fold/moments.js';
import { CELL_COUNT, CELL_SINCE, CELL_ZEROS } from '../state/cells.js';
import { readSlot, type Tables } from '../state/tables.js';
import { addZeros, quantilesOf } from './quantiles.js';

export interface StatsQuery {
  readonly metric: string;
  /** Labels to group by; none: one group; null: full detail. */
  readonly by: readonly string[] | null;
  /** All must hold; an absent label is the empty string. */
  readonly where: readonly (readonly [label: string, value: string])[];
  readonly limit: number;
}

interface CellView {
  readonly metric: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly moments: Float64Array;
  readonly buckets: Map<number, number>;
  readonly since: number;
}

interface Group {
  readonly labels: Record<string, string>;
  readonly moments: Float64Array;
  readonly buckets: Map<number, number>;
  since: number;
}

/** @param nowSeconds the end of the window, for the rate */
export function queryStats(tables: Tables, query: StatsQuery, nowSeconds: number): object {
  const groups = new Map<string, Group>();
  for (const cell of readCells(tables, query.metric)) {
    if (query.where.some(([label, value]) => (cell.labels.get(label) ?? '') !== value)) continue;
    const labels = labelsOf(cell, query.by);
    const key = JSON.stringify(labels);
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { labels, moments: cell.moments, buckets: cell.buckets, since: cell.since });
      continue;
    }
    mergeMoments(group.moments, 0, cell.moments, 0);
    for (const [bucket, count] of cell.buckets) {
      group.buckets.set(bucket, (group.buckets.get(bucket) ?? 0) + count);
    }
    group.since = Math.min(group.since, cell.since);
  }
  const sorted = [...groups.values()].sort((a, b) => b.moments[0]! - a.moments[0]!);
  return {
    metric: query.metric,
    window: 'all',
    by: query.by ?? ['*'],
    groups: sorted.slice(0, query.limit).map((group) => renderGroup(group, nowSeconds)),
  };
}

export function queryMetrics(tables: Tables): object {
  const metrics = new Map<string, { labels: Set<string>; count: number }>();
  for (const cell of readCells(tables, null)) {
    const entry = metrics.get(cell.metric) ?? { labels: new Set<string>(), count: 0 };
    metrics.set(cell.metric, entry);
    for (const label of cell.labels.keys()) entry.labels.add(label);
    entry.count += cell.moments[0]!;
  }
  const sorted = [...metrics].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    metrics: sorted.map(([metric, { labels, count }]) => ({ metric, labels: [...labels].sort(), count })),
  };
}

function* readCells(tables: Tables, metric: string | null): Generator<CellView> {
  const { table } = tables.cells;
  for (let slot = 1; slot < table.top; slot++) {
    const cell = readSlot(table, slot, () => readCell(tables, slot, metric));
    if (cell !== undefined && cell !== null) yield cell;
  }
}

function readCell(tables: Tables, slot: number, metric: string | null): CellView | null {
  const { cells, names, buckets } = tables;
  const ref = cells.metric(slot);
  const name = names.text(ref);
  if (ref === 0 || (metric !== null && name !== metric)) return null;
  const at = slot * cells.table.slotDoubles;
  const { doubles } = cells.table;
  if (doubles[at + CELL_COUNT] === 0) return null;
  const labels = new Map<string, string>();
  const refs = cells.labels(slot);
  for (let i = 0; i < refs.length; i += 2) labels.set(names.text(refs[i]!), names.text(refs[i + 1]!));
  const counts = new Map<number, number>();
  buckets.collect(cells.blocks(slot), counts);
  addZeros(counts, doubles[at + CELL_ZEROS]!);
  const moments = doubles.slice(at + CELL_COUNT, at + CELL_COUNT + MOMENT_LENGTH);
  return { metric: name, labels, moments, buckets: counts, since: doubles[at + CELL_SINCE]! };
}

function labelsOf(cell: CellView, by: readonly string[] | null): Record<string, string> {
  if (by === null) return Object.fromEntries(cell.labels);
  return Object.fromEntries(by.map((label) => [label, cell.labels.get(label) ?? '']));
}

function renderGroup({ labels, moments, buckets, since }: Group, nowSeconds: number): object {
  const summary = summarize(moments);
  const seconds = nowSeconds - since;
  return {
    labels,
    ...summary,
    ...quantilesOf(buckets, summary.min ?? 0, summary.max ?? 0),
    rate: seconds > 0 ? summary.count / seconds : null,
  };
}
