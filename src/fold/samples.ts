/**
 * Samples into cells: which labels each metric of the contract has, and what happens when no cell is left. The keys of
 * a label set are sorted by their bytes, so that one set has one cell.
 *
 * When room is needed, the cell that was sampled least recently makes it, if that was longer ago than `series_idle`: what it
 * counted goes into the overflow cell of its metric, so that no sum over a metric ever shrinks. How long ago is taken to
 * 5 s, the finest slot of the windows: a cell moves to the front of the list when it begins one, which costs a sample nothing.
 */

import { TAGS_MAX } from '../model/event.js';
import { HASH_SEED, hashEnd, hashWord } from '../model/hash.js';
import { type ByteView, ownWords, viewOfText, type Words } from '../model/memory.js';
import { STATUS_COUNT, STATUS_NAMES } from '../model/status.js';
import { COUNT_SERIES_EXPIRED, COUNT_SERIES_OVERFLOWED } from '../state/board.js';
import { CELL_COUNT, CELL_SINCE, CELL_TOUCHED, CELL_ZEROS } from '../state/cells.js';
import { bucketOf, ZERO_BUCKET } from '../state/histogram.js';
import type { Tables } from '../state/tables.js';
import { addToHour, moveHour } from './hour-sums.js';
import { addValue, mergeMoments } from './moments.js';
import { ReportTotals } from './report-totals.js';
import { Windows } from './windows.js';

/** A power of two: agents times kinds times statuses of a busy host. */
const RECENT_CELLS = 1024;

/** hashBytes of model/hash.ts. */
function hashOfView(view: ByteView): i32 {
  const length = view.byteLength;
  let hash = HASH_SEED;
  let i = 0;
  for (; i + 4 <= length; i += 4) hash = hashWord(hash, view.getInt32(i, true));
  if (i < length) {
    let word = 0;
    for (let shift = 0; i < length; i++, shift += 8) word |= view.getUint8(i) << shift;
    hash = hashWord(hash, word);
  }
  return hashEnd(hash, length);
}

/** In place of a reference or a count: there is a label, and the names had no room for it. */
export const UNNAMED = -1;

export class Samples {
  /** The label set of the next `add`: [key, value, …]. */
  readonly labels: Words = ownWords(2 * TAGS_MAX);
  /** The interned words of model/status.ts, by number. */
  readonly statuses: Words;
  readonly report: ReportTotals;
  readonly #tables: Tables;
  readonly #windows: Windows;
  /** Cells of task durations met lately: agent, kind, status, cell. */
  readonly #recent: Words = ownWords(4 * RECENT_CELLS);
  readonly #overflowLabels: Words = ownWords(2);
  readonly #taskDuration: i32;
  readonly #taskTokens: i32;
  readonly #workflowDuration: i32;
  readonly #workflowEfficiency: i32;
  readonly #agent: i32;
  readonly #kind: i32;
  readonly #status: i32;
  readonly #name: i32;
  readonly #project: i32;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.#windows = new Windows(tables);
    this.report = new ReportTotals(tables);
    // What every state needs is interned first, so that it has the same place in each.
    this.statuses = ownWords(STATUS_COUNT);
    for (let i = 0; i < STATUS_COUNT; i++) this.statuses[i] = this.word(STATUS_NAMES[i]!);
    this.#taskDuration = this.word('task_duration_seconds');
    this.#taskTokens = this.word('task_tokens');
    this.#workflowDuration = this.word('workflow_duration_seconds');
    this.#workflowEfficiency = this.word('workflow_efficiency');
    this.#agent = this.word('agent');
    this.#kind = this.word('kind');
    this.#status = this.word('status');
    this.#name = this.word('name');
    this.#project = this.word('project');
    this.#overflowLabels[0] = this.word('overflow');
    this.#overflowLabels[1] = this.word('true');
    tables.cells.overflowBlock(this.#overflowLabels);
    this.#workflowEfficiency = this.word('workflow_efficiency');
  }

  /** A word of the program itself, interned for as long as the state lives. */
  word(text: string): i32 {
    if (text === '') return 0;
    const view = viewOfText(text);
    const length = view.byteLength;
    const hash = hashOfView(view);
    // A fold that takes over tables finds them there, with the one reference that keeps them.
    const names = this.#tables.names;
    return names.find(view, 0, length, hash) || names.intern(view, 0, length, hash);
  }

