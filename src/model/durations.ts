/** Durations as people write them (`6h`, `1.5s`), in milliseconds. */

const UNITS: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];

/** @returns whole milliseconds, or undefined where the text is no duration. A plain number is seconds. */
export function tryParseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text);
  if (match === null) return undefined;
  const unit = UNITS.find(([name]) => name === (match[2] ?? 's'))!;
  return wholeMs(Number(match[1]) * unit[1]);
}

/** Seconds into whole milliseconds, or undefined where they are not whole. */
export function tryMsOfSeconds(seconds: number): number | undefined {
  return seconds < 0 ? undefined : wholeMs(seconds * 1000);
}

/** What a text that is nearly a duration (`30 sec`, `2 Days`) was probably meant to be. */
export function tryGuessDuration(text: string): string | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text);
  if (match === null) return undefined;
  const word = match[2]!.toLowerCase();
  const unit = word.startsWith('mil') || word.startsWith('ms') ? 'ms' : word[0]!;
  const guess = `${match[1]}${unit}`;
  return tryParseDuration(guess) === undefined ? undefined : guess;
}

/** The shortest exact form: 90000 as `90s`, 3600000 as `1h`. */
export function formatDuration(ms: number): string {
  return parts(ms).join('');
}

/** The same for sentences: `90 s`. */
export function formatDurationInText(ms: number): string {
  return parts(ms).join(' ');
}

function parts(ms: number): [string, string] {
  if (ms === 0) return ['0', 's'];
  const [name, unitMs] = UNITS.find(([, size]) => ms % size === 0)!;
  return [String(ms / unitMs), name];
}

/** The product of a decimal fraction and a unit may be off by its rounding: 1.1 d is 95040000.00000001 ms. */
function wholeMs(ms: number): number | undefined {
  const whole = Math.round(ms);
  if (!Number.isSafeInteger(whole) || Math.abs(ms - whole) > 1e-6) return undefined;
  return whole;
}
