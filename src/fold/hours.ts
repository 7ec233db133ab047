/**
 * The hour that is open: what arrived in it, of each cell and of each row of the report, apart from what they hold over all
 * time. By the first line of a later hour it is over; whoever keeps roll-ups (rollups/) reads it then, before it is cleared.
 *
 * A sample is added to plain sums about the first value, which costs a third of what the moments do; after so many they go into
 * the moments, so that no digits are lost in an hour of billions of samples.
 *
 * The open hour is a part of the state. So the fold of the same lines closes the same hours with the same numbers, and an
 * hour whose roll-up a crash has cost is closed again by whoever folds the log from before its end.
 */

import assert from 'node:assert';
import { HOUR_BLOCKS, HOUR_COUNT, HOUR_MOMENTS, HOUR_ZEROS } from '../state/cells.js';
import type { DenseHistogram } from '../state/dense-histogram.js';
import { type Buckets, ZERO_BUCKET, ZERO_KEY } from '../state/histogram.js';
import { REPORT_EXECUTIONS, REPORT_HOUR, REPORT_SUMS, REST_ROW } from '../state/reports.js';
import type { Tables } from '../state/tables.js';
import { addToSums, MOMENT_LENGTH, mergeMoments, momentsOfSums } from './moments.js';

export const HOUR_SECONDS = 3600;
const HOUR_US = HOUR_SECONDS * 1e6;
const SUMMED_MAX = 65_536;

/** Told of each hour that is over and holds anything, while the tables still hold it. */
export type OnHour = (tables: Tables, hour: number, before: number) => void;

export function hourOf(seconds: number): number {
  return Math.floor(seconds / HOUR_SECONDS);
}

export class Hours {
  /** Arrivals from here on are those of a later hour, µs. */
  endUs = 0;
  readonly #tables: Tables;
  readonly #onHour: OnHour | null;

  constructor(tables: Tables, onHour: OnHour | null) {
    this.#tables = tables;
    this.#onHour = onHour;
  }

  /** The hour of a line that arrived at `endUs` or later is the open one from here on. */
  turnTo(arrivedUs: number): void {
    const { board } = this.#tables;
    const hour = Math.floor(arrivedUs / HOUR_US);
    const open = board.hour;
    if (hour > open) this.#open(hour, open);
    this.endUs = (Math.max(hour, open) + 1) * HOUR_US;
  }

