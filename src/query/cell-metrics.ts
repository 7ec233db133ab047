/**
 * The cells as histograms of Prometheus: a family a metric, a series a label set. Read under their sequence locks, in two passes,
 * since a family's bounds depend on all of its series.
 *
 * Names that Prometheus does not take are changed (prometheus-names.ts), so metrics may share a family, and label sets a
 * series. Metrics are then told apart by a label with the name that the clients gave; label sets that became one are
 * merged, as one series must not stand twice.
 */

import { sumOf } from '../fold/moments.js';
import { CELL_COUNT, CELL_ZEROS } from '../state/cells.js';
import { readSlot, type Tables } from '../state/tables.js';
import type { Exposition } from './exposition.js';
import { LabelWriter } from './label-writer.js';
import { boundsOf, type OctaveBound, PLACE_OF_ZEROS, PLACES, placeOfOctave } from './octave-bounds.js';
import { exportedMetric } from './prometheus-names.js';

interface Metric {
  readonly ref: number;
  readonly name: string;
  /** Its name, where it could not stay as it was in the name of its family. */
  readonly originalName: string | null;
  /** Of its cells. */
  readonly slots: number[];
  /** Places (octave-bounds.ts) in which any of its cells has values. */
  readonly filled: Uint8Array;
  /** A key has to be changed, so label sets may become one. */
  hasChangedKey: boolean;
}

interface Series {
  readonly labels: LabelWriter;
  /** Values in each place. */
  readonly octaves: Float64Array;
  count: number;
  sum: number;
}

/** While it was read the fold moved a cell's content into another one; then it is read anew. */
const MOVE_TRIES = 3;

export function writeCellMetrics(tables: Tables, to: Exposition): void {
  const start = to.length;
  for (let tries = 1; ; tries++) {
    const version = tables.cells.movesVersion();
    writeFamilies(tables, to);
    const hasMoved = version < 0 || tables.cells.movesVersion() !== version;
    if (!hasMoved || tries === MOVE_TRIES) return;
    to.cutBack(start);
  }
}

function writeFamilies(tables: Tables, to: Exposition): void {
  const reader = new CellReader(tables);
  const families = new Map<string, Metric[]>();
  for (const metric of reader.metrics()) {
    const { name } = exportedMetric(metric.name);
    const metrics = families.get(name);
    if (metrics === undefined) families.set(name, [metric]);
    else metrics.push(metric);
  }
  // In order, since a parser that meets a family `a_count` before `a` takes the count of `a` for a part of it.
  const sorted = [...families].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, metrics] of sorted) writeFamily(reader, name, metrics, to);
}

function writeFamily(reader: CellReader, name: string, metrics: readonly Metric[], to: Exposition): void {
  const { help, unit } = exportedMetric(metrics[0]!.name);
  to.begin({ name, type: 'histogram', help, ...(unit === undefined ? {} : { unit }) });
  const filled = Uint8Array.from({ length: PLACES }, (_, i) =>
    metrics.some((metric) => metric.filled[i] === 1) ? 1 : 0,
  );
  const bounds = boundsOf(filled);
  const nameBytes = Buffer.from(name);
  const boundTexts = bounds.map(({ value }) => to.boundBytes(value));
  const cumulative = new Float64Array(bounds.length);
  for (const metric of metrics) {
    const write = (
      labels: Uint8Array,
      labelsLength: number,
      { octaves, count, sum }: Omit<Series, 'labels'>,
    ) => {
      accumulate(octaves, bounds, cumulative);
      to.histogram(nameBytes, labels, labelsLength, boundTexts, cumulative, count, sum);
    };
    if (metric.hasChangedKey) {
      for (const [labels, series] of mergedSeries(reader, metric)) write(labels, labels.length, series);
      continue;
    }
    for (const slot of metric.slots) {
      const series = reader.read(slot, metric);
      if (series !== null) write(series.labels.bytes, series.labels.length, series);
    }
  }
}

