/**
 * Fold, archive and sync as the daemon runs them, on threads of their own under the real supervisor, and in the place of
 * ingest a main that publishes records and answers syncs. At the end it knows what must have come of every line.
 */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Config } from '../../src/config/config.js';
import type { Log } from '../../src/daemon/log.js';
import { allocateDaemon, type DaemonMemory } from '../../src/daemon/memory.js';
import { Supervisor } from '../../src/daemon/supervisor.js';
import { loadModule } from '../../src/fold/compiled-events.js';
import { Bell } from '../../src/ring/bell.js';
import {
  CURSOR_DURABLE,
  CURSOR_FOLDED,
  FLAG_STALLED,
  KIND_CLOSE,
  KIND_LINES,
  KIND_TICK,
  positionOf,
} from '../../src/ring/layout.js';
import { Ledger } from '../../src/ring/ledger.js';
import {
  MAIL_SUPERSEDED,
  MAIL_SYNC,
  MAIL_WELCOME,
  type Mail,
  MailboxReader,
} from '../../src/ring/mailbox.js';
import { STAGE_ARCHIVE, STAGE_FOLD, STAGE_SYNC, Vitals } from '../../src/ring/vitals.js';
import { RingWriter } from '../../src/ring/writer.js';
import type { StateLimits } from '../../src/state/layout.js';
import { LIMITS } from '../fold/replaying.js';
import type { RecordingTarget } from './disk-trace.js';
import { allocateFaultCounts, deathsOf, type FileFault, type FoldFault } from './faults.js';

export const FIRST_ARRIVAL_US = 1_732_000_000_000_000;

export interface PipelineOptions {
  readonly fold?: readonly FoldFault[];
  readonly archive?: readonly FileFault[];
  readonly sync?: readonly FileFault[];
  readonly ringBytes?: number;
  /** Where the positions of the ring begin. */
  readonly origin?: number;
  readonly segmentBytes?: number;
  readonly syncIntervalMs?: number;
  readonly limits?: Partial<StateLimits>;
  /** Archive and sync note what they do to the disk; nothing of theirs dies then. */
  readonly recording?: RecordingTarget;
  /** Where it is recorded: which fdatasyncs of the sync stage fail, from 0. */
  readonly failingSyncs?: readonly number[];
  readonly onBell?: () => void;
}

export interface Answer {
  readonly id: string;
  readonly connection: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly seq: number;
  readonly afterMs: number;
}

export interface Welcome {
  readonly client: string;
  readonly connection: number;
  readonly seq: number;
  readonly known: boolean;
  readonly gap: number;
}

const MODULE = loadModule(new URL('../../dist/src/fold/fold.wasm', import.meta.url));
const CONNECTIONS = 8;

export class Pipeline {
  readonly directory: string;
  readonly memory: DaemonMemory;
  readonly ledger: Ledger;
  readonly vitals: Vitals;
  readonly answers: Answer[] = [];
  readonly welcomes: Welcome[] = [];
  /** Connections that have lost their clients. */
  readonly superseded: number[] = [];
  readonly errors: string[] = [];
  readonly limits: StateLimits;
  readonly #options: PipelineOptions;
  readonly #writer: RingWriter;
  readonly #cursors: Int32Array;
  readonly #mailbox: MailboxReader;
  readonly #foldBell: Bell;
  readonly #archiveBell: Bell;
  readonly #supervisor: Supervisor;
  readonly #listening: { close(): void };
  readonly #mails: { mail: Mail; postedMs: number }[] = [];
  readonly #counts: { fold: SharedArrayBuffer; archive: SharedArrayBuffer; sync: SharedArrayBuffer };
  readonly #stages: Promise<unknown>;
  #gaveUp: string | null = null;
  #wake: () => void = () => {};
  arrivalUs = FIRST_ARRIVAL_US;

