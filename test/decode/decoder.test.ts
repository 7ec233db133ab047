import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { FIELD_TASK, SCRATCH_OFFSET } from '../../src/decode/decoded-event.js';
import { Decoder } from '../../src/decode/decoder.js';
import { EVENT_TASK_START, LINE_EMPTY } from '../../src/model/event.js';
import { hashBytes } from '../../src/model/hash.js';
import type { RefusalReason } from '../../src/model/refusal.js';
import { type Judgement, judge, type ModelEvent } from './model.js';
import { decodeText } from './reading.js';

const decoder = new Decoder();
const NAME_MAX = 'n'.repeat(256);
const TASK = '"type":"task.end","task":"t","agent":"a","status":"completed"';

/** The decoder's answer, which must be the model's too. */
function answer(line: string | Buffer): Judgement {
  const found = decodeText(decoder, line);
  expect(judge(typeof line === 'string' ? Buffer.from(line) : line)).toEqual(found);
  return found;
}

function accepted(line: string): ModelEvent {
  const found = answer(line);
  if (found.is !== 'event') throw new Error(`${JSON.stringify(found)}: ${line}`);
  return found.event;
}

function refusalOf(line: string | Buffer): RefusalReason | undefined {
  const found = answer(line);
  return found.is === 'refused' ? found.reasons[0] : undefined;
}

describe('what each type knows', () => {
  test('a workflow.start brings its names and its request', () => {
    const line =
      '{"type":"workflow.start","workflow":"w","name":"n","project":"p","request":"r","phase":"h","parent":"o","ts":1.5,"task":"not known here"}';
    expect(accepted(line)).toMatchObject({
      names: { workflow: 'w', name: 'n', project: 'p', phase: 'h', parent: 'o' },
      texts: ['request'],
      ts: 1.5,
    });
  });

  test('a task.end brings numbers, a status and an output of any JSON', () => {
    const line = `{${TASK},"workflow":"w","kind":"k","parallel":false,"duration":0.25,"tokens":12,"error":"e","output":[1],"ts":7}`;
    expect(accepted(line)).toMatchObject({
      status: 'completed',
      parallel: false,
      duration: 0.25,
      tokens: 12,
      texts: ['error', 'output'],
    });
  });

  test('an unknown type is accepted, and keeps ts and parent alone', () => {
    const event = accepted('{"type":"deploy","workflow":5,"value":"x","tags":7,"ts":3,"parent":"p"}');
    expect(event).toMatchObject({ type: 'unknown', names: { parent: 'p' }, ts: 3 });
  });

  test('a field that an earlier line brought is absent when the next one does not bring it', () => {
    accepted(`{${TASK},"workflow":"w","kind":"k","parent":"p","duration":1,"tokens":2}`);
    expect(accepted('{"type":"workflow.phase","workflow":"w","phase":"p"}')).toMatchObject({
      names: { workflow: 'w', phase: 'p' },
      status: '',
      duration: Number.NaN,
    });
  });

  test.each([
    ['workflow.status', ['pending', 'running', 'paused'], ['completed', 'timeout', 'x', 'paused ']],
    ['workflow.end', ['completed', 'failed', 'cancelled'], ['timeout', 'running', 'Failed']],
    [
      'task.end',
      ['completed', 'failed', 'timeout', 'cancelled'],
      ['pending', 'paused', 'complete', 'failedd'],
    ],
  ])('a %s takes the words of its list as status, and no other', (type, good, bad) => {
    const line = (status: string) =>
      `{"type":"${type}","workflow":"w","task":"t","agent":"a","status":"${status}"}`;
    for (const status of good) expect(accepted(line(status)).status).toBe(status);
    for (const status of bad) expect(refusalOf(line(status))).toBe('out_of_range');
  });
});

