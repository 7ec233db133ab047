/**
 * Aggregates of whole hours: of those that are over out of the roll-ups on the disk (rollups/), of the open one out of the tables.
 *
 * Each roll-up names the one before it, so an hour that is missing is told from one in which nothing came: the reply says
 * `partial`. Roll-ups of hours that the fold has not come to are of lines that the log has lost with a power cut; they are
 * not looked at, and written anew when the fold comes there again.
 */

import { setImmediate as turn } from 'node:timers/promises';
import { type ArchiveFiles, NODE_FILES } from '../archive/archive-files.js';
import { freeNativeMemory, nativeMemoryIsHeld } from '../archive/lz4.js';
import { hourHolds, hourRowHolds } from '../fold/hour-sums.js';
import { HOUR_SECONDS, hourOf } from '../fold/hours.js';
import { MOMENT_LENGTH, mergeMoments, summarize } from '../fold/moments.js';
import { reportOf } from '../fold/report.js';
import { listRollupFiles, readWhatCanBeRead } from '../rollups/rollup-files.js';
import { linesOfSection, type Section } from '../rollups/rollup-format.js';
import {
  cellsOfHour,
  hourIsPartial,
  openCell,
  openRow,
  type RolledCell,
  type RolledRow,
  rowsOfHour,
} from '../rollups/rollup-lines.js';
import { DenseHistogram } from '../state/dense-histogram.js';
import { REST_ROW } from '../state/reports.js';
import { readSlot, type Tables } from '../state/tables.js';
import { catalogOf, groupLabels, isWithin, type StatsScope } from './cell-catalog.js';
import { pauses } from './page.js';
import { Problem } from './problem.js';
import { quantilesOf } from './quantiles.js';
import { OTHER_AGENTS, type PartialReport, ReportSum } from './report.js';

/** Seconds; null: since the beginning, until now. */
export interface TimeSpan {
  readonly since: number | null;
  readonly until: number | null;
}

/** The fold turned to another hour while it was read; then it is read anew. */
const TURN_TRIES = 5;
const DAY_HOURS = 24;

/** Whole hours: from this one to before that one. */
interface HourRange {
  readonly from: number;
  readonly to: number;
}

/** What was found of a range: the hours on the disk, and whether the open one belongs to it. */
interface Found {
  readonly sections: readonly Section[];
  readonly open: number | null;
  isPartial: boolean;
}

export class HourlyAggregates {
  readonly #tables: Tables;
  readonly #directory: string;
  readonly #files: ArchiveFiles;

  constructor(tables: Tables, directory: string, files: ArchiveFiles = NODE_FILES) {
    this.#tables = tables;
    this.#directory = directory;
    this.#files = files;
  }

