/**
 * `archive verify`: all of the log, and the indexes beside it. What one frame says of itself is checked in lots on other
 * threads (frame-check.ts); here is what frames say of each other, and what the index of a segment says of all of them.
 */

import { basename } from 'node:path';
import { Failure } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES } from './archive-files.js';
import type { CheckedClient, FrameCheckResult, FrameCheckTask } from './frame-check.js';
import type { FrameHead } from './frame-header.js';
import { GrowingIndex, INDEX_BEGINNING, type IndexEnd } from './growing-index.js';
import { INDEX_MISSING, IndexFile } from './index-file.js';
import { encodeIndex } from './index-format.js';
import {
  type LogFlaw,
  type LogPlace,
  type LogPosition,
  removedLines,
  walkLog,
  wrongFrame,
} from './log-reader.js';
import { firstLineOfSegmentName, indexPathOf, type Segment } from './segment-name.js';

/** Raw bytes, and frames, that are one message to another thread. */
const LOT_BYTES = 4 * 1024 * 1024;
const LOT_FRAMES = 256;

/** Runs the tasks of checks. */
export interface FrameChecker {
  /** Rejects as `checkFrames` throws. */
  check(task: FrameCheckTask): Promise<FrameCheckResult>;
  /** So many can run at once. */
  readonly parallel: number;
}

export interface LogCheckOptions {
  readonly upTo: LogPosition | null;
  readonly checker: FrameChecker;
  /**
   * A client that was silent for longer is forgotten, µs; or one that was silent longest when there were more. One that is
   * forgotten may count from 1 again.
   */
  readonly clientMemoryUs: number;
  readonly maxClients: number;
  readonly files?: ArchiveFiles;
}

/** An index that says something else than its segment, or cannot be read. */
export interface IndexFlaw {
  readonly kind: 'index';
  readonly path: string;
  readonly reason: string;
}

/** Told after each lot. */
export interface CheckedLot {
  readonly kind: 'checked';
  readonly frames: number;
  readonly lines: number;
  readonly rawBytes: number;
  /** On disk. */
  readonly bytes: number;
}

/** @throws Failure ERR_ARCHIVE_FORMAT, and those of the system */
export async function* checkLog(
  directory: string,
  options: LogCheckOptions,
): AsyncGenerator<LogFlaw | IndexFlaw | CheckedLot> {
  yield* new LogCheck(directory, options).run();
}

interface Lot {
  readonly kind: 'lot';
  readonly segment: Segment;
  readonly offsets: number[];
  /** Before the first of them, and behind the last. */
  readonly from: IndexEnd;
  end: IndexEnd;
  readonly lines: { readonly from: number; to: number };
  rawBytes: number;
}

type Checked = LogFlaw | { readonly lot: Lot; readonly result: Promise<FrameCheckResult | null> };

class LogCheck {
  readonly #directory: string;
  readonly #options: LogCheckOptions;
  readonly #files: ArchiveFiles;
  readonly #clients: ClientNumbers;
  /** Paths of segments whose index must differ from what they were. */
  readonly #broken = new Set<string>();
  /** Of the segment whose lots come back. */
  #index: { readonly segment: Segment; readonly index: GrowingIndex } | null = null;

  constructor(directory: string, options: LogCheckOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#files = options.files ?? NODE_FILES;
    this.#clients = new ClientNumbers(options);
  }

  /** What is told is in the order of the log. */
  async *run(): AsyncGenerator<LogFlaw | IndexFlaw | CheckedLot> {
    const { checker } = this.#options;
    const ahead: Checked[] = [];
    for (const item of lotsOf(this.#items())) {
      ahead.push(item.kind === 'lot' ? { lot: item, result: this.#check(item) } : item);
      if (ahead.length > checker.parallel + 1) yield* this.#settle(ahead.shift()!);
    }
    for (const item of ahead) yield* this.#settle(item);
    yield* this.#closeIndex();
  }

  /** The frames by their heads, and what is wrong between them. */
  *#items(): Generator<LogFlaw | LogPlace> {
    const { upTo } = this.#options;
    const order = new HeadOrder();
    for (const item of walkLog(this.#directory, { upTo, files: this.#files, onUnreadable: 'damage' })) {
      if (item.kind === 'place') {
        const reason = order.flawOf(item.frame.head);
        if (reason !== null) yield wrongFrame(item.path, item.frame, reason);
      }
      yield item;
    }
  }

  /** null where retention has removed the segment meanwhile */
  #check({ segment, offsets, rawBytes, from }: Lot): Promise<FrameCheckResult | null> {
    const result = this.#options.checker.check({ segment, offsets, rawBytes, from }).catch((error) => {
      if (error instanceof Failure && error.code === 'ERR_NOT_FOUND') return null;
      throw error;
    });
    // Where the caller stops early nobody waits for it.
    result.catch(() => {});
    return result;
  }

