/** Points in time as people write them: Unix seconds, RFC 3339, or a duration before now (`-2h`). */

import { tryParseDuration } from './durations.js';

const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?(?:([Zz])|([+-])(\d\d):(\d\d))$/;

/**
 * @param nowSeconds what `-2h` counts from
 * @returns Unix seconds, or undefined where the text is no time
 */
export function tryParseTime(text: string, nowSeconds: number): number | undefined {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text);
  if (text === 'now') return nowSeconds;
  if (text.startsWith('-')) {
    const ms = /[a-z]$/.test(text) ? tryParseDuration(text.slice(1)) : undefined;
    return ms === undefined ? undefined : nowSeconds - ms / 1000;
  }
  return tryParseRfc3339(text);
}

/** RFC 3339 in UTC, with milliseconds where there are any. */
export function formatTime(seconds: number): string {
  return new Date(Math.round(seconds * 1000)).toISOString().replace('.000Z', 'Z');
}

function tryParseRfc3339(text: string): number | undefined {
  const match = RFC_3339.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  // A leap second reads as the first second of the next minute, as Unix time has none of its own.
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 60) return undefined;
  const midnight = new Date(0);
  midnight.setUTCFullYear(year, month - 1, day);
  if (midnight.getUTCDate() !== day) return undefined;
  const offsetHours = Number(match[10] ?? 0);
  const offsetMinutes = Number(match[11] ?? 0);
  if (offsetHours > 23 || offsetMinutes > 59) return undefined;
  const offset = (offsetHours * 3600 + offsetMinutes * 60) * (match[9] === '-' ? -1 : 1);
  const whole = midnight.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset;
  return whole + Number(`0${match[7] ?? ''}`);
}
