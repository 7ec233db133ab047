/**
 * Hours that are over and not on the disk any more, made anew out of the archive: by the fold of all its lines into tables that
 * are nobody else's, on a thread of its own, beside the daemon's work. Where the archive has all lines since line 1 an hour
 * is again what it was. Where retention has removed the first ones, or some cannot be read, what began there is missing (the
 * duration of a task whose start is gone): such an hour says so, and answers over it are `partial`.
 */

import { type ArchiveFiles, NODE_FILES } from '../archive/archive-files.js';
import type { LogPosition } from '../archive/log-reader.js';
import { oldestArrivalUs } from '../archive/retention.js';
import { listSegments } from '../archive/segment-name.js';
import { hourOf, type OnHour } from '../fold/hours.js';
import {
  type BeforeByHour,
  missingHours,
  pruneRollups,
  readHours,
  writeRebuilt,
} from '../rollups/rollup-files.js';
import { encodeSection, type Section } from '../rollups/rollup-format.js';
import { renderHour } from '../rollups/rollup-lines.js';
import { allocateTables, type StateLimits } from '../state/layout.js';
import { Tables } from '../state/tables.js';
import { foldLog } from './rebuild.js';

/** Hours that are in memory until they are written: those of a day are written together. */
const HELD_MAX = 24;

export interface RollupTask {
  readonly directory: string;
  readonly archiveDirectory: string;
  /** Days that end before this hour are removed, and no hour before it is made anew. */
  readonly keepFromHour: number;
  /** The last hour that is over and in which anything arrived; 0: none. */
  readonly lastHour: number;
  /** Looked for in vain before. */
  readonly exceptHours: readonly number[];
  /** The last line that is durable: an hour whose end is not may be another one after a power cut. */
  readonly toLine: number;
  readonly upTo: LogPosition;
  readonly limits: StateLimits;
}

export interface RepairedRollups {
  readonly rebuilt: readonly number[];
  /** Not to be had out of this archive. */
  readonly inVain: readonly number[];
  readonly isPartial: boolean;
}

/** @throws Failure, and what the system throws */
export async function repairRollups(
  task: RollupTask,
  files: ArchiveFiles = NODE_FILES,
): Promise<RepairedRollups> {
  const { directory, archiveDirectory, keepFromHour, lastHour, exceptHours } = task;
  pruneRollups(directory, keepFromHour, files);
  const known = readHours(directory, files);
  const missing = missingHours(known, lastHour).filter(
    (hour) => hour >= keepFromHour && !exceptHours.includes(hour),
  );
  const beginning = hourOf(oldestArrivalUs(archiveDirectory, files) / 1e6);
  const wanted = missing.filter((hour) => hour >= beginning);
  if (wanted.length === 0) return { rebuilt: [], inVain: missing, isPartial: false };
  const { rebuilt, isPartial, reached } = await new Repair(task, known, files).run(wanted.at(-1)!);
  const inVain = missing.filter((hour) => hour < reached && !rebuilt.includes(hour));
  return { rebuilt, inVain, isPartial };
}

class Repair {
  readonly #task: RollupTask;
  readonly #known: BeforeByHour;
  readonly #files: ArchiveFiles;
  readonly #rebuilt: number[] = [];
  #held: Section[] = [];
  #isPartial: boolean;

  constructor(task: RollupTask, known: BeforeByHour, files: ArchiveFiles) {
    this.#task = task;
    this.#known = known;
    this.#files = files;
    this.#isPartial = (listSegments(task.archiveDirectory, files)[0]?.firstLine ?? 1) > 1;
  }

  /** @param lastMissing what comes after this hour is not needed */
  async run(lastMissing: number) {
    const { archiveDirectory, toLine, upTo, limits } = this.#task;
    const tables = new Tables(allocateTables(limits));
    await foldLog(tables, archiveDirectory, {
      fromLine: 1,
      toLine,
      clientsToLine: 0,
      upTo,
      files: this.#files,
      onHour: this.#onHour,
      isDone: () => tables.board.hour > lastMissing,
      onFlaw: () => {
        this.#isPartial = true;
      },
    });
    this.#write();
    return { rebuilt: this.#rebuilt, isPartial: this.#isPartial, reached: tables.board.hour };
  }

  readonly #onHour: OnHour = (tables, hour, before) => {
    if (this.#known.has(hour) || hour < this.#task.keepFromHour) return;
    const last = before > 0 ? before : this.#lastKnownBefore(hour);
    this.#held.push(encodeSection(hour, last, renderHour(tables, hour, last, this.#isPartial)));
    this.#rebuilt.push(hour);
    if (this.#held.length >= HELD_MAX) this.#write();
  };

  /** A fold that begins in the midst of the log does not know it. */
  #lastKnownBefore(hour: number): number {
    let last = 0;
    for (const known of this.#known.keys()) if (known < hour && known > last) last = known;
    return last;
  }

  #write(): void {
    writeRebuilt(this.#task.directory, this.#held, this.#files);
    this.#held = [];
  }
}
