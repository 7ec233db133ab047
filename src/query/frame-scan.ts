/** The part of an archive scan that runs on many threads: some frames of a segment into the lines of them that are asked for. */

import { type ArchiveFiles, NODE_FILES } from '../archive/archive-files.js';
import type { FrameHead } from '../archive/frame-header.js';
import { RecordCursor } from '../archive/frame-records.js';
import { damagedFrame, type LineRange, type LogFlaw, removedLines } from '../archive/log-reader.js';
import { freeNativeMemory, nativeMemoryIsHeld } from '../archive/lz4.js';
import { type FrameContent, SegmentReader } from '../archive/segment-reader.js';
import { Decoder } from '../decode/decoder.js';
import { parseAcceptedLine } from '../decode/field-text.js';
import { TYPE_NAMES } from '../decode/type-rules.js';
import { EVENT_UNKNOWN } from '../model/event.js';
import { Failure, type FailureCode } from '../model/failure.js';
import { type ArchiveFilter, contains, namesFields, overlaps } from './archive-filter.js';
import { FeedFilter } from './feed-filter.js';

/** Crosses threads as a message, as does the result. */
export interface FrameScanTask {
  readonly path: string;
  /** Of the frames. */
  readonly offsets: readonly number[];
  /** That these frames hold, and their bytes. */
  readonly lines: LineRange;
  readonly rawBytes: number;
  readonly filter: ArchiveFilter;
  /** Each line as `{"line":N,"arrived":SECONDS,"event":LINE}`. */
  readonly json: boolean;
}

export interface FrameScanResult {
  /** Lines with their line ends, in memory of their own. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly flaws: readonly LogFlaw[];
  /** What has ended the scan after these bytes. A class does not cross threads. */
  readonly failure: { readonly code: FailureCode; readonly text: string } | null;
}

const LINE_END = 0x0a;
const EVENT_END = Buffer.from('}\n');

export async function scanFrames(
  task: FrameScanTask,
  files: ArchiveFiles = NODE_FILES,
): Promise<FrameScanResult> {
  const lines = new WantedLines(task.filter, task.json);
  const flaws: LogFlaw[] = [];
  try {
    const reader = SegmentReader.open(task.path, undefined, files, 'damage');
    try {
      for (const offset of task.offsets) {
        const frame = reader.frameAt(offset);
        const content = frame.kind === 'frame' ? reader.readFrame(frame) : frame;
        if (frame.kind === 'frame' && content.kind === 'content') lines.take(frame.head, content);
        else if (content.kind !== 'content') flaws.push(damagedFrame(content));
        if (nativeMemoryIsHeld()) await freeNativeMemory();
      }
    } finally {
      reader.close();
    }
    return { bytes: lines.join(), flaws, failure: null };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.code === 'ERR_NOT_FOUND') {
      flaws.push(removedLines(task.path, task.offsets[0]!, task.lines));
      return { bytes: lines.join(), flaws, failure: null };
    }
    return { bytes: lines.join(), flaws, failure: { code: error.code, text: error.message } };
  }
}

class WantedLines {
  readonly #filter: ArchiveFilter;
  readonly #json: boolean;
  readonly #fields: FeedFilter | null;
  readonly #needsType: boolean;
  readonly #decoder = new Decoder();
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(filter: ArchiveFilter, json: boolean) {
    this.#filter = filter;
    this.#json = json;
    this.#fields = namesFields(filter) ? new FeedFilter(filter) : null;
    this.#needsType = filter.types.length > 0;
  }

  take(head: FrameHead, { raw, sections }: FrameContent): void {
    if (this.#fields === null && !this.#json && contains(this.#filter, head)) {
      this.#put(raw);
      return;
    }
    this.#decoder.attach(raw.buffer, raw.byteOffset, raw.length);
    const records = new RecordCursor(head, sections.records);
    let line = head.firstLine;
    let at = 0;
    // Neighbours become one part.
    let from = 0;
    while (records.next()) {
      const { arrivalUs } = records;
      const isInTime = overlaps(this.#filter, { firstArrivalUs: arrivalUs, lastArrivalUs: arrivalUs });
      for (let i = 0; i < records.lineCount; i++, line++) {
        const { isWanted, end } = this.#judge(raw, at, isInTime);
        if (isWanted && this.#json) this.#putJson(line, arrivalUs, raw.subarray(at, end));
        if (!isWanted && !this.#json) {
          this.#put(raw.subarray(from, at));
          from = end + 1;
        }
        at = end + 1;
      }
    }
    if (!this.#json) this.#put(raw.subarray(from, at));
  }

  /** All that was taken, in memory of its own: it can be handed to another thread without a copy. */
  join(): Uint8Array<ArrayBuffer> {
    const joined = new Uint8Array(Buffer.allocUnsafeSlow(this.#bytes).buffer);
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  #judge(raw: Buffer, at: number, isInTime: boolean): { isWanted: boolean; end: number } {
    if (!isInTime || this.#fields === null) return { isWanted: isInTime, end: raw.indexOf(LINE_END, at) };
    const code = this.#decoder.decodeNext(at, raw.length);
    const end = this.#decoder.lineEnd;
    // A line that an older program took and this one refuses has no fields.
    if (code <= 0 || code > EVENT_UNKNOWN) return { isWanted: false, end };
    const type = this.#needsType ? typeOf(code, raw.subarray(at, end)) : '';
    return { isWanted: this.#fields.matches(this.#decoder, raw, type), end };
  }

  #put(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.#bytes += part.length;
  }

  #putJson(line: number, arrivalUs: number, text: Uint8Array): void {
    this.#put(Buffer.from(`{"line":${line},"arrived":${arrivalUs / 1e6},"event":`));
    this.#put(text);
    this.#put(EVENT_END);
  }
}

function typeOf(code: number, line: Uint8Array): string {
  return code === EVENT_UNKNOWN ? String(parseAcceptedLine(line).type) : TYPE_NAMES[code]!;
}
