/**
 * What arrived in the hour that is open (hours.ts), of a cell and of a row of the report.
 *
 * A sample is added to plain sums about the first value, which costs a third of what the moments do; after so many they go into
 * the moments, so that no digits are lost in an hour of billions of samples.
 */

import { type Doubles, demand, ownDoubles, type Words } from '../model/memory.js';
import { HOUR_BLOCKS, HOUR_COUNT, HOUR_MOMENTS, HOUR_ZEROS } from '../state/cells.js';
import type { DenseHistogram } from '../state/dense-histogram.js';
import { type Buckets, ZERO_BUCKET, ZERO_KEY } from '../state/histogram.js';
import { REPORT_EXECUTIONS, REPORT_HOUR, REPORT_SUMS } from '../state/reports.js';
import type { Tables } from '../state/tables.js';
import { addToSums, MOMENT_LENGTH, mergeMoments, momentsOfSums } from './moments.js';

const SUMMED_MAX = 65_536;

/** Call inside the cell's lock. */
export function addToHour(
  words: Words,
  at: i32,
  doubles: Doubles,
  d: i32,
  hourBuckets: Buckets,
  bucket: i32,
  value: f64,
): void {
  if (bucket === ZERO_BUCKET) {
    doubles[d + HOUR_ZEROS]! += 1;
  } else {
    const first = words[at + HOUR_BLOCKS]!;
    const list = hourBuckets.count(first, bucket);
    demand(list > 0, 'an hour has no octaves but those of all time');
    if (list !== first) words[at + HOUR_BLOCKS] = list;
  }
  if (doubles[d + HOUR_COUNT]! >= SUMMED_MAX) sumsIntoMoments(doubles, d);
  addToSums(doubles, d + HOUR_COUNT, value);
}

/** Moves what a cell holds of the hour into another one. Call inside the locks of both. */
export function moveHour(tables: Tables, cell: i32, into: i32): void {
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
export function hourHolds(tables: Tables, cell: i32): boolean {
  const { doubles, slotDoubles } = tables.cells.table;
  const at = cell * slotDoubles;
  return doubles[at + HOUR_COUNT]! > 0 || doubles[at + HOUR_MOMENTS]! > 0;
}

export function hourRowHolds(tables: Tables, row: i32): boolean {
  const { doubles, slotDoubles } = tables.reports.table;
  const first = row * slotDoubles + REPORT_EXECUTIONS + REPORT_HOUR;
  for (let i = first; i < first + REPORT_SUMS; i++) if (doubles[i] !== 0) return true;
  return false;
}

/** Adds what a cell holds of the hour to moments (the ten doubles of moments.ts) and histogram. For readers, too. */
export function collectHour(tables: Tables, cell: i32, moments: Doubles, histogram: DenseHistogram): void {
  const { words, doubles, slotWords, slotDoubles } = tables.cells.table;
  const at = cell * slotDoubles;
  mergeMoments(moments, 0, doubles, at + HOUR_MOMENTS);
  momentsOfSums(doubles, at + HOUR_COUNT, scratch);
  mergeMoments(moments, 0, scratch, 0);
  const zeros = doubles[at + HOUR_ZEROS]!;
  if (zeros > 0) histogram.add(ZERO_KEY, zeros);
  tables.hourBuckets.collect(words[cell * slotWords + HOUR_BLOCKS]!, histogram);
}

const scratch = ownDoubles(MOMENT_LENGTH);

function sumsIntoMoments(doubles: Doubles, at: i32): void {
  momentsOfSums(doubles, at + HOUR_COUNT, scratch);
  mergeMoments(doubles, at + HOUR_MOMENTS, scratch, 0);
  for (let i = HOUR_COUNT; i < HOUR_ZEROS; i++) doubles[at + i] = 0;
}

export function clearHour(doubles: Doubles, at: i32): void {
  for (let i = HOUR_COUNT; i < HOUR_MOMENTS + MOMENT_LENGTH; i++) doubles[at + i] = 0;
}
