/** Points in time as a person beside the page reads them: local, and no longer than needed. */

const TIME = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const DAY = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' });
const YEAR = new Intl.DateTimeFormat(undefined, { year: 'numeric', month: 'short', day: 'numeric' });

const SECONDS_MAX = 8.64e12;

/** `14:02:31` today, `Nov 3, 14:02:31` in this year, with the year else. */
export function clockTime(seconds: number | null | undefined, nowSeconds = Date.now() / 1000): string {
  if (seconds === null || seconds === undefined || Math.abs(seconds) > SECONDS_MAX) return '–';
  const then = new Date(seconds * 1000);
  const now = new Date(nowSeconds * 1000);
  const time = TIME.format(then);
  if (then.toDateString() === now.toDateString()) return time;
  return `${(then.getFullYear() === now.getFullYear() ? DAY : YEAR).format(then)}, ${time}`;
}

/** For a `title`, and for `<time>`. */
export function isoTime(seconds: number | null | undefined): string | undefined {
  if (seconds === null || seconds === undefined || Math.abs(seconds) > SECONDS_MAX) return undefined;
  return new Date(seconds * 1000).toISOString();
}

const MINUTE = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

/** What a mark on an axis of time says, as exactly as the marks lie apart. */
export function axisTime(seconds: number, step: number): string {
  const date = new Date(seconds * 1000);
  if (step >= 86_400) return DAY.format(date);
  if (step < 60) return TIME.format(date);
  const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
  return isMidnight ? DAY.format(date) : MINUTE.format(date);
}
