/** One written value against its option: into what `Config` holds, or the sentence that says what must hold. */

import {
  formatDuration,
  formatDurationInText,
  tryGuessDuration,
  tryMsOfSeconds,
  tryParseDuration,
} from '../model/durations.js';
import { nearestOf } from './nearest.js';
import type { Option } from './options.js';
import { formatSize, formatSizeInText, tryGuessSize, tryParseSize } from './sizes.js';

/** A value as somebody wrote it. */
export type Written =
  | { readonly form: 'string'; readonly text: string }
  /** `text` as written: `0o660` and `432` are the same number and not the same thing */
  | { readonly form: 'number'; readonly text: string; readonly value: number; readonly whole: boolean }
  /** out of a flag or the environment, where quotes may be left out */
  | { readonly form: 'bare'; readonly text: string }
  /** a boolean, a list, a table, a date: no option takes one */
  | { readonly form: 'other'; readonly what: string };

export interface LoopbackAddress {
  /** without the brackets of IPv6 */
  readonly host: string;
  readonly port: number;
}

/** The id above it means "none" in system calls. */
const UID_MAX = 0xffff_fffe;

export type Value = number | string | LoopbackAddress | readonly number[] | null;

/** @returns the value, or the problem in the words that follow the key: `must be …, is … (nearest: …)` */
export function readValue(option: Option, written: Written): { value: Value } | { problem: string } {
  switch (option.kind) {
    case 'size':
    case 'power-of-two-size':
      return readSize(option, numberOrText(written));
    case 'duration':
      return readDuration(option, numberOrText(written));
    case 'integer':
    case 'auto-integer':
      return readInteger(option, numberOrText(written));
    case 'enum':
      return readEnum(option.values, written);
    case 'mode':
      return readMode(written);
    case 'string':
      return readString(written);
    case 'user-ids':
      return readUserIds(written);
    case 'loopback-address':
      return readAddress(written);
  }
}

/** As it stands in the file: `"64KiB"`, `4096`. */
export function writeValue(option: Option, value: Value): string {
  if (value === null) return '""';
  switch (option.kind) {
    case 'size':
    case 'power-of-two-size':
      return JSON.stringify(formatSize(value as number));
    case 'duration':
      return JSON.stringify(formatDuration(value as number));
    case 'mode':
      return JSON.stringify(modeText(value as number));
    case 'user-ids':
      return JSON.stringify((value as readonly number[]).join(', '));
    case 'loopback-address':
      return JSON.stringify(addressText(value as LoopbackAddress));
    default:
      // JSON escapes all that a basic string of TOML must escape but U+007F.
      return typeof value === 'number' ? String(value) : JSON.stringify(value).replaceAll('\x7f', '\\u007f');
  }
}

/** The default as a written value. */
export function defaultOf(option: Option): Written {
  return typeof option.default === 'number'
    ? { form: 'number', text: String(option.default), value: option.default, whole: true }
    : { form: 'string', text: option.default };
}

/** What an option takes, in short: `"64B" to "256MiB"`. */
export function rangeText(option: Option): string {
  switch (option.kind) {
    case 'size':
      return `${JSON.stringify(option.min)} to ${JSON.stringify(option.max)}`;
    case 'power-of-two-size':
      return `a power of two, ${JSON.stringify(option.min)} to ${JSON.stringify(option.max)}`;
    case 'duration':
      return `${JSON.stringify(option.min)} to ${JSON.stringify(option.max)}`;
    case 'integer':
      return `${option.min} to ${option.max}`;
    case 'auto-integer':
      return `"auto", or ${option.min} to ${option.max}`;
    case 'enum':
      return option.values.map((word) => JSON.stringify(word)).join(', ');
    case 'mode':
      return '"0000" to "0777"';
    case 'string':
      return 'text';
    case 'user-ids':
      return 'user ids with commas between them';
    case 'loopback-address':
      return '"HOST:PORT" on the loopback';
  }
}

export function addressText(address: LoopbackAddress): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

function readSize(option: Option & { kind: 'size' | 'power-of-two-size' }, written: Written) {
  const bytes = written.form === 'number' ? safeWhole(written.value) : tryParseSize(textOf(written));
  if (bytes === undefined) {
    const guess = tryGuessSize(textOf(written));
    return no('a size (a number with B, KiB, MiB or GiB)', written, guess && JSON.stringify(guess));
  }
  const min = tryParseSize(option.min)!;
  const max = tryParseSize(option.max)!;
  let nearest = Math.min(Math.max(bytes, min), max);
  if (option.kind === 'power-of-two-size') nearest = nearestPowerOfTwo(nearest);
  if (nearest === bytes) return { value: bytes };
  const what = option.kind === 'size' ? 'a size' : 'a power of two';
  const nearestText = isQuantity(written) ? JSON.stringify(formatSize(nearest)) : String(nearest);
  return no(`${what} from ${formatSizeInText(min)} to ${formatSizeInText(max)}`, written, nearestText);
}