  /** As `/v1/stats` answers it. @throws Problem 400, 503 */
  async stats(scope: StatsScope & { readonly limit: number }, span: TimeSpan, nowSeconds: number) {
    const now = Math.max(nowSeconds, this.#tables.board.arrivedUs / 1e6);
    const range = hoursOf(span, now);
    const { result: groups, found } = await this.#settled(range, (sums) => this.#addCells(scope, sums));
    const since = sinceOf(span, range, found);
    const seconds = Math.min(range.to * HOUR_SECONDS, now) - (since ?? 0);
    const rendered = [...groups.values()].map((group) => group.render(seconds));
    rendered.sort((a, b) => b.count - a.count);
    return {
      metric: scope.metric,
      window: null,
      since,
      until: range.to * HOUR_SECONDS,
      by: scope.by ?? ['*'],
      groups: rendered.slice(0, scope.limit),
      ...(found.isPartial ? { partial: true } : {}),
    };
  }

  /** As `/v1/report` answers it. @throws Problem 400, 503 */
  async report(project: string | null, span: TimeSpan, nowSeconds: number): Promise<PartialReport> {
    const now = Math.max(nowSeconds, this.#tables.board.arrivedUs / 1e6);
    const range = hoursOf(span, now);
    const { result: sum, found } = await this.#settled(range, (hours) => this.#addRows(project, hours));
    const isOverflowed = project !== null && sum.hasRest;
    return {
      ...reportOf(sum),
      since: sinceOf(span, range, found),
      until: range.to * HOUR_SECONDS,
      ...(found.isPartial || isOverflowed ? { partial: true as const } : {}),
    };
  }

  /** @param add may set `isPartial` of what it is given */
  async #settled<T>(
    range: HourRange,
    add: (found: Found) => Promise<T>,
  ): Promise<{ result: T; found: Found }> {
    const { board } = this.#tables;
    for (let tries = 0; tries < TURN_TRIES; tries++) {
      const version = board.hourVersion;
      if (version % 2 === 0) {
        const found = await this.#find(range, board.hour, board.hourBefore).catch(problemOfSystemError);
        const result = await add(found);
        if (board.hourVersion === version) return { result, found };
      }
      await turn();
    }
    throw new Problem(503, 'Not settled', 'the hour changes too fast; ask again');
  }

  async #find({ from, to }: HourRange, open: number, last: number): Promise<Found> {
    const files = listRollupFiles(this.#directory, this.#files);
    const byHour = new Map<number, Section>();
    let hasNext = false;
    const rest = pauses();
    for (const { path, firstHour } of files) {
      if (firstHour + DAY_HOURS <= from) continue;
      // One more roll-up behind the range says which is the last one in it.
      if (firstHour >= to && hasNext) break;
      for (const section of readWhatCanBeRead(path, this.#files)) {
        if (section.hour > last) continue;
        byHour.set(section.hour, section);
        if (section.hour >= to) hasNext = true;
      }
      await rest();
    }
    const sections = [...byHour.values()].sort((a, b) => a.hour - b.hour);
    const next = sections.find(({ hour }) => hour >= to);
    const within = sections.filter(({ hour }) => hour >= from && hour < to);
    const expected = within.map(({ before }) => before);
    expected.push(next === undefined ? last : next.before);
    const isPartial = expected.some((hour) => hour >= from && hour > 0 && !byHour.has(hour));
    return { sections: within, open: open >= from && open < to ? open : null, isPartial };
  }

  async #addCells({ metric, by, where }: StatsScope, found: Found): Promise<Map<string, GroupSum>> {
    const groups = new Map<string, GroupSum>();
    const add = (cell: RolledCell) => {
      if (!isWithin(cell.labels, where)) return;
      const labels = groupLabels(cell.labels, by);
      const key = JSON.stringify(labels);
      const group = groups.get(key) ?? new GroupSum(labels);
      groups.set(key, group);
      group.add(cell);
    };
    await eachHour(found, (text) => {
      for (const cell of cellsOfHour(text, metric)) add(cell);
    });
    if (found.open === null) return groups;
    const tables = this.#tables;
    const { cells } = tables;
    for (const { slot, serial, metric: name } of catalogOf(tables).cells()) {
      if (name !== metric) continue;
      const isHeld = () => cells.serial(slot) === serial && hourHolds(tables, slot);
      const cell = readSlot(cells.table, slot, () => (isHeld() ? openCell(tables, slot) : null));
      if (cell === undefined) found.isPartial = true;
      else if (cell !== null) add(cell);
    }
    return groups;
  }

  async #addRows(project: string | null, found: Found): Promise<ReportSum> {
    const sum = new ReportSum();
    const add = (row: RolledRow) => {
      if (row.rest) sum.hasRest = true;
      if (project !== null && (row.rest || row.project !== project)) return;
      sum.add({ ...row, agent: row.rest ? OTHER_AGENTS : row.agent });
    };
    await eachHour(found, (text) => {
      for (const row of rowsOfHour(text)) add(row);
    });
    if (found.open === null) return sum;
    const tables = this.#tables;
    const { table } = tables.reports;
    for (let row = REST_ROW; row < table.top; row++) {
      const read = () => (hourRowHolds(tables, row) ? openRow(tables, row) : null);
      const numbers = readSlot(table, row, read);
      if (numbers === undefined) found.isPartial = true;
      else if (numbers !== null) add(numbers);
    }
    return sum;
  }
}

/** One of the reply's groups. Sparse, since there may be as many as there are cells. */
class GroupSum {
  readonly #labels: Readonly<Record<string, string>>;
  readonly #moments = new Float64Array(MOMENT_LENGTH);
  readonly #counts = new Map<number, number>();

  constructor(labels: Readonly<Record<string, string>>) {
    this.#labels = labels;
  }

  add({ moments, counts }: RolledCell): void {
    mergeMoments(this.#moments, 0, moments, 0);
    for (let i = 0; i < counts.length; i += 2) {
      this.#counts.set(counts[i]!, (this.#counts.get(counts[i]!) ?? 0) + counts[i + 1]!);
    }
  }

  render(seconds: number) {
    const summary = summarize(this.#moments);
    histogram.clear();
    for (const [key, count] of this.#counts) histogram.add(key, count);
    return {
      labels: this.#labels,
      ...summary,
      ...quantilesOf(histogram, summary.min ?? 0, summary.max ?? 0),
      rate: seconds > 0 ? summary.count / seconds : null,
    };
  }
}

const histogram = new DenseHistogram();

async function eachHour(found: Found, take: (text: string) => void): Promise<void> {
  const rest = pauses();
  for (const section of found.sections) {
    const text = linesOfSection(section);
    if (hourIsPartial(text)) found.isPartial = true;
    take(text);
    if (nativeMemoryIsHeld()) await freeNativeMemory();
    else await rest();
  }
}

/** Not a bug, and not for the log at each question: rights, descriptors. @throws Problem 503 */
function problemOfSystemError(error: NodeJS.ErrnoException): never {
  if (error.syscall === undefined) throw error;
  throw new Problem(503, 'Not readable', `the roll-ups of past hours cannot be read: ${error.code}`);
}

/** @throws Problem 400 */
function hoursOf({ since, until }: TimeSpan, now: number): HourRange {
  const from = since === null ? 0 : hourOf(since);
  const to = until === null ? hourOf(now) + 1 : Math.ceil(until / HOUR_SECONDS);
  if (from >= to)
    throw new Problem(400, 'Bad parameter', 'since must lie before until, which is now by default');
  return { from, to };
}

/** The beginning of the first hour asked for; where none was, of the first that is known. */
function sinceOf({ since }: TimeSpan, { from }: HourRange, { sections, open }: Found): number | null {
  if (since !== null) return from * HOUR_SECONDS;
  const first = sections[0]?.hour ?? open;
  return first === null ? null : first * HOUR_SECONDS;
}
