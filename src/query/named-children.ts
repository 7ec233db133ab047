/** Which workflows have named another one as their parent, out of the lines of the archive. */

import { FIELD_PARENT, SCRATCH_OFFSET } from '../decode/decoded-event.js';
import { Decoder } from '../decode/decoder.js';
import { parseAcceptedLine } from '../decode/field-text.js';
import { EVENT_WORKFLOW_START } from '../model/event.js';
import { type FrameWithLines, HistoryFrames, type NamedFrame } from './history-frames.js';
import { type NameKey, nameKey } from './name-key.js';

/** Crosses threads as a message. */
export interface ChildrenTask {
  readonly parent: string;
  readonly frames: readonly NamedFrame[];
}

/** @returns ids, in the order in which each did so last */
export async function readChildren({ parent, frames }: ChildrenTask): Promise<string[]> {
  const list = new HistoryFrames(frames);
  const key = nameKey(parent);
  const found = new Set<string>();
  for (const frame of list.list) {
    const content = await list.read(frame);
    if (content !== null) takeChildren(content, key, found);
  }
  return [...found];
}

function takeChildren({ raw }: FrameWithLines, parent: NameKey, found: Set<string>): void {
  const decoder = new Decoder();
  decoder.attach(raw.buffer, raw.byteOffset, raw.length);
  for (let at = 0; at < raw.length; at = decoder.lineEnd + 1) {
    const code = decoder.decodeNext(at, raw.length);
    if (code !== EVENT_WORKFLOW_START || !isNamed(decoder, raw, parent)) continue;
    const child = String(parseAcceptedLine(raw.subarray(at, decoder.lineEnd)).workflow);
    found.delete(child);
    found.add(child);
  }
}

function isNamed(decoder: Decoder, raw: Uint8Array, { view, length, hash }: NameKey): boolean {
  const { event } = decoder;
  if (event.length[FIELD_PARENT] !== length || event.hash[FIELD_PARENT] !== hash) return false;
  const offset = event.offset[FIELD_PARENT]!;
  const bytes = offset >= SCRATCH_OFFSET ? decoder.scratch : raw;
  const from = offset & ~SCRATCH_OFFSET;
  for (let i = 0; i < length; i++) if (bytes[from + i] !== view.getUint8(i)) return false;
  return true;
}
