/**
 * Scenario `sizing`: what one more of each thing costs in resident memory, once a checkpoint has been taken, for which the tables
 * are copied. Baseline: the line that brought it, kept as it came.
 */

import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BlockingSocket } from '../../src/load/blocking-socket.js';
import { usageOf } from '../../src/load/process-usage.js';
import { Daemon } from '../daemon.js';
import { type Bench, CheckFailure, type Comparison, check, type Figures } from '../harness.js';
import { inFolder } from '../run-folder.js';

const SMALL_SHARE = 100;
const ARCHIVE_BYTES = 500_000_000;
const LINES_PER_WRITE = 1000;
const WARM_UP_LINES = 100_000;
const CHECKPOINT_MS_MAX = 30_000;
const CONNECT_MS_MAX = 30_000;
const RESIDENT = 'bytes resident each';
const MIB = 1024 * 1024;

interface Thing {
  readonly name: string;
  readonly count: number;
  readonly line: (i: number) => string;
  /** How many of them the status has. */
  // biome-ignore lint/suspicious/noExplicitAny: read as the contract describes it
  readonly countOf: (status: any) => number;
}

const THINGS: readonly Thing[] = [
  {
    name: 'live workflow',
    count: 100_000,
    line: (i) =>
      `{"type":"workflow.start","workflow":"nightly-${1e7 + i}","name":"nightly","project":"warehouse"}`,
    countOf: (status) => status.state.workflows_live,
  },
  {
    name: 'running task',
    count: 1_000_000,
    line: (i) => `{"type":"task.start","task":"load-${1e7 + i}","agent":"loader-${i % 100}","kind":"load"}`,
    countOf: (status) => status.state.tasks_running,
  },
  {
    name: 'label set with a value',
    count: 10_000,
    line: (i) =>
      `{"type":"sample","name":"rows","value":7,"tags":{"table":"orders-${1e7 + i}","host":"db-${i % 100}"}}`,
    // That of the warm-up aside.
    countOf: (status) => status.state.series - 1,
  },
];

export const sizingBench: Bench = {
  name: 'sizing',
  goals: ['says what to reserve'],
  nonGoals: ['speed'],
  warmUps: 0,
  comparisons: ({ small }) => comparisons(small),
};

function* comparisons(small: boolean): Generator<Comparison> {
  const things = THINGS.map((thing) => ({
    ...thing,
    count: small ? thing.count / SMALL_SHARE : thing.count,
  }));
  for (const thing of things) {
    yield {
      name: `${thing.count} × ${thing.name}`,
      variants: [
        { name: 'tallyd', pass: () => inFolder(ARCHIVE_BYTES, (directory) => thingPass(thing, directory)) },
        { name: 'the line', isBaseline: true, pass: () => ({ [RESIDENT]: thing.line(0).length + 1 }) },
      ],
    };
  }
  const connections = small ? 20 : 2000;
  yield {
    name: `${connections} × idle connection`,
    variants: [
      {
        name: 'tallyd',
        pass: () => inFolder(ARCHIVE_BYTES, (directory) => connectionPass(connections, directory)),
      },
      { name: 'its hello', isBaseline: true, pass: () => ({ [RESIDENT]: helloOf(0).length }) },
    ],
  };
}

async function thingPass({ count, line, countOf }: Thing, directory: string): Promise<Figures> {
  const daemon = new Daemon(directory, ['log.level=warn', 'checkpoint.interval=500ms'], []);
  try {
    await daemon.ready();
    const socket = await BlockingSocket.connect(daemon.ingestPath);
    send(socket, WARM_UP_LINES, () => '{"type":"sample","name":"warm","value":1}');
    const before = await settled(daemon);
    send(socket, count, line);
    const after = await settled(daemon);
    const status = await daemon.get('/v1/status');
    check('the count', countOf(status), count);
    check('refused', status.ingest.rejected, 0);
    socket.close();
    check('the exit code', await daemon.stop(), 0);
    return {
      [RESIDENT]: Math.max(1, ((after.rssMib - before.rssMib) * MIB) / count),
      'bytes of state each': (after.stateBytes - before.stateBytes) / count,
      'rss MiB before': before.rssMib,
    };
  } finally {
    daemon.kill();
  }
}

async function connectionPass(count: number, directory: string): Promise<Figures> {
  const daemon = new Daemon(directory, ['log.level=warn', 'checkpoint.interval=500ms'], []);
  const sockets: net.Socket[] = [];
  try {
    await daemon.ready();
    const socket = await BlockingSocket.connect(daemon.ingestPath);
    send(socket, WARM_UP_LINES, () => '{"type":"sample","name":"warm","value":1}');
    const before = await settled(daemon);
    for (let i = 0; i < count; i++) sockets.push(net.connect(daemon.ingestPath).on('error', () => {}));
    await Promise.all(sockets.map((one, i) => new Promise((resolve) => one.write(helloOf(i), resolve))));
    check('connections', await connectionsOf(daemon, count + 1), count + 1);
    const after = await settled(daemon);
    return { [RESIDENT]: Math.max(1, ((after.rssMib - before.rssMib) * MIB) / count) };
  } finally {
    for (const one of sockets) one.destroy();
    daemon.kill();
  }
}

/** As soon as there are so many; else how many there are after a while. */
async function connectionsOf(daemon: Daemon, count: number): Promise<number> {
  let connections = 0;
  for (const endMs = performance.now() + CONNECT_MS_MAX; performance.now() < endMs; await sleep(50)) {
    ({ connections } = (await daemon.get('/v1/status')).ingest);
    if (connections === count) break;
  }
  return connections;
}

function helloOf(i: number): string {
  return `{"type":"hello","client":"sizing-${1e7 + i}"}\n`;
}

/** Waits until all of it is on the disk. */
function send(socket: BlockingSocket, count: number, line: (i: number) => string): void {
  for (let first = 0; first < count; first += LINES_PER_WRITE) {
    let text = '';
    for (let i = first; i < Math.min(first + LINES_PER_WRITE, count); i++) text += `${line(i)}\n`;
    const bytes = Buffer.from(text);
    socket.write(bytes, 0, bytes.length);
  }
  const sync = Buffer.from('{"type":"sync","id":0}\n');
  socket.write(sync, 0, sync.length);
  socket.readLine();
}

/** When a checkpoint has everything. */
async function settled(daemon: Daemon): Promise<{ rssMib: number; stateBytes: number }> {
  for (const endMs = performance.now() + CHECKPOINT_MS_MAX; performance.now() < endMs; await sleep(50)) {
    const { checkpoint, archive, memory } = await daemon.get('/v1/status');
    if (checkpoint?.line === archive.durable_seq) {
      return { rssMib: usageOf(daemon.pid).rssMib, stateBytes: memory.state_bytes };
    }
  }
  throw new CheckFailure('the checkpoint is late');
}
