/**
 * The main job on real input: 92,846 events of 69 workflow executions (Makeflow and Pegasus on the Chameleon cloud, from
 * WfInstances), sent over one connection and over fifty, against an exact computation from the same lines.
 */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.js';
import { ExactMoments, relativeError } from '../support/exact-moments.js';
import { createFolder } from '../support/folder.js';
import { readExecutions } from '../support/real-executions.js';

const EVENTS = 92_846;
const CONNECTIONS = 50;
const OUTPUT_BYTES_MAX = 256 * 1024 * 1024;
const QUANTILES = { p50: [1, 2], p90: [9, 10], p95: [19, 20], p99: [99, 100] } as const;

interface Event {
  readonly type: string;
  readonly workflow: string;
  readonly task: string;
  readonly agent: string;
  readonly kind: string;
  readonly name: string;
  readonly value: number;
  readonly tags: Record<string, string>;
  readonly ts: number;
  readonly parallel?: boolean;
  readonly description?: string;
  readonly request?: string;
  readonly output?: unknown;
  readonly status?: string;
}

const { input, lines, events } = readData();

function readData() {
  const bytes = readExecutions();
  const texts = bytes.toString('utf8').trimEnd().split('\n');
  return { input: bytes, lines: texts, events: texts.map((line) => JSON.parse(line) as Event) };
}

/** The samples that the contract says there are: by metric, and there by their labels as JSON, the keys sorted. */
const SAMPLES = {
  task_duration_seconds: durationSamples(),
  workflow_duration_seconds: workflowSamples(),
  task_memory_bytes: memorySamples(),
};

function add(samples: Map<string, number[]>, labels: Record<string, string>, value: number): void {
  const key = keyOf(labels);
  const values = samples.get(key);
  if (values === undefined) samples.set(key, [value]);
  else values.push(value);
}

function keyOf(labels: Record<string, string>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function durationSamples(): Map<string, number[]> {
  const samples = new Map<string, number[]>();
  const started = new Map<string, number>();
  for (const { type, workflow, agent, task, kind, ts } of events) {
    const key = JSON.stringify([workflow, agent, task]);
    if (type === 'task.start') started.set(key, ts);
    if (type === 'task.end') add(samples, { agent, kind }, ts - started.get(key)!);
  }
  return samples;
}

function workflowSamples(): Map<string, number[]> {
  const samples = new Map<string, number[]>();
  const started = new Map<string, Event & { project?: string }>();
  for (const event of events) {
    if (event.type === 'workflow.start') started.set(event.workflow, event);
    if (event.type !== 'workflow.end') continue;
    const { name, project, ts } = started.get(event.workflow)!;
    add(samples, { name, project: project!, status: event.status! }, event.ts - ts);
  }
  return samples;
}

function memorySamples(): Map<string, number[]> {
  const samples = new Map<string, number[]>();
  for (const { type, name, value, tags } of events) {
    if (type === 'sample' && name === 'task_memory_bytes') add(samples, tags, value);
  }
  return samples;
}

async function sendByProgram(daemon: TestDaemon): Promise<void> {
  const folder = createFolder();
  try {
    const file = join(folder.path, 'executions.ndjson');
    writeFileSync(file, input);
    const { code, stdout, stderr } = await daemon.command('send', file, '--json');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      lines: EVENTS,
      bytes: input.length,
      accepted: EVENTS,
      rejected: 0,
    });
  } finally {
    folder.remove();
  }
}

/** A workflow's lines keep to one connection, in their order; samples name no workflow, and follow the line before them. */
async function sendByFifty(daemon: TestDaemon): Promise<void> {
  const shares: string[][] = Array.from({ length: CONNECTIONS }, () => []);
  const shareOf = new Map<string, string[]>();
  let share = shares[0]!;
  for (const [i, { workflow }] of events.entries()) {
    if (workflow !== undefined) {
      share = shareOf.get(workflow) ?? shares[shareOf.size % CONNECTIONS]!;
      shareOf.set(workflow, share);
    }
    share.push(lines[i]!);
  }
  expect(shares.filter((each) => each.length > 0)).toHaveLength(CONNECTIONS);
  const clients = await Promise.all(shares.map(() => daemon.connect()));
  const synced = await Promise.all(
    shares.map(async (each, c) => {
      for (let at = 0; at < each.length; at += 100) await clients[c]!.send(...each.slice(at, at + 100));
      return clients[c]!.sync();
    }),
  );
  for (const [c, answer] of synced.entries()) {
    expect(answer).toMatchObject({ accepted: shares[c]!.length, rejected: 0 });
  }
}

