/**
 * Scenario `memory`: what a daemon holds after millions of completions, and with a million of live workflows.
 *
 * - Completions: workflows that start and end as fast as they are taken, a million tasks and more. Resident memory must be flat
 *   after the first part of them, in which the tables fill up to their limits.
 * - Live: workflows of ten running tasks, limits raised; how many bytes each costs, as the status says it and as the process
 *   has grown, and that all are there. With 100,000, the default limit, the rate beside that of a few.
 *
 * Baseline: naive-daemon.ts, which is only asked for what it holds, for completions; a tenth as many live workflows for the rest.
 */

import { join } from 'node:path';
import { BlockingSocket } from '../../src/load/blocking-socket.js';
import { Load, loadFacts, TASKS_PER_BATCH } from '../../src/load/load.js';
import { usageOf } from '../../src/load/process-usage.js';
import { Child } from '../child.js';
import { Daemon } from '../daemon.js';
import { type Bench, type Comparison, check, type Figures } from '../harness.js';
import type { NaiveTotals } from '../naive-daemon.js';
import { inFolder } from '../run-folder.js';

const COMPLETIONS = 4_000_000;
const COMPLETIONS_SMALL = 20_000;
const DEPTH = 100;
const DEPTH_SMALL = 4;
const LOOKS = 20;
const LIVE = 1_000_000;
const LIVE_SMALL = 2000;
const TASKS_PER_WORKFLOW = 10;
const ARCHIVE_BYTES = 2_000_000_000;
const MIB = 1024 * 1024;

const RATE = 'M events/s durable';
const GROWTH_MIB = 'rss MiB, growth over the last million';
const PER_WORKFLOW = 'bytes a workflow, as the status has it';
const RSS_PER_WORKFLOW = 'bytes a workflow, resident';
const RSS_GIB = 'rss GiB';

export const memoryBench: Bench = {
  name: 'memory',
  goals: [
    'resident memory grows by less than 16 MiB over the last of four million completions',
    'a live workflow with 10 tasks costs at most 2 KB, measured with a million of them, and all of them under 8 GiB',
  ],
  nonGoals: ['the largest rate: bench pipeline'],
  warmUps: 0,
  comparisons: ({ small }) => comparisons(small),
  judge: ([completions, live]) => {
    const growth = completions!.variants[0]!.figures[GROWTH_MIB]!.median;
    const figures = live!.variants[0]!.figures;
    const bytes = figures[PER_WORKFLOW]!.median;
    const gib = figures[RSS_GIB]!.median;
    return [
      { goal: 'flat over a million completions', value: `${growth.toFixed(1)} MiB`, holds: growth < 16 },
      { goal: 'at most 2 KB a workflow', value: `${bytes.toFixed(0)} bytes`, holds: bytes <= 2048 },
      { goal: 'a million live under 8 GiB', value: `${gib.toFixed(2)} GiB`, holds: gib < 8 },
    ];
  },
};

function* comparisons(small: boolean): Generator<Comparison> {
  const depth = small ? DEPTH_SMALL : DEPTH;
  const batches = Math.ceil((small ? COMPLETIONS_SMALL : COMPLETIONS) / TASKS_PER_BATCH);
  yield {
    name: `${batches * TASKS_PER_BATCH} tasks that complete`,
    variants: [
      {
        name: 'tallyd',
        pass: () => inFolder(ARCHIVE_BYTES, (directory) => completionsPass(batches, depth, directory)),
      },
      {
        name: 'naive daemon',
        isBaseline: true,
        pass: () => inFolder(ARCHIVE_BYTES, (directory) => naivePass(batches, depth, directory)),
      },
    ],
  };
  const live = small ? LIVE_SMALL : LIVE;
  yield {
    name: `live workflows of ${TASKS_PER_WORKFLOW} tasks`,
    variants: [
      { name: `${live}`, pass: () => inFolder(ARCHIVE_BYTES, (directory) => livePass(live, directory)) },
      {
        name: `${live / 10}`,
        isBaseline: true,
        pass: () => inFolder(ARCHIVE_BYTES, (directory) => livePass(live / 10, directory)),
      },
    ],
  };
}

async function completionsPass(batches: number, depth: number, directory: string): Promise<Figures> {
  const daemon = new Daemon(directory, ['log.level=warn'], []);
  try {
    await daemon.ready();
    const figures = await complete(daemon.ingestPath, daemon.pid, batches, depth);
    const facts = loadFacts(batches, depth);
    const { state } = await daemon.get('/v1/status');
    check('state.tasks_running', state.tasks_running, 0);
    check('state.workflows_live', state.workflows_live, 0);
    const { groups } = await daemon.get('/v1/stats?metric=task_duration_seconds');
    check('tasks', groups[0].count, facts.tasks);
    check('sum of durations', groups[0].sum, facts.durationSum);
    check('the exit code', await daemon.stop(), 0);
    return figures;
  } finally {
    daemon.kill();
  }
}