  /** Here and below a reference may be UNNAMED. */
  taskDuration(agent: i32, kind: i32, status: i32, seconds: f64, arrived: f64): void {
    // A cell keeps its labels' references, so while it lives the same three numbers mean the same label set.
    const place = ((agent * 7 + kind) * 5 + status) & (RECENT_CELLS - 1);
    const recent = this.#recent;
    const at = place * 4;
    if (
      recent[at] === agent &&
      recent[at + 1] === kind &&
      recent[at + 2] === status &&
      recent[at + 3] !== 0
    ) {
      if (this.#addTo(recent[at + 3]!, seconds, arrived)) return;
    }
    const count = this.#pair(this.#kind, kind, this.#pair(this.#agent, agent, 0));
    const cell = this.add(this.#taskDuration, this.#pair(this.#status, status, count), seconds, arrived);
    recent[at] = agent;
    recent[at + 1] = kind;
    recent[at + 2] = status;
    recent[at + 3] = cell;
  }

  /** The cells met lately may be gone. */
  forgetRecent(): void {
    this.#recent.fill(0);
  }

  taskTokens(agent: i32, kind: i32, tokens: f64, arrived: f64): void {
    const count = this.#pair(this.#kind, kind, this.#pair(this.#agent, agent, 0));
    this.add(this.#taskTokens, count, tokens, arrived);
  }

  workflowDuration(name: i32, project: i32, status: i32, seconds: f64, arrived: f64): void {
    const count = this.#pair(this.#project, project, this.#pair(this.#name, name, 0));
    this.add(this.#workflowDuration, this.#pair(this.#status, status, count), seconds, arrived);
  }

  /** @param score of fold/report.ts */
  workflowEfficiency(name: i32, project: i32, score: f64, arrived: f64): void {
    const count = this.#pair(this.#project, project, this.#pair(this.#name, name, 0));
    this.add(this.#workflowEfficiency, count, score, arrived);
  }

  /** An absent label is left out of the set; one without room among the names makes the set unnamed. */
  #pair(key: i32, value: i32, count: i32): i32 {
    if (value === 0 || count === UNNAMED) return count;
    if (value === UNNAMED) return UNNAMED;
    this.labels[2 * count] = key;
    this.labels[2 * count + 1] = value;
    return count + 1;
  }

  /**
   * Adds a value to the cell of `metric` and the first `labelCount` pairs of `labels`, or to the metric's overflow cell where
   * no cell is left for the set, or `labelCount` is UNNAMED.
   * @param arrived seconds
   * @returns the cell of the set, or 0 where it has none of its own
   */
  add(metric: i32, labelCount: i32, value: f64, arrived: f64): i32 {
    let cell = 0;
    if (metric !== 0 && labelCount !== UNNAMED) {
      cell = this.#tables.cells.find(metric, this.labels, labelCount);
      if (cell === 0) cell = this.#create(metric, labelCount, arrived);
    }
    if (cell !== 0 && this.#addTo(cell, value, arrived)) return cell;
    this.#tables.board.count(COUNT_SERIES_OVERFLOWED);
    if (metric === 0) return 0;
    const overflow = this.#overflowOf(metric);
    if (overflow !== 0 && overflow !== cell) this.#addTo(overflow, value, arrived);
    return 0;
  }

  #create(metric: i32, labelCount: i32, arrived: f64): i32 {
    const { cells } = this.#tables;
    let cell = cells.create(metric, this.labels, labelCount, false);
    while (cell === 0 && this.#expireOldest(arrived)) {
      cell = cells.create(metric, this.labels, labelCount, false);
    }
    return cell;
  }

  /** The overflow cell of a metric; 0: there is no room for one. */
  #overflowOf(metric: i32): i32 {
    const { cells } = this.#tables;
    const overflow = cells.find(metric, this.#overflowLabels, 1);
    return overflow !== 0 ? overflow : cells.create(metric, this.#overflowLabels, 1, true);
  }

  /** @returns false where no cell has been idle for long enough */
  #expireOldest(arrived: f64): boolean {
    const { cells, buckets, board, limits } = this.#tables;
    const { table } = cells;
    const cell = cells.oldest;
    const at = cell * table.slotDoubles;
    const idleSeconds = limits.seriesIdleMs / 1000;
    if (cell === 0 || table.doubles[at + CELL_TOUCHED]! + idleSeconds > arrived) return false;
    const overflow = this.#overflowOf(cells.metric(cell));
    if (overflow === 0) return false;
    const into = overflow * table.slotDoubles;
    const isNew = table.doubles[into + CELL_COUNT] === 0;
    cells.beginMove();
    table.lock(overflow);
    table.lock(cell);
    mergeMoments(table.doubles, into + CELL_COUNT, table.doubles, at + CELL_COUNT);
    table.doubles[into + CELL_ZEROS]! += table.doubles[at + CELL_ZEROS]!;
    if (table.doubles[at + CELL_COUNT]! > 0) {
      const since = table.doubles[at + CELL_SINCE]!;
      const touched = table.doubles[at + CELL_TOUCHED]!;
      if (isNew || since < table.doubles[into + CELL_SINCE]!) table.doubles[into + CELL_SINCE] = since;
      if (isNew || touched > table.doubles[into + CELL_TOUCHED]!)
        table.doubles[into + CELL_TOUCHED] = touched;
    }
    cells.setBlocks(overflow, buckets.move(cells.blocks(cell), cells.blocks(overflow)));
    cells.setBlocks(cell, 0);
    this.#windows.move(cell, overflow, arrived);
    moveHour(this.#tables, cell, overflow);
    table.unlock(cell);
    table.unlock(overflow);
    cells.remove(cell);
    cells.endMove();
    // A reference that was freed with the cell may come back as another name, and its slot as another cell.
    this.forgetRecent();
    board.count(COUNT_SERIES_EXPIRED);
    return true;
  }

  /** @returns false if the histogram needs a block and none is left; then nothing was changed */
  #addTo(cell: i32, value: f64, arrived: f64): boolean {
    const { cells, buckets, hourBuckets } = this.#tables;
    const table = cells.table;
    const at = cell * table.slotDoubles;
    this.#windows.open(cell, arrived);
    table.lock(cell);
    const bucket = bucketOf(value);
    if (bucket === ZERO_BUCKET) {
      table.doubles[at + CELL_ZEROS]! += 1;
    } else {
      const first = buckets.count(cells.blocks(cell), bucket);
      if (first < 0) {
        table.unlock(cell);
        return false;
      }
      cells.setBlocks(cell, first);
    }
    if (table.doubles[at + CELL_COUNT] === 0) table.doubles[at + CELL_SINCE] = arrived;
    table.doubles[at + CELL_TOUCHED] = arrived;
    addValue(table.doubles, at + CELL_COUNT, value);
    this.#windows.add(cell, bucket, value);
    addToHour(table.words, cell * table.slotWords, table.doubles, at, hourBuckets, bucket, value);
    table.unlock(cell);
    return true;
  }
}
