/**
 * The control thread, with an event loop. Takes the daemon's shared memory, where to listen, and a port, on which it posts
 * ControlNews; returns after `stop` came on it, or when it cannot listen.
 */

import type { MessagePort } from 'node:worker_threads';
import { EVENT_STREAMS_DEFAULTS, EventStreams } from '../src/control/event-streams.js';
import { MainPort } from '../src/control/main-port.js';
import { type ControlPlaces, startControl } from '../src/control/server.js';
import { ArchiveAnswers } from '../src/daemon/archive-answers.js';
import type { DaemonMemory } from '../src/daemon/memory.js';
import { CheckpointRequests } from '../src/query/checkpoint-requests.js';
import { HourlyAggregates } from '../src/query/hourly.js';
import { MetricsView } from '../src/query/metrics.js';
import { StatusView } from '../src/query/status.js';
import { Texts } from '../src/query/texts.js';
import { STAGE_CONTROL, STAGE_RUNNING, Vitals } from '../src/ring/vitals.js';
import { Tables } from '../src/state/tables.js';

export interface ControlTask {
  readonly memory: DaemonMemory;
  readonly rerun: boolean;
  readonly places: ControlPlaces;
  readonly folders: { readonly archive: string; readonly checkpoints: string; readonly rollups: string };
  readonly maxConnections: number;
  readonly version: string;
  readonly startedAtMs: number;
  readonly port: MessagePort;
}

export default async function control(task: ControlTask): Promise<void> {
  const { memory, places, folders, version, startedAtMs } = task;
  const main = new MainPort(task.port);
  const tables = new Tables(memory.tables);
  const vitals = new Vitals(memory.vitals);
  const status = new StatusView(memory, tables, version, startedAtMs);
  const texts = new Texts(memory, folders.archive);
  const checkpoints = new CheckpointRequests(memory, tables.board, folders.checkpoints);
  const hourly = new HourlyAggregates(tables, folders.rollups);
  const events = new EventStreams(memory, { ...EVENT_STREAMS_DEFAULTS, onCutOff: main.tellCutOff });
  const metrics = new MetricsView(tables, status, memory.vitals);
  const archive = new ArchiveAnswers(memory, folders.archive, { tables, texts, status, main });
  const views = { texts, hourly, status, metrics, checkpoints, profiles: main.profiles, events, archive };
  const sources = { tables, workflows: archive.workflows, ...views, nowSeconds: () => Date.now() / 1000 };
  const server = await startControl(sources, places, task.maxConnections, main.tellBug).catch((error) => {
    // One that has listened before must not end quietly.
    if (task.rerun) throw error;
    main.tellFailure(error);
  });
  if (server === undefined) return;
  vitals.setState(STAGE_CONTROL, STAGE_RUNNING);
  const busy = () => vitals.setBusyMs(STAGE_CONTROL, performance.eventLoopUtilization().active);
  const watching = setInterval(busy, 1000);
  main.tell({ kind: 'listening', url: server.url });
  await main.stopped;
  clearInterval(watching);
  await server.close();
  await archive.close();
  main.close();
}
