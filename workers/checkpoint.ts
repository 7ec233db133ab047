/**
 * A task of the pool: writes a copy of the tables into a checkpoint. Takes the copy, where it goes, and the archive's
 * board, since it waits until the log is durable up to the copy's place; returns the checkpoint; throws a Failure
 * when the disk refuses.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { ArchiveBoard } from '../src/archive/board.js';
import { type WrittenCheckpoint, writeCheckpoint } from '../src/checkpoint/checkpoint-writer.js';
import type { TablesMemory } from '../src/state/layout.js';

export interface CheckpointTask {
  readonly copy: TablesMemory;
  readonly copiedUs: number;
  /** Of the ring: what the copy has lies before it. */
  readonly position: number;
  readonly directory: string;
  readonly archiveBoard: SharedArrayBuffer;
}

const POLL_MS = 2;

export default function checkpoint(task: CheckpointTask): Promise<WrittenCheckpoint> {
  const { copy, copiedUs, position, directory } = task;
  const board = new ArchiveBoard(task.archiveBoard);
  const whenDurable = async () => {
    while (board.durablePosition < position) await sleep(POLL_MS);
  };
  return writeCheckpoint(copy, { directory, copiedUs, whenDurable });
}
