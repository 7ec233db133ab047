/**
 * The fold's loop over the ring: every line of every record is decoded, and changes the tables or is cut out of the
 * record for its reason. It blocks its thread; src/ring/README.md has the order of the cursors, progress.ts what happens
 * when the thread dies at any point of it.
 */

import assert from 'node:assert/strict';
import { ID_NUMBER, ID_STRING, SCRATCH_OFFSET } from '../decode/decoded-event.js';
import { Decoder } from '../decode/decoder.js';
import { CONTROL_HELLO, CONTROL_MALFORMED, CONTROL_SYNC, EVENT_UNKNOWN, LINE_EMPTY } from '../model/event.js';
import type { MemoryPart } from '../model/memory.js';
import { REFUSAL_INTERNAL, REFUSAL_REASONS, REFUSAL_TOO_LONG } from '../model/refusal.js';
import { Bell } from '../ring/bell.js';
import { CUT_SILENT, type CutsMemory, CutsWriter } from '../ring/cuts.js';
import {
  CURSOR_ARCHIVED,
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  CURSOR_WAKE_AT,
  CURSOR_WANTED,
  FLAG_STALLED,
  KIND_CLOSE,
  KIND_TAIL,
  KIND_TICK,
  KIND_TOO_LONG,
  KIND_TOO_LONG_TAIL,
  positionOf,
  type RingMemory,
} from '../ring/layout.js';
import { Ledger, type LedgerMemory, SLOT_TOTAL } from '../ring/ledger.js';
import {
  type Letter,
  MAIL_ERROR,
  MAIL_SUPERSEDED,
  MAIL_SYNC,
  MAIL_WELCOME,
  type MailboxMemory,
  MailboxWriter,
  SEQ_NONE,
  TEXT_NONE,
  TEXT_NUMBER,
  TEXT_STRING,
} from '../ring/mailbox.js';
import { RingReader } from '../ring/reader.js';
import { Settings } from '../ring/settings.js';
import { STAGE_DONE, STAGE_FOLD, STAGE_RECOVERING, STAGE_RUNNING, Vitals } from '../ring/vitals.js';
import type { TablesMemory } from '../state/layout.js';
import { Tables } from '../state/tables.js';
import { decodedEventFor } from './compiled-events.js';
import type { OnHour } from './hours.js';
import { Lifecycle } from './lifecycle.js';
import {
  COMMIT_ACCEPTED,
  COMMIT_ARRIVED,
  COMMIT_BY_REASON,
  COMMIT_CLIENT,
  COMMIT_CLIENT_ARRIVED,
  COMMIT_CLIENT_BORN,
  COMMIT_CLIENT_LINE,
  COMMIT_CUTS,
  COMMIT_GENERATION,
  COMMIT_LINE,
  COMMIT_POSITION,
  COMMIT_REJECTED,
  COMMIT_SLOT,
  COMMIT_SLOT_ACCEPTED,
  COMMIT_SLOT_REJECTED,
  COMMIT_SLOT_UNCOUNTED,
  COMMIT_SPOKEN,
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
  readonly settings: SharedArrayBuffer;
}

/** Makes a copy of the tables when one is wished for. */
export interface TableCopier {
  /** Asked once a record. @param atEnd whether this is the last time */
  isWished(atEnd: boolean): boolean;
  /** @param position of the ring, up to which the tables hold everything */
  make(tables: Tables, position: number): void;
}

/** Keeps the hours that are over. */
export interface HourKeeper {
  readonly onHour: OnHour;
  /** Asked once a record; a promise is waited for before the next one. */
  afterRecord(): Promise<void> | null;
}

