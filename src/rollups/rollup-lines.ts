/**
 * A roll-up as text: what arrived in one hour, a line of JSON for the hour, for each cell and for each row of the report. Labels
 * and names stand as text, since the numbers of names mean something in one state alone. README.md has the fields.
 */

import { collectHour, hourHolds, hourRowHolds } from '../fold/hour-sums.js';
import { HOUR_SECONDS } from '../fold/hours.js';
import { MOMENT_LENGTH } from '../fold/moments.js';
import { DenseHistogram } from '../state/dense-histogram.js';
import {
  REPORT_AGENT,
  REPORT_BUSY_SECONDS,
  REPORT_COMPLETED,
  REPORT_COVERED_SECONDS,
  REPORT_EXECUTIONS,
  REPORT_GROUPS,
  REPORT_HOUR,
  REPORT_PARALLEL,
  REPORT_PROJECT,
  REPORT_SECONDS,
  REPORT_SPEEDUPS,
  REPORT_TOKENS,
  REST_ROW,
} from '../state/reports.js';
import type { Tables } from '../state/tables.js';

/** Of a cell: moments (the ten doubles of fold/moments.ts), and the histogram as keys (state/histogram.ts) and counts. */
export interface RolledCell {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly moments: Float64Array;
  readonly counts: readonly number[];
}

/** Of a row of the report; `rest`: of all that found none of its own. */
export interface RolledRow {
  readonly project: string;
  readonly agent: string;
  readonly rest: boolean;
  readonly executions: number;
  readonly parallel: number;
  readonly completed: number;
  readonly seconds: number;
  readonly tokens: number;
  readonly groups: number;
  readonly speedups: number;
  readonly busySeconds: number;
  readonly coveredSeconds: number;
}

/** A number of JSON, or the word for one that JSON has not. */
type Written = number | string;

interface CellLine {
  readonly metric: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
  readonly first: Written;
  readonly mean: Written;
  readonly m2: Written;
  readonly sum: Written;
  readonly min: Written;
  readonly max: Written;
  readonly counts: readonly number[];
}

const CELL_LINE = '{"metric":';
const ROW_LINE = '{"project":';

/**
 * All that the tables hold of the hour that is open.
 * @param isPartial they were made out of a log whose beginning is gone
 */
export function renderHour(tables: Tables, hour: number, before: number, isPartial = false): string {
  const since = new Date(hour * HOUR_SECONDS * 1000).toISOString();
  const lines = [JSON.stringify({ hour, before, since, ...(isPartial ? { partial: true } : {}) })];
  const { cells, reports } = tables;
  for (let cell = 1; cell < cells.table.top; cell++) {
    if (hourHolds(tables, cell)) lines.push(JSON.stringify(cellLine(openCell(tables, cell))));
  }
  for (let row = REST_ROW; row < reports.table.top; row++) {
    if (hourRowHolds(tables, row)) lines.push(JSON.stringify(openRow(tables, row)));
  }
  return `${lines.join('\n')}\n`;
}

/** Whether it was made anew out of a log whose beginning was gone. */
export function hourIsPartial(text: string): boolean {
  return (JSON.parse(text.slice(0, text.indexOf('\n'))) as { partial?: true }).partial === true;
}

/** The cells of a metric. */
export function* cellsOfHour(text: string, metric: string): Generator<RolledCell> {
  for (const line of linesOf(text, `${CELL_LINE}${JSON.stringify(metric)},`)) {
    const { labels, counts, ...numbers } = JSON.parse(line) as CellLine;
    yield { metric, labels, counts, moments: momentsOf(numbers) };
  }
}

export function* rowsOfHour(text: string): Generator<RolledRow> {
  for (const line of linesOf(text, ROW_LINE)) yield JSON.parse(line) as RolledRow;
}

/** What a cell holds of the hour that is open. Readers hold the cell's lock. */
export function openCell(tables: Tables, cell: number): RolledCell {
  const { cells, names } = tables;
  const moments = new Float64Array(MOMENT_LENGTH);
  histogram.clear();
  collectHour(tables, cell, moments, histogram);
  const counts: number[] = [];
  for (let key = histogram.next(-1); key >= 0; key = histogram.next(key)) {
    counts.push(key, histogram.counts[key]!);
  }
  const labels: Record<string, string> = {};
  const refs = cells.labels(cell);
  for (let i = 0; i < refs.length; i += 2) labels[names.text(refs[i]!)] = names.text(refs[i + 1]!);
  return { metric: names.text(cells.metric(cell)), labels, moments, counts };
}

/** What a row holds of the hour that is open. Readers hold the row's lock. */
export function openRow({ reports, names }: Tables, row: number): RolledRow {
  const { words, doubles, slotWords, slotDoubles } = reports.table;
  const at = row * slotWords;
  const d = row * slotDoubles + REPORT_HOUR;
  const carried = (field: number) => doubles[d + field]! + doubles[d + field + 1]!;
  return {
    project: names.text(words[at + REPORT_PROJECT]!),
    agent: names.text(words[at + REPORT_AGENT]!),
    rest: row === REST_ROW,
    executions: doubles[d + REPORT_EXECUTIONS]!,
    parallel: doubles[d + REPORT_PARALLEL]!,
    completed: doubles[d + REPORT_COMPLETED]!,
    seconds: carried(REPORT_SECONDS),
    tokens: carried(REPORT_TOKENS),
    groups: doubles[d + REPORT_GROUPS]!,
    speedups: carried(REPORT_SPEEDUPS),
    busySeconds: carried(REPORT_BUSY_SECONDS),
    coveredSeconds: carried(REPORT_COVERED_SECONDS),
  };
}

const histogram = new DenseHistogram();

/** The errors that the moments carry are added up in it: what that costs lies below the last digit of their own numbers. */
function cellLine({ metric, labels, moments, counts }: RolledCell): CellLine {
  const [count, first, mean, meanError, m2, m2Error, sum, sumError, min, max] = moments;
  return {
    metric,
    labels,
    count: count!,
    first: written(first!),
    mean: written(mean! + meanError!),
    m2: written(m2! + m2Error!),
    // A sum beyond the range of doubles has no error to add.
    sum: written(Number.isFinite(sum) ? sum! + sumError! : sum!),
    min: written(min!),
    max: written(max!),
    counts,
  };
}

function momentsOf({
  count,
  first,
  mean,
  m2,
  sum,
  min,
  max,
}: Omit<CellLine, 'metric' | 'labels' | 'counts'>) {
  return Float64Array.of(
    count,
    Number(first),
    Number(mean),
    0,
    Number(m2),
    0,
    Number(sum),
    0,
    Number(min),
    Number(max),
  );
}

function written(value: number): Written {
  return Number.isFinite(value) ? value : String(value);
}

/** Those that begin so: of a year's hours most lines belong to other metrics, and need not be parsed. */
function* linesOf(text: string, beginning: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at);
    if (text.startsWith(beginning, at)) yield text.slice(at, end);
    at = end + 1;
  }
}
