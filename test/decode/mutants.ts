/** Seeded lines: realistic ones of every type, and what becomes of them by a few changes. None contains `\n`. */
import { Buffer } from 'node:buffer';

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** xorshift32 (Marsaglia 2003), scaled to [0, bound). */
  below(bound: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return Math.floor(((x >>> 0) / 2 ** 32) * bound);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const LONG = 'x'.repeat(256);

const LINES = [
  '{"type":"workflow.start","workflow":"wf-17","name":"nightly build","project":"tallyd","request":"build \\"all\\" of it\\n","phase":"design","parent":"wf-1","ts":1700003506.458123}',
  '{"type":"workflow.start","workflow":"wörk-✓-𝄞","name":null,"project":"","ts":1700003506.4581232}',
  '{"type":"workflow.phase","workflow":"wf-17","phase":"development","ts":1700003507}',
  '{"type":"workflow.status","workflow":"wf-17","status":"paused","ts":1.7e9}',
  '{"type":"workflow.status","workflow":"wf-17","status":"running"}',
  '{"type":"workflow.status","status":"pending","workflow":"w"}',
  '{"type":"workflow.end","workflow":"wf-17","status":"completed","error":"","ts":1700003599.5}',
  '{"type":"workflow.end","workflow":"wf-17","status":"failed","error":"exit \\u0031 \\ud83d\\ude00"}',
  '{"type":"workflow.end","workflow":"wf-17","status":"cancelled"}',
  '{"type":"task.start","task":"t-1","agent":"agent-1","workflow":"wf-17","kind":"test","parallel":true,"description":"run \\\\ them","ts":1700003506.458123}',
  '{ "type" : "task.start" , "task" : "t-2" ,\t"agent" : "agent-2" , "parallel" : false } \r',
  '{"\\u0074ype":"task\\u002estart","t\\u0061sk":"\\u00e4\\ud800z","agent":"a\\/b\\t"}',
  '{"type":"task.end","task":"t-1","agent":"agent-1","status":"completed","workflow":"wf-17","kind":"test","parallel":true,"duration":12.75,"tokens":1500,"error":null,"output":{"a":[1,2,{"b":null}],"c":"d"},"ts":1700003519.2}',
  '{"type":"task.end","task":"t-1","agent":"agent-1","status":"timeout","duration":0.000001,"tokens":1e3}',
  '{"type":"task.end","task":"t-1","agent":"agent-1","status":"cancelled","output":[true,false,-0.5E-3]}',
  '{"status":"failed","agent":"agent-1","task":"t-1","type":"task.end"}',
  '{"type":"task.end","task":"old","agent":"a","status":"completed","task":"new","status":"failed","type":"task.end"}',
  '{"type":"group","tasks":["t-1","t-2","t-3"],"workflow":"wf-17","duration":3.25,"ts":1700003519}',
  '{"type":"group","agents":["agent-1", "agent-\\u0032" ,"ägent"],"duration":0}',
  '{"type":"group","tasks":["t"],"agents":["a","b"]}',
  '{"type":"group","tasks":null,"agents":["a"],"tasks":["x","y"]}',
  '{"type":"sample","name":"queue.depth","value":17,"tags":{"host":"h1","zone":"eu","app":"x"},"ts":1700003506.1}',
  '{"type":"sample","name":"temp","value":-273.15,"tags":{"b":"1","a":"2","\\u0062":"3","c":null,"d":""}}',
  '{"type":"sample","name":"many","value":1e-7,"tags":{"k1":"1","k2":"2","k3":"3","k4":"4","k5":"5","k6":"6","k7":"7","k8":"8","k9":"9","ka":"a","kb":"b","kc":"c","kd":"d","ke":"e","kf":"f","kg":"g"}}',
  '{"type":"sample","name":"many","value":5,"tags":{"k1":"1","k2":"2","k3":"3","k4":"4","k5":"5","k6":"6","k7":"7","k8":"8","k9":"9","ka":"a","kb":"b","kc":"c","kd":"d","ke":"e","kf":"f","kg":"g","k1":"again"}}',
  '{"type":"sample","name":"n","value":12345678901234567890,"tags":{"":"x"}}',
  '{"type":"sample","name":"n","value":0,"tags":{"k":5,"k":"v","\\ud800":"1","\ufffd":"2"}}',
  '{"type":"deploy","what":{"deep":[[[[1]]]]},"ts":5,"parent":"p"}',
  '{"type":"deploy","__proto__":{"type":"group"},"constructor":1}',
  '{"type":"sync","id":"s-1"}',
  '{"type":"sync","id":-17.50e1}',
  '{"type":"hello","client":"client-1","first":42}',
  '{"type":"hello","client":"cl\\u0069ent"}',
  `{"type":"task.start","task":"${LONG}","agent":"a","kind":"${LONG}"}`,
  `{"type":"sample","name":"n","value":1,"tags":{"${LONG}":"${LONG}"}}`,
  `{"type":"note","x":${'['.repeat(62)}1${']'.repeat(62)}}`,
  `{"type":"note","x":${'[{"a":'.repeat(31)}[]${'}]'.repeat(31)}}`,
  `{"type":"note","x":${'['.repeat(64)}1${']'.repeat(64)}}`,
  '{}',
  '   \t\r',
  'tasks.done:1|c',
];

const TOKENS = [
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  ' ',
  '\t',
  '\r',
  'null',
  'true',
  'false',
  '0',
  '-',
  '1e999',
  '.',
  'e+',
  '""',
  '[]',
  '{}',
  '\\u0041',
  '\\ud800',
  '\\udc00',
  '\\ud83d\\ude00',
  '\\n',
  '\\x',
  'ä',
  '€',
  '😀',
  'x',
  '123456789',
  '0.1',
];

const VALUES = [
  'null',
  'true',
  'false',
  '""',
  '"x"',
  '0',
  '-0',
  '-1',
  '1.5',
  '1e999',
  '1e11',
  '100000000001',
  '9007199254740993',
  '[]',
  '["a"]',
  '["a",""]',
  '["a",1]',
  '{}',
  '{"a":"b"}',
  '{"a":1}',
  '{"a":{"b":[]}}',
  '"completed"',
  '"running"',
  '"\\u0066ailed"',
  `"${LONG}"`,
  `"${LONG}y"`,
];

const FIELDS = [
  'type',
  'workflow',
  'task',
  'agent',
  'kind',
  'name',
  'project',
  'phase',
  'parent',
  'request',
  'description',
  'error',
  'output',
  'status',
  'parallel',
  'ts',
  'duration',
  'tokens',
  'value',
  'first',
  'tasks',
  'agents',
  'tags',
  'id',
  'client',
  'taskx',
  'tag',
  'i',
  '',
  't\\u0073',
];

const TYPES = [
  'workflow.start',
  'workflow.phase',
  'workflow.status',
  'workflow.end',
  'task.start',
  'task.end',
  'group',
  'sample',
  'sync',
  'hello',
  'task.ends',
  'task.sta',
  'x',
];

const BASE: Buffer[] = LINES.map((line) => Buffer.from(line));

export function mutant(random: Random): Buffer {
  let line: Buffer = Buffer.from(random.pick(BASE));
  for (let changes = random.below(4); changes > 0; changes--) line = changed(line, random);
  for (let i = 0; i < line.length; i++) if (line[i] === 0x0a) line[i] = 0x0b;
  return line;
}

function changed(line: Buffer, random: Random): Buffer {
  const at = random.below(line.length + 1);
  const to = Math.min(line.length, at + random.below(6));
  switch (random.below(12)) {
    case 0: {
      const copy = Buffer.from(line);
      if (at < copy.length) copy[at] = copy[at]! ^ (1 << random.below(8));
      return copy;
    }
    case 1: {
      const copy = Buffer.from(line);
      if (at < copy.length) copy[at] = random.below(256);
      return copy;
    }
    case 2:
      return Buffer.concat([line.subarray(0, at), line.subarray(to)]);
    case 3:
      return Buffer.concat([line.subarray(0, at), Buffer.from(random.pick(TOKENS)), line.subarray(at)]);
    case 4: {
      const later = Math.min(line.length, to + random.below(8));
      const parts = [
        line.subarray(0, at),
        line.subarray(to, later),
        line.subarray(at, to),
        line.subarray(later),
      ];
      return Buffer.concat(parts);
    }
    case 5: {
      const other = random.pick(BASE);
      return Buffer.concat([line.subarray(0, at), other.subarray(random.below(other.length + 1))]);
    }
    case 6:
      return withMember(line, random, `"${random.pick(FIELDS)}":${random.pick(VALUES)}`);
    case 7:
      return withMember(line, random, `"type":"${random.pick(TYPES)}"`);
    case 8:
      return withOtherValue(line, random);
    case 9:
      return withEscape(line, at);
    case 10: {
      const other = random.pick(BASE).toString().slice(1).trimEnd().slice(0, -1);
      return withMember(line, random, other);
    }
    default:
      return line;
  }
}

/** A member more, at the start or behind some comma. */
function withMember(line: Buffer, random: Random, member: string): Buffer {
  const places = [line.indexOf(0x7b), line.lastIndexOf(0x7d), line.indexOf(0x2c, random.below(line.length))];
  const at = random.pick(places);
  if (at < 0) return line;
  const isLast = line[at] === 0x7d;
  const text = isLast ? `,${member}` : `${member},`;
  const from = isLast ? at : at + 1;
  return Buffer.concat([line.subarray(0, from), Buffer.from(text), line.subarray(from)]);
}

/** One plain value of the line replaced by another. */
function withOtherValue(line: Buffer, random: Random): Buffer {
  const text = line.toString('latin1');
  const matches = [...text.matchAll(/:\s*("[^"]*"|[-+.\w]+)/g)];
  if (matches.length === 0) return line;
  const match = random.pick(matches);
  const end = match.index + match[0].length;
  return Buffer.concat([
    line.subarray(0, match.index + 1),
    Buffer.from(random.pick(VALUES)),
    line.subarray(end),
  ]);
}

/** A letter written as an escape. */
function withEscape(line: Buffer, at: number): Buffer {
  const byte = line[at];
  if (byte === undefined || byte < 0x61 || byte > 0x7a) return line;
  const text = `\\u00${byte.toString(16)}`;
  return Buffer.concat([line.subarray(0, at), Buffer.from(text), line.subarray(at + 1)]);
}
