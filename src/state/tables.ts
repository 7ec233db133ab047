/** All tables of the state over one set of shared buffers, and the way to read them from another thread. */

import { BOARD_LIMITS, Board } from './board.js';
import { Cells } from './cells.js';
import { Clients } from './clients.js';
import { Buckets } from './histogram.js';
import { type TableName, type TablesMemory, tableBounds } from './layout.js';
import { type Limits, setLimits } from './limits.js';
import { LimitsInForce } from './limits-in-force.js';
import { Names } from './names.js';
import { Reports } from './reports.js';
import { Shares } from './shares.js';
import { Tasks } from './tasks.js';
import { WindowBlocks } from './window-blocks.js';
import { Workflows } from './workflows.js';

const READ_TRIES = 1000;

export class Tables {
  readonly memory: TablesMemory;
  readonly board: Board;
  readonly limits: LimitsInForce;
  readonly names: Names;
  readonly workflows: Workflows;
  readonly tasks: Tasks;
  readonly shares: Shares;
  readonly cells: Cells;
  readonly buckets: Buckets;
  /**
   * Histograms of the hour that is open (fold/hours.ts). They have as much room as those over all time, and no limit below it: an
   * hour's octaves are among those of all time, so a sample that finds room there finds it here.
   */
  readonly hourBuckets: Buckets;
  readonly clients: Clients;
  /** Histograms of the windows' open slots. */
  readonly windowBuckets: Buckets;
  readonly windowBlocks: WindowBlocks;
  readonly reports: Reports;

  constructor(memory: TablesMemory) {
    this.memory = memory;
    this.board = new Board(memory.board);
    this.limits = new LimitsInForce(memory.board, BOARD_LIMITS);
    this.names = new Names(memory.names, memory.namesIndex);
    this.workflows = new Workflows(memory.workflows, memory.workflowsIndex, this.names);
    this.tasks = new Tasks(memory.tasks, memory.tasksIndex, this.names, this.workflows);
    this.shares = new Shares(memory.shares, memory.sharesIndex, this.names, this.workflows);
    this.cells = new Cells(memory.cells, memory.cellsIndex, this.names, this.limits);
    this.buckets = new Buckets(memory.buckets);
    this.hourBuckets = new Buckets(memory.hourBuckets);
    this.clients = new Clients(memory.clients);
    this.windowBuckets = new Buckets(memory.windowBuckets);
    this.windowBlocks = new WindowBlocks(memory.windowBlocks);
    this.reports = new Reports(memory.reports, memory.reportsIndex, this.names);
    this.takeLimits();
  }

  /** Those that the board says, which another thread or a checkpoint may have set; in a new state those of the memory. */
  takeLimits(): void {
    this.setLimits(this.limits.isNew ? this.memory.limits : {});
  }

  /** These hold from now on. The memory must be large enough for them. */
  setLimits(limits: Partial<Limits>): void {
    setLimits(this.limits, limits);
    const bounds = tableBounds(this.limits);
    this.names.setLimit(bounds.namesBytes);
    this.shares.table.setLimit(bounds.shareSlots);
    this.buckets.setLimit(bounds.bucketBlocks);
    this.windowBuckets.setLimit(bounds.windowBucketBlocks);
    this.windowBlocks.setLimit(bounds.windowBlocksBytes);
    this.reports.table.setLimit(bounds.reportSlots);
  }

  /**
   * Of each memory the bytes from its start that are in use. What lies behind them is zeros, untouched, and costs no
   * memory. The one list of what the state is: whatever copies, keeps or compares it goes by this.
   */
  usedRanges(): Record<TableName, number> {
    return {
      board: this.memory.board.byteLength,
      names: this.names.heapBytes,
      namesIndex: this.names.indexBytes,
      workflows: this.workflows.table.usedBytes,
      workflowsIndex: this.workflows.indexBytes,
      tasks: this.tasks.table.usedBytes,
      tasksIndex: this.tasks.indexBytes,
      shares: this.shares.table.usedBytes,
      sharesIndex: this.shares.indexBytes,
      cells: this.cells.table.usedBytes,
      cellsIndex: this.cells.indexBytes,
      buckets: this.buckets.usedBytes,
      hourBuckets: this.hourBuckets.usedBytes,
      clients: this.clients.usedBytes,
      windowBuckets: this.windowBuckets.usedBytes,
      windowBlocks: this.windowBlocks.usedBytes,
      reports: this.reports.table.usedBytes,
      reportsIndex: this.reports.indexBytes,
    };
  }

  usedBytes(): number {
    return Object.values(this.usedRanges()).reduce((sum, bytes) => sum + bytes, 0);
  }

  clear(): void {
    this.board.clear();
    this.workflows.clear();
    this.tasks.clear();
    this.shares.clear();
    this.cells.clear();
    this.buckets.clear();
    this.hourBuckets.clear();
    this.windowBuckets.clear();
    this.windowBlocks.clear();
    this.reports.clear();
    this.names.clear();
    this.clients.clear();
    this.setLimits(this.memory.limits);
  }
}

/**
 * Reads a slot from a thread that is not the fold's: `read` runs again until no change fell into it.
 * @returns undefined if the slot changed at every one of the tries
 */
export function readSlot<T>(
  table: { version(slot: number): number },
  slot: number,
  read: () => T,
): T | undefined {
  for (let tries = 0; tries < READ_TRIES; tries++) {
    const before = table.version(slot);
    if (before < 0) continue;
    const result = read();
    if (table.version(slot) === before) return result;
  }
  return undefined;
}
