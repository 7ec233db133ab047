/**
 * Where each task's bar goes. Tasks of a group share lanes as long as they do not overlap, so ten thousand tasks of six agents
 * are some dozens of rows; without groups each task has a row of its own.
 *
 * Bars are columns of numbers, ordered by row and then by start, so that drawing a frame allocates nothing.
 */

import type { TaskReply, TaskStatus } from '../../model/replies.js';

export type Grouping = 'agent' | 'kind' | 'none';

export const BAR_STATUSES: readonly TaskStatus[] = ['completed', 'cancelled', 'running', 'timeout', 'failed'];
export const BAR_RUNNING = BAR_STATUSES.indexOf('running');

export interface Row {
  /** of the first lane of a group, or of the one task; else empty */
  readonly label: string;
  /** tasks of the group, where the label stands */
  readonly count: number;
  readonly isGroupStart: boolean;
  readonly firstBar: number;
  readonly barCount: number;
}

export interface Layout {
  readonly rows: readonly Row[];
  /** Unix seconds */
  readonly starts: Float64Array;
  /** Infinity while it runs */
  readonly ends: Float64Array;
  /** index into BAR_STATUSES */
  readonly statuses: Uint8Array;
  /** index into the tasks as they were given */
  readonly tasks: Int32Array;
  readonly rowOfBar: Int32Array;
  /** by task: its bar, -1 where nothing is known of its time */
  readonly barOfTask: Int32Array;
  /** of the first start and the last end; running ones not counted */
  readonly from: number;
  readonly to: number;
}

interface Bar {
  readonly task: number;
  readonly start: number;
  readonly end: number;
  readonly status: number;
}

export function layoutTasks(tasks: readonly TaskReply[], grouping: Grouping): Layout {
  const bars = tasks.map(barOf).filter((bar): bar is Bar => bar !== null);
  bars.sort((a, b) => a.start - b.start || a.end - b.end || a.task - b.task);
  const rows: Row[] = [];
  const ordered: Bar[] = [];
  const add = (label: string, count: number, isGroupStart: boolean, own: readonly Bar[]) => {
    rows.push({ label, count, isGroupStart, firstBar: ordered.length, barCount: own.length });
    for (const bar of own) ordered.push(bar);
  };
  if (grouping === 'none') {
    for (const bar of bars) add(tasks[bar.task]!.task, 1, false, [bar]);
  } else {
    for (const [label, own] of groupBars(bars, tasks, grouping)) {
      for (const [lane, inLane] of packLanes(own).entries()) {
        add(lane === 0 ? label : '', lane === 0 ? own.length : 0, lane === 0, inLane);
      }
    }
  }
  return columnsOf(rows, ordered, tasks.length);
}

/** A task whose start nobody told is drawn over its duration before its end, or as a mark at it. */
function barOf(task: TaskReply, index: number): Bar | null {
  const { started_at, ended_at, duration, status } = task;
  const start = started_at ?? (ended_at === null ? null : ended_at - (duration ?? 0));
  if (start === null) return null;
  const end = status === 'running' ? Infinity : Math.max(start, ended_at ?? start + (duration ?? 0));
  return { task: index, start, end, status: Math.max(0, BAR_STATUSES.indexOf(status)) };
}

function groupBars(
  bars: readonly Bar[],
  tasks: readonly TaskReply[],
  grouping: 'agent' | 'kind',
): [label: string, bars: Bar[]][] {
  const groups = new Map<string, Bar[]>();
  for (const bar of bars) {
    const label = tasks[bar.task]![grouping] ?? '';
    const own = groups.get(label);
    if (own === undefined) groups.set(label, [bar]);
    else own.push(bar);
  }
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  return [...groups].sort(([a], [b]) => compare(a, b));
}

/** Each bar takes the lowest lane that is free at its start. @param bars ordered by start */
function packLanes(bars: readonly Bar[]): Bar[][] {
  const lanes: Bar[][] = [];
  const busy = new Heap();
  const free = new Heap();
  for (const bar of bars) {
    while (busy.size > 0 && busy.topKey <= bar.start) {
      const lane = busy.pop();
      free.push(lane, lane);
    }
    const lane = free.size > 0 ? free.pop() : lanes.push([]) - 1;
    lanes[lane]!.push(bar);
    busy.push(bar.end, lane);
  }
  return lanes;
}

