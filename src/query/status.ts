/** Health and numbers of the daemon, as `GET /v1/status` shows them, read from shared memory. */

import { ArchiveBoard } from '../archive/board.js';
import { DamageList } from '../archive/damage-list.js';
import { diskFaults } from '../archive/disk-fault.js';
import { ARCHIVE_FORMAT } from '../archive/frame-header.js';
import { RejectsBoard } from '../archive/rejects.js';
import { UpkeepBoard } from '../archive/upkeep-board.js';
import { type CopiesMemory, TableCopies } from '../checkpoint/table-copies.js';
import { PROTOCOL } from '../model/protocol.js';
import { LEVELS, slotAt, WINDOW_SECONDS } from '../model/windows.js';
import { CURSOR_ARCHIVED, CURSOR_PUBLISHED, positionOf, type RingMemory } from '../ring/layout.js';
import { Ledger, type LedgerMemory } from '../ring/ledger.js';
import { STAGE_FOLD, STAGE_INGEST, STAGE_NAMES, STAGE_RUNNING, Vitals } from '../ring/vitals.js';
import type { StateCount } from '../state/board.js';
import type { Tables } from '../state/tables.js';
import { connectionViews } from './connections.js';

export const RECOVERING = 'recovering: the tables are rebuilt out of the log';

export type Status = ReturnType<StatusView['render']>;

export interface StatusMemory {
  readonly ring: RingMemory;
  readonly ledger: LedgerMemory;
  readonly vitals: SharedArrayBuffer;
  readonly archiveBoard: SharedArrayBuffer;
  readonly upkeep: SharedArrayBuffer;
  readonly rejects: SharedArrayBuffer;
  readonly damage: SharedArrayBuffer;
  readonly copies: CopiesMemory;
}

/**
 * The first word is for programs. What leaves by `max_recent_workflows` is not here: every workflow that is over does in
 * the end, and the archive has it.
 */
const LIMITS_MET: readonly (readonly [StateCount, string])[] = [
  ['series_overflowed', 'series_overflow: raise stats.max_series'],
  ['workflows_displaced', 'workflows_stale: raise state.max_live_workflows'],
  ['tasks_untracked', 'tasks_untracked: raise state.max_tasks'],
  ['tasks_evicted', 'tasks_evicted: raise state.max_tasks_per_workflow or state.max_tasks'],
  ['shares_full', 'shares_full: raise state.max_tasks'],
  ['names_full', 'names_full: raise state.names_bytes'],
];

/** More than a clock that is kept by NTP is ever set back. */
const AHEAD_SECONDS_MAX = 5;

interface Sample {
  readonly atMs: number;
  readonly lines: number;
  readonly busyMs: readonly number[];
}

/** Call `sample` about once a second: rates and utilizations are over the time between the last two samples. */
export class StatusView {
  readonly #memory: StatusMemory;
  readonly #tables: Tables;
  readonly #version: string;
  readonly #startedAtMs: number;
  readonly #ledger: Ledger;
  readonly #vitals: Vitals;
  readonly #board: ArchiveBoard;
  readonly #upkeep: UpkeepBoard;
  readonly #rejects: RejectsBoard;
  readonly #damage: DamageList;
  readonly #copies: TableCopies;
  readonly #cursors: Int32Array;
  #before: Sample;
  #last: Sample;

  constructor(memory: StatusMemory, tables: Tables, version: string, startedAtMs: number) {
    this.#memory = memory;
    this.#tables = tables;
    this.#version = version;
    this.#startedAtMs = startedAtMs;
    this.#ledger = new Ledger(memory.ledger);
    this.#vitals = new Vitals(memory.vitals);
    this.#board = new ArchiveBoard(memory.archiveBoard);
    this.#upkeep = new UpkeepBoard(memory.upkeep);
    this.#rejects = new RejectsBoard(memory.rejects);
    this.#damage = new DamageList(memory.damage);
    this.#copies = new TableCopies(memory.copies);
    this.#cursors = new Int32Array(memory.ring.cursors);
    this.#before = this.#take();
    this.#last = this.#before;
  }

  sample(): void {
    this.#before = this.#last;
    this.#last = this.#take();
  }

