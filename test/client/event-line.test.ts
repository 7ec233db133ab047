import { expect, test } from 'vitest';
import { assertEventLine, kindOfLine, lineOfEvent } from '../../src/client/event-line.js';
import { Decoder } from '../../src/decode/decoder.js';
import { mutant, Random } from '../decode/mutants.js';
import { decodeText } from '../decode/reading.js';

const COUNT = 30_000;

test(`client and daemon agree on which lines have a number, on ${COUNT} mutated lines`, () => {
  const random = new Random(20241105);
  const decoder = new Decoder();
  const seen = { event: 0, empty: 0, control: 0, refused: 0 };
  Error.stackTraceLimit = 0;
  for (let n = 0; n < COUNT; n++) {
    const line = mutant(random);
    const verdict = decodeText(decoder, line).is;
    const kind = kindOfLine(n & 1 ? line : Buffer.from(line).toString('latin1'));
    seen[verdict]++;
    // What the daemon refuses has a number too, but the client need not send what it can see to be no event.
    if (verdict === 'refused') expect(kind, line.toString()).not.toBe('empty');
    else if ((n & 1) === 1) expect(kind, line.toString()).toBe(verdict);
  }
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(COUNT / 1000);
});

test.each([
  ['{"type":"sync"}', 'control'],
  ['{"type":"sync","id":null}', 'control'],
  ['  {"type":"hello","client":"x"} \r', 'control'],
  ['{"type":"note","type":"hello"}', 'control'],
  ['{"\\u0074ype":"\\u0073ync"}', 'control'],
  ['{"type":"sync","type":"note"}', 'event'],
  ['{"type":"note","text":"hello"}', 'event'],
  ['{"type":"sync"', 'event'],
  ['hello', 'event'],
  ['', 'empty'],
  [' \t\r', 'empty'],
])('%s is %s', (line, kind) => {
  expect(kindOfLine(line)).toBe(kind);
  expect(kindOfLine(Buffer.from(line))).toBe(kind);
});

test('an event without ts gets the moment, and another keeps its own', () => {
  const event = { type: 'sample', name: 'n', value: 1 } as const;
  expect(lineOfEvent(event, 1_700_000_000_250)).toBe(
    '{"type":"sample","name":"n","value":1,"ts":1700000000.25}',
  );
  expect(lineOfEvent({ ...event, ts: 5 }, 0)).toBe('{"type":"sample","name":"n","value":1,"ts":5}');
  expect(JSON.parse(lineOfEvent({ ...event, ts: null }, 7000)).ts).toBe(7);
});

test.each([
  ['undefined', undefined],
  ['null', null],
  ['a number', 5],
  ['no type', {}],
  ['an array', []],
  ['an empty type', { type: '' }],
  ['a circle', Object.assign({ type: 'x' }, { toJSON: () => [1] })],
])('%s is no event', (_, value) => {
  expect(() => lineOfEvent(value as never, 0)).toThrow(TypeError);
});

test.each([
  ['two lines', '{"type":"a"}\n{"type":"b"}'],
  ['a line with its end', '{"type":"a"}\n'],
  ['nothing', ' '],
  ['a question', '{"type":"sync","id":1}'],
])('%s is not one line of a client', (_, line) => {
  expect(() => assertEventLine(line)).toThrow(TypeError);
  expect(() => assertEventLine(Buffer.from(line))).toThrow(TypeError);
});
