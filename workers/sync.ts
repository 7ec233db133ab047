/**
 * The thread that waits for the disk. Takes the daemon's shared memory and where the archive and its mark are; returns when the archive
 * is done and everything is durable; throws a Failure when the disk refuses.
 */

import { runSync, type SyncOptions } from '../src/archive/sync-stage.js';
import type { DaemonMemory } from '../src/daemon/memory.js';

export interface SyncTask {
  readonly memory: DaemonMemory;
  readonly options: SyncOptions;
}

export default function sync({ memory, options }: SyncTask): void {
  runSync(memory, options);
}