  /** @returns null when events are taken and questions answered, else why not yet, or not any more */
  notReady(): string | null {
    return whyNotReady(this.#vitals);
  }

  /** Whether the tables hold a part of the log only. At a drain, when the fold is done, they are whole. */
  recovering(): boolean {
    return !this.#vitals.stopping && this.#vitals.state(STAGE_FOLD) !== STAGE_RUNNING;
  }

  degraded(): string[] {
    const reasons = diskFaults(this.#board);
    const aheadSeconds = this.#tables.board.arrivedUs / 1e6 - Date.now() / 1000;
    if (aheadSeconds > AHEAD_SECONDS_MAX) {
      reasons.push(
        `clock_step: arrival times are ${Math.round(aheadSeconds)} s ahead of the wall clock, which was set back; they go a tenth slower until it has caught up`,
      );
    }
    const counts = this.#tables.board.counts();
    const damage = this.#damage.read();
    const { failures, last } = this.#copies;
    for (const [count, reason] of LIMITS_MET) if (counts[count] > 0) reasons.push(reason);
    if (this.#tables.reports.overflowed) reasons.push('report_overflow: raise stats.max_series');
    // Of what was lost longer ago no window knows any more.
    const dayAgo = slotAt(Date.now() / 1000 - WINDOW_SECONDS[LEVELS - 1]!);
    if (this.#tables.windowBlocks.lost > dayAgo) reasons.push('windows_lost: raise stats.window_bytes');
    if (damage.count > 0) {
      reasons.push(
        `archive_damaged: ${damage.bytes} bytes of the archive in ${damage.count} places cannot be read`,
      );
    }
    const { rollupsFail, indexesFail } = this.#upkeep;
    if (rollupsFail) {
      reasons.push('rollup_failed: hours that are over cannot be written; they are kept, and tried again');
    }
    if (indexesFail) {
      reasons.push(
        'index_failed: the index of a segment cannot be written; it is kept in memory, and tried again',
      );
    }
    if (this.#rejects.fail) {
      reasons.push('rejects_failed: refused lines could not be written; they are counted, and gone');
    }
    if (failures > 0) {
      reasons.push(
        `checkpoint_failed: ${failures} in a row could not be written; a start would fold all lines after line ${last?.line ?? 0}`,
      );
    }
    return reasons;
  }

  /** @param withConnections whether each connection is listed, which may be thousands */
  render(withConnections = false) {
    const totals = this.#ledger.totals();
    const { workflows, tasks, cells, board } = this.#tables;
    const written = this.#board.written();
    const { beginning } = this.#upkeep;
    const oldestUs = beginning.oldestUs || written.oldestUs;
    const published = Atomics.load(this.#cursors, CURSOR_PUBLISHED);
    const archived = positionOf(Atomics.load(this.#cursors, CURSOR_ARCHIVED), 0);
    const seconds = (this.#last.atMs - this.#before.atMs) / 1000;
    const nowMs = Date.now();
    return {
      version: this.#version,
      protocol: PROTOCOL,
      format: ARCHIVE_FORMAT,
      pid: process.pid,
      started_at: this.#startedAtMs / 1000,
      uptime: process.uptime(),
      ready: this.notReady() === null,
      degraded: this.degraded(),
      ingest: {
        connections: this.#ledger.openConnections(),
        connections_taken: totals.connectionsTaken,
        connections_refused: totals.connectionsRefused,
        lines: totals.lines,
        bytes: totals.bytes,
        accepted: totals.accepted,
        rejected: totals.rejected,
        rejected_by_reason: totals.rejectedByReason,
        dropped: totals.dropped,
        in_flight: totals.inFlight,
        pauses_ms: this.#vitals.ingestPausesMs,
        rate_1s: seconds > 0 ? Math.max(0, this.#last.lines - this.#before.lines) / seconds : 0,
      },
      ring: {
        capacity_bytes: this.#memory.ring.capacityBytes,
        used_bytes: (published - (archived | 0)) | 0,
        stalls: totals.stalls,
      },
      lag: {
        events: totals.inFlight,
        seconds:
          totals.inFlight > 0 && board.arrivedUs > 0 ? Math.max(0, nowMs / 1000 - board.arrivedUs / 1e6) : 0,
      },
      state: {
        workflows_live: workflows.live,
        workflows_recent: workflows.recent,
        tasks_running: tasks.running,
        series: cells.used,
        counts: board.counts(),
      },
      archive: {
        durable_seq: this.#board.durableLine,
        segments: written.segments - beginning.removedSegments,
        bytes_raw: written.rawBytes - beginning.rawBytesBefore,
        bytes_compressed: written.compressedBytes - beginning.removedBytes,
        oldest_ts: oldestUs > 0 ? oldestUs / 1e6 : null,
        last_sync_ms: this.#lastSyncMs(),
        sync_failures: this.#board.syncFailures,
        refusals: this.#board.refusals,
        damage: this.#damage.read().stretches,
      },
      rejects: this.#rejects.counts(),
      checkpoint: this.#checkpoint(),
      memory: { rss_bytes: process.memoryUsage.rss(), state_bytes: this.#tables.usedBytes() },
      threads: STAGE_NAMES.map((name, stage) => ({
        name,
        utilization: seconds > 0 ? this.#utilization(stage, seconds) : 0,
        restarts: this.#vitals.restarts(stage),
      })),
      ...(withConnections ? { connections: connectionViews(this.#ledger, this.#tables.clients) } : {}),
    };
  }

  /** null: there is none yet. Of one that an earlier process has made, what it took is not known any more. */
  #checkpoint() {
    const { last } = this.#copies;
    return (
      last && {
        line: last.line,
        written_at: last.writtenUs / 1e6,
        bytes: last.bytes,
        pause_ms: numberOrNull(last.pauseMs),
        duration_ms: numberOrNull(last.durationMs),
        first_line_needed: last.firstLineNeeded,
      }
    );
  }

  /** One that runs counts from the moment on at which it takes longer than the last one did. */
  #lastSyncMs(): number | null {
    const { syncMs } = this.#board.durable();
    const sinceMs = this.#board.syncSinceMs;
    const runningMs = sinceMs === null ? 0 : process.uptime() * 1000 - sinceMs;
    if (Number.isNaN(syncMs)) return runningMs > 0 ? runningMs : null;
    return Math.max(syncMs, runningMs);
  }

  #utilization(stage: number, seconds: number): number {
    const busyMs = this.#last.busyMs[stage]! - this.#before.busyMs[stage]!;
    return Math.min(1, Math.max(0, busyMs / 1000 / seconds));
  }

  #take(): Sample {
    return {
      atMs: performance.now(),
      lines: this.#ledger.totals().lines,
      busyMs: STAGE_NAMES.map((_, stage) => this.#vitals.busyMs(stage)),
    };
  }
}

function numberOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** @returns null when events are taken and questions answered, else why not yet, or not any more */
export function whyNotReady(vitals: Vitals): string | null {
  if (vitals.stopping) return 'stopping';
  if (vitals.state(STAGE_FOLD) !== STAGE_RUNNING) return RECOVERING;
  if (vitals.state(STAGE_INGEST) !== STAGE_RUNNING) return 'starting';
  return null;
}
