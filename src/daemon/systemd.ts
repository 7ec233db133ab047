/**
 * Keeps systemd informed: ready when questions are answered, a line of status, a sign of life while the stages move, and
 * when the daemon stops. Without systemd it does nothing.
 */

import { ArchiveBoard } from '../archive/board.js';
import {
  CURSOR_ARCHIVED,
  CURSOR_DURABLE,
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  positionOf,
} from '../ring/layout.js';
import { Ledger } from '../ring/ledger.js';
import { Board } from '../state/board.js';
import type { Log } from './log.js';
import type { DaemonMemory } from './memory.js';
import { type NotifySocket, takeNotifySocket, takeWatchdogMs } from './notify.js';
import { Pulse, type StageWork } from './pulse.js';

/** Until it is ready: a unit that waits for this one should not wait for a timer. */
const STARTING_MS = 50;
const SIGN_MS_MAX = 5000;
const SIGNS_PER_WATCHDOG = 4;
const WATCHDOG_MS_DEFAULT = 60_000;
/** A start and a drain may take as long as they like while the stages move: each sign of life buys them this much. */
const EXTENSION_MS = 30_000;

export interface SystemdSources {
  readonly memory: DaemonMemory;
  /** Why questions are not answered yet, or not any more; null: they are. */
  readonly notReady: () => string | null;
  /** Lines may lie in memory for so long before they are written. */
  readonly syncIntervalMs: () => number;
}

export class Systemd {
  readonly #log: Pick<Log, 'error'>;
  readonly #watchdogMs: number | null;
  readonly #socket: NotifySocket | null;
  readonly #signMs: number;
  readonly #pulse = new Pulse();
  #sources: SystemdSources | null = null;
  #timer: NodeJS.Timeout | undefined;
  #phase: 'starting' | 'running' | 'stopping' = 'starting';
  #status = '';
  #nextSignMs = 0;
  #before = { lines: 0, atMs: 0 };
  #stuck = '';

  /** Takes what systemd has put into the environment out of it. */
  static of(env: NodeJS.ProcessEnv, pid: number, log: Log): Systemd {
    const onError = (error: string) => log.debug({ error }, 'systemd could not be told');
    return new Systemd(takeNotifySocket(env, onError), takeWatchdogMs(env, pid), log);
  }

  constructor(socket: NotifySocket | null, watchdogMs: number | null, log: Pick<Log, 'error'>) {
    this.#log = log;
    this.#watchdogMs = watchdogMs;
    this.#socket = socket;
    this.#signMs = Math.min(SIGN_MS_MAX, (this.#watchdogMs ?? Number.POSITIVE_INFINITY) / SIGNS_PER_WATCHDOG);
  }

  /** The stages run: tells how they do from here on, and that the daemon is ready once it is. */
  watch(sources: SystemdSources): void {
    if (this.#socket === null) return;
    this.#sources = sources;
    this.#timer = setInterval(() => this.#tick(), STARTING_MS).unref();
  }

  /** The configuration is being read again; `reloaded` has to follow. */
  reloading(): void {
    this.#socket?.send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  reloaded(): void {
    this.#socket?.send('READY=1');
  }

  stopping(): void {
    this.#phase = 'stopping';
    this.#status = 'draining';
    this.#socket?.send('STOPPING=1', 'STATUS=draining');
  }

  #tick(): void {
    const nowMs = performance.now();
    const reason = this.#sources!.notReady();
    if (this.#phase === 'starting' && reason === null) {
      this.#phase = 'running';
      clearInterval(this.#timer);
      this.#timer = setInterval(() => this.#tick(), this.#signMs).unref();
      this.#status = this.#statusText(nowMs);
      this.#socket!.send('READY=1', `STATUS=${this.#status}`);
    } else if (nowMs >= this.#nextSignMs) {
      this.#sign(reason, nowMs);
    }
  }

  #sign(notReady: string | null, nowMs: number): void {
    this.#nextSignMs = nowMs + this.#signMs / 2;
    const assignments: string[] = [];
    if (this.#moves(nowMs)) {
      if (this.#watchdogMs !== null) assignments.push('WATCHDOG=1');
      if (this.#phase !== 'running') assignments.push(`EXTEND_TIMEOUT_USEC=${EXTENSION_MS * 1000}`);
    }
    const status = this.#phase === 'stopping' ? 'draining' : (notReady ?? this.#statusText(nowMs));
    if (status !== this.#status) assignments.push(`STATUS=${status}`);
    this.#status = status;
    if (assignments.length > 0) this.#socket!.send(...assignments);
  }

  /** Whether no stage is stuck; says so in the log where one is, since systemd is about to end this process. */
  #moves(nowMs: number): boolean {
    const stuck = this.#pulse.beat(this.#stages(), nowMs);
    const names = stuck.map(({ name }) => name).join();
    if (names !== this.#stuck) {
      for (const { name, stillMs } of stuck) {
        this.#log.error({ stage: name, seconds: Math.round(stillMs / 1000) }, 'this stage is stuck');
      }
      this.#stuck = names;
    }
    return stuck.length === 0;
  }

  #stages(): StageWork[] {
    const { memory, syncIntervalMs } = this.#sources!;
    const cursors = new Int32Array(memory.ring.cursors);
    const archiveBoard = new ArchiveBoard(memory.archiveBoard);
    const published = Atomics.load(cursors, CURSOR_PUBLISHED);
    const folded = Atomics.load(cursors, CURSOR_FOLDED);
    const archived = Atomics.load(cursors, CURSOR_ARCHIVED);
    const durable = Atomics.load(cursors, CURSOR_DURABLE);
    // They try again and wait for whoever mends the disk, which a restart does not; the fold may wait for them.
    const isRefused = archiveBoard.holdsFor !== 0 || archiveBoard.syncError !== 0;
    const rebuilds = this.#phase === 'starting' && archiveBoard.readError === 0;
    const stillMsMax = (this.#watchdogMs ?? WATCHDOG_MS_DEFAULT) / 2;
    return [
      {
        name: 'fold',
        hasWork: (published !== folded && !isRefused) || rebuilds,
        // The line counts while the tables are rebuilt out of the log.
        position: `${folded} ${new Board(memory.tables.board).line}`,
        stillMsMax,
      },
      {
        name: 'archive',
        hasWork: folded !== archived && !archiveBoard.waitsForSync,
        position: `${archived} ${archiveBoard.refusals}`,
        stillMsMax: stillMsMax + syncIntervalMs(),
      },
      {
        name: 'sync',
        hasWork: archiveBoard.syncWanted > positionOf(durable, archiveBoard.syncWanted) && !isRefused,
        position: `${durable}`,
        stillMsMax,
      },
    ];
  }

  #statusText(nowMs: number): string {
    const { memory } = this.#sources!;
    const { lines, inFlight } = new Ledger(memory.ledger).totals();
    const { lines: linesBefore, atMs } = this.#before;
    this.#before = { lines, atMs: nowMs };
    const rate = nowMs > atMs ? Math.round((Math.max(0, lines - linesBefore) * 1000) / (nowMs - atMs)) : 0;
    const arrivedUs = new Board(memory.tables.board).arrivedUs;
    const behind = inFlight > 0 && arrivedUs > 0 ? Math.max(0, Date.now() / 1000 - arrivedUs / 1e6) : 0;
    return `${rate} lines/s, lag ${inFlight} lines ${behind.toFixed(1)} s, durable to line ${new ArchiveBoard(memory.archiveBoard).durableLine}`;
  }
}
