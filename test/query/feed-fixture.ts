/** A ring in this process whose ingest, fold and archive are moved by hand, and the feed behind it. */

import { ArchiveBoard, allocateArchiveBoard } from '../../src/archive/board.js';
import { Decoder } from '../../src/decode/decoder.js';
import { EVENT_UNKNOWN } from '../../src/model/event.js';
import { Feed, type FeedListener, type FeedMemory } from '../../src/query/feed.js';
import { FeedFilter } from '../../src/query/feed-filter.js';
import {
  allocateRing,
  CURSOR_ARCHIVED,
  CURSOR_FOLDED,
  CURSOR_PUBLISHED,
  KIND_LINES,
  type RingMemory,
} from '../../src/ring/layout.js';
import { RingReader } from '../../src/ring/reader.js';
import { RingWriter } from '../../src/ring/writer.js';

const MAX_LINE_BYTES = 1024;

export class FeedFixture {
  readonly memory: FeedMemory;
  readonly feed: Feed;
  readonly ring: RingMemory;
  readonly #board: ArchiveBoard;
  readonly #writer: RingWriter;
  readonly #fold: RingReader;
  readonly #decoder = new Decoder();
  /** Of the log, as the fold and the archive have it. */
  line: number;

  constructor({ capacityBytes = 64 * 1024, origin = 0, line = 0 } = {}) {
    this.line = line;
    this.ring = allocateRing(capacityBytes, origin);
    const numbers = { cuts: 0, segment: 0, segmentBytes: 0, segmentSinceUs: 0, segments: 0 };
    const bytes = { rawBytes: 0, compressedBytes: 0, lastArrivedUs: 0, oldestUs: 0, damagedBytes: 0 };
    const archiveBoard = allocateArchiveBoard({ position: origin, line, ...numbers, ...bytes });
    this.#board = new ArchiveBoard(archiveBoard);
    this.#writer = new RingWriter(this.ring);
    this.#fold = new RingReader(this.ring, CURSOR_PUBLISHED, origin);
    this.#decoder.attach(this.ring.data.buffer, 0, capacityBytes);
    this.memory = { ring: this.ring, archiveBoard, maxLineBytes: MAX_LINE_BYTES };
    this.feed = new Feed(this.memory);
  }

  /** Publishes one record. @returns false where there is no room */
  tryPublish(lines: readonly string[]): boolean {
    const payload = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    const at = this.#writer.tryReserve(payload.length, 0);
    if (at < 0) return false;
    this.#writer.bytes.set(payload, at);
    this.#writer.publish(KIND_LINES, 1, at, payload.length, lines.length, 0);
    return true;
  }

  /** Folds all that is published. @param refusing lines that the decoder takes and the fold does not */
  fold(refusing: (line: string) => boolean = () => false): void {
    while (this.#fold.tryNext()) {
      const { bytes, payloadFrom, payloadBytes } = this.#fold;
      const end = payloadFrom + payloadBytes;
      let accepted = 0;
      let refused = 0;
      for (let at = payloadFrom; at < end; at = this.#decoder.lineEnd + 1) {
        const code = this.#decoder.decodeNext(at, end);
        const line = Buffer.from(bytes.slice(at, this.#decoder.lineEnd)).toString();
        if (code > 0 && code <= EVENT_UNKNOWN && !refusing(line)) accepted++;
        else refused++;
      }
      this.#fold.setOutcome(accepted, refused, 0, 0);
      this.line += accepted;
    }
    Atomics.store(new Int32Array(this.ring.cursors), CURSOR_FOLDED, this.#fold.end | 0);
  }

  /** Writes all that is folded. */
  archive(): void {
    this.#board.setWritten({ ...this.#board.written(), position: this.#fold.end, line: this.line });
    Atomics.store(new Int32Array(this.ring.cursors), CURSOR_ARCHIVED, this.#fold.end | 0);
  }
}

export class Ear implements FeedListener {
  readonly filter: FeedFilter;
  readonly after: number;
  text = '';

  constructor(after = 0, values: { types?: string[]; workflows?: string[]; agents?: string[] } = {}) {
    this.after = after;
    this.filter = new FeedFilter({ types: [], workflows: [], agents: [], ...values });
  }

  send(messages: Buffer): void {
    this.text += messages.toString();
  }

  /** What has come since the last call: `N` for a line, `A-B` for a gap. */
  take(): string[] {
    const messages = this.text.split('\n\n').slice(0, -1);
    this.text = '';
    return messages.map((message) => {
      const id = /^id: (\d+)\n/.exec(message)?.[1] ?? '?';
      const gap = /\nevent: gap\ndata: \{"missed":(\d+),"first":(\d+),"last":(\d+)\}$/.exec(message);
      if (gap === null) return id;
      const [, missed, first, last] = gap.map(Number);
      return missed === last! - first! + 1 && last === Number(id) ? `${first}-${last}` : 'a gap that is none';
    });
  }
}
