/**
 * The threads that look into the archive: for scans and indexes in the daemon, and for the commands that do without one. In
 * the daemon they take what the stages leave of the processors, so that no question slows ingestion.
 */

import { availableParallelism } from 'node:os';
import type { FrameCheckResult, FrameCheckTask } from '../archive/frame-check.js';
import type { IndexEnd, IndexPart } from '../archive/growing-index.js';
import type { IndexBuilder } from '../archive/index-builder.js';
import type { FrameChecker } from '../archive/log-check.js';
import type { Segment } from '../archive/segment-name.js';
import type { FrameScanner } from '../query/archive-scan.js';
import type { FrameScanResult, FrameScanTask } from '../query/frame-scan.js';
import type { ChildrenTask } from '../query/named-children.js';
import type { HistoryAnswer, HistoryTask } from '../query/workflow-history.js';
import type { Historian } from '../query/workflow-lookup.js';
import { type Outcome, resultOf } from './outcome.js';
import { ThreadPool } from './thread-pool.js';

/** A thread without a task ends after this. */
const IDLE_MS = 10_000;
const THREADS_MAX = 8;
export const PARALLEL = Math.min(THREADS_MAX, availableParallelism());
/** A niceness with which a thread gets a tenth of a processor that another one wants. */
export const BACKGROUND = 10;

export type IndexTask =
  | { readonly kind: 'read'; readonly segment: Segment; readonly from: IndexEnd; readonly bytesMax: number }
  | { readonly kind: 'write'; readonly segment: Segment; readonly index: IndexPart };

export type HistoryPoolTask =
  | { readonly kind: 'history'; readonly task: HistoryTask }
  | { readonly kind: 'children'; readonly task: ChildrenTask };

export class ArchivePool implements FrameScanner, FrameChecker, IndexBuilder, Historian {
  readonly parallel = PARALLEL;
  readonly #pool: ThreadPool;

  /** @param niceness as nice(2) */
  constructor(niceness = 0) {
    this.#pool = new ThreadPool(this.parallel, IDLE_MS, niceness);
  }

  scan(task: FrameScanTask): Promise<FrameScanResult> {
    return this.#pool.run(workerFile('frame-scan'), task) as Promise<FrameScanResult>;
  }

  async check(task: FrameCheckTask): Promise<FrameCheckResult> {
    return resultOf((await this.#pool.run(workerFile('frame-check'), task)) as Outcome<FrameCheckResult>);
  }

  async read(segment: Segment, from: IndexEnd, bytesMax: number): Promise<IndexPart> {
    const task: IndexTask = { kind: 'read', segment, from, bytesMax };
    return resultOf((await this.#pool.run(workerFile('index-build'), task)) as Outcome<IndexPart>);
  }

  async write(segment: Segment, index: IndexPart): Promise<void> {
    const task: IndexTask = { kind: 'write', segment, index };
    resultOf((await this.#pool.run(workerFile('index-build'), task)) as Outcome<void>);
  }

  async history(task: HistoryTask): Promise<HistoryAnswer> {
    const outcome = await this.#pool.run(workerFile('workflow-history'), { kind: 'history', task });
    return resultOf(outcome as Outcome<HistoryAnswer>);
  }

  async children(task: ChildrenTask): Promise<string[]> {
    const outcome = await this.#pool.run(workerFile('workflow-history'), { kind: 'children', task });
    return resultOf(outcome as Outcome<string[]>);
  }

  /** Tasks that still run are not waited for. */
  async close(): Promise<void> {
    await this.#pool.close();
  }
}

function workerFile(name: string): URL {
  return new URL(`../../workers/${name}.js`, import.meta.url);
}
