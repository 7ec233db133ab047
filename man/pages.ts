/** The manual pages, made of what the program itself says: its commands, its options, and the documents of its formats. */

import type { CommandNode, OptionNode } from '../src/cli/command-tree.js';
import { allCommands } from '../src/cli/command-tree.js';
import { EXIT_MEANINGS } from '../src/cli/exit-codes.js';
import { environmentNameOf, OPTIONS, sectionOf } from '../src/config/options.js';
import { defaultOf, rangeText, readValue, type Value, writeValue } from '../src/config/values.js';
import { roffOfMarkdown } from './markdown.js';
import { bold, definition, escapeRoff, italic, literal, pageHead } from './roff.js';

export interface Page {
  /** `tallyd.toml.5` */
  readonly file: string;
  readonly text: string;
}

export interface PageSources {
  readonly commands: CommandNode;
  readonly version: string;
  /** `2026-11-24` */
  readonly date: string;
  /** The Markdown of src/ingest/README.md and src/archive/README.md. */
  readonly protocol: string;
  readonly archive: string;
}

const SIGNALS: readonly (readonly [names: string, meaning: string])[] = [
  [
    'SIGTERM, SIGINT',
    'Drain and exit: what clients have written is read, folded, and on the disk. A second SIGINT exits at once.',
  ],
  [
    'SIGHUP',
    'Read the configuration again. Options that are marked "reload" are taken, the others named as needing a restart; a wrong file changes nothing.',
  ],
];

const FILES: readonly (readonly [path: string, meaning: string])[] = [
  ['/etc/tallyd/tallyd.toml', 'The configuration, unless --config or TALLYD_CONFIG names another.'],
  ['/run/tallyd, $XDG_RUNTIME_DIR/tallyd', 'The runtime directory: ingest.sock and control.sock.'],
  ['/var/lib/tallyd, $XDG_STATE_HOME/tallyd, ~/.local/state/tallyd', 'The state directory: the archive.'],
];

const ENVIRONMENT: readonly (readonly [name: string, meaning: string])[] = [
  ['TALLYD_CONFIG', 'The configuration file.'],
  ['TALLYD_SECTION__KEY', 'An option of the configuration, as TALLYD_RING__BYTES=64MiB.'],
  ['RUNTIME_DIRECTORY, STATE_DIRECTORY', 'The two directories, as systemd gives them.'],
  ['NO_COLOR', 'If not empty, output has no colours.'],
];

const LINE_BYTES_MAX = 78;

/** The sections of a format's document that speak of the code are for its developers. */
const CODE_SECTION = /\n## The code.*$/s;

export function manualPages(sources: PageSources): Page[] {
  const { version, date, protocol, archive } = sources;
  return [
    { file: 'tallyd.1', text: programPage(sources) },
    { file: 'tallyd.toml.5', text: optionsPage(version, date) },
    {
      file: 'tallyd-protocol.7',
      text: formatPage(
        { name: 'tallyd-protocol', section: 7, version, date, summary: 'what clients write to ingest.sock' },
        protocol,
      ),
    },
    {
      file: 'tallyd-archive.5',
      text: formatPage(
        { name: 'tallyd-archive', section: 5, version, date, summary: 'the log of tallyd on the disk' },
        archive,
      ),
    },
  ];
}

function programPage({ commands, version, date }: PageSources): string {
  const leaves = allCommands(commands).filter((command) => command.commands.length === 0);
  const common = commonOptions(leaves);
  const synopsis = leaves.map((command) => `${bold(command.path)} ${argumentsText(command)}\n.br`);
  return page([
    pageHead({
      name: 'tallyd',
      section: 1,
      version,
      date,
      summary: 'keeps account of what ran on this host',
    }),
    '.SH SYNOPSIS',
    ...synopsis,
    '.SH DESCRIPTION',
    escapeRoff(commands.description),
    '.SH COMMANDS',
    ...leaves.flatMap((command) => commandSection(command, common)),
    '.SH OPTIONS OF ALL COMMANDS',
    ...common.map(optionDefinition),
    '.SH EXIT STATUS',
    ...EXIT_MEANINGS.map(([code, meaning]) => definition(bold(String(code)), escapeRoff(sentence(meaning)))),
    '.SH SIGNALS',
    ...definitions(SIGNALS),
    '.SH ENVIRONMENT',
    ...definitions(ENVIRONMENT),
    '.SH FILES',
    ...definitions(FILES),
    '.SH SEE ALSO',
    '.BR tallyd.toml (5),\n.BR tallyd\\-protocol (7),\n.BR tallyd\\-archive (5)',
  ]);
}