test('the data is what it is said to be', () => {
  expect(lines).toHaveLength(EVENTS);
  expect(
    new Set(events.filter(({ type }) => type === 'workflow.start').map(({ workflow }) => workflow)).size,
  ).toBe(69);
  expect(SAMPLES.task_duration_seconds.size).toBeGreaterThan(300);
});

describe.each([
  ['tallyd send', sendByProgram],
  ['fifty connections', sendByFifty],
])('the executions, sent by %s', (_, send) => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start();
    await send(daemon);
  }, 120_000);
  afterAll(() => daemon.remove());

  test('are all accepted and durable', async () => {
    const { ingest, archive } = await daemon.status();
    expect(ingest).toMatchObject({ lines: EVENTS, accepted: EVENTS, rejected: 0, dropped: 0, in_flight: 0 });
    expect(archive.durable_seq).toBe(EVENTS);
  });

  test.each([
    ['task_duration_seconds', 'agent,kind'],
    ['workflow_duration_seconds', '*'],
    ['task_memory_bytes', '*'],
  ] as const)(
    '%s by %s: counts are exact, sums and means to 1e-11, variances to 1e-8, quantiles to 1.1 percent',
    async (metric, by) => {
      const groups = await daemon.groups(metric, by);
      const samples = SAMPLES[metric];
      expect(groups.map(({ labels }) => keyOf(labels)).sort()).toEqual([...samples.keys()].sort());
      for (const group of groups) {
        const values = samples.get(keyOf(group.labels))!.sort((a, b) => a - b);
        const exact = ExactMoments.of(values);
        expect(group.count).toBe(values.length);
        expect(group.min).toBe(values[0]);
        expect(group.max).toBe(values.at(-1));
        expect(Math.abs(relativeError(group.sum, exact.sum))).toBeLessThan(1e-11);
        expect(Math.abs(relativeError(group.mean, exact.mean))).toBeLessThan(1e-11);
        if (values.length < 2) expect(group.variance).toBeNull();
        else expect(Math.abs(relativeError(group.variance, exact.variance))).toBeLessThan(1e-8);
        for (const [name, [num, den]] of Object.entries(QUANTILES)) {
          const value = values[Math.ceil((num * values.length) / den) - 1]!;
          expect(Math.abs(group[name] - value)).toBeLessThanOrEqual(0.011 * Math.abs(value));
        }
      }
    },
  );

  test('are in the archive, for any program that knows LZ4', async () => {
    const script = 'set -eo pipefail; cat *.lz4 | lz4 -dc';
    const printed = execFileSync('bash', ['-c', script], {
      cwd: daemon.archiveDir,
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    if (send === sendByProgram) expect(printed.equals(input)).toBe(true);
    else expect(printed.toString('utf8').trimEnd().split('\n').sort()).toEqual([...lines].sort());
    const { code, stdout, stderr } = await daemon.command('archive', 'cat');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout === printed.toString('utf8')).toBe(true);
  });

  test('are each found again as the workflow that its lines say', async () => {
    const ids = [
      ...new Set(events.filter(({ type }) => type === 'workflow.start').map(({ workflow }) => workflow)),
    ];
    // The largest ones have a thousand tasks; every third of all is enough of the small ones.
    for (const id of ids.filter((__, i) => i % 3 === 0)) {
      const { status, body } = await daemon.workflow(id);
      expect(status).toBe(200);
      expect(body).toMatchObject(expectedWorkflow(id));
    }
  });
});

function expectedWorkflow(id: string): object {
  const own = events.filter(({ workflow }) => workflow === id);
  const first = own.find(({ type }) => type === 'workflow.start')! as Event & { project: string };
  const last = own.find(({ type }) => type === 'workflow.end')!;
  const ends = new Map(
    own.filter(({ type }) => type === 'task.end').map((end) => [`${end.agent} ${end.task}`, end]),
  );
  const tasks = own
    .filter(({ type }) => type === 'task.start')
    .map((start) => {
      const end = ends.get(`${start.agent} ${start.task}`)!;
      return {
        task: start.task,
        agent: start.agent,
        kind: end.kind,
        status: end.status,
        parallel: start.parallel,
        description: start.description,
        started_at: start.ts,
        ended_at: end.ts,
        duration: end.ts - start.ts,
        tokens: null,
        error: null,
        output: end.output ?? null,
      };
    });
  return {
    workflow: id,
    run: 1,
    name: first.name,
    project: first.project,
    request: first.request,
    status: last.status,
    implicit: false,
    started_at: first.ts,
    ended_at: last.ts,
    duration: last.ts - first.ts,
    tasks,
    tasks_total: tasks.length,
    source: 'recent',
  };
}
