/**
 * The part of Markdown that our documents use, as roff: headings, paragraphs, lists, tables, code. A table becomes a list of its
 * rows, since no terminal is wide enough for its cells: the first column names what the others say.
 */

import { bold, definition, escapeRoff, italic, literal } from './roff.js';

/** @param text without its first heading, which is the page's name */
export function roffOfMarkdown(text: string): string {
  const lines = text.split('\n');
  const blocks: string[] = [];
  let paragraph: string[] = [];
  const flush = () => {
    if (paragraph.length > 0) blocks.push(`.PP\n${inline(paragraph.join(' '))}`);
    paragraph = [];
  };
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    const [, hashes = '', heading = ''] = /^(#+) (.*)$/.exec(line) ?? [];
    if (line.startsWith('```')) {
      flush();
      const end = lines.indexOf('```', i + 1);
      blocks.push(literal(lines.slice(i + 1, end).join('\n')));
      i = end;
    } else if (hashes.length === 1) {
      flush();
    } else if (hashes !== '') {
      flush();
      blocks.push(`.${hashes.length === 2 ? 'SH' : 'SS'} ${inline(heading.toUpperCase())}`);
    } else if (line.startsWith('|')) {
      flush();
      const end = lines.findIndex((one, at) => at > i && !one.startsWith('|'));
      blocks.push(table(lines.slice(i, end)));
      i = end - 1;
    } else if (line.startsWith('- ')) {
      flush();
      blocks.push(`.IP \\(bu 2\n${inline(line.slice(2))}`);
    } else if (line === '') {
      flush();
    } else {
      paragraph.push(line);
    }
  }
  flush();
  return blocks.join('\n');
}

function table([head = '', , ...rows]: readonly string[]): string {
  const names = cellsOf(head);
  return rows
    .map((row) => {
      const [term = '', ...cells] = cellsOf(row);
      const texts = cells.flatMap((cell, i) => {
        if (cell === '') return [];
        return cells.length === 1 ? [inline(cell)] : [`${inline(names[i + 1]!)}: ${inline(cell)}`];
      });
      return definition(term === '' ? '\\&' : inline(term), texts.join('\n.br\n'));
    })
    .join('\n');
}

/** A bar that belongs to a cell stands in code, or behind a backslash. */
function cellsOf(row: string): string[] {
  const cells = row
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|(?=(?:[^`]*`[^`]*`)*[^`]*$)/);
  return cells.map((cell) => cell.trim().replaceAll('\\|', '|'));
}

/** Emphasis, code and links; of a link its text stays. */
function inline(text: string): string {
  const parts = text.split(/(\*\*.+?\*\*|`[^`]+`|(?<![a-z0-9])_[^_]+_(?![a-z0-9])|\[[^\]]+\]\([^)]+\))/);
  const words = parts.map((part, i) => {
    if (i % 2 === 0) return escapeRoff(part);
    if (part.startsWith('**')) return bold(part.slice(2, -2).replaceAll('`', ''));
    if (part.startsWith('`')) return bold(part.slice(1, -1));
    if (part.startsWith('_')) return italic(part.slice(1, -1));
    return italic(/^\[([^\]]+)\]/.exec(part)![1]!);
  });
  // A line of roff that is too long is hard to read for whoever debugs it, and lint says so.
  return words
    .join('')
    .replace(/([.;:,]) (?=[A-Za-z(\\])/g, '$1\n')
    .replace(/^(?=[.'])/gm, '\\&');
}
