/** The archive's worker (workers/archive.ts), with notes of what it does to the disk. */

import { type ArchiveOptions, runArchive } from '../../src/archive/stage.js';
import type { DaemonMemory } from '../../src/daemon/memory.js';
import { Clients } from '../../src/state/clients.js';
import { type RecordingTarget, recordingFiles } from './disk-trace.js';

export interface RecordingArchiveTask {
  readonly memory: DaemonMemory;
  readonly options: ArchiveOptions;
  readonly recording: RecordingTarget;
}

export default async function archive({ memory, options, recording }: RecordingArchiveTask): Promise<void> {
  const { files, save } = recordingFiles(recording);
  const clients = new Clients(memory.tables.clients);
  await runArchive(memory, options, { clientIdOf: (slot) => clients.idOf(slot), files });
  save('archive');
}
