/**
 * The thread that waits for the disk. Takes the daemon's shared memory and the archive's folder; returns when the archive
 * is done and everything is durable; throws a Failure when the disk refuses.
 */

import { runSync } from '../src/archive/sync-stage.js';
import type { DaemonMemory } from '../src/daemon/memory.js';

export interface SyncTask {
  readonly memory: DaemonMemory;
  readonly directory: string;
}

export default function sync({ memory, directory }: SyncTask): void {
  runSync(memory, directory);
}
