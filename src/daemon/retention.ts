/**
 * When segments are removed (archive/retention.ts): where the log has outgrown archive.max_bytes or its oldest segment
 * archive.max_age, as soon as a checkpoint allows it. Each second main looks at numbers in memory and at the time of the
 * folder; a task of the pool looks at the files only where that says so. What others have removed (`tallyd archive
 * prune`, an archive stage on a full disk) is seen by the time of the folder, and counted.
 */

import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { ArchiveBoard } from '../archive/board.js';
import type { Retained, RetentionRules } from '../archive/retention.js';
import { UpkeepBoard } from '../archive/upkeep-board.js';
import { TableCopies } from '../checkpoint/table-copies.js';
import { type Log, RateLimited } from './log.js';
import type { DaemonMemory } from './memory.js';

const LOOK_MS = 1000;
/** A change of the folder within the same moment as a look is seen after this. */
const LOOK_ANYWAY_MS = 60_000;
const COMPLAINT_INTERVAL_MS = 60_000;

export interface RetentionParts {
  readonly directory: string;
  /** As they are configured now. */
  readonly limits: () => { readonly maxAgeMs: number; readonly maxBytes: number };
  /** Applies them on another thread, before the segment with this number. */
  readonly apply: (rules: RetentionRules, activeSegment: number) => Promise<Retained>;
  readonly log: Log;
  /** By which segments grow old (model/age-clock.ts). */
  readonly ageNowMs: () => number;
}

/** What the last look at the files has found. */
interface Looked {
  readonly atMs: number;
  readonly folderMs: number;
  /** Of frames, since the process began. */
  readonly writtenBytes: number;
  readonly firstLineNeeded: number;
  readonly retained: Retained;
}

export class Retention {
  readonly #parts: RetentionParts;
  readonly #board: ArchiveBoard;
  readonly #upkeep: UpkeepBoard;
  readonly #copies: TableCopies;
  readonly #complaints: RateLimited;
  #looked: Looked | null = null;
  #running: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(memory: Pick<DaemonMemory, 'archiveBoard' | 'upkeep' | 'copies'>, parts: RetentionParts) {
    this.#parts = parts;
    this.#board = new ArchiveBoard(memory.archiveBoard);
    this.#upkeep = new UpkeepBoard(memory.upkeep);
    this.#copies = new TableCopies(memory.copies);
    const nowMs = () => performance.now();
    this.#complaints = new RateLimited({ countMax: 1, intervalMs: COMPLAINT_INTERVAL_MS, nowMs });
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
  }

  look(): void {
    if (this.#running !== null || !this.#isDue()) return;
    this.#running = this.#apply().finally(() => {
      this.#running = null;
    });
  }

  #isDue(): boolean {
    const { maxBytes, keepFromUs } = this.#rules();
    const looked = this.#looked;
    // The active one stays, whatever the rules say: most daemons never need the thread.
    if (looked === null && this.#board.written().segments <= 1) return false;
    if (looked === null || performance.now() - looked.atMs >= LOOK_ANYWAY_MS) return true;
    if (this.#folderMs() !== looked.folderMs) return true;
    const { isHeld, bytes, oldestEndUs } = looked.retained;
    // What a start may need stays until there is another checkpoint.
    if (isHeld) return this.#firstLineNeeded() !== looked.firstLineNeeded;
    const grown = this.#board.written().compressedBytes - looked.writtenBytes;
    return oldestEndUs < keepFromUs || (bytes + grown > maxBytes && looked.retained.closed.segments > 0);
  }

  async #apply(): Promise<void> {
    const { apply, log } = this.#parts;
    // Before the look: what comes meanwhile is seen at the next one.
    const folderMs = this.#folderMs();
    const written = this.#board.written();
    const looked = { atMs: performance.now(), folderMs, firstLineNeeded: this.#firstLineNeeded() };
    try {
      const retained = await apply(this.#rules(), written.segment);
      this.#looked = { ...looked, writtenBytes: written.compressedBytes, retained };
      this.#count(written, retained);
      for (const { path, firstLine, lastLine, bytes } of retained.removed) {
        log.info({ segment: basename(path), firstLine, lastLine, bytes }, 'removed a segment of the archive');
      }
    } catch (error) {
      this.#complaints.say('apply', (more) => {
        log.error({ err: error }, `old segments of the archive could not be removed${more}`);
      });
    }
  }

  /** By what is there, whoever has removed the rest. */
  #count(
    written: { readonly segments: number; readonly compressedBytes: number; readonly segmentBytes: number },
    { closed, oldestUs, rawBytesBefore }: Retained,
  ): void {
    if (written.segments === 0) return;
    this.#upkeep.setBeginning({
      removedSegments: written.segments - 1 - closed.segments,
      removedBytes: written.compressedBytes - written.segmentBytes - closed.bytes,
      oldestUs,
      rawBytesBefore,
    });
  }

  #rules(): RetentionRules {
    const { maxAgeMs, maxBytes } = this.#parts.limits();
    return { keepFromUs: (this.#parts.ageNowMs() - maxAgeMs) * 1000, maxBytes };
  }

  #firstLineNeeded(): number {
    return this.#copies.last?.firstLineNeeded ?? 1;
  }

  /** 0: it is not there, or cannot be looked at, which the task that looks at the files tells. */
  #folderMs(): number {
    try {
      return statSync(this.#parts.directory).mtimeMs;
    } catch {
      return 0;
    }
  }
}
