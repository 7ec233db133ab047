/**
 * Which lines the daemon numbers: all but empty ones and control lines. Client and daemon must agree on it to the byte, or
 * their numbers drift apart; a test compares it with the daemon's decoder.
 */

import { isUtf8 } from 'node:buffer';
import type { Event } from './event.js';

const LINE_END = 0x0a;

/** A line of a control type is a question to the daemon, and no part of what a client sends. */
export type LineKind = 'event' | 'empty' | 'control';

/** @param line without its line end */
export function kindOfLine(line: string | Uint8Array): LineKind {
  // As Latin-1, since what is looked for is ASCII; three times as fast as looking into bytes.
  const text = typeof line === 'string' ? line : bufferOf(line).toString('latin1');
  let at = 0;
  while (isSpace(text.charCodeAt(at))) at++;
  if (at === text.length) return 'empty';
  // Nearly all lines end here: a type is written plainly, or with escapes.
  const mayBeControl =
    text[at] === '{' && (text.includes('sync') || text.includes('hello') || text.includes('\\u'));
  return mayBeControl && isControl(line) ? 'control' : 'event';
}

/**
 * A typed event as its line. One without `ts` gets that of this moment: it may wait in the queue while the daemon is away, and
 * its time of arrival would say nothing.
 * @throws TypeError where it is no event, or no JSON
 */
export function lineOfEvent(event: Event, nowMs: number): string {
  const text = JSON.stringify(event);
  if (typeof event?.type !== 'string' || event.type.length === 0 || text?.[0] !== '{') {
    throw new TypeError('an event is an object with a type');
  }
  return event.ts == null ? `${text.slice(0, -1)},"ts":${nowMs / 1000}}` : text;
}

/** @throws TypeError where this is not exactly one event of the daemon's numbering */
export function assertEventLine(line: string | Uint8Array): void {
  const isMany = typeof line === 'string' ? line.includes('\n') : line.includes(LINE_END);
  if (isMany) throw new TypeError('a line holds no line end; the client writes it');
  const kind = kindOfLine(line);
  if (kind === 'empty') throw new TypeError('an empty line is no event');
  if (kind === 'control') throw new TypeError('hello and sync are lines of the client itself');
}

/** JSON whose last `type` is that of a control line, whatever the rest of it is. */
function isControl(line: string | Uint8Array): boolean {
  if (typeof line !== 'string' && !isUtf8(line)) return false;
  try {
    const { type } = JSON.parse(typeof line === 'string' ? line : bufferOf(line).toString());
    return type === 'sync' || type === 'hello';
  } catch {
    return false;
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d;
}