function readDuration(option: Option & { kind: 'duration' }, written: Written) {
  const ms = written.form === 'number' ? tryMsOfSeconds(written.value) : tryParseDuration(textOf(written));
  if (ms === undefined) {
    const guess = tryGuessDuration(textOf(written));
    return no('a duration (a number with ms, s, m, h or d)', written, guess && JSON.stringify(guess));
  }
  const min = tryParseDuration(option.min)!;
  const max = tryParseDuration(option.max)!;
  const nearest = Math.min(Math.max(ms, min), max);
  if (nearest === ms) return { value: ms };
  const range = `${formatDurationInText(min)} to ${formatDurationInText(max)}`;
  return no(`a duration from ${range}`, written, JSON.stringify(formatDuration(nearest)));
}

function readInteger(option: Option & { kind: 'integer' | 'auto-integer' }, written: Written) {
  const auto = option.kind === 'auto-integer';
  if (auto && textOf(written) === 'auto') return { value: 'auto' };
  const what = `${auto ? '"auto" or ' : ''}a whole number from ${option.min} to ${option.max}`;
  if (written.form !== 'number') {
    const number = written.form === 'string' && /^\d{1,15}$/.test(written.text) ? written.text : undefined;
    return no(what, written, number && clampText(Number(number), option));
  }
  const whole = safeWhole(written.value);
  if (whole !== undefined && whole >= option.min && whole <= option.max) return { value: whole };
  return no(what, written, clampText(Math.round(written.value), option));
}

function readEnum(values: readonly string[], written: Written) {
  const text = written.form === 'string' || written.form === 'bare' ? written.text : undefined;
  if (text !== undefined && values.includes(text)) return { value: text };
  const words = values.map((word) => JSON.stringify(word));
  const list = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
  return no(list, written, text && JSON.stringify(nearestOf(text.toLowerCase(), values)));
}

/** An integer counts only as `0o660`: `660` without quotes is another number, and was not meant. */
function readMode(written: Written) {
  const what = 'file rights in octal from "0000" to "0777"';
  const text = textOf(written);
  const digits =
    written.form === 'number' ? /^0o0*([0-7]{1,3})$/.exec(text) : /^(?:0o)?0?([0-7]{3})$/.exec(text);
  if (digits !== null) return { value: Number.parseInt(digits[1]!, 8) };
  const meant = /^[0-7]{3}$/.test(text) ? `"0${text}"` : undefined;
  return no(what, written, meant);
}

function readString(written: Written) {
  if (written.form !== 'string' && written.form !== 'bare') return no('text in quotes', written);
  if (written.text.length > 256 || written.text.includes('\0')) {
    return no('text of at most 256 characters without NUL', written);
  }
  return { value: written.text === '' ? null : written.text };
}

function readUserIds(written: Written) {
  const text = textOf(written).trim();
  if (text === '') return { value: null };
  const ids = text.split(/\s*,\s*/);
  const areIds = ids.every((id) => /^\d{1,10}$/.test(id) && Number(id) <= UID_MAX);
  if (!areIds) return no('user ids with commas between them, as "0, 1000", or empty', written);
  return { value: [...new Set(ids.map(Number))] };
}

function readAddress(written: Written) {
  if (textOf(written) === '') return { value: null };
  const what = 'HOST:PORT on the loopback ("127.0.0.1:9187"), or empty';
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(textOf(written));
  if (match === null) return no(what, written);
  const host = (match[1] ?? match[2]!).toLowerCase();
  const port = Number(match[3]);
  const loopback = match[1] === undefined ? isLoopbackName(host) : host === '::1';
  if (!loopback) return no(what, written, port <= 65535 ? `"127.0.0.1:${port}"` : undefined);
  return port > 65535 ? no(what, written) : { value: { host, port } };
}

function isLoopbackName(host: string): boolean {
  if (host === 'localhost') return true;
  const bytes = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host)?.slice(1);
  return bytes?.every((byte) => Number(byte) <= 255) ?? false;
}

function no(mustBe: string, written: Written, nearest?: string | undefined): { problem: string } {
  const hint = nearest ? ` (nearest: ${nearest})` : '';
  return { problem: `must be ${mustBe}, is ${writtenText(written)}${hint}` };
}

export function writtenText(written: Written): string {
  if (written.form === 'other') return written.what;
  if (written.form === 'number') return written.text;
  if (written.text === '') return 'empty';
  const text = written.text.length > 80 ? `${written.text.slice(0, 80)}…` : written.text;
  return JSON.stringify(text).replace(/[\x7f-\x9f]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

/** A bare number as a number, so that `--set ring.bytes=100000` reads as `ring.bytes = 100000` does. */
function numberOrText(written: Written): Written {
  if (written.form !== 'bare') return written;
  const plain = written.text.replace(/(?<=\d)_(?=\d)/g, '');
  if (!/^[+-]?\d+(?:\.\d+)?$/.test(plain)) return written;
  const value = Number(plain);
  return { form: 'number', text: written.text, value, whole: Number.isInteger(value) };
}

function textOf(written: Written): string {
  return written.form === 'other' ? '\0' : written.text;
}

function isQuantity(written: Written): boolean {
  return written.form !== 'number';
}

function safeWhole(value: number): number | undefined {
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function clampText(value: number, option: { min: number; max: number }): string | undefined {
  if (Number.isNaN(value)) return undefined;
  return String(Math.min(Math.max(value, option.min), option.max));
}

function nearestPowerOfTwo(value: number): number {
  const below = 2 ** Math.floor(Math.log2(value));
  return value - below <= below * 2 - value ? below : below * 2;
}
