/** Numbers and foreign text in the form in which a person reads them, and a terminal obeys none of it. */

type Quantity = number | null | undefined;

/** What stands where there is no value. */
export const NOTHING = '-';

/** 1234567 as `1,234,567`. */
export function humanCount(value: Quantity): string {
  if (!isNumber(value)) return NOTHING;
  return Math.round(value).toLocaleString('en-US');
}

/** `1 line`, `2 lines`. */
export function counted(value: Quantity, noun: string): string {
  return `${humanCount(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** 1234567 as `1.23 M`, for rates. */
export function humanRate(value: Quantity): string {
  if (!isNumber(value)) return NOTHING;
  const [scaled, prefix] = scale(value, 1000, ['', 'k', 'M', 'G', 'T']);
  return prefix === '' ? digits(scaled) : `${digits(scaled)} ${prefix}`;
}

/** 12897484 as `12.3 MiB`. */
export function humanBytes(value: Quantity): string {
  if (!isNumber(value)) return NOTHING;
  const [scaled, unit] = scale(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']);
  return `${digits(scaled)} ${unit}`;
}

/** 0.0123 as `12.3ms`, 200 as `3m20s`. */
export function humanDuration(seconds: Quantity): string {
  if (!isNumber(seconds)) return NOTHING;
  if (seconds < 0) return `-${humanDuration(-seconds)}`;
  if (seconds === 0) return '0s';
  if (seconds < 0.000_999_5) return `${digits(seconds * 1e6)}µs`;
  if (seconds < 0.999_5) return `${digits(seconds * 1000)}ms`;
  if (seconds < 59.95) return `${digits(seconds)}s`;
  const whole = Math.round(seconds);
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h${two((whole % 3600) / 60)}m`;
  return `${humanCount(Math.floor(whole / 86_400))}d${two((whole % 86_400) / 3600)}h`;
}

/** Any measured value, to four digits. */
export function humanNumber(value: Quantity): string {
  if (!isNumber(value)) return NOTHING;
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size >= 1e9 || size < 1e-3) return value.toExponential(2).replace('e+', 'e');
  if (Number.isInteger(value) || size >= 10_000) return humanCount(value);
  return Number(value.toPrecision(4)).toLocaleString('en-US', { maximumFractionDigits: 7 });
}

/** 0.384 as `38.4 %`. */
export function humanPercent(fraction: Quantity): string {
  return isNumber(fraction) ? `${digits(fraction * 100)} %` : NOTHING;
}

/** Unix seconds in UTC, to the second. */
export function humanTime(seconds: Quantity): string {
  if (!isNumber(seconds) || Math.abs(seconds) > 8.64e12) return NOTHING;
  return new Date(seconds * 1000)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace('T', ' ');
}

/**
 * Ids and texts are whatever a client sent. Controls (C0, C1), and the characters that turn the direction of text or
 * break its lines, are shown as escapes.
 */
export function escapeControls(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/gu,
    (character) => {
      const code = character.codePointAt(0)!;
      if (code === 0x0a) return '\\n';
      if (code === 0x0d) return '\\r';
      if (code === 0x09) return '\\t';
      return code < 0x100
        ? `\\x${code.toString(16).padStart(2, '0')}`
        : `\\u${code.toString(16).padStart(4, '0')}`;
    },
  );
}

/** JSON that a terminal may show: JSON leaves U+007F to U+009F as they are, and they stand in strings alone. */
export function escapeControlsInJson(json: string): string {
  return json.replace(/[\x7f-\x9f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

/** Columns on a terminal: wide characters take two, combining ones none. Near enough; fonts disagree. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** Cut to so many columns, the last of them `…`. */
export function shorten(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let width = 0;
  let kept = '';
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

function characterWidth(character: string): number {
  if (/\p{M}|\p{Cf}/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Three digits: 1.23, 12.3, 123; without zeros at the end. */
function digits(value: number): string {
  const size = Math.abs(value);
  let decimals = 0;
  if (size < 9.995) decimals = 2;
  else if (size < 99.95) decimals = 1;
  return String(Number(value.toFixed(decimals)));
}

function scale(value: number, step: number, units: readonly string[]): [number, string] {
  let scaled = value;
  let i = 0;
  // From 999.5 on three digits would read 1000.
  while (Math.abs(scaled) >= step - 0.5 && i < units.length - 1) {
    scaled /= step;
    i++;
  }
  return [scaled, units[i]!];
}