export interface FoldParts {
  /**
   * Clears the tables and fills them out of the log, up to and with this line and all ticks of records before this position of
   * the ring. It waits for what is not written yet.
   */
  readonly rebuild: (tables: Tables, lastLine: number, position: number) => Promise<void>;
  readonly copier?: TableCopier;
  readonly rollups?: HourKeeper;
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

/** How far the record of a tick is done, as an offset in it. */
const TICK_CHANGED = 1;
const TICK_UNCHANGED = 2;

class Fold {
  readonly #parts: FoldParts;
  readonly #tables: Tables;
  readonly #decoder: Decoder;
  /** Made when the tables are whole: a rebuild has one of its own, and the compiled fold one instance at a time. */
  #lifecycle!: Lifecycle;
  readonly #ring: MemoryPart;
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
  readonly #settings: Settings;
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
    this.#settings = new Settings(memory.settings);
    this.#tables = new Tables(memory.tables);
    this.#ring = memory.ring.data;
    this.#decoder = new Decoder(decodedEventFor(memory.tables));
    this.#progress = new Progress(memory.progress);
    this.#commit = this.#progress.load();
    this.#tables.clients.isLive = this.#progress.hasBegun;
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
    const { rollups } = this.#parts;
    let busySince = performance.now();
    for (;;) {
      while (this.#reader.tryNext()) {
        this.#record(0, MODE_FOLD);
        const rollup = rollups?.afterRecord();
        if (rollup) await rollup;
        this.#copyIfWished(false);
        // Under load it never sleeps, and its utilization is to be seen then most of all.
        const nowMs = performance.now();
        if (nowMs - busySince > BUSY_STEP_MS) {
          this.#vitals.addBusyMs(STAGE_FOLD, nowMs - busySince);
          busySince = nowMs;
        }
      }
      if (this.#vitals.stopping && !this.#reader.hasNext()) break;
      this.#copyIfWished(false);
      this.#vitals.addBusyMs(STAGE_FOLD, performance.now() - busySince);
      // Main waits for room, and what the archive has staged is all that can free some.
      if (Atomics.load(this.#reader.cursors, FLAG_STALLED) !== 0) this.#archiveBell.ring();
      this.#bell.sleep(() => this.#hasWork(), Number.POSITIVE_INFINITY);
      busySince = performance.now();
    }
    this.#copyIfWished(true);
    this.#vitals.setState(STAGE_FOLD, STAGE_DONE);
    this.#archiveBell.ring();
  }

  #hasWork(): boolean {
    return this.#reader.hasNext() || this.#vitals.stopping || this.#parts.copier?.isWished(false) === true;
  }

  /** Between records the tables hold whole lines, up to and with the last commit. */
  #copyIfWished(atEnd: boolean): void {
    const { copier } = this.#parts;
    if (copier === undefined || !copier.isWished(atEnd)) return;
    copier.make(this.#tables, this.#commit[COMMIT_POSITION]!);
    // The copy is of use only when its lines and ticks are durable.
    this.#want(this.#commit[COMMIT_POSITION]!);
    this.#mainBell.ring();
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
      await this.#parts.rebuild(this.#tables, line, this.#commit[COMMIT_POSITION]!);
      assert.equal(
        this.#tables.board.line,
        line,
        'the log and the fold differ on the number of the last line',
      );
      // The log may end later, with records of refused lines.
      this.#commit[COMMIT_ARRIVED] = this.#tables.board.arrivedUs;
    }
    const { createLifecycle, rollups } = this.#parts;
    this.#lifecycle =
      createLifecycle?.(this.#tables, this.#decoder) ??
      new Lifecycle(this.#tables, this.#decoder, rollups?.onHour);
    this.#lifecycle.attach(this.#ring);
    if (!progress.hasBegun) {
      this.#tables.clients.begin();
      progress.begin();
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
    if (kind === KIND_TICK) {
      this.#tick(resumeAt, before);
      return;
    }
    this.#accepted = 0;
    this.#rejected = 0;
    this.#uncounted = 0;
    this.#progress.setWorking(true);
    this.#cuts.beginRecord();
    this.#loadSlot(reader.connection);
    const bytes = reader.payloadBytes;
    if (this.#isThrownAway(kind)) {
      this.#uncounted = reader.lines;
    } else if (kind === KIND_TOO_LONG || kind === KIND_TOO_LONG_TAIL) {
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
    if (kind === KIND_CLOSE) this.#disown(reader.connection);
    this.#finishRecord();
    if (kind === KIND_CLOSE) this.#mainBell.ring();
  }

  /** A tick is done or not, as a line is; whether it changed anything is in how far the record is done. */
  #tick(resumeAt: number, before: number): void {
    const progress = this.#progress;
    const reader = this.#reader;
    const { payloadFrom, payloadBytes, arrivedUs } = reader;
    progress.setWorking(true);
    this.#cuts.beginRecord();
    let changed = resumeAt === TICK_CHANGED;
    const isRefused = progress.hasInternals && progress.isInternal(0);
    if (!isRefused && (resumeAt === 0 || before === MODE_REAPPLY)) {
      if (resumeAt === 0) progress.beginChange(0);
      const payload = reader.bytes.slice(payloadFrom + 1, payloadFrom + payloadBytes);
      changed = this.#lifecycle.tick(reader.bytes[payloadFrom]!, payload, Number.NaN, arrivedUs);
    }
    progress.done(changed ? TICK_CHANGED : TICK_UNCHANGED);
    if (resumeAt > 0 && before === MODE_REAPPLY) progress.setTablesValid(true);
    const commit = this.#commit;
    commit[COMMIT_POSITION] = reader.end;
    commit[COMMIT_CUTS] = this.#cuts.written;
    reader.setOutcome(0, 0, changed ? 1 : 0, this.#tables.board.ticks);
    progress.commit(commit);
    progress.setWorking(false);
    this.#publishCommit();
  }

  /** What comes of a connection after a newer one has its client, and what a numbered one has not ended. */
  #isThrownAway(kind: number): boolean {
    const commit = this.#commit;
    if (this.#ledger.isSuperseded(commit[COMMIT_SLOT]!)) {
      commit[COMMIT_CLIENT] = 0;
      return true;
    }
    return commit[COMMIT_CLIENT] !== 0 && (kind === KIND_TAIL || kind === KIND_TOO_LONG_TAIL);
  }

  /** The connection is over, and its slot in the ledger goes to another one. */
  #disown(connection: number): void {
    const { clients } = this.#tables;
    const client = this.#commit[COMMIT_CLIENT]!;
    if (client !== 0 && clients.owner(client) === connection) clients.setOwner(client, 0);
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
    if (code === LINE_EMPTY) return;
    const isFirst = !this.#hasSpoken();
    this.#commit[COMMIT_SPOKEN] = 1;
    if (code === CONTROL_HELLO && isFirst) this.#hello(offset, mode);
    else if (code === CONTROL_SYNC) this.#wantDurable = true;
    if (mode !== MODE_FOLD) return;
    if (code === CONTROL_SYNC) this.#postSync(offset);
    else if (code === CONTROL_MALFORMED) this.#postError(this.#decoder.control.reason, offset);
    else if (!isFirst) this.#postError('hello: must be the first line of its connection', offset);
  }

  /** Whether the connection has said anything but empty lines. */
  #hasSpoken(): boolean {
    const commit = this.#commit;
    const counted = commit[COMMIT_SLOT_ACCEPTED]! + commit[COMMIT_SLOT_REJECTED]!;
    return commit[COMMIT_SPOKEN] !== 0 || counted + this.#accepted + this.#rejected > 0;
  }

  /**
   * The connection gets its client. Each step may be the last one of this thread; the next thread does all of them again, and
   * comes to the same: the client is found where it was made, `born` tells that this hello made it, and the number
   * changes only with the record's commit.
   */
  #hello(offset: number, mode: number): void {
    const { clients } = this.#tables;
    const { control } = this.#decoder;
    const connection = this.#reader.connection;
    const id = this.#textOf(control.clientOffset, control.clientLength);
    const order = this.#reader.position + offset;
    const client = mode === MODE_FOLD ? this.#clientOf(id, order) : clients.find(id);
    assert(client !== 0);
    const line = clients.lastLine(client);
    const gap = Number.isNaN(control.first) ? 0 : Math.max(0, control.first - 1 - line);
    const commit = this.#commit;
    commit[COMMIT_CLIENT] = client;
    commit[COMMIT_CLIENT_BORN] = clients.born(client);
    commit[COMMIT_CLIENT_LINE] = line + gap;
    this.#wantDurable = true;
    if (mode !== MODE_FOLD) return;
    this.#supersedeOwner(client, order);
    const known = clients.born(client) !== order;
    // Behind the word to the older connection, which has the same place.
    this.#post({ ...this.#letter(MAIL_WELCOME, TEXT_STRING), known, gap }, order + 0.5, id);
    clients.setOwner(client, connection);
  }

