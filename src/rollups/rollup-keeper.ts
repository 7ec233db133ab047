/**
 * Who keeps the hours that the fold closes: writes each into the file of its day, at once, on the fold's thread. That is once an
 * hour, some milliseconds, and the ring takes what comes meanwhile; and it is what makes an hour safe: a checkpoint that has
 * the hour after it is copied later than its roll-up was made durable. So a start folds each hour that is not on the disk once more,
 * whole, and writes it in the place that it had.
 *
 * What the disk does not take stays in memory, and is tried again: a roll-up is no reason for the fold to die.
 */

import { type ArchiveFiles, NODE_FILES } from '../archive/archive-files.js';
import { freeNativeMemory, nativeMemoryIsHeld } from '../archive/lz4.js';
import type { OnHour } from '../fold/hours.js';
import { writeSection } from './rollup-files.js';
import { encodeSection, type Section } from './rollup-format.js';
import { renderHour } from './rollup-lines.js';

const RETRY_MS = 1000;
/** Hours that the disk has not taken. More of them than this are lost, until they are made anew out of the archive. */
const HELD_MAX = 24;

export interface RollupKeeperOptions {
  readonly directory: string;
  /** Told once for a time in which the disk takes nothing, and of its end. */
  readonly onFailure: (error: unknown) => void;
  readonly onRecovery?: () => void;
  readonly files?: ArchiveFiles;
  readonly nowMs?: () => number;
}

export class RollupKeeper {
  readonly #options: RollupKeeperOptions;
  readonly #files: ArchiveFiles;
  readonly #nowMs: () => number;
  readonly #held: Section[] = [];
  #failed = false;
  #retryAtMs = 0;

  constructor(options: RollupKeeperOptions) {
    this.#options = options;
    this.#files = options.files ?? NODE_FILES;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  readonly onHour: OnHour = (tables, hour, before) => {
    this.#held.push(encodeSection(hour, before, renderHour(tables, hour, before)));
    if (this.#held.length > HELD_MAX) this.#held.shift();
    this.write();
  };

  /** Tries again what the disk has not taken, now and then. The promise: native memory is to be freed. */
  afterRecord(): Promise<void> | null {
    if (this.#held.length > 0 && this.#nowMs() >= this.#retryAtMs) this.write();
    return nativeMemoryIsHeld() ? freeNativeMemory() : null;
  }

  write(): void {
    const { directory, onFailure, onRecovery } = this.#options;
    try {
      for (let section = this.#held[0]; section !== undefined; section = this.#held[0]) {
        writeSection(directory, section, this.#files);
        this.#held.shift();
      }
      if (this.#failed) onRecovery?.();
      this.#failed = false;
    } catch (error) {
      this.#retryAtMs = this.#nowMs() + RETRY_MS;
      if (!this.#failed) onFailure(error);
      this.#failed = true;
    }
  }
}
