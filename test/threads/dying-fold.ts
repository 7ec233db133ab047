/** The fold's worker (workers/fold.ts), with a lifecycle and a decoder that die where they are told to. */

import type { DaemonMemory } from '../../src/daemon/memory.js';
import { rebuildTables } from '../../src/daemon/rebuild.js';
import type { Decoder } from '../../src/decode/decoder.js';
import { Lifecycle } from '../../src/fold/lifecycle.js';
import { runFold } from '../../src/fold/stage.js';
import type { Tables } from '../../src/state/tables.js';
import { countPass, die, type FoldFault } from './faults.js';

export interface DyingFoldTask {
  readonly memory: DaemonMemory;
  readonly directory: string;
  readonly rerun: boolean;
  readonly faults: readonly FoldFault[];
  readonly counts: SharedArrayBuffer;
}

export default function fold({ memory, directory, rerun, faults, counts }: DyingFoldTask): Promise<void> {
  const bytes = new Uint8Array(memory.ring.data);
  let line = -1;

  const pass = (at: FoldFault['at'], spoil: () => void = () => {}) => {
    faults.forEach((fault, i) => {
      if (fault.at !== at || (fault.n !== undefined && fault.n !== line)) return;
      const { skip = 0, times = 1, how } = fault;
      const passed = countPass(counts, i);
      if (passed < skip || passed >= skip + times) return;
      spoil();
      die(counts, i, how, `${at} line ${line}`);
    });
  };

  class DyingLifecycle extends Lifecycle {
    readonly #tables: Tables;

    constructor(tables: Tables, decoder: Decoder) {
      super(tables, decoder);
      this.#tables = tables;
      const decode = decoder.decodeNext.bind(decoder);
      decoder.decodeNext = (at, end) => {
        line = numberOf(bytes, at, end);
        pass('decode');
        return decode(at, end);
      };
    }

    override apply(code: number, number: number, arrivedUs: number): void {
      pass('before');
      super.apply(code, number, arrivedUs);
      // The change is made, a slot is left locked, and a count is wrong: what a death in the middle leaves behind.
      pass('after', () => {
        this.#tables.workflows.table.lock(1);
        this.#tables.board.count(0);
      });
    }
  }

  const rebuild = async (tables: Tables, lastLine: number) => {
    pass('rebuild', () => tables.clear());
    await rebuildTables(tables, directory, memory.archiveBoard, lastLine);
    pass('rebuilt', () => tables.board.count(0));
  };
  return runFold(
    memory,
    { rebuild, createLifecycle: (tables, decoder) => new DyingLifecycle(tables, decoder) },
    rerun,
  );
}

/** What stands behind `"n":` in the line at this offset; −1: it has none. */
function numberOf(bytes: Uint8Array, at: number, end: number): number {
  const text = Buffer.from(bytes.slice(at, Math.min(end, at + 400))).toString('latin1');
  const lineEnd = text.indexOf('\n');
  const found = /"n":(\d+)/.exec(lineEnd < 0 ? text : text.slice(0, lineEnd));
  return found === null ? -1 : Number(found[1]);
}
