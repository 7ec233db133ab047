/** A decoder's answer in the words of the model, so that the two can be compared. */
import assert from 'node:assert';
import { Buffer } from 'node:buffer';
import {
  ID_NUMBER,
  ID_STRING,
  PARALLEL_ABSENT,
  PARALLEL_TRUE,
  SCRATCH_OFFSET,
} from '../../src/decode/decoded-event.js';
import type { Decoder } from '../../src/decode/decoder.js';
import { CONTROL_HELLO, CONTROL_SYNC, EVENT_UNKNOWN, LINE_EMPTY } from '../../src/model/event.js';
import { hashBytes } from '../../src/model/hash.js';
import { REFUSAL_REASONS } from '../../src/model/refusal.js';
import { STATUS_NAMES } from '../../src/model/status.js';
import type { EventType, Judgement, ModelControl, ModelEvent } from './model.js';

const FIELD_NAMES = ['workflow', 'task', 'agent', 'kind', 'name', 'project', 'phase', 'parent'];
const TEXT_NAMES = ['request', 'description', 'error', 'output'];
const TYPES: readonly EventType[] = [
  'unknown',
  'workflow.start',
  'workflow.phase',
  'workflow.status',
  'workflow.end',
  'task.start',
  'task.end',
  'group',
  'sample',
  'unknown',
];

/** @param memory the attached bytes */
export function reading(decoder: Decoder, memory: Uint8Array, result: number): Judgement {
  if (result < 0) return { is: 'refused', reasons: [REFUSAL_REASONS[-1 - result]!] };
  if (result === LINE_EMPTY) return { is: 'empty' };
  if (result > EVENT_UNKNOWN) return { is: 'control', control: controlOf(decoder, memory, result) };
  return { is: 'event', event: eventOf(decoder, memory, TYPES[result]!) };
}

/** Reads both ways in, and all lines of a list by one decoder, so that what one line leaves behind would be seen. */
export function decodeText(decoder: Decoder, line: string | Uint8Array): Judgement {
  const bytes = typeof line === 'string' ? Buffer.from(line) : Buffer.from(line);
  const memory = new Uint8Array(bytes.length + 80).fill(0x22);
  memory.set(bytes, 7);
  memory[7 + bytes.length] = 0x0a;
  decoder.attach(memory.buffer, 0, memory.length);
  const whole = reading(decoder, memory, decoder.decode(7, 7 + bytes.length));
  const next = reading(decoder, memory, decoder.decodeNext(7, 8 + bytes.length));
  assert.deepStrictEqual(next, whole);
  assert.strictEqual(decoder.lineEnd, 7 + bytes.length);
  return whole;
}

function controlOf(decoder: Decoder, memory: Uint8Array, result: number): ModelControl {
  if (result === CONTROL_SYNC) {
    const text = stringAt(decoder, memory, decoder.control.idOffset, decoder.control.idLength);
    assert(decoder.control.idKind === ID_STRING || decoder.control.idKind === ID_NUMBER);
    return { type: 'sync', id: decoder.control.idKind === ID_STRING ? text : (JSON.parse(text) as number) };
  }
  if (result === CONTROL_HELLO) {
    const client = spanText(
      decoder,
      memory,
      decoder.control.clientOffset,
      decoder.control.clientLength,
      decoder.control.clientHash,
    );
    return { type: 'hello', client, first: decoder.control.first };
  }
  assert(decoder.control.reason.length > 0);
  return { type: 'malformed' };
}

function eventOf(decoder: Decoder, memory: Uint8Array, type: EventType): ModelEvent {
  const { event } = decoder;
  const names: Record<string, string> = {};
  for (let field = 0; field < FIELD_NAMES.length; field++) {
    if (event.length[field] === 0) continue;
    names[FIELD_NAMES[field]!] = spanText(
      decoder,
      memory,
      event.offset[field]!,
      event.length[field]!,
      event.hash[field]!,
    );
  }
  const members: string[] = [];
  for (let i = 0; i < event.memberCount; i++) {
    members.push(
      spanText(
        decoder,
        memory,
        decoder.members.offset[i]!,
        decoder.members.length[i]!,
        decoder.members.hash[i]!,
      ),
    );
  }
  const tags: [string, string][] = [];
  for (let i = 0; i < event.tagCount; i++) {
    tags.push([
      spanText(decoder, memory, event.tagKeyOffset[i]!, event.tagKeyLength[i]!, event.tagKeyHash[i]!),
      spanText(decoder, memory, event.tagValueOffset[i]!, event.tagValueLength[i]!, event.tagValueHash[i]!),
    ]);
  }
  return {
    type,
    names,
    status: STATUS_NAMES[event.status]!,
    parallel: event.parallel === PARALLEL_ABSENT ? undefined : event.parallel === PARALLEL_TRUE,
    texts: TEXT_NAMES.filter((_, bit) => (event.texts >> bit) & 1),
    ts: event.ts,
    duration: event.duration,
    tokens: event.tokens,
    value: event.value,
    membersAreTasks: event.memberCount > 0 && decoder.members.areTasks,
    members,
    tags,
  };
}

/** The text of a span whose hash must be that of its bytes. */
function spanText(
  decoder: Decoder,
  memory: Uint8Array,
  offset: number,
  length: number,
  hash: number,
): string {
  const isInScratch = offset >= SCRATCH_OFFSET;
  const start = isInScratch ? offset - SCRATCH_OFFSET : offset;
  assert.strictEqual(hash, hashBytes(isInScratch ? decoder.scratch : memory, start, length));
  return stringAt(decoder, memory, offset, length);
}

function stringAt(decoder: Decoder, memory: Uint8Array, offset: number, length: number): string {
  const isInScratch = offset >= SCRATCH_OFFSET;
  const bytes = isInScratch ? decoder.scratch : memory;
  const start = bytes.byteOffset + (isInScratch ? offset - SCRATCH_OFFSET : offset);
  return Buffer.from(bytes.buffer, start, length).toString('utf8');
}
