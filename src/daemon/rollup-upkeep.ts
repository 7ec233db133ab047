/**
 * Keeps the folder of the roll-ups whole and bounded (rollup-repair.ts): days older than stats.rollup_age leave, and hours that
 * somebody has removed or the disk has damaged are made anew, as far as the archive goes. Main looks at names and times; a
 * thread that gives way to all others reads the files, at the start, when a file is gone that was there, and once a day.
 */

import { statSync } from 'node:fs';
import { NODE_FILES } from '../archive/archive-files.js';
import { ArchiveBoard } from '../archive/board.js';
import { UpkeepBoard } from '../archive/upkeep-board.js';
import { HOUR_SECONDS, hourOf } from '../fold/hours.js';
import { counted } from '../model/human.js';
import { STAGE_FOLD, STAGE_RUNNING, Vitals } from '../ring/vitals.js';
import { listRollupFiles, type RollupFile } from '../rollups/rollup-files.js';
import { Board } from '../state/board.js';
import { type Log, RateLimited } from './log.js';
import type { DaemonMemory } from './memory.js';
import type { RepairedRollups, RollupTask } from './rollup-repair.js';

const LOOK_MS = 1000;
const LOOK_ANYWAY_MS = 86_400_000;
/** After one that has failed. */
const RETRY_MS = 10_000;
const COMPLAINT_INTERVAL_MS = 60_000;
const DAY_HOURS = 24;

export interface RollupUpkeepParts {
  readonly directory: string;
  readonly archiveDirectory: string;
  /** stats.rollup_age, as it is configured now. */
  readonly ageMs: () => number;
  /** By which days grow old (model/age-clock.ts). */
  readonly ageNowMs: () => number;
  readonly repair: (task: RollupTask) => Promise<RepairedRollups>;
  readonly log: Log;
}

export class RollupUpkeep {
  readonly #parts: RollupUpkeepParts;
  readonly #memory: DaemonMemory;
  readonly #archive: ArchiveBoard;
  readonly #board: Board;
  readonly #upkeep: UpkeepBoard;
  readonly #vitals: Vitals;
  readonly #complaints: RateLimited;
  /** Of the folder, when its names were last read. */
  #folderMs = Number.NaN;
  #files: readonly RollupFile[] = [];
  /** Since when the files were not read; −∞: they are to be. */
  #checkedAtMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs = 0;
  #inVain: number[] = [];
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(memory: DaemonMemory, parts: RollupUpkeepParts) {
    this.#parts = parts;
    this.#memory = memory;
    this.#archive = new ArchiveBoard(memory.archiveBoard);
    this.#board = new Board(memory.tables.board);
    this.#upkeep = new UpkeepBoard(memory.upkeep);
    this.#vitals = new Vitals(memory.vitals);
    const nowMs = () => performance.now();
    this.#complaints = new RateLimited({ countMax: 1, intervalMs: COMPLAINT_INTERVAL_MS, nowMs });
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** What still runs is not waited for: a start goes on with it. */
  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  /** Hours may have been lost. */
  checkAgain(): void {
    this.#checkedAtMs = Number.NEGATIVE_INFINITY;
  }

  look(): void {
    // What the fold could not write yet it still has.
    const isReady = this.#vitals.state(STAGE_FOLD) === STAGE_RUNNING && !this.#upkeep.rollupsFail;
    const nowMs = performance.now();
    if (this.#running !== null || !isReady || nowMs < this.#notBeforeMs) return;
    try {
      this.#readNames();
    } catch (error) {
      this.#complain(error, nowMs);
      return;
    }
    const oldest = this.#files[0]?.firstHour ?? Number.POSITIVE_INFINITY;
    const isDue = nowMs - this.#checkedAtMs >= LOOK_ANYWAY_MS || oldest + DAY_HOURS <= this.#keepFromHour();
    if (!isDue) return;
    this.#running = this.#repair(nowMs).finally(() => {
      this.#running = null;
    });
  }

  #readNames(): void {
    const { directory } = this.#parts;
    const folderMs = statSync(directory, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (folderMs === this.#folderMs) return;
    this.#folderMs = folderMs;
    const before = this.#files;
    this.#files = listRollupFiles(directory, NODE_FILES);
    const paths = new Set(this.#files.map(({ path }) => path));
    if (before.some(({ path }) => !paths.has(path))) this.checkAgain();
  }

  async #repair(nowMs: number): Promise<void> {
    const { repair, directory, archiveDirectory, log } = this.#parts;
    const written = this.#archive.written();
    const task = {
      directory,
      archiveDirectory,
      keepFromHour: this.#keepFromHour(),
      lastHour: this.#board.hourBefore,
      exceptHours: this.#inVain,
      toLine: this.#archive.durableLine,
      upTo: { segment: written.segment, offset: written.segmentBytes },
      limits: this.#memory.tables.limits,
    };
    try {
      const { rebuilt, inVain, isPartial } = await repair(task);
      this.#checkedAtMs = nowMs;
      this.#inVain = [...this.#inVain, ...inVain];
      if (rebuilt.length > 0) {
        const some = isPartial ? ', without what began in lines that the archive has not any more' : '';
        const text = `${counted(rebuilt.length, 'hour')} of the roll-ups were missing, and are made anew out of the archive${some}`;
        log.warn({ hours: rebuilt.map(timeOf) }, text);
      }
      if (inVain.length > 0) {
        const text = `${counted(inVain.length, 'hour')} of the roll-ups cannot be had out of the archive either; answers over them are partial`;
        log.warn({ hours: inVain.map(timeOf) }, text);
      }
    } catch (error) {
      if (!this.#isStopped) this.#complain(error, nowMs);
    }
  }

  #complain(error: unknown, nowMs: number): void {
    this.#notBeforeMs = nowMs + RETRY_MS;
    this.#complaints.say('repair', (more) => {
      const text = `the roll-ups could not be looked after; it is tried again${more}`;
      this.#parts.log.error({ err: error }, text);
    });
  }

  #keepFromHour(): number {
    const { ageMs, ageNowMs } = this.#parts;
    return hourOf((ageNowMs() - ageMs()) / 1000);
  }
}

function timeOf(hour: number): string {
  return new Date(hour * HOUR_SECONDS * 1000).toISOString();
}
