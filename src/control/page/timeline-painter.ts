/** Draws a timeline's layout onto a canvas, the part of it that is in view. A frame touches only rows and bars that are seen. */

import { humanDuration } from '../../model/human.js';
import { colorOf } from './theme.js';
import {
  axisStep,
  BAR_RUNNING,
  BAR_STATUSES,
  concurrencyOf,
  firstBarAfter,
  type Layout,
} from './timeline-layout.js';

export const AXIS_HEIGHT = 24;
export const ROW_HEIGHT = 20;
const BAR_HEIGHT = 14;
const BAR_WIDTH_MIN = 2;
const TEXT_WIDTH_MIN = 34;
const FONT = '11px system-ui, sans-serif';

export interface View {
  /** Unix seconds at the left and the right edge of the bars */
  readonly from: number;
  readonly to: number;
  readonly scrollTop: number;
  readonly width: number;
  readonly height: number;
  /** of the labels at the left */
  readonly gutter: number;
}

export interface Marks {
  /** bars, -1 for none */
  readonly hovered: number;
  readonly selected: number;
}

export interface Palette {
  readonly bars: readonly string[];
  readonly text: string;
  readonly quiet: string;
  readonly grid: string;
  readonly surface: string;
  readonly raised: string;
  readonly accent: string;
  readonly barText: string;
}

export function readPalette(): Palette {
  return {
    bars: BAR_STATUSES.map((status) => colorOf(`f-${status}`)),
    text: colorOf('text'),
    quiet: colorOf('quiet'),
    grid: colorOf('grid'),
    surface: colorOf('surface'),
    raised: colorOf('raised'),
    accent: colorOf('accent'),
    barText: colorOf('bar-text'),
  };
}

export function xOf(view: View, time: number): number {
  return view.gutter + ((time - view.from) / (view.to - view.from)) * (view.width - view.gutter);
}

export function timeAt(view: View, x: number): number {
  return view.from + ((x - view.gutter) / (view.width - view.gutter)) * (view.to - view.from);
}

/** @param textOf what a bar says, where it is wide enough */
export function paintTimeline(
  context: CanvasRenderingContext2D,
  layout: Layout,
  view: View,
  marks: Marks,
  palette: Palette,
  now: number,
  textOf: (task: number) => string,
): void {
  context.clearRect(0, 0, view.width, view.height);
  context.font = FONT;
  context.textBaseline = 'middle';
  paintGrid(context, layout, view, palette);
  const firstRow = Math.max(0, Math.floor(view.scrollTop / ROW_HEIGHT));
  const lastRow = Math.min(
    layout.rows.length - 1,
    Math.floor((view.scrollTop + view.height - AXIS_HEIGHT) / ROW_HEIGHT),
  );
  context.save();
  context.beginPath();
  context.rect(0, AXIS_HEIGHT, view.width, view.height - AXIS_HEIGHT);
  context.clip();
  for (let r = firstRow; r <= lastRow; r++) paintRowLine(context, layout, view, palette, r);
  context.save();
  context.beginPath();
  context.rect(view.gutter, AXIS_HEIGHT, view.width - view.gutter, view.height - AXIS_HEIGHT);
  context.clip();
  for (let status = 0; status < palette.bars.length; status++) {
    paintBars(context, layout, view, palette, status, firstRow, lastRow, now);
  }
  for (let r = firstRow; r <= lastRow; r++) paintTexts(context, layout, view, palette, r, now, textOf);
  paintMark(context, layout, view, palette, marks.hovered, now, 1.5);
  paintMark(context, layout, view, palette, marks.selected, now, 2.5);
  context.restore();
  for (let r = firstRow; r <= lastRow; r++) paintLabel(context, layout, view, palette, r, rowTop(view, r));
  paintPinnedLabel(context, layout, view, palette, firstRow);
  context.restore();
}

function rowTop(view: View, row: number): number {
  return AXIS_HEIGHT + row * ROW_HEIGHT - view.scrollTop;
}

