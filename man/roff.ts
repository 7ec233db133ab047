/**
 * Text as roff, in the man(7) macros that groff and mandoc both know. A line that begins with `.` or `'` would be a
 * request, a `-` would become a hyphen that cannot be copied, and `\` begins an escape.
 */

export function escapeRoff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&')
    .replaceAll('…', '\\[u2026]')
    .replaceAll('µ', '\\[mc]')
    .replaceAll('−', '\\-')
    .replaceAll('≥', '\\[>=]')
    .replaceAll('·', '\\[pc]');
}

export function bold(text: string): string {
  return `\\fB${escapeRoff(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${escapeRoff(text)}\\fR`;
}

export interface PageHead {
  readonly name: string;
  readonly section: number;
  readonly version: string;
  readonly date: string;
  readonly summary: string;
}

/** `.TH` and NAME. */
export function pageHead({ name, section, version, date, summary }: PageHead): string {
  return [
    `.TH ${escapeRoff(name.toUpperCase())} ${section} ${date} "tallyd ${version}" "tallyd"`,
    '.SH NAME',
    `${escapeRoff(name)} \\- ${escapeRoff(summary)}`,
  ].join('\n');
}

/** A term, and what it means indented under it. Both are roff already. */
export function definition(term: string, text: string): string {
  return `.TP\n${term}\n${text}`;
}

/** Lines as they are. */
export function literal(text: string): string {
  return `.PP\n.in +4n\n.nf\n${escapeRoff(text.replace(/\n$/, ''))}\n.fi\n.in`;
}