  /** The slot of this client, known or new. */
  #clientOf(id: Uint8Array, order: number): number {
    const { clients } = this.#tables;
    const { arrivedUs } = this.#reader;
    const known = clients.find(id);
    if (known !== 0) {
      const silentMs = (arrivedUs - clients.activeUs(known)) / 1000;
      const isForgotten = clients.owner(known) === 0 && silentMs > this.#settings.clientMemoryMs;
      if (isForgotten) clients.restart(known, order, arrivedUs);
      return known;
    }
    const client = clients.slotForNew();
    this.#supersedeOwner(client, order);
    this.#awaitArchived(clients.position(client));
    clients.assign(client, id, order, arrivedUs);
    return client;
  }

  /**
   * Takes a client from the connection that has it. The fold has not passed that one's close record, or the client would have
   * no owner, so main keeps its slot in the ledger. (Where a hello has killed the fold twice, and is refused, the client
   * has an owner that knows nothing of it.)
   */
  #supersedeOwner(client: number, order: number): void {
    const connection = this.#tables.clients.owner(client);
    if (connection === 0 || this.#ledger.client(connection) !== client) return;
    this.#ledger.supersede(connection);
    const generation = this.#ledger.generation(connection);
    this.#post({ ...this.#letter(MAIL_SUPERSEDED, TEXT_NONE), connection, generation }, order, NO_TEXT);
  }

