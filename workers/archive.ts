/**
 * The archive's thread. Takes the daemon's shared memory and where to write; returns when the fold is done and
 * everything is written; throws a Failure when the disk refuses.
 */

import { runArchive } from '../src/archive/stage.js';
import type { DaemonMemory } from '../src/daemon/memory.js';
import { Settings } from '../src/ring/settings.js';
import { Clients } from '../src/state/clients.js';

export interface ArchiveTask {
  readonly memory: DaemonMemory;
  readonly directory: string;
  readonly rejectsDirectory: string;
}

export default function archive({ memory, ...directories }: ArchiveTask): Promise<void> {
  const clients = new Clients(memory.tables.clients);
  // The settings are getters, read each time, so that a reload holds at once.
  const options = Object.assign(new Settings(memory.settings), directories);
  return runArchive(memory, options, { clientIdOf: (slot) => clients.idOf(slot) });
}
