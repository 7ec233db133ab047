/** All metrics of the daemon, as Prometheus reads them. */

import { STAGE_NAMES, Vitals } from '../ring/vitals.js';
import type { Tables } from '../state/tables.js';
import { writeCellMetrics } from './cell-metrics.js';
import { Exposition, type ExpositionFormat } from './exposition.js';
import { writeOwnMetrics } from './own-metrics.js';
import { readProcessUsage } from './process-usage.js';
import type { StatusView } from './status.js';

export class MetricsView {
  readonly #tables: Tables;
  readonly #status: StatusView;
  readonly #vitals: Vitals;
  #bytesLast = 0;

  constructor(tables: Tables, status: StatusView, vitals: SharedArrayBuffer) {
    this.#tables = tables;
    this.#status = status;
    this.#vitals = new Vitals(vitals);
  }

  render(format: ExpositionFormat): Uint8Array {
    const to = new Exposition(format, this.#bytesLast);
    writeOwnMetrics(
      {
        status: this.#status.render(),
        process: readProcessUsage(),
        nodeVersion: process.version,
        seriesMax: this.#tables.memory.limits.maxSeries,
        lastLine: this.#tables.board.line,
        busySeconds: STAGE_NAMES.map((thread, stage) => ({
          thread,
          seconds: this.#vitals.busyMs(stage) / 1000,
        })),
      },
      to,
    );
    // The tables hold a part of the log until then: counters would fall and rise.
    if (!this.#status.recovering()) writeCellMetrics(this.#tables, to);
    const bytes = to.finish();
    this.#bytesLast = bytes.length + bytes.length / 8;
    return bytes;
  }
}
