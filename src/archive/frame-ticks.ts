/**
 * Section 3 of a frame header: ticks, the verdicts of time and changes of limits, at their places among the lines.
 * Per tick: varint lines of this frame before it, u8 kind, varint number of the tick, varint µs from its arrival to the
 * frame's last arrival, varint bytes of its payload, the payload. Places never go back. Kinds: model/tick.ts. Ticks are
 * numbered from 1 for ever, so that a state knows which ones it has in it. The limits in force are repeated, with the number
 * that they have, where a segment begins.
 */

import assert from 'node:assert';
import { Failure } from '../model/failure.js';
import type { FrameFacts } from './frame-header.js';
import { VarintCursor, varintBytes, writeVarint } from './varint.js';

export interface FrameTick {
  /** How many lines of the frame come before it: from 0 to the frame's line count. */
  readonly lineOffset: number;
  readonly kind: number;
  readonly number: number;
  readonly arrivalUs: number;
  readonly payload: Uint8Array;
}

export function encodeTicks(lastArrivalUs: number, ticks: readonly FrameTick[]): Uint8Array {
  let bytes = 0;
  let lineOffset = 0;
  for (const tick of ticks) {
    assert(tick.lineOffset >= lineOffset && tick.kind >= 0 && tick.kind <= 255);
    assert(tick.arrivalUs <= lastArrivalUs);
    lineOffset = tick.lineOffset;
    bytes += varintBytes(lineOffset) + 1 + varintBytes(tick.number);
    bytes += varintBytes(lastArrivalUs - tick.arrivalUs);
    bytes += varintBytes(tick.payload.length) + tick.payload.length;
  }
  const section = new Uint8Array(bytes);
  let at = 0;
  for (const tick of ticks) {
    at = writeVarint(section, at, tick.lineOffset);
    section[at] = tick.kind;
    at = writeVarint(section, at + 1, tick.number);
    at = writeVarint(section, at, lastArrivalUs - tick.arrivalUs);
    at = writeVarint(section, at, tick.payload.length);
    section.set(tick.payload, at);
    at += tick.payload.length;
  }
  return section;
}

/** The payloads are views of `section`. @throws Failure ERR_DAMAGE */
export function decodeTicks(facts: FrameFacts, section: Uint8Array): FrameTick[] {
  const varints = new VarintCursor(section);
  const ticks: FrameTick[] = [];
  let before = 0;
  let ordered = true;
  while (!varints.isAtEnd) {
    const lineOffset = varints.next();
    const kind = varints.take(1)[0] ?? 0;
    const number = varints.next();
    const arrivalUs = facts.lastArrivalUs - varints.next();
    ticks.push({ lineOffset, kind, number, arrivalUs, payload: varints.take(varints.next()) });
    ordered &&= lineOffset >= before && lineOffset <= facts.lineCount;
    before = lineOffset;
  }
  if (varints.flawed || !ordered) {
    throw new Failure('ERR_DAMAGE', 'the ticks section of a frame header is malformed');
  }
  return ticks;
}