/** By their labels. */
function mergedSeries(reader: CellReader, metric: Metric): [Uint8Array, Omit<Series, 'labels'>][] {
  const merged = new Map<string, { octaves: Float64Array; count: number; sum: number }>();
  for (const slot of metric.slots) {
    const series = reader.read(slot, metric);
    if (series === null) continue;
    const { labels, octaves, count, sum } = series;
    const key = Buffer.from(labels.bytes.subarray(0, labels.length)).toString();
    const known = merged.get(key);
    if (known === undefined) {
      merged.set(key, { octaves: octaves.slice(), count, sum });
    } else {
      known.count += count;
      known.sum += sum;
      for (let place = 0; place < PLACES; place++) known.octaves[place]! += octaves[place]!;
    }
  }
  return [...merged].map(([labels, series]) => [Buffer.from(labels), series]);
}

function accumulate(octaves: Float64Array, bounds: readonly OctaveBound[], cumulative: Float64Array): void {
  let below = 0;
  let place = 0;
  for (let i = 0; i < bounds.length; i++) {
    for (const last = bounds[i]!.place; place <= last; place++) below += octaves[place]!;
    cumulative[i] = below;
  }
}

function newMetric(ref: number, name: string): Metric {
  const originalName = exportedMetric(name).isChanged ? name : null;
  return { ref, name, originalName, slots: [], filled: new Uint8Array(PLACES), hasChangedKey: false };
}

class CellReader {
  readonly #tables: Tables;
  /** Of the last read. */
  readonly #series: Series;

  constructor(tables: Tables) {
    this.#tables = tables;
    const octaves = new Float64Array(PLACES);
    this.#series = { labels: new LabelWriter(tables.names), octaves, count: 0, sum: 0 };
  }

  metrics(): Iterable<Metric> {
    const { cells, names, buckets } = this.#tables;
    const { table } = cells;
    const found = new Map<number, Metric>();
    for (let slot = 1; slot < table.top; slot++) {
      // A try that has to be repeated may leave something behind: a bound too many, a slot that `read` refuses.
      readSlot(table, slot, () => {
        const ref = cells.metric(slot);
        const at = slot * table.slotDoubles;
        if (ref === 0 || table.doubles[at + CELL_COUNT] === 0) return;
        let metric = found.get(ref);
        if (metric === undefined) {
          metric = newMetric(ref, names.text(ref));
          found.set(ref, metric);
        }
        if (metric.slots.at(-1) !== slot) metric.slots.push(slot);
        if (table.doubles[at + CELL_ZEROS] !== 0) metric.filled[PLACE_OF_ZEROS] = 1;
        const { filled } = metric;
        buckets.eachOctave(cells.blocks(slot), (octave) => {
          filled[placeOfOctave(octave)] = 1;
        });
        if (!metric.hasChangedKey)
          metric.hasChangedKey = this.#series.labels.hasChangedKey(cells.labels(slot));
      });
    }
    return found.values();
  }

  /**
   * @returns the one series, until the next read; null where the slot has become another metric's since `metrics` saw it,
   * or has become one that must be merged
   */
  read(slot: number, metric: Metric): Series | null {
    const { cells, buckets } = this.#tables;
    const { table } = cells;
    const at = slot * table.slotDoubles;
    const series = this.#series;
    const isRead = readSlot(table, slot, () => {
      if (cells.metric(slot) !== metric.ref || table.doubles[at + CELL_COUNT] === 0) return false;
      series.octaves.fill(0);
      series.octaves[PLACE_OF_ZEROS] = table.doubles[at + CELL_ZEROS]!;
      buckets.eachOctave(cells.blocks(slot), this.#addOctave);
      series.count = table.doubles[at + CELL_COUNT]!;
      series.sum = sumOf(table.doubles, at + CELL_COUNT);
      const isChanged = series.labels.write(metric.originalName, cells.labels(slot));
      return metric.hasChangedKey || !isChanged;
    });
    return isRead === true ? series : null;
  }

  readonly #addOctave = (octave: number, block: number): void => {
    this.#series.octaves[placeOfOctave(octave)]! += this.#tables.buckets.countOf(block);
  };
}
