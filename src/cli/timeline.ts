/**
 * Tasks as bars on one axis of time, so that what ran at the same time stands one over the other:
 *
 *                          ├ 0s ─────────────────────── 40s ┤
 *     parallel             ▄▄▄▄█████████▄▄▄▄▄▄▄▄████▄▄▄▄▄▄▄▄▄      up to 2
 *     orders     loader-1  ████████████████✓                           20s
 *     customers  loader-2      ███████✗                                10s
 *     rows       writer                     ░░░░░░░░░░░░░░░░▶         20s+
 *
 * A bar ends in a mark of its status, so colour is never the only sign; a running one is open-ended and filled otherwise.
 */

import { displayWidth, escapeControls, humanCount, humanDuration, NOTHING, shorten } from '../model/human.js';
import { paintStatus } from './status-color.js';
import type { TableStyle } from './table.js';

export interface TimelineTask {
  readonly task: string;
  readonly agent: string;
  readonly status: string;
  readonly started_at: number | null;
  readonly ended_at?: number | null;
  readonly duration: number | null;
}

export interface Axis {
  readonly from: number;
  readonly to: number;
}

export interface TimelineStyle extends TableStyle {
  readonly unicode: boolean;
}

interface Glyphs {
  readonly fill: string;
  readonly runningFill: string;
  readonly marks: Readonly<Record<string, string>>;
  readonly otherMark: string;
  readonly levels: string;
  readonly axis: readonly [start: string, line: string, end: string];
}

const UNICODE: Glyphs = {
  fill: '█',
  runningFill: '░',
  marks: { completed: '✓', failed: '✗', timeout: '!', cancelled: '-', running: '▶' },
  otherMark: '?',
  levels: '▁▂▃▄▅▆▇█',
  axis: ['├', '─', '┤'],
};
const ASCII: Glyphs = {
  fill: '#',
  runningFill: '=',
  marks: { completed: '.', failed: 'x', timeout: '!', cancelled: '-', running: '>' },
  otherMark: '?',
  levels: '.:-=+*%#',
  axis: ['|', '-', '|'],
};

const NAME_COLUMNS_MAX = 20;
/** `up to 9,999`: how many ran in parallel. */
const TIME_COLUMNS_MIN = 11;
const BAR_COLUMNS_MIN = 10;
const GAP = '  ';

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * @param tasks in the order in which they are drawn
 * @param all of which they are a part: those that the line `parallel` counts
 */
export function renderTimeline(
  tasks: readonly TimelineTask[],
  all: readonly TimelineTask[],
  axis: Axis,
  style: TimelineStyle,
): string {
  const glyphs = style.unicode ? UNICODE : ASCII;
  const names = [
    tasks.map(({ task }) => escapeControls(task)),
    tasks.map(({ agent }) => escapeControls(agent)),
  ];
  const nameColumns = names.map((texts) =>
    texts.reduce((most, text) => Math.max(most, Math.min(NAME_COLUMNS_MAX, displayWidth(text))), 4),
  );
  const times = tasks.map((task) =>
    task.status === 'running' ? runningText(task, axis) : humanDuration(task.duration),
  );
  const timeColumns = times.reduce((most, time) => Math.max(most, time.length), TIME_COLUMNS_MIN);
  const fixed = () => nameColumns[0]! + nameColumns[1]! + timeColumns + 3 * GAP.length;
  // On a narrow terminal names give way to bars.
  while (fixed() + BAR_COLUMNS_MIN > style.width && Math.max(...nameColumns) > 4) {
    nameColumns[nameColumns[0]! >= nameColumns[1]! ? 0 : 1]! -= 1;
  }
  const columns = Math.max(BAR_COLUMNS_MIN, style.width - fixed());
  const labels = (task: string, agent: string) =>
    [inColumns(task, nameColumns[0]!), inColumns(agent, nameColumns[1]!)].join(GAP);
  const line = (label: string, bar: string, barWidth: number, time: string) =>
    `${label}${GAP}${bar}${' '.repeat(columns - barWidth)}${GAP}${time.padStart(timeColumns)}`.trimEnd();

  const { dim } = style.colors;
  const spans = all.flatMap((task) => spanOf(task, axis) ?? []);
  const lines = [line(dim(labels('', '')), dim(axisText(axis, columns, glyphs)), columns, '')];
  if (spans.length > 1) {
    const { text, most } = parallelText(spans, axis, columns, glyphs);
    const label = 'parallel'.padEnd(displayWidth(labels('', '')));
    lines.push(dim(line(label, text, columns, `up to ${humanCount(most)}`)));
  }
  tasks.forEach((task, i) => {
    const { text, width } = barText(task, axis, columns, glyphs);
    const label = labels(names[0]![i]!, names[1]![i]!);
    lines.push(line(label, paintBar(text, task.status, style), width, times[i]!));
  });
  return `${lines.join('\n')}\n`;
}

