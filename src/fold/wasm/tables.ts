/** The tables that an event changes, over parts of the linear memory: what state/tables.ts is for JavaScript, in its place. */

import { BOARD_LIMITS, Board } from '../../state/board.js';
import { Cells } from '../../state/cells.js';
import { Buckets } from '../../state/histogram.js';
import { LimitsInForce } from '../../state/limits-in-force.js';
import { Names } from '../../state/names.js';
import { Reports } from '../../state/reports.js';
import { Shares } from '../../state/shares.js';
import { Tasks } from '../../state/tasks.js';
import { WindowBlocks } from '../../state/window-blocks.js';
import { Workflows } from '../../state/workflows.js';

export class Tables {
  readonly board: Board;
  readonly limits: LimitsInForce;
  readonly names: Names;
  readonly workflows: Workflows;
  readonly tasks: Tasks;
  readonly shares: Shares;
  readonly cells: Cells;
  readonly buckets: Buckets;
  readonly hourBuckets: Buckets;
  readonly windowBuckets: Buckets;
  readonly windowBlocks: WindowBlocks;
  readonly reports: Reports;

  /** @param parts by their place in WASM_PARTS of fold/wasm-events.ts */
  constructor(parts: StaticArray<MemoryPart>) {
    const limits = new LimitsInForce(parts[0], BOARD_LIMITS);
    const names = new Names(parts[1], parts[2]);
    const workflows = new Workflows(parts[3], parts[4], names);
    this.board = new Board(parts[0]);
    this.limits = limits;
    this.names = names;
    this.workflows = workflows;
    this.tasks = new Tasks(parts[5], parts[6], names, workflows);
    this.shares = new Shares(parts[7], parts[8], names, workflows);
    this.cells = new Cells(parts[9], parts[10], names, limits);
    this.buckets = new Buckets(parts[11]);
    this.hourBuckets = new Buckets(parts[12]);
    this.windowBuckets = new Buckets(parts[13]);
    this.windowBlocks = new WindowBlocks(parts[14]);
    this.reports = new Reports(parts[15], parts[16], names);
  }
}
