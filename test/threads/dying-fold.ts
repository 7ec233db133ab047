/** The fold's worker (workers/fold.ts), with a lifecycle and a decoder that die where they are told to. */

import { join } from 'node:path';
import { TableCopies } from '../../src/checkpoint/table-copies.js';
import type { DaemonMemory } from '../../src/daemon/memory.js';
import { rebuildTables } from '../../src/daemon/rebuild.js';
import type { Decoder } from '../../src/decode/decoder.js';
import { Lifecycle } from '../../src/fold/lifecycle.js';
import { Progress } from '../../src/fold/progress.js';
import { runFold } from '../../src/fold/stage.js';
import { Ledger } from '../../src/ring/ledger.js';
import { MailboxWriter } from '../../src/ring/mailbox.js';
import { Clients } from '../../src/state/clients.js';
import type { Tables } from '../../src/state/tables.js';
import { countPass, die, type FoldFault, type FoldStep } from './faults.js';

export interface DyingFoldTask {
  readonly memory: DaemonMemory;
  readonly directory: string;
  readonly rerun: boolean;
  readonly faults: readonly FoldFault[];
  readonly counts: SharedArrayBuffer;
}

const STEPS: Readonly<Record<FoldStep, object>> = {
  'Clients.assign': Clients.prototype,
  'Clients.restart': Clients.prototype,
  'Clients.setOwner': Clients.prototype,
  'Clients.setFolded': Clients.prototype,
  'Ledger.supersede': Ledger.prototype,
  'MailboxWriter.tryPost': MailboxWriter.prototype,
  'Progress.commit': Progress.prototype,
};

/** Told of every step. The thread that runs a fold again may be the same, so the steps are wrapped once. */
let onStep: (at: FoldFault['at']) => void = () => {};

for (const [step, prototype] of Object.entries(STEPS)) {
  const methods = prototype as Record<string, (...args: unknown[]) => unknown>;
  const name = step.split('.')[1]!;
  const method = methods[name]!;
  methods[name] = function (...args) {
    onStep(`before ${step as FoldStep}`);
    const result = method.apply(this, args);
    onStep(`after ${step as FoldStep}`);
    return result;
  };
}

export default function fold({ memory, directory, rerun, faults, counts }: DyingFoldTask): Promise<void> {
  const bytes = memory.ring.data;
  let line = -1;
  let atTick = false;

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

  onStep = (at) => {
    pass(at);
    if (at === 'before Progress.commit' && atTick) {
      atTick = false;
      pass('tick done');
    }
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

    override tick(kind: number, payload: Uint8Array, number: number, arrivedUs: number): boolean {
      // A rebuild knows the number of a tick, and is not what dies here.
      const isLive = Number.isNaN(number);
      if (isLive) pass('before tick');
      const changed = super.tick(kind, payload, number, arrivedUs);
      if (isLive) pass('after tick', () => this.#tables.board.count(0));
      atTick = isLive;
      return changed;
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

  const rebuild = async (tables: Tables, lastLine: number, position: number) => {
    pass('rebuild', () => tables.clear());
    const checkpointDirectory = join(directory, 'checkpoint');
    const { archiveBoard } = memory;
    const sources = { archiveDirectory: directory, checkpointDirectory, archiveBoard };
    await rebuildTables(tables, sources, lastLine, position);
    pass('rebuilt', () => tables.board.count(0));
  };
  return runFold(
    memory,
    {
      rebuild,
      copier: new TableCopies(memory.copies),
      createLifecycle: (tables, decoder) => new DyingLifecycle(tables, decoder),
    },
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
