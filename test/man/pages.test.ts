/** The manual pages say all that the program says. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { roffOfMarkdown } from '../../man/markdown.js';
import { manualPages } from '../../man/pages.js';
import { escapeRoff } from '../../man/roff.js';
import { allCommands } from '../../src/cli/command-tree.js';
import { describeProgram } from '../../src/cli/program.js';
import { environmentNameOf, OPTIONS } from '../../src/config/options.js';

const commands = describeProgram();
const text = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const pages = new Map(
  manualPages({
    commands,
    version: '1.2.3',
    date: '2026-11-24',
    protocol: text('src/ingest/README.md'),
    archive: text('src/archive/README.md'),
  }).map((page) => [page.file, page.text]),
);

/** Without the line breaks and the macros that stand between words. */
function plain(roff: string): string {
  return roff
    .replace(/\\f[BIR]/g, '')
    .replace(/\\&/g, '')
    .replace(/\s+/g, ' ');
}

test('tallyd(1) has every command with its options and examples, and every exit code', () => {
  const page = plain(pages.get('tallyd.1')!);
  for (const command of allCommands(commands)) {
    expect(page).toContain(escapeRoff(command.path));
    for (const { long } of command.options) {
      if (!['--help', '--version'].includes(long)) expect(page).toContain(escapeRoff(long));
    }
    for (const { command: line } of command.examples) expect(page).toContain(plain(escapeRoff(line)));
  }
  for (const code of [0, 1, 64, 69, 70, 73, 74, 77, 78]) expect(page).toMatch(new RegExp(`\\.TP ${code} `));
});

test('tallyd.toml(5) has every option with its default, its bounds and its variable', () => {
  const page = plain(pages.get('tallyd.toml.5')!);
  for (const option of OPTIONS) {
    expect(page).toContain(escapeRoff(option.comment));
    expect(page).toContain(environmentNameOf(option.key));
  }
});

test('the pages of the formats are the documents of the formats, but for what speaks of the code', () => {
  const protocol = plain(pages.get('tallyd-protocol.7')!);
  for (const word of ['workflow.start', 'missing_field', 'synced', 'fdatasync'])
    expect(protocol).toContain(word);
  const archive = plain(pages.get('tallyd-archive.5')!);
  for (const word of ['skippable', 'crc32', 'varint', 'lz4 \\-dc']) expect(archive).toContain(word);
  for (const page of pages.values()) expect(page).not.toMatch(/server\.ts|THE CODE/);
});

test.each([
  ['a heading', '## The end', '.SH THE END'],
  ['a smaller heading', '### Small', '.SS SMALL'],
  [
    'emphasis and code',
    'a **b** `c-d` _e_ snake_case_word',
    '.PP\na \\fBb\\fR \\fBc\\-d\\fR \\fIe\\fR snake_case_word',
  ],
  ['a link', 'see [the docs](x.md)', '.PP\nsee \\fIthe docs\\fR'],
  ['a list', '- one\n- two', '.IP \\(bu 2\none\n.IP \\(bu 2\ntwo'],
  ['a backslash', 'ends with `\\n`', '.PP\nends with \\fB\\en\\fR'],
  ['a line that begins with a point', 'Of\n`x`.\n.y', '.PP\nOf \\fBx\\fR\\&. .y'],
  ['code', '```sh\n.a -b\n```', '.PP\n.in +4n\n.nf\n\\&.a \\-b\n.fi\n.in'],
  ['a table of two columns', '| a | b |\n| - | - |\n| `x|y` | z |\n', '.TP\n\\fBx|y\\fR\nz'],
  ['a table of three columns', '| a | b | c |\n| - | - | - |\n| x | y | z |\n', '.TP\nx\nb: y\n.br\nc: z'],
])('Markdown: %s', (_, markdown, roff) => {
  expect(roffOfMarkdown(markdown)).toBe(roff);
});