  /** The archive reads the ids of clients up to what it has written. */
  #awaitArchived(position: number): void {
    const folded = this.#commit[COMMIT_POSITION]!;
    while (positionOf(Atomics.load(this.#reader.cursors, CURSOR_ARCHIVED), folded) < position) {
      this.#want(folded);
      Atomics.wait(this.#idle, 0, 0, WAIT_MS);
    }
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
    const { control } = this.#decoder;
    const kind =
      control.idKind === ID_STRING ? TEXT_STRING : control.idKind === ID_NUMBER ? TEXT_NUMBER : TEXT_NONE;
    const id = this.#textOf(control.idOffset, control.idLength);
    this.#post(this.#letter(MAIL_SYNC, kind), this.#reader.position + offset, id);
  }

  #postError(reason: string, offset: number): void {
    const letter = this.#letter(MAIL_ERROR, TEXT_STRING);
    this.#post(letter, this.#reader.position + offset, Buffer.from(reason));
  }

  /** Bytes that the decoder has named. */
  #textOf(offset: number, length: number): Uint8Array {
    if (length === 0) return NO_TEXT;
    const bytes = offset >= SCRATCH_OFFSET ? this.#decoder.scratch : this.#reader.bytes;
    const from = offset & ~SCRATCH_OFFSET;
    return bytes.subarray(from, from + length);
  }

  /** To the connection of the record, with its counts up to here. */
  #letter(kind: number, textKind: number): Letter {
    const commit = this.#commit;
    const connection = this.#reader.connection;
    return {
      kind,
      connection,
      generation: this.#ledger.generation(connection),
      position: this.#reader.end,
      accepted: commit[COMMIT_SLOT_ACCEPTED]! + this.#accepted,
      rejected: commit[COMMIT_SLOT_REJECTED]! + this.#rejected,
      seq: commit[COMMIT_CLIENT] === 0 ? SEQ_NONE : this.#clientLine(),
      gap: 0,
      known: false,
      textKind,
    };
  }

  /** The client's number of its last line so far, which stops at the largest that the log can hold. */
  #clientLine(): number {
    const line = this.#commit[COMMIT_CLIENT_LINE]! + this.#accepted + this.#rejected;
    return Math.min(line, Number.MAX_SAFE_INTEGER);
  }

  #post(letter: Letter, order: number, text: Uint8Array): void {
    while (!this.#mailbox.tryPost(letter, order, text)) {
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
    commit[COMMIT_SPOKEN] = this.#ledger.spoken(slot);
    const client = this.#ledger.client(slot);
    commit[COMMIT_CLIENT] = client;
    if (client === 0) return;
    commit[COMMIT_CLIENT_BORN] = this.#tables.clients.born(client);
    commit[COMMIT_CLIENT_LINE] = this.#tables.clients.lastLine(client);
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
    const client = commit[COMMIT_CLIENT]!;
    if (client !== 0) {
      commit[COMMIT_CLIENT_LINE] = this.#clientLine();
      commit[COMMIT_CLIENT_ARRIVED] = reader.arrivedUs;
    }
    const isCounted = this.#accepted + this.#rejected > 0;
    reader.setOutcome(this.#accepted, this.#cuts.count, isCounted ? client : 0, commit[COMMIT_CLIENT_LINE]!);
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
      ledger.setClient(commit[COMMIT_SLOT]!, commit[COMMIT_CLIENT]!, commit[COMMIT_SPOKEN]!);
    }
    if (commit[COMMIT_CLIENT] !== 0) {
      this.#tables.clients.setFolded(
        commit[COMMIT_CLIENT]!,
        commit[COMMIT_CLIENT_BORN]!,
        commit[COMMIT_CLIENT_LINE]!,
        commit[COMMIT_CLIENT_ARRIVED]!,
        commit[COMMIT_POSITION]!,
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