  async *#settle(item: Checked): AsyncGenerator<LogFlaw | IndexFlaw | CheckedLot> {
    if ('kind' in item) {
      this.#broken.add(item.path);
      yield item;
      return;
    }
    const { lot } = item;
    const { segment } = lot;
    if (this.#index?.segment.firstLine !== segment.firstLine) {
      yield* this.#closeIndex();
      this.#index = { segment, index: new GrowingIndex(segment.firstLine) };
    }
    const result = await item.result;
    if (result === null) {
      this.#broken.add(segment.path);
      yield removedLines(segment.path, lot.offsets[0]!, lot.lines);
      return;
    }
    for (const flaw of result.flaws) {
      this.#broken.add(segment.path);
      yield flaw;
    }
    for (const client of result.clients) {
      const reason = this.#clients.flawOf(client);
      if (reason !== null) {
        const { path } = segment;
        yield {
          kind: 'damage',
          path,
          offset: client.offset,
          bytes: 0,
          reason,
          firstLine: null,
          lastLine: null,
        };
      }
    }
    if (!this.#broken.has(segment.path)) this.#index!.index.append(result.index);
    const { rawBytes, lines, offsets, from, end } = lot;
    const lineCount = Math.max(0, lines.to - lines.from + 1);
    yield {
      kind: 'checked',
      frames: offsets.length,
      lines: lineCount,
      rawBytes,
      bytes: end.bytes - from.bytes,
    };
  }

  /** A closed segment without an index is whole: the daemon builds it. */
  *#closeIndex(): Generator<IndexFlaw> {
    if (this.#index === null) return;
    const { segment, index } = this.#index;
    this.#index = null;
    // One of the active segment is left from a time when that was shorter, and is not used.
    if (segment.firstLine === this.#options.upTo?.segment) return;
    const path = indexPathOf(segment.path);
    const isWhole = !this.#broken.has(segment.path);
    const reason = this.#flawOfIndex(path, segment, isWhole ? index : null);
    if (reason !== null) yield { kind: 'index', path, reason };
  }

  /** @param index what it should be, where that is known */
  #flawOfIndex(path: string, segment: Segment, index: GrowingIndex | null): string | null {
    try {
      const file = IndexFile.open(
        path,
        segment.firstLine,
        this.#files.statSync(segment.path).size,
        this.#files,
      );
      if (file === INDEX_MISSING) return null;
      if (typeof file === 'string') return file;
      const bytes = file.readAll();
      return index === null || encodeIndex(index).equals(bytes)
        ? null
        : 'it says something else than its segment';
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      if (error instanceof Failure && error.code === 'ERR_DAMAGE') return error.message;
      throw error;
    }
  }
}

function* lotsOf(items: Iterable<LogFlaw | LogPlace>): Generator<Lot | LogFlaw> {
  let lot: Lot | null = null;
  for (const item of items) {
    if (item.kind !== 'place') {
      if (lot !== null) yield lot;
      lot = null;
      yield item;
      continue;
    }
    const { path, frame } = item;
    const { firstLine, lineCount, rawBytes, lastArrivalUs } = frame.head;
    const isOther: boolean = lot !== null && lot.segment.path !== path;
    const isFull = lot !== null && (lot.rawBytes + rawBytes > LOT_BYTES || lot.offsets.length === LOT_FRAMES);
    const before: IndexEnd = lot === null || isOther ? INDEX_BEGINNING : lot.end;
    if (lot !== null && (isOther || isFull)) {
      yield lot;
      lot = null;
    }
    lot ??= {
      kind: 'lot',
      segment: { path, firstLine: firstLineOfSegmentName(basename(path))! },
      offsets: [],
      from: before,
      end: before,
      lines: { from: firstLine, to: 0 },
      rawBytes: 0,
    };
    lot.offsets.push(frame.offset);
    lot.end = { bytes: frame.nextOffset, nextLine: firstLine + lineCount, lastArrivalUs };
    lot.lines.to = firstLine + lineCount - 1;
    lot.rawBytes += rawBytes;
  }
  if (lot !== null) yield lot;
}

/** What neighbours in the log say of each other, beside the numbers of their lines. */
class HeadOrder {
  #last: FrameHead | null = null;

  /** @returns what is wrong, or null */
  flawOf(head: FrameHead): string | null {
    const last = this.#last;
    this.#last = head;
    if (last === null) return null;
    if (head.firstArrivalUs < last.lastArrivalUs) return 'the arrivals of the frame go back';
    const rawBytes = last.rawBytesBefore + last.rawBytes;
    const isNext = head.firstLine === last.firstLine + last.lineCount;
    if (isNext ? head.rawBytesBefore === rawBytes : head.rawBytesBefore > rawBytes) return null;
    return `the frame states ${head.rawBytesBefore} bytes of lines before it, and there are ${rawBytes}`;
  }
}

/** The numbers of clients go up, until one is forgotten. */
class ClientNumbers {
  readonly #memoryUs: number;
  readonly #countMax: number;
  /** By id, the one that was heard last at the end. */
  readonly #clients = new Map<string, { readonly lastLine: number; readonly arrivalUs: number }>();

  constructor({ clientMemoryUs, maxClients }: LogCheckOptions) {
    this.#memoryUs = clientMemoryUs;
    this.#countMax = maxClients;
  }

  /** @returns what is wrong, or null */
  flawOf({ id, lastLine, arrivalUs }: CheckedClient): string | null {
    const name = Buffer.from(id).toString('utf8');
    const known = this.#clients.get(name);
    this.#clients.delete(name);
    this.#clients.set(name, { lastLine, arrivalUs });
    if (this.#clients.size > this.#countMax) this.#clients.delete(this.#clients.keys().next().value!);
    if (known === undefined || lastLine > known.lastLine) return null;
    if (arrivalUs - known.arrivalUs > this.#memoryUs) return null;
    return `client ${JSON.stringify(name)} is at line ${lastLine} there, and was at line ${known.lastLine} before`;
  }
}
