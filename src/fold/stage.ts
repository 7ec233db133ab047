/**
 * The fold's loop over the ring: every line of every record is decoded, and changes the tables or is cut out of the
 * record for its reason. It blocks its thread; src/ring/README.md has the order of the cursors, progress.ts what happens
 * when the thread dies at any point of it.
 */

import assert from 'node:assert/strict';
import { ID_NUMBER, ID_STRING, SCRATCH_OFFSET } from '../decode/decoded-event.js';
import { Decoder } from '../decode/decoder.js';
import { CONTROL_HELLO, CONTROL_MALFORMED, CONTROL_SYNC, EVENT_UNKNOWN, LINE_EMPTY } from '../model/event.js';
import { REFUSAL_INTERNAL, REFUSAL_REASONS, REFUSAL_TOO_LONG } from '../model/refusal.js';
import { Bell } from '../ring/bell.js';
import { CUT_SILENT, type CutsMemory, CutsWriter } from '../ring/cuts.js';
import {
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  CURSOR_WAKE_AT,
  CURSOR_WANTED,
  FLAG_STALLED,
  KIND_CLOSE,
  KIND_TOO_LONG,
  type RingMemory,
} from '../ring/layout.js';
import { Ledger, type LedgerMemory, SLOT_TOTAL } from '../ring/ledger.js';
import {
  MAIL_ERROR,
  MAIL_SYNC,
  type MailboxMemory,
  MailboxWriter,
  TEXT_NONE,
  TEXT_NUMBER,
  TEXT_STRING,
} from '../ring/mailbox.js';
import { RingReader } from '../ring/reader.js';
import { STAGE_DONE, STAGE_FOLD, STAGE_RECOVERING, STAGE_RUNNING, Vitals } from '../ring/vitals.js';
import type { TablesMemory } from '../state/layout.js';
import { Tables } from '../state/tables.js';
import { Lifecycle } from './lifecycle.js';
import {
  COMMIT_ACCEPTED,
  COMMIT_ARRIVED,
  COMMIT_BY_REASON,
  COMMIT_CUTS,
  COMMIT_GENERATION,
  COMMIT_LINE,
  COMMIT_POSITION,
  COMMIT_REJECTED,
  COMMIT_SLOT,
  COMMIT_SLOT_ACCEPTED,
  COMMIT_SLOT_REJECTED,
  COMMIT_SLOT_UNCOUNTED,
  COMMIT_UNCOUNTED,
  Progress,
} from './progress.js';

export interface FoldMemory {
  readonly ring: RingMemory;
  readonly cuts: CutsMemory;
  readonly mailbox: MailboxMemory;
  readonly ledger: LedgerMemory;
  readonly vitals: SharedArrayBuffer;
  readonly progress: SharedArrayBuffer;
  readonly tables: TablesMemory;
  readonly foldBell: SharedArrayBuffer;
  readonly archiveBell: SharedArrayBuffer;
  readonly mainBell: SharedArrayBuffer;
  readonly maxLineBytes: number;
}

export interface FoldParts {
  /** Clears the tables and fills them out of the log, up to and with this line, for which it waits if it is not written yet. */
  readonly rebuild: (tables: Tables, lastLine: number) => Promise<void>;
  /** For tests that make the fold die at a line. */
  readonly createLifecycle?: (tables: Tables, decoder: Decoder) => Lifecycle;
}

/** Folds until the vitals say stop and no record is left. @param rerun whether a fold before this one died */
export function runFold(memory: FoldMemory, parts: FoldParts, rerun: boolean): Promise<void> {
  return new Fold(memory, parts).run(rerun);
}

const NO_TEXT = new Uint8Array(0);
const WAIT_MS = 1;
const BUSY_STEP_MS = 100;

/** What `#line` does with a line: all there is to do, or what a fold before this one has already done, half or whole. */
const MODE_FOLD = 0;
const MODE_COUNT = 1;
const MODE_REAPPLY = 2;

class Fold {
  readonly #parts: FoldParts;
  readonly #tables: Tables;
  readonly #decoder = new Decoder();
  readonly #lifecycle: Lifecycle;
  readonly #progress: Progress;
  readonly #commit: Float64Array;
  readonly #reader: RingReader;
  readonly #cuts: CutsWriter;
  readonly #mailbox: MailboxWriter;
  readonly #ledger: Ledger;
  readonly #vitals: Vitals;
  readonly #bell: Bell;
  readonly #archiveBell: Bell;
  readonly #mainBell: Bell;
  readonly #maxLineBytes: number;
  readonly #idle = new Int32Array(new SharedArrayBuffer(4));
  // Counts of the record in work.
  #accepted = 0;
  #rejected = 0;
  #uncounted = 0;
  /** Whether a client waits for the record to be durable. */
  #wantDurable = false;
  /** The position that was last wanted. */
  #wanted = 0;

