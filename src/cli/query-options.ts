/** Options of the reading commands that become parameters of a question, judged before anybody is asked. */

import { Failure } from '../model/failure.js';
import { tryParseTime } from '../model/times.js';

export interface TimeOptions {
  readonly window?: string;
  readonly since?: string;
  readonly until?: string;
}

/** Adds what is given. @throws Failure ERR_USAGE */
export function addTimes(
  query: URLSearchParams,
  { window, since, until }: TimeOptions,
  nowSeconds: number,
): void {
  if (window !== undefined) {
    if (since !== undefined || until !== undefined) {
      throw new Failure(
        'ERR_USAGE',
        '--window counts back from now, and --since and --until name a time; give one or the other',
      );
    }
    query.set('window', window);
  }
  const range = timeRange({ since, until }, nowSeconds);
  if (range.since !== undefined) query.set('since', String(range.since));
  if (range.until !== undefined) query.set('until', String(range.until));
}

/** Unix seconds, of what is given. @throws Failure ERR_USAGE */
export function timeRange(
  { since, until }: { readonly since: string | undefined; readonly until: string | undefined },
  nowSeconds: number,
): { readonly since: number | undefined; readonly until: number | undefined } {
  const start = timeOf('since', since, nowSeconds);
  const end = timeOf('until', until, nowSeconds);
  if (start !== undefined && end !== undefined && start >= end) {
    throw new Failure('ERR_USAGE', `--since ${since} is not before --until ${until}`);
  }
  return { since: start, until: end };
}

/** Adds what is given; an empty text would mean anything. @throws Failure ERR_USAGE */
export function addTexts(query: URLSearchParams, texts: Readonly<Record<string, string | undefined>>): void {
  for (const [name, text] of Object.entries(texts)) {
    if (text === undefined) continue;
    if (text === '') throw new Failure('ERR_USAGE', `--${name} is empty; name one, or leave it out for all`);
    query.set(name, text);
  }
}

/** @throws Failure ERR_USAGE */
export function wholeNumber(option: string, text: string, max: number, min = 1): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new Failure(
    'ERR_USAGE',
    `${option} takes a whole number from ${min} to ${max}, is ${JSON.stringify(text)}`,
  );
}

/** @returns the path with its query */
export function withQuery(path: string, query: URLSearchParams): string {
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

function timeOf(name: 'since' | 'until', text: string | undefined, nowSeconds: number): number | undefined {
  if (text === undefined) return undefined;
  const seconds = tryParseTime(text, nowSeconds);
  if (seconds !== undefined) return seconds;
  const forms = 'Unix seconds, RFC 3339 as 2026-11-23T15:00:00Z, or -2h';
  throw new Failure('ERR_USAGE', `--${name} takes a time (${forms}), is ${JSON.stringify(text)}`);
}