describe('lines that are refused', () => {
  test.each<[RefusalReason, string]>([
    ['unsupported', 'jobs:1|c'],
    ['unsupported', ' ["type"]'],
    ['unsupported', '\ufeff{"type":"x"}'],
    ['invalid_json', '{'],
    ['invalid_json', '{"type":"x"'],
    ['invalid_json', '{"type":"x"} x'],
    ['invalid_json', '{"type":"x"}{}'],
    ['invalid_json', '{"type":"x",}'],
    ['invalid_json', '{,"type":"x"}'],
    ['invalid_json', '{"type" "x"}'],
    ['invalid_json', '{type:"x"}'],
    ['invalid_json', '{"type":"x","a":"\t"}'],
    ['invalid_json', '{"type":"x","a":"\u0000"}'],
    ['invalid_json', '{"type":"x","a":"\\x"}'],
    ['invalid_json', '{"type":"x","a":"\\u12g4"}'],
    ['invalid_json', '{"type":"x","a":01}'],
    ['invalid_json', '{"type":"x","ts":01}'],
    ['invalid_json', '{"type":"x","ts":1.}'],
    ['invalid_json', '{"type":"x","ts":.5}'],
    ['invalid_json', '{"type":"x","ts":-}'],
    ['invalid_json', '{"type":"x","ts":1e}'],
    ['invalid_json', '{"type":"x","ts":+1}'],
    ['invalid_json', '{"type":"x","ts":0x10}'],
    ['invalid_json', '{"type":"x","a":NaN}'],
    ['invalid_json', '{"type":"x","a":nul}'],
    ['invalid_json', '{"type":"x","ts":nulL}'],
    ['invalid_json', '{"type":"x","a":[1,]}'],
    ['invalid_json', '{"type":"x","a":[1}'],
    ['invalid_json', '{"type":"x","a":{"b"}}'],
    ['invalid_json', '{"type":"x","\u0000\u0000\u0000\u0000":1}'],
    ['invalid_json', '{"type":"group","tasks":["a" "b"]}'],
    ['invalid_json', '{"type":"sample","name":"n","value":1,"tags":{"a":"b",}}'],
    ['invalid_json', '{"type":"x",ä:1}'],
    ['too_deep', `{"type":"x","a":${'['.repeat(64)}${']'.repeat(64)}}`],
    ['too_deep', `{"type":"group","tasks":[${'['.repeat(63)}${']'.repeat(63)}]}`],
    ['too_deep', `{"type":"sample","tags":{"a":${'['.repeat(63)}${']'.repeat(63)}}}`],
    ['missing_field', '{}'],
    ['missing_field', '{"type":null}'],
    ['missing_field', '{"type":""}'],
    ['wrong_type', '{"type":5}'],
    ['wrong_type', '{"type":{"type":"group"}}'],
    ['missing_field', '{"type":"workflow.start"}'],
    ['missing_field', '{"type":"workflow.start","workflow":""}'],
    ['missing_field', '{"type":"workflow.phase","workflow":"w"}'],
    ['missing_field', '{"type":"workflow.end","workflow":"w","status":""}'],
    ['missing_field', '{"type":"task.start","task":"t"}'],
    ['missing_field', '{"type":"task.end","task":"t","agent":"a"}'],
    ['missing_field', '{"type":"sample","name":"n"}'],
    ['missing_field', '{"type":"sample","name":"n","value":null}'],
    ['missing_field', '{"type":"group"}'],
    ['missing_field', '{"type":"group","tasks":null}'],
    ['wrong_type', '{"type":"group","tasks":"t"}'],
    ['wrong_type', '{"type":"group","tasks":["t",5]}'],
    ['wrong_type', '{"type":"group","tasks":["t"],"agents":{}}'],
    ['out_of_range', '{"type":"group","tasks":[]}'],
    ['out_of_range', '{"type":"group","tasks":["t",""]}'],
    ['out_of_range', `{"type":"group","tasks":["${NAME_MAX}x"]}`],
    ['out_of_range', '{"type":"group","tasks":["t"],"agents":[]}'],
    ['out_of_range', `{"type":"group","tasks":[${Array(1001).fill('"t"').join()}]}`],
    ['wrong_type', `{${TASK},"duration":"1"}`],
    ['wrong_type', `{${TASK},"duration":""}`],
    ['wrong_type', `{${TASK},"parallel":"true"}`],
    ['wrong_type', `{${TASK},"kind":7}`],
    ['wrong_type', `{${TASK},"error":{}}`],
    ['out_of_range', `{${TASK},"duration":-0.001}`],
    ['out_of_range', `{${TASK},"tokens":1e999}`],
    ['out_of_range', `{${TASK},"tokens":-1e999}`],
    ['out_of_range', `{${TASK},"ts":100000000000.1}`],
    ['out_of_range', `{${TASK},"kind":"${NAME_MAX}x"}`],
    ['out_of_range', `{${TASK},"kind":"${'ä'.repeat(128)}x"}`],
    ['out_of_range', `{${TASK},"kind":"${'\\u00e4'.repeat(128)}x"}`],
    ['out_of_range', '{"type":"x","ts":-1}'],
    ['wrong_type', '{"type":"x","ts":"1"}'],
    ['wrong_type', '{"type":"x","parent":1}'],
    ['out_of_range', '{"type":"sample","name":"n","value":1e309}'],
    ['wrong_type', '{"type":"sample","name":"n","value":1,"tags":[]}'],
    ['wrong_type', '{"type":"sample","name":"n","value":1,"tags":{"a":1}}'],
    ['out_of_range', '{"type":"sample","name":"n","value":1,"tags":{"":"v"}}'],
    ['out_of_range', `{"type":"sample","name":"n","value":1,"tags":{"a":"${NAME_MAX}x"}}`],
    ['out_of_range', `{"type":"sample","name":"n","value":1,"tags":{"${NAME_MAX}x":"v"}}`],
    ['out_of_range', `{"type":"sample","name":"n","value":1,"tags":${tagsOf(17)}}`],
  ])('%s is said of %s', (reason, line) => {
    expect(refusalOf(line)).toBe(reason);
  });

  test.each([
    ['a lone continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['an overlong form of three bytes', [0xe0, 0x9f, 0xbf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a code point above U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['a lead byte that never occurs', [0xf8, 0x88, 0x80, 0x80]],
    ['a truncated sequence', [0xe2, 0x82]],
  ])('%s is no UTF-8, in a known field, an unknown one, a key, and outside of strings', (_, bytes) => {
    const bad = Buffer.from(bytes);
    for (const [before, after] of [
      ['{"type":"x","parent":"', '"}'],
      ['{"type":"x","a":"', '"}'],
      ['{"type":"x","', '":1}'],
      ['{"type":"x"', '}'],
      ['{"type":"sample","tags":{"a":"', '"}}'],
      ['{"type":"x","parent":"\\n', '"}'],
      ['{"type":"x","parent":"', ''],
    ]) {
      expect(refusalOf(Buffer.concat([Buffer.from(before!), bad, Buffer.from(after!)]))).toBe('invalid_utf8');
    }
  });

  test('of several faults the wrong type is said first, then the range, then what is missing', () => {
    expect(refusalOf('{"type":"task.end","task":"t","status":"x","tokens":"1"}')).toBe('wrong_type');
    expect(refusalOf('{"type":"task.end","task":"t","status":"x"}')).toBe('out_of_range');
  });
});

describe('lines that are accepted', () => {
  test.each([
    ['spaces wherever JSON takes them', ' {\t"type" :\r"x" , "a" : [ 1 , { } ] } \t\r'],
    ['a nesting of 64', `{"type":"x","a":${'['.repeat(63)}${']'.repeat(63)}}`],
    ['names of 256 bytes', `{${TASK},"kind":"${NAME_MAX}","workflow":"${'ä'.repeat(128)}"}`],
    ['ts at both ends of its range', '{"type":"x","ts":0,"ts":1e11}'],
    ['names that are null or empty', `{${TASK},"kind":null,"workflow":"","error":"","output":null}`],
    ['an output that is an empty string', `{${TASK},"output":""}`],
    ['a minus zero', `{${TASK},"tokens":-0}`],
    ['a type of any length', `{"type":"${NAME_MAX}x"}`],
    ['numbers out of range in fields that are not known', '{"type":"x","tokens":-1e999}'],
    ['null tags', '{"type":"sample","name":"n","value":-1,"tags":null}'],
    ['sixteen tags', `{"type":"sample","name":"n","value":-1,"tags":${tagsOf(16)}}`],
    [
      'a thousand tags of which one has a value',
      `{"type":"sample","name":"n","value":1,"tags":${nullTags()}}`,
    ],
    ['a thousand members', `{"type":"group","agents":[${Array(1000).fill('"a"').join()}]}`],
    [
      'two thousand escapes',
      `{"type":"group","agents":["${'\\u0041'.repeat(250)}"],"x":"${'\\n'.repeat(2000)}"}`,
    ],
  ])('%s', (_, line) => {
    accepted(line);
  });

  test('a line of white space only is empty', () => {
    for (const line of ['', ' ', '\t\r', '     \r']) expect(answer(line).is).toBe('empty');
  });

  test('keys and values written with escapes are what they decode to', () => {
    const event = accepted(
      '{"\\u0074\\u0079pe":"task\\u002estart","t\\u0061sk":"\\u00e4\\/\\n","agent":"\\ud83d\\ude00"}',
    );
    expect(event).toMatchObject({ type: 'task.start', names: { task: 'ä/\n', agent: '😀' } });
  });

  test('an unpaired surrogate escape is U+FFFD', () => {
    const line =
      '{"type":"task.start","task":"\\ud800","agent":"a\\udc00\\ud800\\ud83d\\ude00\\ud8ff\\u0041"}';
    expect(accepted(line).names).toEqual({ task: '\ufffd', agent: 'a\ufffd\ufffd😀\ufffdA' });
  });

  test('of a key that stands twice the last value alone is judged', () => {
    expect(
      accepted('{"type":5,"task":7,"agent":"x","type":"task.start","task":"t","agent":"a"}').names,
    ).toEqual({
      task: 't',
      agent: 'a',
    });
    expect(refusalOf('{"type":"task.start","task":"t","agent":"a","task":null}')).toBe('missing_field');
    expect(accepted(`{${TASK},"duration":-1,"duration":null}`).duration).toBeNaN();
    expect(accepted('{"type":"group","tasks":["a"],"tasks":["b","c"]}').members).toEqual(['b', 'c']);
  });

  test('tags are sorted by the bytes of their keys, the last value of a key counts, and empty ones are left out', () => {
    const tags = '{"b":1,"\\u0061":"x","ä":"u","ab":"y","b":"z","c":null,"d":"","a":"last","":null}';
    expect(accepted(`{"type":"sample","name":"n","value":1,"tags":${tags}}`).tags).toEqual([
      ['a', 'last'],
      ['ab', 'y'],
      ['b', 'z'],
      ['ä', 'u'],
    ]);
  });

  test('the tasks of a group count where agents stand too', () => {
    expect(accepted('{"type":"group","agents":["a"],"tasks":["t"]}')).toMatchObject({
      membersAreTasks: true,
      members: ['t'],
    });
    expect(accepted('{"type":"group","tasks":["t"],"agents":["a","b"],"tasks":null}')).toMatchObject({
      membersAreTasks: false,
      members: ['a', 'b'],
    });
  });
});

describe('control lines', () => {
  test.each([
    ['{"type":"sync","id":"x\\u0041"}', { type: 'sync', id: 'xA' }],
    ['{"type":"sync","id":""}', { type: 'sync', id: '' }],
    ['{"type":"sync","id":-1.5e3}', { type: 'sync', id: -1500 }],
    ['{"ts":"not looked at","id":7,"type":"sync"}', { type: 'sync', id: 7 }],
    ['{"type":"hello","client":"c"}', { type: 'hello', client: 'c', first: Number.NaN }],
    [
      '{"type":"hello","client":"c","first":9007199254740992}',
      { type: 'hello', client: 'c', first: 2 ** 53 },
    ],
    ['{"type":"hello","client":"c","first":null}', { type: 'hello', client: 'c', first: Number.NaN }],
    ['{"type":"sync"}', { type: 'malformed' }],
    ['{"type":"sync","id":null}', { type: 'malformed' }],
    ['{"type":"sync","id":[]}', { type: 'malformed' }],
    ['{"type":"sync","id":1e999}', { type: 'malformed' }],
    [`{"type":"sync","id":"${NAME_MAX}x"}`, { type: 'malformed' }],
    ['{"type":"hello"}', { type: 'malformed' }],
    ['{"type":"hello","client":""}', { type: 'malformed' }],
    ['{"type":"hello","client":7}', { type: 'malformed' }],
    [`{"type":"hello","client":"${NAME_MAX}x"}`, { type: 'malformed' }],
    ['{"type":"hello","client":"c","first":0}', { type: 'malformed' }],
    ['{"type":"hello","client":"c","first":1.5}', { type: 'malformed' }],
    ['{"type":"hello","client":"c","first":"1"}', { type: 'malformed' }],
  ])('%s', (line, control) => {
    expect(answer(line)).toEqual({ is: 'control', control });
  });

  test('a number of more than 256 bytes is no id', () => {
    const found = decodeText(decoder, `{"type":"sync","id":0.${'0'.repeat(255)}}`);
    expect(found).toEqual({ is: 'control', control: { type: 'malformed' } });
    expect(decoder.control.reason).toBe('sync: id must be a string or a number of at most 256 bytes');
  });
});

describe('where a line lies', () => {
  test.each([0, 1, 2, 3, 5, 31, 32, 33, 100])(
    'a line that ends %i bytes before the end of its memory is read',
    (after) => {
      const line = Buffer.from('{"type":"task.start","task":"t-1","agent":"\\u0061"}');
      for (const hasLineEnd of [true, false]) {
        const memory = new Uint8Array(20 + line.length + (hasLineEnd ? 1 : 0) + after).fill(0x22);
        memory.set(line, 20);
        const end = 20 + line.length;
        if (hasLineEnd) memory[end] = 0x0a;
        decoder.attach(memory.buffer, 4, memory.length - 4);
        expect(decoder.decode(16, end - 4)).toBe(EVENT_TASK_START);
        if (hasLineEnd) expect(decoder.decodeNext(16, end - 3)).toBe(EVENT_TASK_START);
        expect(memory.slice(4 + decoder.event.offset[FIELD_TASK]!).slice(0, 3)).toEqual(
          Uint8Array.from(Buffer.from('t-1')),
        );
        expect(decoder.lineEnd).toBe(end - 4);
      }
    },
  );

  test('lines follow each other to the last one of the memory, in shared memory and in plain', () => {
    const text = Buffer.from('{"type":"task.start","task":"t","agent":"a"}\n \n{"type":"x"\n{"type":"y"}\n');
    for (const memory of [new ArrayBuffer(text.length), new SharedArrayBuffer(text.length)]) {
      new Uint8Array(memory).set(text);
      decoder.attach(memory, 0, text.length);
      const results: number[] = [];
      for (let p = 0; p < text.length; p = decoder.lineEnd + 1)
        results.push(decoder.decodeNext(p, text.length));
      expect(results).toEqual([EVENT_TASK_START, LINE_EMPTY, -1, 9]);
    }
  });

  test('a limit without a line end before it is a bug', () => {
    decoder.attach(new Uint8Array(10).fill(0x20).buffer, 0, 10);
    expect(() => decoder.decodeNext(0, 10)).toThrow('no line end');
  });

  test('strings with escapes lie in the scratch, which grows with the line', () => {
    const members = Array.from({ length: 1000 }, (_, i) => `"\\n${String(i).padStart(250, '0')}"`);
    const found = decodeText(decoder, `{"type":"group","tasks":[${members.join()}]}`);
    expect(found).toMatchObject({ event: { members: members.map((text) => JSON.parse(text) as string) } });
    const offset = decoder.members.offset[999]!;
    expect(offset).toBeGreaterThanOrEqual(SCRATCH_OFFSET);
    expect(decoder.members.hash[999]).toBe(hashBytes(decoder.scratch, offset - SCRATCH_OFFSET, 251));
  });

  test('an object of ten thousand tags costs no more than a pass or two', () => {
    const tags = Array.from({ length: 10_000 }, (_, i) => `"k${i}":1`).join();
    const revoked = Array.from({ length: 10_000 }, (_, i) => `"k${i}":null`).join();
    const started = performance.now();
    accepted(`{"type":"sample","name":"n","value":1,"tags":{${tags},${revoked},"k5":"v"}}`);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});

function tagsOf(count: number): string {
  return `{${Array.from({ length: count }, (_, i) => `"k${count - i}":"v"`).join()}}`;
}

function nullTags(): string {
  return `{${Array.from({ length: 999 }, (_, i) => `"k${i}":null`).join()},"k998":"v"}`;
}