/** When it ran, as far as that is known: a start, or an end and a duration. */
export function spanOf(task: TimelineTask, axis: Axis): Span | null {
  const end = task.ended_at ?? (task.status === 'running' ? axis.to : null);
  if (task.started_at != null) {
    // A duration that was given may be longer than what lies between the two arrivals.
    return { start: task.started_at, end: Math.max(end ?? 0, task.started_at + (task.duration ?? 0)) };
  }
  return end === null || task.duration === null ? null : { start: end - task.duration, end };
}

function inColumns(text: string, columns: number): string {
  const short = shorten(text, columns);
  return short + ' '.repeat(columns - displayWidth(short));
}

/** 0 to `columns`, also for a time outside of the axis. */
function columnOf(seconds: number, { from, to }: Axis, columns: number): number {
  if (to <= from) return 0;
  return Math.min(columns, Math.max(0, ((seconds - from) / (to - from)) * columns));
}

function barText(
  task: TimelineTask,
  axis: Axis,
  columns: number,
  glyphs: Glyphs,
): { text: string; width: number } {
  const mark = glyphs.marks[task.status] ?? glyphs.otherMark;
  const span = spanOf(task, axis);
  if (span === null) return { text: mark, width: 1 };
  const start = Math.min(columns - 1, Math.floor(columnOf(span.start, axis, columns)));
  // Ends are rounded as starts are: what began when another ended does not seem to overlap it.
  const end = Math.max(start + 1, Math.floor(columnOf(span.end, axis, columns)));
  const fill = task.status === 'running' ? glyphs.runningFill : glyphs.fill;
  return { text: ' '.repeat(start) + fill.repeat(end - start - 1) + mark, width: end };
}

function paintBar(text: string, status: string, { colors }: TimelineStyle): string {
  const bar = text.trimStart();
  return text.slice(0, text.length - bar.length) + paintStatus(status, colors, bar);
}

function runningText({ started_at }: TimelineTask, axis: Axis): string {
  return started_at === null ? NOTHING : `${humanDuration(Math.max(0, axis.to - started_at))}+`;
}

/** `├ 0s ──── 12.5s ┤` */
function axisText({ from, to }: Axis, columns: number, { axis: [start, line, end] }: Glyphs): string {
  const right = ` ${humanDuration(to - from)} ${end}`;
  const left = `${start} 0s `;
  return left + line.repeat(Math.max(1, columns - left.length - right.length)) + right;
}

/** The most tasks that ran at a time within each column, as its height. Ends are rounded as those of the bars. */
function parallelText(
  spans: readonly Span[],
  axis: Axis,
  columns: number,
  { levels }: Glyphs,
): { text: string; most: number } {
  // Ends before starts: what ends when another begins did not run beside it.
  const steps = spans.flatMap(({ start, end }) => [
    { at: start, by: 1 },
    { at: end, by: -1 },
  ]);
  steps.sort((a, b) => a.at - b.at || a.by - b.by);
  const heights = new Array<number>(columns).fill(0);
  let running = 0;
  let column = 0;
  for (const { at, by } of steps) {
    const to = Math.floor(columnOf(at, axis, columns));
    for (; column < to; column++) heights[column] = Math.max(heights[column]!, running);
    running += by;
    const last = Math.min(to, columns - 1);
    heights[last] = Math.max(heights[last]!, running);
  }
  const most = heights.reduce((a, b) => Math.max(a, b), 1);
  const glyph = (height: number) => {
    return height === 0 ? ' ' : levels[Math.ceil((height / most) * levels.length) - 1]!;
  };
  return { text: heights.map(glyph).join(''), most };
}