/** Those that every command has but the ones that need no configuration. */
function commonOptions(leaves: readonly CommandNode[]): OptionNode[] {
  const [first] = leaves;
  const configured = leaves.filter(({ options }) => options.some(({ long }) => long === '--config'));
  return first!.options.filter(({ long }) =>
    configured.every(({ options }) => options.some((option) => option.long === long)),
  );
}

function commandSection(command: CommandNode, common: readonly OptionNode[]): string[] {
  const own = command.options.filter(({ long }) => !common.some((option) => option.long === long));
  const examples = command.examples.map(({ command: line, text }) => `# ${text}\n${line}`);
  return [
    `.SS ${bold(command.path)} ${argumentsText(command)}`,
    `${escapeRoff(sentence(command.description))}`,
    ...own.map(optionDefinition),
    ...(examples.length === 0 ? [] : [literal(examples.join('\n'))]),
  ];
}

function argumentsText({ arguments: given }: CommandNode): string {
  const words = given.map(({ name, required }) => (required ? italic(name) : `[${italic(name)}]`));
  return [...words, `[${italic('options')}]`].join(' ');
}

function optionDefinition({ long, short, placeholder, description }: OptionNode): string {
  const names = [short, long]
    .filter((name) => name !== null)
    .map(bold)
    .join(', ');
  const value = placeholder === null ? '' : ` ${italic(placeholder.slice(1, -1))}`;
  return definition(names + value, escapeRoff(sentence(description)));
}

function optionsPage(version: string, date: string): string {
  const sections = [...new Set(OPTIONS.map(({ key }) => sectionOf(key)))];
  return page([
    pageHead({ name: 'tallyd.toml', section: 5, version, date, summary: 'configuration of tallyd' }),
    '.SH DESCRIPTION',
    'A TOML file. Flags (\\fB\\-\\-set \\fIKEY\\fB=\\fIVALUE\\fR) go over the environment, the environment over the file, the file over the defaults.\n' +
      'An unknown key or a bad value is an error; all of them are told at once.\n' +
      'Sizes take B, KiB, MiB, GiB; durations ms, s, m, h, d.\n' +
      '.PP\n\\fBtallyd check\\fR prints every option with its value in force, and where that came from.\n' +
      'Options that are marked \\fBreload\\fR are taken by a running daemon at SIGHUP; the others need a restart.',
    ...sections.flatMap((section) => [
      `.SH [${section.toUpperCase()}]`,
      ...OPTIONS.filter(({ key }) => sectionOf(key) === section).map((option) => {
        const standard = writeValue(option, (readValue(option, defaultOf(option)) as { value: Value }).value);
        const facts = `Default ${standard}; ${rangeText(option)}${option.reload ? '; reload' : ''}.`;
        const name = option.key.slice(section.length + 1);
        const texts = [option.comment, facts, `Environment: ${environmentNameOf(option.key)}`];
        return definition(bold(name), texts.map(escapeRoff).join('\n.br\n'));
      }),
    ]),
    '.SH EXAMPLE',
    literal('[ring]\nbytes = "64MiB"\n\n[archive]\nmax_age = "30d"\nmax_bytes = "50GiB"'),
    '.SH SEE ALSO',
    '.BR tallyd (1)',
  ]);
}

function formatPage(head: Parameters<typeof pageHead>[0], markdown: string): string {
  return page([
    pageHead(head),
    '.SH DESCRIPTION',
    roffOfMarkdown(markdown.replace(CODE_SECTION, '\n')).replace(/^\.PP\n/, ''),
    '.SH SEE ALSO',
    '.BR tallyd (1)',
  ]);
}

function definitions(rows: readonly (readonly [string, string])[]): string[] {
  return rows.map(([term, text]) => definition(bold(term), escapeRoff(text)));
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

/** Text lines of at most 80 bytes, and no request without effect: what lint asks for. */
function page(parts: readonly string[]): string {
  const lines: string[] = [];
  let isLiteral = false;
  for (const line of parts.join('\n').split('\n')) {
    if (line === '.nf' || line === '.fi') isLiteral = line === '.nf';
    const last = lines.at(-1) ?? '';
    if (line === '.PP' && /^\.S[HS] /.test(last)) continue;
    if (/^\.S[HS] /.test(line) && last === '.br') lines.pop();
    lines.push(...(isLiteral || line.startsWith('.') ? [line] : wrap(line)));
  }
  return `${lines.join('\n')}\n`;
}

function wrap(line: string): string[] {
  const lines: string[] = [];
  let open = '';
  for (const word of line.split(' ')) {
    if (open !== '' && Buffer.byteLength(`${open} ${word}`) > LINE_BYTES_MAX) {
      lines.push(open);
      // What would be a request at the begin of a line.
      open = /^[.']/.test(word) ? `\\&${word}` : word;
    } else {
      open = open === '' ? word : `${open} ${word}`;
    }
  }
  return [...lines, open];
}