function columnsOf(rows: readonly Row[], bars: readonly Bar[], taskCount: number): Layout {
  const count = bars.length;
  const layout = {
    rows,
    starts: new Float64Array(count),
    ends: new Float64Array(count),
    statuses: new Uint8Array(count),
    tasks: new Int32Array(count),
    rowOfBar: new Int32Array(count),
    barOfTask: new Int32Array(taskCount).fill(-1),
    from: Infinity,
    to: -Infinity,
  };
  for (const [i, { task, start, end, status }] of bars.entries()) {
    layout.starts[i] = start;
    layout.ends[i] = end;
    layout.statuses[i] = status;
    layout.tasks[i] = task;
    layout.barOfTask[task] = i;
    layout.from = Math.min(layout.from, start);
    layout.to = Math.max(layout.to, end === Infinity ? start : end);
  }
  for (const [r, { firstBar, barCount }] of rows.entries()) {
    layout.rowOfBar.fill(r, firstBar, firstBar + barCount);
  }
  return layout;
}

/** How many tasks ran in each of `count` equal parts of the time, at most at once; for the map above the timeline. */
export function concurrencyOf(layout: Layout, from: number, to: number, count: number): Float64Array {
  const changes = new Float64Array(count + 1);
  const scale = count / Math.max(to - from, 1e-9);
  for (let i = 0; i < layout.starts.length; i++) {
    const first = Math.min(count - 1, Math.max(0, Math.floor((layout.starts[i]! - from) * scale)));
    const last = Math.min(
      count - 1,
      Math.max(first, Math.floor((Math.min(layout.ends[i]!, to) - from) * scale)),
    );
    changes[first]! += 1;
    changes[last + 1]! -= 1;
  }
  let running = 0;
  for (let i = 0; i < count; i++) {
    running += changes[i]!;
    changes[i] = running;
  }
  return changes.subarray(0, count);
}

/** The first bar of the row that ends after this time; ends are ordered within a lane, as its bars do not overlap. */
export function firstBarAfter(layout: Layout, row: Row, time: number): number {
  let low = row.firstBar;
  let high = row.firstBar + row.barCount;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (layout.ends[middle]! < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The bar before or after in the order of the rows; where none is chosen (-1), the first. */
export function besideBar(layout: Layout, bar: number, sign: -1 | 1): number {
  return bar < 0 ? 0 : Math.min(layout.starts.length - 1, Math.max(0, bar + sign));
}

/** The bar of the row above (-1) or below (1) whose start is nearest. */
export function nearestBar(layout: Layout, bar: number, sign: -1 | 1): number {
  if (bar < 0) return 0;
  const row = layout.rows[layout.rowOfBar[bar]! + sign];
  if (row === undefined) return bar;
  const time = layout.starts[bar]!;
  const after = Math.min(firstBarAfter(layout, row, time), row.firstBar + row.barCount - 1);
  const before = Math.max(row.firstBar, after - 1);
  const distance = (other: number) => Math.abs(layout.starts[other]! - time);
  return distance(before) < distance(after) ? before : after;
}

/** Distances between lines of the axis that read well, in seconds. */
const STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
  3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800, 604_800, 1_209_600, 2_592_000, 7_776_000, 31_536_000,
];

/** The smallest step that leaves at most so many in the span. */
export function axisStep(span: number, countMax: number): number {
  return (
    STEPS.find((step) => span / step <= countMax) ??
    STEPS.at(-1)! * Math.ceil(span / STEPS.at(-1)! / countMax)
  );
}

/** A heap of numbers by key, the smallest on top (Williams 1964). */
class Heap {
  readonly #keys: number[] = [];
  readonly #values: number[] = [];

  get size(): number {
    return this.#keys.length;
  }

  get topKey(): number {
    return this.#keys[0]!;
  }

  push(key: number, value: number): void {
    let at = this.#keys.push(key) - 1;
    this.#values.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#keys[parent]! <= this.#keys[at]!) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  pop(): number {
    const top = this.#values[0]!;
    this.#swap(0, this.#keys.length - 1);
    this.#keys.pop();
    this.#values.pop();
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= this.#keys.length) break;
      const right = left + 1;
      const child = right < this.#keys.length && this.#keys[right]! < this.#keys[left]! ? right : left;
      if (this.#keys[at]! <= this.#keys[child]!) break;
      this.#swap(at, child);
      at = child;
    }
    return top;
  }

  #swap(a: number, b: number): void {
    [this.#keys[a], this.#keys[b]] = [this.#keys[b]!, this.#keys[a]!];
    [this.#values[a], this.#values[b]] = [this.#values[b]!, this.#values[a]!];
  }
}
