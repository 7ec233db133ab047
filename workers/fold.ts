/**
 * The fold's thread. Takes the daemon's shared memory, the archive's folder and whether a fold died before;
 * returns when the vitals say stop and the ring is empty; throws what its loop throws.
 */

import type { DaemonMemory } from '../src/daemon/memory.js';
import { rebuildTables } from '../src/daemon/rebuild.js';
import { runFold } from '../src/fold/stage.js';

export interface FoldTask {
  readonly memory: DaemonMemory;
  readonly directory: string;
  readonly rerun: boolean;
}

export default function fold({ memory, directory, rerun }: FoldTask): Promise<void> {
  return runFold(
    memory,
    { rebuild: (tables, lastLine) => rebuildTables(tables, directory, memory.archiveBoard, lastLine) },
    rerun,
  );
}
