/** The sync stage's worker (workers/sync.ts), on a file system that kills it. */

import { NODE_FILES } from '../../src/archive/archive-files.js';
import { runSync, type SyncOptions } from '../../src/archive/sync-stage.js';
import type { DaemonMemory } from '../../src/daemon/memory.js';
import { type FileFault, faultyFiles } from './faults.js';

export interface DyingSyncTask {
  readonly memory: DaemonMemory;
  readonly options: SyncOptions;
  readonly faults: readonly FileFault[];
  readonly counts: SharedArrayBuffer;
}

export default function sync({ memory, options, faults, counts }: DyingSyncTask): void {
  runSync(memory, options, faultyFiles(NODE_FILES, faults, counts));
}
