/** The archive's worker (workers/archive.ts), on a file system that kills it. */

import { NODE_FILES } from '../../src/archive/archive-files.js';
import { type ArchiveOptions, runArchive } from '../../src/archive/stage.js';
import type { DaemonMemory } from '../../src/daemon/memory.js';
import { Clients } from '../../src/state/clients.js';
import { type FileFault, faultyFiles } from './faults.js';

export interface DyingArchiveTask {
  readonly memory: DaemonMemory;
  readonly options: ArchiveOptions;
  readonly faults: readonly FileFault[];
  readonly counts: SharedArrayBuffer;
}

export default function archive({ memory, options, faults, counts }: DyingArchiveTask): Promise<void> {
  const clients = new Clients(memory.tables.clients);
  const files = faultyFiles(NODE_FILES, faults, counts);
  return runArchive(memory, options, { clientIdOf: (slot) => clients.idOf(slot), files });
}
