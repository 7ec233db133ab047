/** Builds logs on disk for the tests of the archive, and reads them back. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { encodeFrameHeader, type FrameFacts, type FrameSections } from '../../src/archive/frame-header.js';
import { FrameRecords } from '../../src/archive/frame-records.js';
import {
  type LogFlaw,
  type LogFrame,
  type ReadFramesOptions,
  readFrames,
} from '../../src/archive/log-reader.js';
import { compressFrame } from '../../src/archive/lz4.js';
import { segmentName } from '../../src/archive/segment-name.js';

export const FIRST_ARRIVAL_US = 1_732_000_000_123_456;

/** A new folder, gone after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'tallyd-archive-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface BuiltFrame {
  readonly facts: FrameFacts;
  readonly header: Buffer;
  readonly data: Buffer | null;
  readonly bytes: Buffer;
  readonly text: string;
}

/** Makes one frame after the other, each with one record a line, 1000 µs apart. */
export class LogBuilder {
  line: number;
  rawBytes = 0;
  arrivalUs = FIRST_ARRIVAL_US;
  readonly #records = new FrameRecords();

  constructor(firstLine = 1) {
    this.line = firstLine;
    this.#records.reset(this.arrivalUs);
  }

  frame(lines: readonly string[], sections: Partial<FrameSections> = {}): BuiltFrame {
    this.#records.reset();
    for (const _ of lines) {
      this.arrivalUs += 1000;
      this.#records.add(1, this.arrivalUs);
    }
    const text = lines.map((line) => `${line}\n`).join('');
    const raw = Buffer.from(text);
    const facts: FrameFacts = {
      firstLine: this.line,
      lineCount: lines.length,
      rawBytes: raw.length,
      rawBytesBefore: this.rawBytes,
      firstArrivalUs: this.#records.firstArrivalUs,
      lastArrivalUs: this.#records.lastArrivalUs,
    };
    this.line += lines.length;
    this.rawBytes += raw.length;
    const data = lines.length === 0 ? null : compressFrame(raw);
    const header = encodeFrameHeader(facts, { records: this.#records.bytes, ...sections }, data);
    return { facts, header, data, bytes: Buffer.concat([header, data ?? Buffer.alloc(0)]), text };
  }
}

/** Lines that differ, so that a line in the wrong place is seen. */
export function eventLines(count: number, from = 1): string[] {
  return Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      type: 'task.end',
      task: `t-${from + i}`,
      agent: `agent-${(from + i) % 7}`,
      status: 'completed',
    }),
  );
}

export function writeSegment(
  directory: string,
  frames: readonly BuiltFrame[],
  tail: Uint8Array = Buffer.alloc(0),
): string {
  const path = join(directory, segmentName(frames[0]!.facts.firstLine));
  writeFileSync(path, Buffer.concat([...frames.map(({ bytes }) => bytes), tail]));
  return path;
}

export interface ReadLog {
  readonly text: string;
  readonly frames: LogFrame[];
  readonly flaws: LogFlaw[];
}

export async function readLog(directory: string, options?: ReadFramesOptions): Promise<ReadLog> {
  const frames: LogFrame[] = [];
  const flaws: LogFlaw[] = [];
  for await (const item of readFrames(directory, options)) {
    if (item.kind === 'frame') frames.push(item);
    else flaws.push(item);
  }
  return { text: frames.map(({ raw }) => raw.toString()).join(''), frames, flaws };
}