async function naivePass(batches: number, depth: number, directory: string): Promise<Figures> {
  const socketPath = join(directory, 'ingest.sock');
  const args = [socketPath, join(directory, 'log.lz4')];
  const daemon = new Child(new URL('../naive-daemon.js', import.meta.url), args);
  try {
    await daemon.receive();
    const figures = await complete(socketPath, daemon.pid, batches, depth);
    const answer = daemon.receive<NaiveTotals>();
    daemon.send('stop');
    check('tasks', (await answer).tasks, loadFacts(batches, depth).tasks);
    return figures;
  } finally {
    await daemon.end();
  }
}

/** Sends all batches, and looks at the resident memory of the process as they are taken. */
async function complete(socketPath: string, pid: number, batches: number, depth: number): Promise<Figures> {
  const load = new Load();
  const socket = await BlockingSocket.connect(socketPath);
  const write = (kind: 'starts' | 'mixed' | 'ends', serial: number) => {
    const bytes = load.batch(kind, serial, serial - depth);
    socket.write(bytes, 0, bytes.length);
  };
  const rss: number[] = [];
  const startedMs = performance.now();
  for (let serial = 0; serial < depth; serial++) write('starts', serial);
  for (let serial = depth; serial < batches; serial++) {
    write('mixed', serial);
    if (serial % Math.ceil(batches / LOOKS) === 0) rss.push(usageOf(pid).rssMib);
  }
  for (let serial = batches; serial < batches + depth; serial++) write('ends', serial);
  const sync = Buffer.from('{"type":"sync","id":1}\n');
  socket.write(sync, 0, sync.length);
  const facts = loadFacts(batches, depth);
  check('lines acknowledged as durable', JSON.parse(socket.readLine()).accepted, facts.lines);
  const seconds = (performance.now() - startedMs) / 1000;
  rss.push(usageOf(pid).rssMib);
  socket.close();
  const lastMillion = Math.max(1, Math.round((LOOKS * 1_000_000) / COMPLETIONS));
  const before = Math.max(...rss.slice(0, -lastMillion));
  return {
    [RATE]: facts.lines / seconds / 1e6,
    'rss MiB, at the end': rss.at(-1)!,
    [GROWTH_MIB]: Math.max(...rss.slice(-lastMillion)) - before,
  };
}

async function livePass(workflows: number, directory: string): Promise<Figures> {
  const tasks = workflows * TASKS_PER_WORKFLOW;
  const settings = [
    `state.max_live_workflows=${workflows}`,
    `state.max_tasks=${tasks}`,
    `state.names_bytes=${Math.max(MIB, tasks * 64 + workflows * 64)}`,
    'log.level=warn',
  ];
  const daemon = new Daemon(directory, settings, []);
  try {
    await daemon.ready();
    const before = usageOf(daemon.pid);
    const { memory } = await daemon.get('/v1/status');
    const socket = await BlockingSocket.connect(daemon.ingestPath);
    const startedMs = performance.now();
    for (let from = 0; from < workflows; from += 100) {
      const bytes = Buffer.from(liveLines(from, Math.min(from + 100, workflows)));
      socket.write(bytes, 0, bytes.length);
    }
    const sync = Buffer.from('{"type":"sync","id":1}\n');
    socket.write(sync, 0, sync.length);
    const lines = workflows * (1 + TASKS_PER_WORKFLOW);
    check('lines acknowledged as durable', JSON.parse(socket.readLine()).accepted, lines);
    const seconds = (performance.now() - startedMs) / 1000;
    const status = await daemon.get('/v1/status');
    check('state.workflows_live', status.state.workflows_live, workflows);
    check('state.tasks_running', status.state.tasks_running, tasks);
    for (const [name, count] of Object.entries(status.state.counts)) check(`state.counts.${name}`, count, 0);
    for (const index of [0, Math.floor(workflows / 2), workflows - 1]) {
      const view = await daemon.get(`/v1/workflows/${liveId(index)}`);
      check('tasks', view.tasks.length, TASKS_PER_WORKFLOW);
    }
    const { rssMib } = usageOf(daemon.pid);
    socket.close();
    check('the exit code', await daemon.stop(), 0);
    return {
      [RATE]: lines / seconds / 1e6,
      [PER_WORKFLOW]: (status.memory.state_bytes - memory.state_bytes) / workflows,
      [RSS_PER_WORKFLOW]: ((rssMib - before.rssMib) * MIB) / workflows,
      [RSS_GIB]: rssMib / 1024,
    };
  } finally {
    daemon.kill();
  }
}

function liveId(index: number): string {
  return `nightly-${String(index).padStart(8, '0')}`;
}

function liveLines(from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i++) {
    const workflow = liveId(i);
    text += `{"type":"workflow.start","workflow":"${workflow}","name":"nightly","project":"p${i % 50}","ts":1700000000}\n`;
    for (let task = 0; task < TASKS_PER_WORKFLOW; task++) {
      text += `{"type":"task.start","workflow":"${workflow}","task":"t${i}-${task}","agent":"agent-${task}","kind":"build","ts":1700000000}\n`;
    }
  }
  return text;
}
