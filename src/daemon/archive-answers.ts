/** The part of the control thread that looks into the archive: lookups, scans, and the index that is kept behind its writer. */

import type { ServerResponse } from 'node:http';
import { LogIndex } from '../archive/log-index.js';
import { UpkeepBoard } from '../archive/upkeep-board.js';
import { ArchiveStreams } from '../control/archive-streams.js';
import type { MainPort } from '../control/main-port.js';
import type { ArchiveFilter } from '../query/archive-filter.js';
import { IndexFollower } from '../query/index-follower.js';
import { LogEnd } from '../query/log-end.js';
import type { StatusView } from '../query/status.js';
import type { Texts } from '../query/texts.js';
import { WorkflowLookup } from '../query/workflow-lookup.js';
import { Ledger } from '../ring/ledger.js';
import type { Tables } from '../state/tables.js';
import { ArchivePool, BACKGROUND } from './archive-pool.js';
import type { DaemonMemory } from './memory.js';

export interface ArchiveAnswersParts {
  readonly tables: Tables;
  readonly texts: Texts;
  readonly status: StatusView;
  /** Told what cannot be read. */
  readonly main: Pick<MainPort, 'tellWarning' | 'tellBug'>;
}

export class ArchiveAnswers {
  readonly workflows: WorkflowLookup;
  readonly #streams: ArchiveStreams;
  readonly #pool = new ArchivePool(BACKGROUND);
  readonly #follower: IndexFollower;

  constructor(memory: DaemonMemory, directory: string, { tables, texts, status, main }: ArchiveAnswersParts) {
    const { tellWarning: onWarning, tellBug: onBug } = main;
    const end = new LogEnd(memory);
    const ledger = new Ledger(memory.ledger);
    const upkeep = new UpkeepBoard(memory.upkeep);
    const index = new LogIndex(directory, {
      builder: this.#pool,
      onWritten: (failure) => {
        // Told once for a time in which the disk takes none.
        if (failure !== null && !upkeep.indexesFail) onWarning(`${failure.message}; it is tried again`);
        upkeep.setIndexesFail(failure !== null);
      },
    });
    this.workflows = new WorkflowLookup({ tables, texts, end, index, historian: this.#pool });
    this.#streams = new ArchiveStreams({
      directory,
      end,
      scanner: this.#pool,
      indexOf: (segment, bytes) => index.atHand(segment, bytes),
      lastLine: () => tables.board.line,
      onWarning,
      onBug,
    });
    this.#follower = new IndexFollower(index, {
      isReady: () => status.notReady() === null,
      stalls: () => ledger.totals().stalls,
      position: () => end.position,
      onWarning,
      onBug,
    });
  }

  /** @throws Problem */
  serve(response: ServerResponse, filter: ArchiveFilter): void {
    this.#streams.serve(response, filter);
  }

  async close(): Promise<void> {
    this.#follower.stop();
    await this.#pool.close();
  }
}