  constructor(options: PipelineOptions = {}) {
    this.#options = options;
    this.directory = mkdtempSync(join(tmpdir(), 'tallyd-pipeline-'));
    onTestFinished(() => rmSync(this.directory, { recursive: true, force: true }));
    const { ringBytes = 256 * 1024, origin = 0 } = options;
    this.limits = { ...LIMITS, ...options.limits };
    const config = {
      ring: { bytes: ringBytes },
      ingest: {
        maxConnections: CONNECTIONS,
        maxLineBytes: 16 * 1024,
        maxClients: this.limits.maxClients,
        clientMemoryMs: 1e9,
      },
      // The archive of a pipeline has options of its own.
      archive: {},
      state: this.limits,
      stats: this.limits,
    } as unknown as Config;
    this.memory = allocateDaemon(config, emptyLog(origin), [], MODULE);
    this.ledger = new Ledger(this.memory.ledger);
    for (let slot = 1; slot <= CONNECTIONS; slot++) this.ledger.open(slot, 1, 0);
    this.vitals = new Vitals(this.memory.vitals);
    this.#writer = new RingWriter(this.memory.ring);
    this.#cursors = new Int32Array(this.memory.ring.cursors);
    this.#mailbox = new MailboxReader(this.memory.mailbox);
    this.#foldBell = new Bell(this.memory.foldBell);
    this.#archiveBell = new Bell(this.memory.archiveBell);
    const { fold = [], archive = [], sync = [] } = options;
    this.#counts = {
      fold: allocateFaultCounts(fold),
      archive: allocateFaultCounts(archive),
      sync: allocateFaultCounts(sync),
    };
    const log = { error: () => {} } as unknown as Log;
    this.#supervisor = new Supervisor(3, this.vitals, log, (stage, error) => {
      this.#gaveUp = `${stage}: ${(error as Error).stack}`;
      this.#wake();
    });
    this.#listening = new Bell(this.memory.mainBell).listen(() => this.#onBell());
    this.#stages = this.#run();
    onTestFinished(() => this.#supervisor.close());
  }

  #run(): Promise<unknown> {
    const { memory, directory } = this;
    const {
      fold = [],
      archive = [],
      sync = [],
      segmentBytes = 64 * 1024,
      syncIntervalMs = 1000,
      recording,
      failingSyncs = [],
    } = this.#options;
    const rejectsDirectory = join(directory, 'rejects');
    const options = { directory, rejectsDirectory, segmentBytes, segmentAgeMs: 1e9, syncIntervalMs };
    const counts = this.#counts;
    const stages = [
      {
        row: STAGE_FOLD,
        name: 'fold',
        file: compiled('dying-fold'),
        task: (rerun: boolean) => ({ data: { memory, directory, rerun, faults: fold, counts: counts.fold } }),
      },
      {
        row: STAGE_ARCHIVE,
        name: 'archive',
        file: compiled(recording === undefined ? 'dying-archive' : 'recording-archive'),
        task: () => ({ data: { memory, options, faults: archive, counts: counts.archive, recording } }),
      },
      {
        row: STAGE_SYNC,
        name: 'sync',
        file: compiled(recording === undefined ? 'dying-sync' : 'recording-sync'),
        task: () => {
          const options = { directory, markPath: join(directory, 'durable') };
          return { data: { memory, options, faults: sync, counts: counts.sync, recording, failingSyncs } };
        },
      },
    ];
    return Promise.all(stages.map((stage) => this.#supervisor.run(stage)));
  }

  /** Publishes one record of these lines, once there is room. @returns its arrival */
  async send(connection: number, lines: readonly string[]): Promise<number> {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    let at = this.#writer.tryReserve(bytes.length, 0);
    if (at < 0) {
      // As ingest does: one word to the archive, and then it is waited for.
      Atomics.store(this.#cursors, FLAG_STALLED, 1);
      this.#archiveBell.ring();
      await this.until(() => {
        at = this.#writer.tryReserve(bytes.length, 0);
        return at >= 0;
      }, 'room in the ring');
      Atomics.store(this.#cursors, FLAG_STALLED, 0);
    }
    this.#writer.bytes.set(bytes, at);
    this.arrivalUs += 1000;
    this.ledger.countRead(connection, lines.length, bytes.length);
    this.#writer.publish(KIND_LINES, connection, at, bytes.length, lines.length, this.arrivalUs);
    this.#foldBell.ring();
    return this.arrivalUs;
  }

  /** Publishes a tick. @returns its arrival */
  async tick(kind: number, payload: Uint8Array): Promise<number> {
    const bytes = 1 + payload.length;
    const at = this.#writer.tryReserve(bytes, 0);
    assert(at >= 0);
    this.#writer.bytes[at] = kind;
    this.#writer.bytes.set(payload, at + 1);
    this.arrivalUs += 1000;
    this.#writer.publish(KIND_TICK, 0, at, bytes, 0, this.arrivalUs);
    this.#foldBell.ring();
    return this.arrivalUs;
  }

  /** The connection is over; its slot goes to another one once the fold has passed that. */
  async close(connection: number): Promise<void> {
    const at = this.#writer.tryReserve(0, 0);
    assert(at >= 0);
    this.#writer.publish(KIND_CLOSE, connection, at, 0, 0, this.arrivalUs);
    this.#foldBell.ring();
    await this.until(() => this.isFolded, 'the fold to see a connection close');
    this.ledger.open(connection, this.ledger.generation(connection) + 1, this.arrivalUs);
  }

  get published(): number {
    return this.#writer.published;
  }

  /** Whether everything that was sent is folded. */
  get isFolded(): boolean {
    const folded = Atomics.load(this.#cursors, CURSOR_FOLDED);
    return positionOf(folded, this.published) === this.published;
  }

  /** Resolves when `done` says yes; a look at every ring of the bell and now and then. */
  async until(done: () => boolean, what: string, withinMs = 20_000): Promise<void> {
    const untilMs = performance.now() + withinMs;
    while (!done()) {
      if (performance.now() > untilMs) assert.fail(`waited ${withinMs} ms for ${what}`);
      await this.#nextBell();
    }
  }

  /** Ends the pipeline along the path of the data. */
  async drain(): Promise<void> {
    this.vitals.stop();
    this.#foldBell.ring();
    let done = false;
    let failure: unknown = null;
    this.#stages.then(
      () => {
        done = true;
      },
      (error) => {
        done = true;
        failure = error;
      },
    );
    await this.until(() => done, 'the stages to end');
    assert.equal(failure, null);
    this.#onBell();
    this.#listening.close();
  }

  deaths(stage: 'fold' | 'archive' | 'sync'): number[] {
    return deathsOf(this.#counts[stage], this.#options[stage] ?? []);
  }

  async #nextBell(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 2);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    if (this.#gaveUp !== null) assert.fail(`the supervisor gave up: ${this.#gaveUp}`);
  }

  #onBell(): void {
    this.#options.onBell?.();
    this.#mailbox.takeAll((mail) => {
      if (mail.kind === MAIL_SYNC || mail.kind === MAIL_WELCOME) {
        this.#mails.push({ mail, postedMs: performance.now() });
      } else if (mail.kind === MAIL_SUPERSEDED) {
        this.superseded.push(mail.connection);
      } else {
        this.errors.push(mail.text);
      }
    });
    const durable = positionOf(Atomics.load(this.#cursors, CURSOR_DURABLE), this.published);
    while (this.#mails.length > 0 && this.#mails[0]!.mail.position <= durable) {
      const { mail, postedMs } = this.#mails.shift()!;
      const { text, connection, accepted, rejected, seq, known, gap } = mail;
      if (mail.kind === MAIL_WELCOME) {
        this.welcomes.push({ client: text, connection, seq, known, gap });
        continue;
      }
      const afterMs = performance.now() - postedMs;
      this.answers.push({ id: text, connection, accepted, rejected, seq, afterMs });
    }
    this.#wake();
  }
}

function emptyLog(position: number) {
  return {
    position,
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
}

/** Worker files run from dist: Node 20 does not strip types. */
function compiled(name: string): URL {
  return new URL(`../../dist/test/threads/${name}.js`, import.meta.url);
}