function paintGrid(context: CanvasRenderingContext2D, layout: Layout, view: View, palette: Palette): void {
  const span = view.to - view.from;
  const step = axisStep(span, Math.max(1, (view.width - view.gutter) / 92));
  const origin = layout.from;
  context.strokeStyle = palette.grid;
  context.fillStyle = palette.quiet;
  context.lineWidth = 1;
  context.textAlign = 'left';
  context.beginPath();
  for (let i = Math.ceil((view.from - origin) / step); origin + i * step <= view.to; i++) {
    const x = Math.round(xOf(view, origin + i * step)) + 0.5;
    if (x < view.gutter) continue;
    context.moveTo(x, AXIS_HEIGHT - 6);
    context.lineTo(x, view.height);
    const text = i === 0 ? '0' : `${i < 0 ? '−' : '+'}${humanDuration(Math.abs(i * step))}`;
    if (x + 4 + context.measureText(text).width <= view.width) context.fillText(text, x + 4, AXIS_HEIGHT / 2);
  }
  context.moveTo(0, AXIS_HEIGHT - 0.5);
  context.lineTo(view.width, AXIS_HEIGHT - 0.5);
  context.stroke();
}

function paintRowLine(
  context: CanvasRenderingContext2D,
  layout: Layout,
  view: View,
  palette: Palette,
  row: number,
): void {
  if (!layout.rows[row]!.isGroupStart || row === 0) return;
  context.fillStyle = palette.grid;
  context.fillRect(0, Math.round(rowTop(view, row)), view.width, 1);
}

/** One path a status, since a change of colour costs more than a rectangle; what falls on one pixel is drawn once. */
function paintBars(
  context: CanvasRenderingContext2D,
  layout: Layout,
  view: View,
  palette: Palette,
  status: number,
  firstRow: number,
  lastRow: number,
  now: number,
): void {
  const scale = (view.width - view.gutter) / (view.to - view.from);
  context.fillStyle = palette.bars[status]!;
  context.beginPath();
  for (let r = firstRow; r <= lastRow; r++) {
    const row = layout.rows[r]!;
    const top = rowTop(view, r) + (ROW_HEIGHT - BAR_HEIGHT) / 2;
    const end = row.firstBar + row.barCount;
    let drawnTo = -Infinity;
    for (let bar = firstBarAfter(layout, row, view.from); bar < end; bar++) {
      const start = layout.starts[bar]!;
      if (start > view.to) break;
      if (layout.statuses[bar] !== status) continue;
      const left = view.gutter + (start - view.from) * scale;
      const right = view.gutter + (Math.min(layout.ends[bar]!, Math.max(now, start)) - view.from) * scale;
      // A gap of a pixel between neighbours, where there is room for one.
      const width = Math.max(BAR_WIDTH_MIN, right - left - (right - left > 4 ? 1 : 0));
      if (left + width <= drawnTo + 0.5) continue;
      drawnTo = left + width;
      if (width > 6) context.roundRect(left, top, width, BAR_HEIGHT, 2.5);
      else context.rect(left, top, width, BAR_HEIGHT);
    }
  }
  context.fill();
}

function paintTexts(
  context: CanvasRenderingContext2D,
  layout: Layout,
  view: View,
  palette: Palette,
  r: number,
  now: number,
  textOf: (task: number) => string,
): void {
  const row = layout.rows[r]!;
  const middle = rowTop(view, r) + ROW_HEIGHT / 2 + 0.5;
  context.textAlign = 'left';
  context.fillStyle = palette.barText;
  const end = row.firstBar + row.barCount;
  for (let bar = firstBarAfter(layout, row, view.from); bar < end; bar++) {
    const start = layout.starts[bar]!;
    if (start > view.to) break;
    const left = Math.max(view.gutter, xOf(view, start));
    const right = Math.min(view.width, xOf(view, Math.min(layout.ends[bar]!, Math.max(now, start))));
    if (right - left < TEXT_WIDTH_MIN) continue;
    const text = fitText(context, textOf(layout.tasks[bar]!), right - left - 10);
    if (text !== '') context.fillText(text, left + 5, middle);
  }
}

/** Near enough without measuring each letter: the widest font in use has 7 pixels a letter. */
function fitText(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (text.length * 4.5 < width && context.measureText(text).width <= width) return text;
  let length = Math.min(text.length, Math.floor(width / 4.5));
  while (length > 1 && context.measureText(`${text.slice(0, length)}…`).width > width) {
    length -= Math.max(1, Math.floor(length / 8));
  }
  return length > 1 ? `${text.slice(0, length)}…` : '';
}

