/**
 * The fold's thread. Takes the daemon's shared memory, the folders of the archive and of the checkpoints, whether a fold died
 * before, and a port, on which it posts FoldNews; returns when the vitals say stop and the ring is empty; throws what its loop
 * throws.
 */

import type { MessagePort } from 'node:worker_threads';
import { DamageList } from '../src/archive/damage-list.js';
import { TableCopies } from '../src/checkpoint/table-copies.js';
import type { DaemonMemory } from '../src/daemon/memory.js';
import { type FoldNews, rebuildTables } from '../src/daemon/rebuild.js';
import { runFold } from '../src/fold/stage.js';
import { RollupKeeper } from '../src/rollups/rollup-keeper.js';
import type { Tables } from '../src/state/tables.js';

export interface FoldTask {
  readonly memory: DaemonMemory;
  readonly archiveDirectory: string;
  readonly checkpointDirectory: string;
  readonly rollupDirectory: string;
  readonly rerun: boolean;
  readonly port: MessagePort;
}

export default async function fold(task: FoldTask): Promise<void> {
  const { memory, archiveDirectory, checkpointDirectory, rollupDirectory: directory, rerun, port } = task;
  const { archiveBoard } = memory;
  const tell = (news: FoldNews) => port.postMessage(news);
  const rollups = new RollupKeeper({
    directory,
    onFailure: (error) => tell({ kind: 'rollups', error: error as Error }),
    onRecovery: () => tell({ kind: 'rollups', error: null }),
  });
  const rebuild = async (tables: Tables, lastLine: number, position: number) => {
    const sources = { archiveDirectory, checkpointDirectory, archiveBoard, onHour: rollups.onHour };
    const rebuilt = await rebuildTables(tables, sources, lastLine, position);
    new DamageList(memory.damage).add(rebuilt.flaws);
    tell({ kind: 'rebuilt', rebuilt });
  };
  await runFold(memory, { rebuild, copier: new TableCopies(memory.copies), rollups }, rerun);
  port.close();
}
