/**
 * The control thread. Takes the daemon's shared memory, the path to listen on and a port: posts `listening` on it,
 * `{ warning }` for the log, and errors that are bugs; returns after `stop` came on it. Unlike the other stages it has an
 * event loop.
 */

import { once } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import { EVENT_STREAMS_DEFAULTS, EventStreams } from '../src/control/event-streams.js';
import { startControl } from '../src/control/server.js';
import type { DaemonMemory } from '../src/daemon/memory.js';
import { CheckpointRequests } from '../src/query/checkpoint-requests.js';
import { StatusView } from '../src/query/status.js';
import { Texts } from '../src/query/texts.js';
import { STAGE_CONTROL, STAGE_RUNNING, Vitals } from '../src/ring/vitals.js';
import { Tables } from '../src/state/tables.js';

export interface ControlTask {
  readonly memory: DaemonMemory;
  readonly path: string;
  readonly archiveDirectory: string;
  readonly checkpointDirectory: string;
  readonly version: string;
  readonly startedAtMs: number;
  readonly port: MessagePort;
}

export default async function control(task: ControlTask): Promise<void> {
  const { memory, path, version, startedAtMs, port } = task;
  const tables = new Tables(memory.tables);
  const vitals = new Vitals(memory.vitals);
  const status = new StatusView(memory, tables, version, startedAtMs);
  const texts = new Texts(memory, task.archiveDirectory);
  const checkpoints = new CheckpointRequests(memory, tables.board, task.checkpointDirectory);
  const nowSeconds = () => Date.now() / 1000;
  const onBug = (error: unknown) =>
    port.postMessage(error instanceof Error ? error : new Error(String(error)));
  const onCutOff = (bytes: number) =>
    port.postMessage({ warning: `cut off a reader of /v1/events that did not take ${bytes} bytes` });
  const events = new EventStreams(memory, { ...EVENT_STREAMS_DEFAULTS, onCutOff });
  const server = await startControl({ tables, texts, status, checkpoints, events, nowSeconds }, path, onBug);
  vitals.setState(STAGE_CONTROL, STAGE_RUNNING);
  const busy = () => vitals.setBusyMs(STAGE_CONTROL, performance.eventLoopUtilization().active);
  const watching = setInterval(busy, 1000);
  port.postMessage('listening');
  await once(port, 'message');
  clearInterval(watching);
  await server.close();
  port.close();
}