function paintMark(
  context: CanvasRenderingContext2D,
  layout: Layout,
  view: View,
  palette: Palette,
  bar: number,
  now: number,
  width: number,
): void {
  if (bar < 0 || bar >= layout.starts.length) return;
  const left = xOf(view, layout.starts[bar]!);
  const right = xOf(view, Math.min(layout.ends[bar]!, Math.max(now, layout.starts[bar]!)));
  const top = rowTop(view, layout.rowOfBar[bar]!) + (ROW_HEIGHT - BAR_HEIGHT) / 2;
  context.strokeStyle = palette.text;
  context.lineWidth = width;
  context.beginPath();
  context.roundRect(left - 1, top - 1, Math.max(BAR_WIDTH_MIN, right - left) + 2, BAR_HEIGHT + 2, 3);
  context.stroke();
}

function paintLabel(
  context: CanvasRenderingContext2D,
  layout: Layout,
  view: View,
  palette: Palette,
  r: number,
  top: number,
): void {
  const { label, count } = layout.rows[r]!;
  context.fillStyle = palette.surface;
  context.fillRect(0, top + 1, view.gutter - 1, ROW_HEIGHT);
  if (count === 0 || view.gutter < 30) return;
  const middle = top + ROW_HEIGHT / 2 + 0.5;
  const number = count > 1 ? String(count) : '';
  context.textAlign = 'right';
  context.fillStyle = palette.quiet;
  if (number !== '') context.fillText(number, view.gutter - 8, middle);
  const room = view.gutter - 22 - (number === '' ? 0 : context.measureText(number).width + 8);
  context.textAlign = 'left';
  context.fillStyle = palette.text;
  context.fillText(fitText(context, label === '' ? '(none)' : label, room), 12, middle);
}

/** Of a group whose first lane is above the view: its name stays, until the next one pushes it away. */
function paintPinnedLabel(
  context: CanvasRenderingContext2D,
  layout: Layout,
  view: View,
  palette: Palette,
  firstRow: number,
): void {
  const { rows } = layout;
  let start = firstRow;
  while (start > 0 && !rows[start]!.isGroupStart) start--;
  if (rows[start]?.isGroupStart !== true || rowTop(view, start) >= AXIS_HEIGHT) return;
  const isPushed = rows[firstRow + 1]?.isGroupStart === true;
  const top = isPushed ? Math.min(AXIS_HEIGHT, rowTop(view, firstRow + 1) - ROW_HEIGHT) : AXIS_HEIGHT;
  paintLabel(context, layout, view, palette, start, top);
}

/** The whole time at once: how many tasks ran, and where some failed. */
export function paintMap(
  context: CanvasRenderingContext2D,
  layout: Layout,
  view: Pick<View, 'from' | 'to' | 'width' | 'height' | 'gutter'>,
  whole: { readonly from: number; readonly to: number },
  palette: Palette,
): void {
  const { width, height, gutter } = view;
  const columns = Math.max(1, Math.floor(width - gutter));
  const scale = columns / Math.max(whole.to - whole.from, 1e-9);
  context.clearRect(0, 0, width, height);
  const running = concurrencyOf(layout, whole.from, whole.to, columns);
  const most = running.reduce((a, b) => Math.max(a, b), 1);
  context.fillStyle = palette.bars[BAR_RUNNING]!;
  context.globalAlpha = 0.55;
  for (let i = 0; i < columns; i++) {
    const tall = (running[i]! / most) * (height - 6);
    if (tall > 0) context.fillRect(gutter + i, height - tall, 1, tall);
  }
  context.globalAlpha = 1;
  for (let bar = 0; bar < layout.starts.length; bar++) {
    const status = BAR_STATUSES[layout.statuses[bar]!]!;
    if (status !== 'failed' && status !== 'timeout') continue;
    context.fillStyle = palette.bars[layout.statuses[bar]!]!;
    context.fillRect(Math.round(gutter + (layout.ends[bar]! - whole.from) * scale) - 1, 0, 2, 5);
  }
  const left = gutter + (view.from - whole.from) * scale;
  const right = gutter + (view.to - whole.from) * scale;
  context.fillStyle = palette.surface;
  context.globalAlpha = 0.72;
  context.fillRect(gutter, 0, Math.max(0, left - gutter), height);
  context.fillRect(right, 0, Math.max(0, width - right), height);
  context.globalAlpha = 1;
  context.strokeStyle = palette.accent;
  context.lineWidth = 1;
  context.strokeRect(left + 0.5, 0.5, Math.max(2, right - left - 1), height - 1);
}
