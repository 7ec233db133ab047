/**
 * When checkpoints are taken, and what becomes of them. Main wishes for a copy of the tables, the fold makes it between two
 * records, and a task of the pool writes it down. One at a time: the copy has one place.
 */

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointName, firstLineNeeded } from '../checkpoint/checkpoint-files.js';
import type { CheckpointFile } from '../checkpoint/checkpoint-format.js';
import type { WrittenCheckpoint } from '../checkpoint/checkpoint-writer.js';
import { TableCopies, WISH_AT_END, WISH_NONE, WISH_NOW } from '../checkpoint/table-copies.js';
import { Bell } from '../ring/bell.js';
import { Board } from '../state/board.js';
import { type Log, RateLimited } from './log.js';
import type { DaemonMemory } from './memory.js';

/** One message in so long: a full disk fails each of them. */
const COMPLAINT_INTERVAL_MS = 60_000;

export interface CheckpointsOptions {
  readonly directory: string;
  readonly intervalMs: number;
  readonly log: Log;
  /** Writes the copy down, on another thread. Resolves when the checkpoint is durable under its name. */
  readonly write: (copiedUs: number) => Promise<WrittenCheckpoint>;
}

export class Checkpoints {
  readonly #options: CheckpointsOptions;
  readonly #copies: TableCopies;
  readonly #board: Board;
  readonly #foldBell: Bell;
  readonly #complaints = new RateLimited({
    countMax: 1,
    intervalMs: COMPLAINT_INTERVAL_MS,
    nowMs: () => performance.now(),
  });
  /** The last line of the newest checkpoint that a start could use. */
  #line = 0;
  #intervalMs: number;
  #timer: NodeJS.Timeout | undefined;
  #state: 'waiting' | 'taking' | 'draining' = 'waiting';
  #running: Promise<void> | null = null;
  #onCopied: () => void = () => {};

  constructor(memory: DaemonMemory, options: CheckpointsOptions) {
    this.#options = options;
    this.#intervalMs = options.intervalMs;
    this.#copies = new TableCopies(memory.copies);
    this.#board = new Board(memory.tables.board);
    this.#foldBell = new Bell(memory.foldBell);
  }

  /** From now on the tables are whole; more than once where a fold has died. @param found the checkpoint that they were made of */
  begin(found: (CheckpointFile & { readonly copiedUs: number }) | null): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'taking';
    if (found !== null) {
      this.#line = found.line;
      this.#say(
        found.line,
        statSync(found.path, { throwIfNoEntry: false })?.size ?? 0,
        found.copiedUs,
        Number.NaN,
        Number.NaN,
      );
    }
    this.setInterval(this.#intervalMs);
    this.wake();
  }

  /** How often one is taken, from now on. */
  setInterval(intervalMs: number): void {
    this.#intervalMs = intervalMs;
    if (this.#state !== 'taking') return;
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      if (this.#board.line > this.#line) this.#take();
    }, intervalMs).unref();
  }

  /** To be called at every ring of main's bell: the fold has made a copy, or somebody asks for a checkpoint. */
  wake(): void {
    if (this.#copies.wish === WISH_NONE) this.#onCopied();
    if (this.#copies.requested > this.#copies.answered) this.#take();
  }

  /** No more of them but the last one, which the fold copies when it has nothing more to do. */
  async drain(): Promise<void> {
    this.#state = 'draining';
    clearInterval(this.#timer);
    await this.#running;
    this.#copies.setWish(WISH_AT_END);
  }

  /** Writes the last one down, when the stages have ended. */
  async finish(): Promise<void> {
    if (this.#board.line > this.#line) await this.#writeDown(performance.now());
  }

  #take(): void {
    if (this.#running !== null || this.#state !== 'taking') return;
    this.#running = this.#run().finally(() => {
      this.#running = null;
      this.wake();
    });
  }

  async #run(): Promise<void> {
    const { requested } = this.#copies;
    const startedMs = performance.now();
    // Nothing to write where nothing came, unless somebody has removed it.
    const path = join(this.#options.directory, checkpointName(this.#line));
    if (this.#board.line > this.#line || (this.#line > 0 && !existsSync(path))) {
      await this.#copy();
      await this.#writeDown(startedMs);
    }
    this.#copies.setAnswered(requested);
  }

  async #copy(): Promise<void> {
    const copied = new Promise<void>((resolve) => {
      this.#onCopied = resolve;
    });
    this.#copies.setWish(WISH_NOW);
    this.#foldBell.ring();
    await copied;
  }

  /** A checkpoint that cannot be written is no loss: the log has everything, and the next one may do. */
  async #writeDown(startedMs: number): Promise<void> {
    const { copiedUs, pauseMs } = this.#copies;
    try {
      const { line, bytes } = await this.#options.write(copiedUs);
      const durationMs = performance.now() - startedMs;
      this.#line = line;
      this.#copies.setFailures(0);
      this.#say(line, bytes, copiedUs, pauseMs, durationMs);
      this.#options.log.debug({ line, bytes, pauseMs, durationMs }, 'wrote a checkpoint');
    } catch (error) {
      this.#copies.setFailures(this.#copies.failures + 1);
      this.#complaints.say('write', (more) =>
        this.#options.log.error(
          { err: error },
          `a checkpoint could not be written; the log has all lines${more}`,
        ),
      );
    }
  }

  #say(line: number, bytes: number, writtenUs: number, pauseMs: number, durationMs: number): void {
    const needed = firstLineNeeded(this.#options.directory);
    this.#copies.setLast({ line, writtenUs, bytes, pauseMs, durationMs, firstLineNeeded: needed });
  }
}
