/**
 * The archive's thread. Takes the daemon's shared memory, where to write, and the settings that say how; returns when the fold is done and
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
  readonly settings: SharedArrayBuffer;
}

export default function archive({ memory, settings, ...directories }: ArchiveTask): Promise<void> {
  const clients = new Clients(memory.tables.clients);
  // The settings are getters, read each time, so that a reload holds at once.
  const options = Object.assign(new Settings(settings), directories);
  return runArchive(memory, options, { clientIdOf: (slot) => clients.idOf(slot) });
}