  #open(hour: number, over: number): void {
    const { board } = this.#tables;
    const before = board.hourBefore;
    const isEmpty = !this.#holdsAnything();
    if (!isEmpty) this.#onHour?.(this.#tables, over, before);
    board.stepHourVersion();
    if (!isEmpty) this.#clear();
    board.setHour(hour, isEmpty ? before : over);
    board.stepHourVersion();
  }

  #holdsAnything(): boolean {
    const { cells, reports } = this.#tables;
    for (let cell = 1; cell < cells.table.top; cell++) if (hourHolds(this.#tables, cell)) return true;
    for (let row = REST_ROW; row < reports.table.top; row++) if (hourRowHolds(this.#tables, row)) return true;
    return false;
  }

  #clear(): void {
    const { cells, reports, hourBuckets } = this.#tables;
    for (let cell = 1; cell < cells.table.top; cell++) {
      if (!hourHolds(this.#tables, cell)) continue;
      cells.table.lock(cell);
      const at = cell * cells.table.slotWords;
      hourBuckets.release(cells.table.words[at + HOUR_BLOCKS]!);
      cells.table.words[at + HOUR_BLOCKS] = 0;
      clearHour(cells.table.doubles, cell * cells.table.slotDoubles);
      cells.table.unlock(cell);
    }
    for (let row = REST_ROW; row < reports.table.top; row++) {
      if (!hourRowHolds(this.#tables, row)) continue;
      reports.table.lock(row);
      const first = row * reports.table.slotDoubles + REPORT_EXECUTIONS + REPORT_HOUR;
      reports.table.doubles.fill(0, first, first + REPORT_SUMS);
      reports.table.unlock(row);
    }
  }
}

/** Call inside the cell's lock. */
export function addToHour(
  words: Int32Array,
  at: number,
  doubles: Float64Array,
  d: number,
  hourBuckets: Buckets,
  bucket: number,
  value: number,
): void {
  if (bucket === ZERO_BUCKET) {
    doubles[d + HOUR_ZEROS]! += 1;
  } else {
    const first = words[at + HOUR_BLOCKS]!;
    const list = hourBuckets.count(first, bucket);
    assert(list > 0, 'an hour has no octaves but those of all time');
    if (list !== first) words[at + HOUR_BLOCKS] = list;
  }
  if (doubles[d + HOUR_COUNT]! >= SUMMED_MAX) sumsIntoMoments(doubles, d);
  addToSums(doubles, d + HOUR_COUNT, value);
}

/** Moves what a cell holds of the hour into another one. Call inside the locks of both. */
export function moveHour(tables: Tables, cell: number, into: number): void {
  if (!hourHolds(tables, cell)) return;
  const { words, doubles, slotWords, slotDoubles } = tables.cells.table;
  const from = cell * slotDoubles;
  const to = into * slotDoubles;
  sumsIntoMoments(doubles, from);
  sumsIntoMoments(doubles, to);
  mergeMoments(doubles, to + HOUR_MOMENTS, doubles, from + HOUR_MOMENTS);
  doubles[to + HOUR_ZEROS]! += doubles[from + HOUR_ZEROS]!;
  const blocksFrom = cell * slotWords + HOUR_BLOCKS;
  const blocksTo = into * slotWords + HOUR_BLOCKS;
  words[blocksTo] = tables.hourBuckets.move(words[blocksFrom]!, words[blocksTo]!);
  words[blocksFrom] = 0;
  clearHour(doubles, from);
}

/** Whether the hour has a sample of it. */
export function hourHolds({ cells }: Tables, cell: number): boolean {
  const { doubles, slotDoubles } = cells.table;
  const at = cell * slotDoubles;
  return doubles[at + HOUR_COUNT]! > 0 || doubles[at + HOUR_MOMENTS]! > 0;
}

export function hourRowHolds({ reports }: Tables, row: number): boolean {
  const { doubles, slotDoubles } = reports.table;
  const first = row * slotDoubles + REPORT_EXECUTIONS + REPORT_HOUR;
  for (let i = first; i < first + REPORT_SUMS; i++) if (doubles[i] !== 0) return true;
  return false;
}

/** Adds what a cell holds of the hour to moments (the ten doubles of moments.ts) and histogram. For readers, too. */
export function collectHour(
  { cells, hourBuckets }: Tables,
  cell: number,
  moments: Float64Array,
  histogram: DenseHistogram,
): void {
  const { words, doubles, slotWords, slotDoubles } = cells.table;
  const at = cell * slotDoubles;
  mergeMoments(moments, 0, doubles, at + HOUR_MOMENTS);
  momentsOfSums(doubles, at + HOUR_COUNT, scratch);
  mergeMoments(moments, 0, scratch, 0);
  const zeros = doubles[at + HOUR_ZEROS]!;
  if (zeros > 0) histogram.add(ZERO_KEY, zeros);
  hourBuckets.collect(words[cell * slotWords + HOUR_BLOCKS]!, histogram);
}

const scratch = new Float64Array(MOMENT_LENGTH);

function sumsIntoMoments(doubles: Float64Array, at: number): void {
  momentsOfSums(doubles, at + HOUR_COUNT, scratch);
  mergeMoments(doubles, at + HOUR_MOMENTS, scratch, 0);
  for (let i = HOUR_COUNT; i < HOUR_ZEROS; i++) doubles[at + i] = 0;
}

function clearHour(doubles: Float64Array, at: number): void {
  for (let i = HOUR_COUNT; i < HOUR_MOMENTS + MOMENT_LENGTH; i++) doubles[at + i] = 0;
}
