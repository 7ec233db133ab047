/**
 * The decoder over lines in memory, one after the other, as the fold calls it. Every pass sums up what it has
 * decoded (lines by type, times, values, lengths of names), and the sums must be those of JSON.parse; before the passes
 * every name of the first lines is compared as text.
 */

import {
  FIELD_AGENT,
  FIELD_COUNT,
  FIELD_KIND,
  FIELD_NAME,
  FIELD_TASK,
  FIELD_WORKFLOW,
  SCRATCH_OFFSET,
} from '../../src/decode/decoded-event.js';
import { Decoder } from '../../src/decode/decoder.js';
import {
  EVENT_SAMPLE,
  EVENT_TASK_END,
  EVENT_TASK_START,
  EVENT_WORKFLOW_END,
  EVENT_WORKFLOW_START,
} from '../../src/model/event.js';
import { generateLog, type LogShape, taskEndLines } from '../generated-log.js';
import { type Bench, type Comparison, check, type Figures } from '../harness.js';

export const decodeBench: Bench = {
  name: 'decode',
  goals: ['at least twice the lines of JSON.parse, of every kind of line'],
  nonGoals: ['what becomes of the event', 'refused lines: they may be slow, as long as they are bounded'],
  warmUps: 1,
  comparisons: ({ small }) => comparisons(small ? 2000 : 200_000),
  judge: (results) =>
    results.map(({ name, variants }) => {
      const [decoder, parse] = variants.map(({ figures }) => figures['M lines/s']!.median);
      const ratio = decoder! / parse!;
      return { goal: `${name}: 2 × JSON.parse`, value: ratio.toFixed(2), holds: ratio >= 2 };
    }),
};

const SHAPE: LogShape = {
  workflows: 1,
  tasksPerWorkflow: 1,
  workflowsAtOnce: 8,
  tasksAtOnce: 8,
  agents: 40,
  samplesPerTask: 0,
  escapesEvery: 0,
  texts: true,
};
const TASKS_PER_WORKFLOW = 100;
const COMPARED_LINES = 5000;

const TYPES: Readonly<Record<string, number>> = {
  'workflow.start': EVENT_WORKFLOW_START,
  'workflow.end': EVENT_WORKFLOW_END,
  'task.start': EVENT_TASK_START,
  'task.end': EVENT_TASK_END,
  sample: EVENT_SAMPLE,
};
const NAMES = [
  ['workflow', FIELD_WORKFLOW],
  ['task', FIELD_TASK],
  ['agent', FIELD_AGENT],
  ['kind', FIELD_KIND],
  ['name', FIELD_NAME],
] as const;

function* comparisons(lineCount: number): Generator<Comparison> {
  yield compare('task.end, 136 bytes', taskEndLines(lineCount));
  const shape = { ...SHAPE, tasksPerWorkflow: TASKS_PER_WORKFLOW };
  const workflows = (linesPerTask: number) => Math.ceil(lineCount / (linesPerTask * TASKS_PER_WORKFLOW));
  yield compare(
    'mix of real executions',
    generateLog({ ...shape, workflows: workflows(3), samplesPerTask: 1 }).bytes,
  );
  const manySamples = { ...shape, workflows: workflows(10), samplesPerTask: 8, texts: false };
  yield compare('mostly samples with tags', generateLog(manySamples).bytes);
  yield compare(
    'mix, every name with escapes',
    generateLog({ ...shape, workflows: workflows(2), escapesEvery: 1 }).bytes,
  );
}

/** What a pass sums up. */
interface Sums {
  lines: number;
  types: number;
  times: number;
  values: number;
  nameBytes: number;
}

function compare(what: string, bytes: Buffer): Comparison {
  const expected = sumByParse(bytes);
  compareNames(bytes);
  const variant = (name: string, sum: (bytes: Buffer) => Sums, isBaseline: boolean) => ({
    name,
    isBaseline,
    pass: () => timed(bytes, expected, sum),
  });
  const variants = [variant('decoder', sumByDecoder, false), variant('JSON.parse', sumByParse, true)];
  return { name: `${what} (mean ${(bytes.length / expected.lines).toFixed(0)} bytes)`, variants };
}

function timed(bytes: Buffer, expected: Sums, sum: (bytes: Buffer) => Sums): Figures {
  const startedMs = performance.now();
  const sums = sum(bytes);
  const seconds = (performance.now() - startedMs) / 1000;
  for (const key of Object.keys(expected) as (keyof Sums)[]) check(key, sums[key], expected[key]);
  return { 'M lines/s': sums.lines / seconds / 1e6, 'MB/s': bytes.length / seconds / 1e6 };
}

const decoder = new Decoder();

function sumByDecoder(bytes: Buffer): Sums {
  decoder.attach(bytes.buffer, bytes.byteOffset, bytes.length);
  const { event } = decoder;
  const { length } = event;
  let lines = 0;
  let types = 0;
  let times = 0;
  let values = 0;
  let nameBytes = 0;
  for (let at = 0; at < bytes.length; at = decoder.lineEnd + 1) {
    const type = decoder.decodeNext(at, bytes.length);
    lines++;
    types += type;
    times += event.ts;
    if (type === EVENT_SAMPLE) values += event.value;
    for (let field = 0; field < FIELD_COUNT; field++) nameBytes += length[field]!;
  }
  return { lines, types, times, values, nameBytes };
}

function sumByParse(bytes: Buffer): Sums {
  const sums = { lines: 0, types: 0, times: 0, values: 0, nameBytes: 0 };
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at);
    const event = JSON.parse(bytes.toString('utf8', at, end));
    at = end + 1;
    sums.lines++;
    sums.types += TYPES[event.type]!;
    sums.times += event.ts;
    if (event.type === 'sample') sums.values += event.value;
    for (const name of ['workflow', 'task', 'agent', 'kind', 'name', 'project']) {
      const text = event[name];
      // A string of one-byte characters alone has as many bytes as characters; the escaped names here hold one é.
      if (text !== undefined) sums.nameBytes += text.length + (text.includes('é') ? 1 : 0);
    }
  }
  return sums;
}

function compareNames(bytes: Buffer): void {
  decoder.attach(bytes.buffer, bytes.byteOffset, bytes.length);
  const { event } = decoder;
  let at = 0;
  for (let line = 1; line <= COMPARED_LINES && at < bytes.length; line++) {
    const type = decoder.decodeNext(at, bytes.length);
    const expected = JSON.parse(bytes.toString('utf8', at, decoder.lineEnd));
    at = decoder.lineEnd + 1;
    check(`the type of line ${line}`, type, TYPES[expected.type]);
    check(`ts of line ${line}`, event.ts, expected.ts);
    if (type === EVENT_SAMPLE) check(`value of line ${line}`, event.value, expected.value);
    for (const [name, field] of NAMES) {
      const offset = event.offset[field]!;
      const from = offset & ~SCRATCH_OFFSET;
      const memory = offset >= SCRATCH_OFFSET ? decoder.scratch : bytes;
      const text = Buffer.from(memory.subarray(from, from + event.length[field]!)).toString();
      check(`${name} of line ${line}`, text, expected[name] ?? '');
    }
  }
}
