/** Aligned columns for a terminal. All cells are made harmless here, so that no command can forget it. */

import { displayWidth, escapeControls, shorten } from '../model/human.js';
import type { Colors } from './io.js';

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
  /** may be cut: texts and ids, never numbers */
  readonly cut?: boolean;
  /** where the table is too wide, the columns with a number leave, the lowest first */
  readonly leaves?: number;
  /** colours of a cell; it gets the text as it is shown, and the row's number */
  readonly paint?: (text: string, row: number) => string;
}

export interface TableStyle {
  readonly width: number;
  /** fit the width; off where another program reads, and wants whole ids and every column */
  readonly cut: boolean;
  readonly colors: Colors;
}

const GAP = '  ';
const CUT_WIDTH_COMFORTABLE = 14;
const CUT_WIDTH_MIN = 6;

export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: TableStyle,
): string {
  const cells = rows.map((row) => row.map(escapeControls));
  const widths = columns.map((column, i) =>
    cells.reduce((most, row) => Math.max(most, displayWidth(row[i] ?? '')), displayWidth(column.title)),
  );
  const shown = fitColumns(columns, widths, style);
  const line = (row: readonly string[], number?: number): string =>
    shown
      .map((i) => {
        const text = shorten(row[i] ?? '', widths[i]!);
        const { align, paint } = columns[i]!;
        const painted = number === undefined || text === '' ? text : (paint?.(text, number) ?? text);
        return padded(painted, widths[i]! - displayWidth(text), align);
      })
      .join(GAP)
      .trimEnd();
  const header = style.colors.bold(line(columns.map(({ title }) => title)));
  return `${[header, ...cells.map(line)].join('\n')}\n`;
}

/** Lines of `label  value`, the values aligned; a value of several lines goes on under itself. */
export function renderFacts(
  facts: readonly (readonly [label: string, value: string])[],
  colors: Colors,
): string {
  const width = facts.reduce((most, [label]) => Math.max(most, label.length), 0);
  return facts
    .map(([label, value]) => {
      const lines = value.split('\n');
      const first = `${colors.dim(label.padEnd(width))}${GAP}${lines[0]}`.trimEnd();
      return [first, ...lines.slice(1).map((line) => ' '.repeat(width + GAP.length) + line)].join('\n');
    })
    .join('\n')
    .concat('\n');
}

/** Joined by `, `, broken at items before the width. */
export function wrapList(items: readonly string[], width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const [i, item] of items.entries()) {
    const text = i === items.length - 1 ? item : `${item},`;
    if (line !== '' && displayWidth(line) + 1 + displayWidth(text) > width) {
      lines.push(line);
      line = text;
    } else {
      line = line === '' ? text : `${line} ${text}`;
    }
  }
  return [...lines, line].join('\n');
}

/** Broken at spaces, so that no line is wider unless a word is. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** Narrows `widths` in place. @returns the indexes of the columns that stay */
function fitColumns(columns: readonly Column[], widths: number[], style: TableStyle): number[] {
  let shown = columns.map((_, i) => i);
  if (!style.cut) return shown;
  const excess = () =>
    shown.reduce((sum, i) => sum + widths[i]!, GAP.length * (shown.length - 1)) - style.width;
  const cutTo = (min: number) => {
    while (excess() > 0) {
      const candidates = shown.filter((i) => columns[i]!.cut === true && widths[i]! > min);
      if (candidates.length === 0) return;
      const widest = candidates.reduce((a, b) => (widths[b]! > widths[a]! ? b : a));
      widths[widest] = widths[widest]! - 1;
    }
  };
  cutTo(CUT_WIDTH_COMFORTABLE);
  const leaving = shown
    .filter((i) => columns[i]!.leaves !== undefined)
    .sort((a, b) => columns[a]!.leaves! - columns[b]!.leaves!);
  for (const i of leaving) {
    if (excess() > 0) shown = shown.filter((other) => other !== i);
  }
  cutTo(CUT_WIDTH_MIN);
  return shown;
}

function padded(text: string, columns: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, columns));
  return align === 'left' ? text + space : space + text;
}
