/**
 * The archive's thread. Takes the daemon's shared memory and where and how to write; returns when the fold is done and
 * everything is written; throws a Failure when the disk refuses.
 */

import { type ArchiveOptions, runArchive } from '../src/archive/stage.js';
import type { DaemonMemory } from '../src/daemon/memory.js';
import { Clients } from '../src/state/clients.js';

export interface ArchiveTask {
  readonly memory: DaemonMemory;
  readonly options: ArchiveOptions;
}

export default function archive({ memory, options }: ArchiveTask): Promise<void> {
  const clients = new Clients(memory.tables.clients);
  return runArchive(memory, options, { clientIdOf: (slot) => clients.idOf(slot) });
}