  constructor(memory: FoldMemory, parts: FoldParts) {
    this.#parts = parts;
    this.#maxLineBytes = memory.maxLineBytes;
    this.#tables = new Tables(memory.tables);
    const create = parts.createLifecycle ?? ((tables, decoder) => new Lifecycle(tables, decoder));
    this.#lifecycle = create(this.#tables, this.#decoder);
    this.#decoder.attach(memory.ring.data, 0, memory.ring.data.byteLength);
    this.#lifecycle.attach(new DataView(memory.ring.data));
    this.#progress = new Progress(memory.progress);
    this.#commit = this.#progress.load();
    this.#reader = new RingReader(memory.ring, CURSOR_PUBLISHED, this.#commit[COMMIT_POSITION]!);
    this.#cuts = new CutsWriter(memory.cuts, this.#commit[COMMIT_CUTS]!);
    this.#mailbox = new MailboxWriter(memory.mailbox);
    this.#ledger = new Ledger(memory.ledger);
    this.#vitals = new Vitals(memory.vitals);
    this.#bell = new Bell(memory.foldBell);
    this.#archiveBell = new Bell(memory.archiveBell);
    this.#mainBell = new Bell(memory.mainBell);
  }

  async run(rerun: boolean): Promise<void> {
    if (rerun) {
      this.#publishCommit();
      // The one before may have died between a commit and the wish of a client that waits for it.
      this.#want(this.#commit[COMMIT_POSITION]!);
    }
    await this.#takeOver(rerun);
    this.#vitals.setState(STAGE_FOLD, STAGE_RUNNING);
    let busySince = performance.now();
    for (;;) {
      while (this.#reader.tryNext()) {
        this.#record(0, MODE_FOLD);
        // Under load it never sleeps, and its utilization is to be seen then most of all.
        const nowMs = performance.now();
        if (nowMs - busySince > BUSY_STEP_MS) {
          this.#vitals.addBusyMs(STAGE_FOLD, nowMs - busySince);
          busySince = nowMs;
        }
      }
      if (this.#vitals.stopping && !this.#reader.hasNext()) break;
      this.#vitals.addBusyMs(STAGE_FOLD, performance.now() - busySince);
      // Main waits for room, and what the archive has staged is all that can free some.
      if (Atomics.load(this.#reader.cursors, FLAG_STALLED) !== 0) this.#archiveBell.ring();
      this.#bell.sleep(() => this.#reader.hasNext() || this.#vitals.stopping, Number.POSITIVE_INFINITY);
      busySince = performance.now();
    }
    this.#vitals.setState(STAGE_FOLD, STAGE_DONE);
    this.#archiveBell.ring();
  }

  /**
   * Begins, or goes on where another fold died. Died between lines: the lines of the record before that are counted again,
   * which the ledger needs, and not applied. Died inside a line's changes, or while it rebuilt: the tables are
   * rebuilt out of the log, and then the lines of the record before that are applied again.
   */
  async #takeOver(rerun: boolean): Promise<void> {
    const progress = this.#progress;
    const offset = progress.offset;
    const rebuild = !progress.tablesValid || progress.changing;
    if (rerun && progress.tablesValid && progress.working) {
      const deaths = progress.countDeath(this.#commit[COMMIT_POSITION]! + offset);
      if (deaths >= 2) progress.addInternal(offset);
    }
    if (rebuild) {
      this.#vitals.setState(STAGE_FOLD, STAGE_RECOVERING);
      progress.setTablesValid(false);
      const line = this.#commit[COMMIT_LINE]!;
      this.#want(this.#commit[COMMIT_POSITION]!);
      await this.#parts.rebuild(this.#tables, line);
      assert.equal(
        this.#tables.board.line,
        line,
        'the log and the fold differ on the number of the last line',
      );
    }
    if (offset > 0) {
      assert(this.#reader.tryNext());
      this.#record(offset, rebuild ? MODE_REAPPLY : MODE_COUNT);
    } else if (rebuild) {
      progress.done(0);
      progress.setTablesValid(true);
    }
  }

  /** One record. @param resumeAt offset of the first line that is not done yet @param before the mode for those before it */
  #record(resumeAt: number, before: number): void {
    const reader = this.#reader;
    const kind = reader.kind;
    this.#accepted = 0;
    this.#rejected = 0;
    this.#uncounted = 0;
    this.#progress.setWorking(true);
    this.#cuts.beginRecord();
    this.#loadSlot(reader.connection);
    const bytes = reader.payloadBytes;
    if (kind === KIND_TOO_LONG) {
      this.#refuse(REFUSAL_TOO_LONG, 0, bytes);
    } else if (kind !== KIND_CLOSE) {
      if (resumeAt > 0) {
        this.#lines(0, resumeAt, before);
        if (before === MODE_REAPPLY) {
          this.#progress.done(resumeAt);
          this.#progress.setTablesValid(true);
        }
      }
      this.#lines(resumeAt, bytes, MODE_FOLD);
    }
    this.#finishRecord();
    if (kind === KIND_CLOSE) this.#mainBell.ring();
  }

  #lines(from: number, to: number, mode: number): void {
    const { payloadFrom, arrivedUs } = this.#reader;
    const decoder = this.#decoder;
    const progress = this.#progress;
    const hasInternals = progress.hasInternals;
    const line = this.#commit[COMMIT_LINE]!;
    const end = payloadFrom + to;
    let at = payloadFrom + from;
    while (at < end) {
      const offset = at - payloadFrom;
      let code =
        hasInternals && progress.isInternal(offset)
          ? this.#decodeInternal(at, end)
          : decoder.decodeNext(at, end);
      if (decoder.lineEnd - at > this.#maxLineBytes) code = -1 - REFUSAL_TOO_LONG;
      at = decoder.lineEnd + 1;
      if (code > 0 && code <= EVENT_UNKNOWN) {
        this.#accepted++;
        if (mode !== MODE_COUNT) {
          // In MODE_REAPPLY a death means a rebuild whatever the flag says, and the step must keep its offset.
          if (mode === MODE_FOLD) progress.beginChange(offset);
          this.#lifecycle.apply(code, line + this.#accepted, arrivedUs);
        }
      } else {
        this.#irregular(code, offset, at - payloadFrom - offset, mode);
      }
      if (mode === MODE_FOLD) progress.done(at - payloadFrom);
    }
  }

  /** A line at which the fold died twice is not decoded either: the decoder may be what kills it. */
  #decodeInternal(at: number, end: number): number {
    this.#decoder.lineEnd = this.#reader.bytes.indexOf(10, at);
    assert(this.#decoder.lineEnd >= at && this.#decoder.lineEnd < end);
    return -1 - REFUSAL_INTERNAL;
  }

  /** All but accepted lines: refused, empty, control. */
  #irregular(code: number, offset: number, length: number, mode: number): void {
    if (code < 0) {
      this.#refuse(-1 - code, offset, length);
      return;
    }
    this.#uncounted++;
    this.#cut(offset, length, CUT_SILENT);
    if (code === CONTROL_SYNC) this.#wantDurable = true;
    if (mode !== MODE_FOLD || code === LINE_EMPTY) return;
    if (code === CONTROL_SYNC) this.#postSync(offset);
    else if (code === CONTROL_MALFORMED) this.#postError(this.#decoder.event.controlReason, offset);
    else if (code === CONTROL_HELLO) this.#postError('hello is not supported by this version', offset);
  }

  #refuse(reason: number, offset: number, length: number): void {
    this.#rejected++;
    this.#commit[COMMIT_BY_REASON + reason]! += 1;
    this.#cut(offset, length, reason);
  }

  #cut(offset: number, length: number, reason: number): void {
    // The archive frees entries when it has written what is folded, so it is asked to write that now.
    while (!this.#cuts.hasRoom()) {
      this.#want(this.#commit[COMMIT_POSITION]!);
      Atomics.wait(this.#idle, 0, 0, WAIT_MS);
    }
    this.#cuts.cut(offset, length, reason);
  }

  #postSync(offset: number): void {
    const { event } = this.#decoder;
    const kind =
      event.idKind === ID_STRING ? TEXT_STRING : event.idKind === ID_NUMBER ? TEXT_NUMBER : TEXT_NONE;
    const scratch = event.idOffset >= SCRATCH_OFFSET;
    const bytes = scratch ? this.#decoder.scratch : this.#reader.bytes;
    const from = event.idOffset & ~SCRATCH_OFFSET;
    this.#post(MAIL_SYNC, offset, kind, bytes.subarray(from, from + event.idLength));
  }

