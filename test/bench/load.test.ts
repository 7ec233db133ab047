import { expect, test } from 'vitest';
import { generateLog } from '../../bench/generated-log.js';
import { NaiveFold } from '../../bench/naive-fold.js';
import { LINE_BYTES, Load, type LoadFacts, loadFacts } from '../../src/load/load.js';

const DEPTH = 3;
const BATCHES = 8;

function sendAll(take: (line: string) => void): void {
  const load = new Load();
  const send = (kind: 'starts' | 'mixed' | 'ends', serial: number) => {
    const lines = load
      .batch(kind, serial, serial - DEPTH)
      .toString('latin1')
      .split('\n');
    expect(lines.pop()).toBe('');
    for (const line of lines) take(line);
  };
  for (let serial = 0; serial < DEPTH; serial++) send('starts', serial);
  for (let serial = DEPTH; serial < BATCHES; serial++) send('mixed', serial);
  for (let serial = BATCHES; serial < BATCHES + DEPTH; serial++) send('ends', serial);
}

test('every line of the load is an event of its size, and every start has its end, which comes later', () => {
  const open = new Set<string>();
  let lines = 0;
  sendAll((line) => {
    lines++;
    expect(line).toHaveLength(LINE_BYTES - 1);
    const { type, workflow, agent = '', task = '' } = JSON.parse(line);
    const key = `${workflow}/${agent}/${task}`;
    if (type.endsWith('.start')) expect(open.has(key)).toBe(false);
    if (type.endsWith('.start')) open.add(key);
    else expect(open.delete(key)).toBe(true);
  });
  expect(open.size).toBe(0);
  expect(lines).toBe(loadFacts(BATCHES, DEPTH).lines);
});

test('the load comes to what its facts say', () => {
  const fold = new NaiveFold();
  let tasksFailed = 0;
  sendAll((line) => {
    fold.take(line);
    if (line.includes('"failed"')) tasksFailed++;
  });
  const durations = fold.total('task_duration_seconds');
  const facts: LoadFacts = {
    lines: fold.lines,
    workflows: fold.workflowsOver,
    tasks: durations.count,
    tasksFailed,
    tokens: fold.total('task_tokens').sum,
    durationSum: durations.sum,
  };
  expect(facts).toEqual(loadFacts(BATCHES, DEPTH));
});

test('a generated log is the same for the same seed, and another for another', () => {
  const shape = {
    workflows: 5,
    tasksPerWorkflow: 20,
    workflowsAtOnce: 3,
    tasksAtOnce: 4,
    agents: 7,
    samplesPerTask: 1,
    escapesEvery: 5,
    texts: true,
  };
  const log = generateLog(shape, 7);
  expect(generateLog(shape, 7)).toEqual(log);
  expect(generateLog(shape, 8).bytes.equals(log.bytes)).toBe(false);
  const lines = log.bytes.toString().trimEnd().split('\n');
  expect(lines).toHaveLength(log.facts.lines);
  expect(lines.map((line) => JSON.parse(line).type).filter((type) => type === 'task.end')).toHaveLength(
    log.facts.tasks,
  );
});
