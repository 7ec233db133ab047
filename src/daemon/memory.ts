/** Everything that the daemon's threads share, allocated once by main and handed to every stage that it starts. */

import { allocateArchiveBoard, type FoundLog } from '../archive/board.js';
import { allocateDamageList } from '../archive/damage-list.js';
import { RejectsBoard } from '../archive/rejects.js';
import { frameBytesMax } from '../archive/stage.js';
import { UnsyncedFrames } from '../archive/unsynced-frames.js';
import { allocateUpkeep } from '../archive/upkeep-board.js';
import { allocateCopies, type CopiesMemory } from '../checkpoint/table-copies.js';
import type { Config } from '../config/config.js';
import { moduleBytes } from '../fold/compiled-events.js';
import { allocateProgress } from '../fold/progress.js';
import { type Allocate, type LinearMemory, layOut } from '../model/linear-memory.js';
import { allocatePart } from '../model/memory.js';
import { allocateBell } from '../ring/bell.js';
import { allocateCuts, type CutsMemory } from '../ring/cuts.js';
import { allocateRing, type RingMemory } from '../ring/layout.js';
import { allocateLedger, type LedgerMemory } from '../ring/ledger.js';
import { allocateMailbox, type MailboxMemory } from '../ring/mailbox.js';
import { allocateSettings, type SettingValues } from '../ring/settings.js';
import { allocateVitals } from '../ring/vitals.js';
import { allocateTables, type StateLimits, type TablesMemory } from '../state/layout.js';
import { type Limits, largestLimits } from '../state/limits.js';

/** At least as many as one socket read of 256 KiB can have lines. */
const CUT_ENTRIES = 512 * 1024;
/**
 * For as many connections as ingest.max_connections may become at a reload, and twice that: a slot is free again only when the
 * fold has passed the end of its connection. Slots that were never used take no memory.
 */
const CONNECTION_SLOTS = 2 * 65_536;
const MAILBOX_BYTES = 1024 * 1024;

const EMPTY_LOG: FoundLog = {
  position: 0,
  line: 0,
  cuts: 0,
  segment: 0,
  segmentBytes: 0,
  segmentSinceUs: 0,
  segments: 0,
  rawBytes: 0,
  compressedBytes: 0,
  lastArrivedUs: 0,
  oldestUs: 0,
};

export interface DaemonMemory {
  readonly ring: RingMemory;
  readonly cuts: CutsMemory;
  readonly mailbox: MailboxMemory;
  readonly ledger: LedgerMemory;
  readonly vitals: SharedArrayBuffer;
  readonly progress: SharedArrayBuffer;
  readonly tables: TablesMemory;
  readonly copies: CopiesMemory;
  readonly archiveBoard: SharedArrayBuffer;
  readonly upkeep: SharedArrayBuffer;
  readonly damage: SharedArrayBuffer;
  readonly unsynced: SharedArrayBuffer;
  readonly rejects: SharedArrayBuffer;
  readonly foldBell: SharedArrayBuffer;
  readonly archiveBell: SharedArrayBuffer;
  readonly syncBell: SharedArrayBuffer;
  readonly mainBell: SharedArrayBuffer;
  readonly maxLineBytes: number;
  /** What a reload changes. */
  readonly settings: SharedArrayBuffer;
}

/** What the configuration says of the state. */
export function stateLimitsOf({ state, stats, ingest }: Config): StateLimits {
  return {
    maxLiveWorkflows: state.maxLiveWorkflows,
    maxRecentWorkflows: state.maxRecentWorkflows,
    maxTasksPerWorkflow: state.maxTasksPerWorkflow,
    maxTasks: state.maxTasks,
    maxSeries: stats.maxSeries,
    seriesIdleMs: stats.seriesIdleMs,
    windowBytes: stats.windowBytes,
    namesBytes: state.namesBytes,
    staleAfterMs: state.staleAfterMs,
    maxClients: ingest.maxClients,
  };
}

/**
 * @param found what the log holds; its position is where the ring begins
 * @param logged limits that the log speaks of: lines of it were folded under them, and will be again
 * @param module the compiled fold; without it, or with limits beyond 4 GiB, lines are folded by JavaScript
 */
export function allocateDaemon(
  config: Config,
  found: FoundLog,
  logged: readonly Partial<Limits>[] = [],
  module: WebAssembly.Module | null = null,
): DaemonMemory {
  const limits = largestLimits(stateLimitsOf(config), logged);
  const lay = (allocate: Allocate, linear: LinearMemory | null) => ({
    ring: allocateRing(config.ring.bytes, found.position, allocate),
    tables: allocateTables(limits, allocate, linear),
  });
  // The compiled fold reads names where they arrive, so the ring is in its memory, too.
  const laid = module === null ? null : layOut(module, moduleBytes(limits), lay);
  return {
    ...(laid ?? lay(allocatePart, null)),
    cuts: allocateCuts(CUT_ENTRIES),
    mailbox: allocateMailbox(MAILBOX_BYTES),
    ledger: allocateLedger(CONNECTION_SLOTS),
    vitals: allocateVitals(),
    progress: allocateProgress(found.position, found.line, found.lastArrivedUs),
    copies: allocateCopies(limits),
    archiveBoard: allocateArchiveBoard(found),
    upkeep: allocateUpkeep(),
    unsynced: UnsyncedFrames.allocate(
      frameBytesMax(config.ring.bytes, config.ingest.maxLineBytes, limits.maxClients),
    ),
    damage: allocateDamageList(),
    rejects: RejectsBoard.allocate(),
    foldBell: allocateBell(),
    archiveBell: allocateBell(),
    syncBell: allocateBell(),
    mainBell: allocateBell(),
    maxLineBytes: config.ingest.maxLineBytes,
    settings: allocateSettings(settingsOf(config)),
  };
}

export function settingsOf({ archive, ingest }: Config): SettingValues {
  const { segmentBytes, segmentAgeMs, syncIntervalMs } = archive;
  const prunesWhenFull = archive.onFull === 'prune';
  return {
    segmentBytes,
    segmentAgeMs,
    syncIntervalMs,
    clientMemoryMs: ingest.clientMemoryMs,
    prunesWhenFull,
  };
}

/** What all of it takes once every table is full. Asks for it, and touches nothing. @throws RangeError where it is refused */
export function sharedBytesMax(config: Config): number {
  return bytesOf(allocateDaemon(config, EMPTY_LOG));
}

function bytesOf(memory: unknown): number {
  if (memory instanceof SharedArrayBuffer || ArrayBuffer.isView(memory)) return memory.byteLength;
  if (typeof memory !== 'object' || memory === null) return 0;
  return Object.values(memory).reduce((sum: number, one) => sum + bytesOf(one), 0);
}