  #postError(reason: string, offset: number): void {
    this.#post(MAIL_ERROR, offset, TEXT_STRING, Buffer.from(reason));
  }

  #post(mail: number, offset: number, textKind: number, text: Uint8Array): void {
    const commit = this.#commit;
    const slot = this.#reader.connection;
    const post = () =>
      this.#mailbox.tryPost(
        mail,
        slot,
        this.#ledger.generation(slot),
        this.#reader.end,
        this.#reader.position + offset,
        commit[COMMIT_SLOT_ACCEPTED]! + this.#accepted,
        commit[COMMIT_SLOT_REJECTED]! + this.#rejected,
        textKind,
        text.length > 0 ? text : NO_TEXT,
      );
    while (!post()) {
      this.#mainBell.ring();
      Atomics.wait(this.#idle, 0, 0, WAIT_MS);
    }
    this.#mainBell.ring();
  }

  /** Asks the archive to write and sync everything up to this position, which is folded, without delay. */
  #want(position: number): void {
    if (position <= this.#wanted) return;
    this.#wanted = position;
    Atomics.store(this.#reader.cursors, CURSOR_WANTED, position | 0);
    this.#archiveBell.ring();
  }

  #loadSlot(slot: number): void {
    const commit = this.#commit;
    const generation = this.#ledger.generation(slot);
    if (commit[COMMIT_SLOT] === slot && commit[COMMIT_GENERATION] === generation) return;
    commit[COMMIT_SLOT] = slot;
    commit[COMMIT_GENERATION] = generation;
    commit[COMMIT_SLOT_ACCEPTED] = this.#ledger.accepted(slot);
    commit[COMMIT_SLOT_REJECTED] = this.#ledger.rejected(slot);
    commit[COMMIT_SLOT_UNCOUNTED] = this.#ledger.uncounted(slot);
  }

  #finishRecord(): void {
    const commit = this.#commit;
    const reader = this.#reader;
    commit[COMMIT_POSITION] = reader.end;
    commit[COMMIT_LINE]! += this.#accepted;
    if (this.#accepted > 0) commit[COMMIT_ARRIVED] = reader.arrivedUs;
    commit[COMMIT_ACCEPTED]! += this.#accepted;
    commit[COMMIT_REJECTED]! += this.#rejected;
    commit[COMMIT_UNCOUNTED]! += this.#uncounted;
    commit[COMMIT_CUTS] = this.#cuts.written;
    commit[COMMIT_SLOT_ACCEPTED]! += this.#accepted;
    commit[COMMIT_SLOT_REJECTED]! += this.#rejected;
    commit[COMMIT_SLOT_UNCOUNTED]! += this.#uncounted;
    reader.setOutcome(this.#accepted, this.#cuts.count);
    this.#progress.commit(commit);
    this.#progress.setWorking(false);
    this.#publishCommit();
    if (!this.#wantDurable) return;
    this.#wantDurable = false;
    this.#want(commit[COMMIT_POSITION]!);
  }

  /** Sets from the last commit what others read. */
  #publishCommit(): void {
    const commit = this.#commit;
    const ledger = this.#ledger;
    const { cursors } = this.#reader;
    if (commit[COMMIT_LINE]! > 0) this.#tables.board.setLine(commit[COMMIT_LINE]!, commit[COMMIT_ARRIVED]!);
    // A fold that takes over may find another connection in the slot.
    if (ledger.generation(commit[COMMIT_SLOT]!) === commit[COMMIT_GENERATION]) {
      ledger.setFolded(
        commit[COMMIT_SLOT]!,
        commit[COMMIT_SLOT_ACCEPTED]!,
        commit[COMMIT_SLOT_REJECTED]!,
        commit[COMMIT_SLOT_UNCOUNTED]!,
      );
    }
    if (commit[COMMIT_REJECTED]! > 0) {
      for (let reason = 0; reason < REFUSAL_REASONS.length; reason++) {
        ledger.setReason(reason, commit[COMMIT_BY_REASON + reason]!);
      }
    }
    ledger.setFolded(
      SLOT_TOTAL,
      commit[COMMIT_ACCEPTED]!,
      commit[COMMIT_REJECTED]!,
      commit[COMMIT_UNCOUNTED]!,
    );
    const folded = commit[COMMIT_POSITION]! | 0;
    Atomics.store(cursors, CURSOR_FOLDED, folded);
    if (((folded - Atomics.load(cursors, CURSOR_WAKE_AT)) | 0) >= 0) this.#archiveBell.ring();
  }
}
