/** The sync stage's worker (workers/sync.ts), on a file system that kills it. */

import { NODE_FILES } from '../../src/archive/archive-files.js';
import { runSync } from '../../src/archive/sync-stage.js';
import type { DaemonMemory } from '../../src/daemon/memory.js';
import { type FileFault, faultyFiles } from './faults.js';

export interface DyingSyncTask {
  readonly memory: DaemonMemory;
  readonly directory: string;
  readonly faults: readonly FileFault[];
  readonly counts: SharedArrayBuffer;
}

export default function sync({ memory, directory, faults, counts }: DyingSyncTask): void {
  runSync(memory, directory, faultyFiles(NODE_FILES, faults, counts));
}
