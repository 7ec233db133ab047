/**
 * The archive's thread. Takes the daemon's shared memory and where to write; returns when the fold is done and
 * everything is written; throws a Failure when the disk refuses.
 */

import { tryRemoveOldest } from '../src/archive/retention.js';
import { runArchive } from '../src/archive/stage.js';
import { firstLineNeeded } from '../src/checkpoint/checkpoint-files.js';
import type { DaemonMemory } from '../src/daemon/memory.js';
import { Settings } from '../src/ring/settings.js';
import { Clients } from '../src/state/clients.js';

export interface ArchiveTask {
  readonly memory: DaemonMemory;
  readonly directory: string;
  readonly rejectsDirectory: string;
  readonly checkpointDirectory: string;
}

export default function archive(task: ArchiveTask): Promise<void> {
  const { memory, checkpointDirectory, ...directories } = task;
  const clients = new Clients(memory.tables.clients);
  const settings = new Settings(memory.settings);
  // The settings are getters, read each time, so that a reload holds at once.
  const options = Object.assign(settings, directories);
  return runArchive(memory, options, {
    clientIdOf: (slot) => clients.idOf(slot),
    makeRoom: () =>
      settings.prunesWhenFull && tryRemoveOldest(task.directory, firstLineNeeded(checkpointDirectory)),
  });
}
