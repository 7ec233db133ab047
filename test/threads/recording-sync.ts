/** The sync stage's worker (workers/sync.ts), with notes of what it does to the disk. */

import { runSync, type SyncOptions } from '../../src/archive/sync-stage.js';
import type { DaemonMemory } from '../../src/daemon/memory.js';
import { type RecordingTarget, recordingFiles } from './disk-trace.js';

export interface RecordingSyncTask {
  readonly memory: DaemonMemory;
  readonly options: SyncOptions;
  readonly recording: RecordingTarget;
  readonly failingSyncs: readonly number[];
}

export default function sync({ memory, options, recording, failingSyncs }: RecordingSyncTask): void {
  const { files, save } = recordingFiles(recording, failingSyncs);
  runSync(memory, options, files);
  save('sync');
}
