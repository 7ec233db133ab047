/** What is wrong with a configuration, all of it at once, as a table that a person can walk through. */

import { Failure } from '../model/failure.js';

export interface Problem {
  /** the key, the variable, the folder: what the sentence is about */
  readonly subject: string;
  readonly text: string;
  readonly source: Source;
}

/** Where a value came from. */
export type Source =
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly file: string; readonly line: number }
  | { readonly from: 'environment'; readonly variable: string }
  | { readonly from: 'flag'; readonly flag: string };

export function sourceText(source: Source): string {
  switch (source.from) {
    case 'default':
      return 'default';
    case 'file':
      return `${source.file} line ${source.line}`;
    case 'environment':
      return source.variable;
    case 'flag':
      return source.flag;
  }
}

export function failureOfProblems(problems: readonly Problem[]): Failure {
  const first = problems[0]!.source;
  const file = first.from === 'file' ? first.file : undefined;
  const oneFile = problems.every(({ source }) => source.from === 'file' && source.file === file);
  const place = oneFile ? file : 'the configuration';
  const subjects = Math.max(...problems.map(({ subject }) => subject.length)) + 4;
  const texts = Math.min(Math.max(...problems.map(({ text }) => text.length)), 88) + 5;
  const rows = problems.map(({ subject, text, source }) => {
    const where = oneFile && source.from === 'file' ? `line ${source.line}` : whereText(source);
    return `  ${subject.padEnd(subjects)}${where === '' ? text : text.padEnd(texts) + where}`;
  });
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new Failure('ERR_CONFIG_INVALID', [`${count} in ${place}`, ...rows].join('\n'));
}

function whereText(source: Source): string {
  if (source.from === 'file') return source.line > 0 ? sourceText(source) : source.file;
  return source.from === 'default' ? '' : sourceText(source);
}
