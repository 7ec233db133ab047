/** Sizes as people write them (`64KiB`), in bytes. Units are powers of 1024; one without a unit is bytes. */

const UNITS: readonly (readonly [name: string, bytes: number])[] = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
  ['B', 1],
];

/** @returns whole bytes, or undefined where the text is no size */
export function tryParseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB)?$/.exec(text);
  if (match === null) return undefined;
  const unit = UNITS.find(([name]) => name === (match[2] ?? 'B'))!;
  const bytes = Number(match[1]) * unit[1];
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** What a text that is nearly a size (`64 kb`, `1G`) was probably meant to be. */
export function tryGuessSize(text: string): string | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgb])?(?:i?b|ytes)?\s*$/i.exec(text);
  if (match === null) return undefined;
  const letter = (match[2] ?? 'B').toUpperCase();
  const guess = `${match[1]}${letter === 'B' ? 'B' : `${letter}iB`}`;
  return tryParseSize(guess) === undefined ? undefined : guess;
}

/** The shortest exact form: 65536 as `64KiB`, 65537 as `65537B`. */
export function formatSize(bytes: number): string {
  return parts(bytes).join('');
}

/** The same for sentences: `64 KiB`. */
export function formatSizeInText(bytes: number): string {
  return parts(bytes).join(' ');
}

function parts(bytes: number): [string, string] {
  if (bytes === 0) return ['0', 'B'];
  const [name, unitBytes] = UNITS.find(([, size]) => bytes % size === 0)!;
  return [String(bytes / unitBytes), name];
}
