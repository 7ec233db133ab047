/** Everything that the daemon's threads share, allocated once by main and handed to every stage that it starts. */

import { allocateArchiveBoard, type Written } from '../archive/board.js';
import { allocateDamageList } from '../archive/damage-list.js';
import { RejectsBoard } from '../archive/rejects.js';
import { allocateCopies, type CopiesMemory } from '../checkpoint/table-copies.js';
import type { Config } from '../config/config.js';
import { allocateProgress } from '../fold/progress.js';
import { allocateBell } from '../ring/bell.js';
import { allocateCuts, type CutsMemory } from '../ring/cuts.js';
import { allocateRing, type RingMemory } from '../ring/layout.js';
import { allocateLedger, type LedgerMemory } from '../ring/ledger.js';
import { allocateMailbox, type MailboxMemory } from '../ring/mailbox.js';
import { allocateVitals } from '../ring/vitals.js';
import { allocateTables, type StateLimits, type TablesMemory } from '../state/layout.js';
import { type Limits, largestLimits } from '../state/limits.js';

/** At least as many as one socket read of 256 KiB can have lines. */
const CUT_ENTRIES = 512 * 1024;
const MAILBOX_BYTES = 1024 * 1024;

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
  readonly damage: SharedArrayBuffer;
  readonly rejects: SharedArrayBuffer;
  readonly foldBell: SharedArrayBuffer;
  readonly archiveBell: SharedArrayBuffer;
  readonly syncBell: SharedArrayBuffer;
  readonly mainBell: SharedArrayBuffer;
  readonly maxLineBytes: number;
  readonly clientMemoryUs: number;
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
 * @param written what the log holds; its position is where the ring begins
 * @param logged limits that the log speaks of: lines of it were folded under them, and will be again
 */
export function allocateDaemon(
  config: Config,
  written: Written,
  logged: readonly Partial<Limits>[] = [],
): DaemonMemory {
  // A slot is free again only when the fold has passed the end of its connection, so some more than can be open.
  const slots = config.ingest.maxConnections * 2;
  const limits = largestLimits(stateLimitsOf(config), logged);
  return {
    ring: allocateRing(config.ring.bytes, written.position),
    cuts: allocateCuts(CUT_ENTRIES),
    mailbox: allocateMailbox(MAILBOX_BYTES),
    ledger: allocateLedger(slots),
    vitals: allocateVitals(),
    progress: allocateProgress(written.position, written.line, written.lastArrivedUs),
    tables: allocateTables(limits),
    copies: allocateCopies(limits),
    archiveBoard: allocateArchiveBoard(written),
    damage: allocateDamageList(),
    rejects: RejectsBoard.allocate(),
    foldBell: allocateBell(),
    archiveBell: allocateBell(),
    syncBell: allocateBell(),
    mainBell: allocateBell(),
    maxLineBytes: config.ingest.maxLineBytes,
    clientMemoryUs: config.ingest.clientMemoryMs * 1000,
  };
}
