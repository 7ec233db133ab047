/**
 * The decoder against the model on a million mutated lines, each between neighbours that are garbage. TALLYD_MUTANTS
 * and TALLYD_SEED choose another count and seed.
 */
import assert from 'node:assert';
import type { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { Decoder } from '../../src/decode/decoder.js';
import { parseAcceptedLine } from '../../src/decode/field-text.js';
import { type Judgement, judge, type ModelEvent } from './model.js';
import { mutant, Random } from './mutants.js';
import { reading } from './reading.js';

const COUNT = Number(process.env.TALLYD_MUTANTS ?? 1_000_000);
const SEED = Number(process.env.TALLYD_SEED ?? 20240611);
const MEMORY_BYTES = 8 * 1024;
/** Every so many lines one is looked at longer: read at the end of its memory too, by `decode` too, and counted. */
const EDGE_EVERY = 10;

test(
  `decoder and model agree on ${COUNT} mutated lines of seed ${SEED}`,
  () => {
    // JSON.parse throws in a third of the lines, and most of the time would go into stacks.
    Error.stackTraceLimit = 0;
    const random = new Random(SEED);
    const shared = new Uint8Array(new SharedArrayBuffer(MEMORY_BYTES));
    const plain = new Uint8Array(MEMORY_BYTES);
    for (let i = 0; i < MEMORY_BYTES; i++) plain[i] = '"\\{}[],: \n\r0aé'.charCodeAt(random.below(14));
    shared.set(plain);
    const edge = new Uint8Array(MEMORY_BYTES);
    const sharedDecoder = new Decoder();
    const plainDecoder = new Decoder();
    const edgeDecoder = new Decoder();
    sharedDecoder.attach(shared.buffer, 0, MEMORY_BYTES);
    plainDecoder.attach(plain.buffer, 0, MEMORY_BYTES);
    const visited = new Map<string, number>();

    for (let n = 0; n < COUNT; n++) {
      const line = mutant(random);
      const expected = judge(line);
      const memory = n & 1 ? shared : plain;
      const decoder = n & 1 ? sharedDecoder : plainDecoder;
      const start = random.below(MEMORY_BYTES - line.length - 64);
      memory.set(line, start);
      const end = start + line.length;
      memory[end] = 0x0a;
      const result = decoder.decodeNext(start, end + 1);
      const found = reading(decoder, memory, result);
      compare(found, expected, line);
      assert.strictEqual(decoder.lineEnd, end, line.toString());

      if (n % EDGE_EVERY === 0) {
        visit(visited, found, line);
        const hasLineEnd = random.below(2);
        const at = MEMORY_BYTES - line.length - random.below(40) * random.below(2) - hasLineEnd;
        edge.set(line, at);
        if (hasLineEnd) edge[at + line.length] = 0x0a;
        edgeDecoder.attach(edge.buffer, 0, at + line.length + hasLineEnd);
        const again = hasLineEnd
          ? edgeDecoder.decodeNext(at, at + line.length + 1)
          : edgeDecoder.decode(at, at + line.length);
        assert.strictEqual(again, result, line.toString());
        compare(reading(edgeDecoder, edge, again), expected, line);
        if (found.is === 'event') compareObject(parseAcceptedLine(line), found.event);
      }
    }

    console.log(`seed ${SEED}, ${COUNT} lines:`, Object.fromEntries([...visited].sort()));
    for (const corner of CORNERS) expect(visited.get(corner) ?? 0, corner).toBeGreaterThan(COUNT / 500_000);
  },
  Math.max(60_000, COUNT / 10),
);

const CORNERS = [
  'empty',
  'refused invalid_json',
  'refused invalid_utf8',
  'refused too_deep',
  'refused missing_field',
  'refused wrong_type',
  'refused out_of_range',
  'refused unsupported',
  'event workflow.start',
  'event workflow.phase',
  'event workflow.status',
  'event workflow.end',
  'event task.start',
  'event task.end',
  'event group',
  'event sample',
  'event unknown',
  'control sync',
  'control hello',
  'control malformed',
  'accepted with escapes',
  'accepted beyond ASCII',
  'accepted with a key twice',
  'accepted with tags',
];

function visit(visited: Map<string, number>, found: Judgement, line: Buffer): void {
  const count = (corner: string) => visited.set(corner, (visited.get(corner) ?? 0) + 1);
  if (found.is === 'empty') count('empty');
  else if (found.is === 'refused') count(`refused ${found.reasons[0]}`);
  else if (found.is === 'control') count(`control ${found.control.type}`);
  else {
    count(`event ${found.event.type}`);
    if (line.includes(0x5c)) count('accepted with escapes');
    if (line.some((byte) => byte >= 0x80)) count('accepted beyond ASCII');
    if (found.event.tags.length > 0) count('accepted with tags');
    const keys = line.toString().match(/"\w+":/g) ?? [];
    if (new Set(keys).size < keys.length) count('accepted with a key twice');
  }
}

function compare(found: Judgement, expected: Judgement, line: Buffer): void {
  if (found.is === 'refused' && expected.is === 'refused' && expected.reasons.includes(found.reasons[0]!))
    return;
  if (found.is === 'event' && expected.is === 'event' && isSameEvent(found.event, expected.event)) return;
  assert.deepStrictEqual(found, expected, line.toString());
}

/** Quick and exact where it says yes; the words of the difference are left to deepStrictEqual. */
function isSameEvent(a: ModelEvent, b: ModelEvent): boolean {
  return (
    a.type === b.type &&
    a.status === b.status &&
    a.parallel === b.parallel &&
    a.membersAreTasks === b.membersAreTasks &&
    Object.is(a.ts, b.ts) &&
    Object.is(a.duration, b.duration) &&
    Object.is(a.tokens, b.tokens) &&
    Object.is(a.value, b.value) &&
    isSameList(a.texts, b.texts) &&
    isSameList(a.members, b.members) &&
    a.tags.length === b.tags.length &&
    a.tags.every((tag, i) => isSameList(tag, b.tags[i]!)) &&
    Object.keys(a.names).length === Object.keys(b.names).length &&
    Object.keys(a.names).every((field) => a.names[field] === b.names[field])
  );
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

function compareObject(object: Record<string, unknown>, event: ModelEvent): void {
  for (const [field, text] of Object.entries(event.names)) assert.strictEqual(object[field], text);
  for (const field of event.texts) assert(object[field] !== undefined && object[field] !== null);
}
