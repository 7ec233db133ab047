/** `tallyd archive cat`: every accepted line, byte for byte, with or without a daemon that writes at the same time. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RecordCursor } from '../archive/frame-records.js';
import { endOfLog, type LogFlaw, type LogFrame, readFrames } from '../archive/log-reader.js';
import { EXIT_DONE, EXIT_NO, Failure } from '../model/failure.js';

const LINE_END = 0x0a;
const EVENT_END = Buffer.from('}\n');

export interface ArchiveCatOptions {
  readonly stateDir: string;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** One `{"line":N,"arrived":seconds,"event":<the line>}` per line. */
  readonly json?: boolean;
}

/**
 * Prints what was in the archive when it began. Ends quietly when the reader of `stdout` has gone.
 * @returns the exit code: `EXIT_NO` where something is damaged, which `stderr` names
 * @throws Failure ERR_NOT_FOUND without an archive, ERR_ARCHIVE_FORMAT, and those of the system
 */
export async function runArchiveCat({ stateDir, stdout, stderr, json }: ArchiveCatOptions): Promise<number> {
  const directory = join(stateDir, 'archive');
  if (!existsSync(directory)) {
    throw new Failure(
      'ERR_NOT_FOUND',
      `no archive in ${stateDir}; name the state directory with --state-dir`,
    );
  }
  const upTo = endOfLog(directory);
  if (upTo === null) return EXIT_DONE;
  // `write` tells an error to its callback; without a listener the same error would end the process.
  const heardByCallback = () => {};
  stdout.on('error', heardByCallback);
  try {
    let exitCode = EXIT_DONE;
    for await (const item of readFrames(directory, { upTo })) {
      if (item.kind === 'frame') {
        const isRead = item.facts.lineCount === 0 || (await write(stdout, json ? jsonLines(item) : item.raw));
        if (!isRead) return exitCode;
      } else {
        if (item.kind === 'damage') exitCode = EXIT_NO;
        stderr.write(`${flawText(item)}\n`);
      }
    }
    return exitCode;
  } finally {
    stdout.removeListener('error', heardByCallback);
  }
}

function flawText({ kind, path, offset, bytes, reason }: LogFlaw): string {
  const what = kind === 'damage' ? 'damage' : 'a frame that is not finished';
  return `tallyd: ${what} in ${path} at byte ${offset} (${bytes} bytes): ${reason}`;
}

/** Waits until the chunk is taken. @returns false when nobody reads any more */
function write(stdout: NodeJS.WritableStream, chunk: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    stdout.write(chunk, (error?: Error | null) => {
      const code = (error as NodeJS.ErrnoException | null | undefined)?.code;
      if (!error) resolve(true);
      else if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED') resolve(false);
      else reject(new Failure('ERR_IO', `cannot write to the standard output: ${code}`, { cause: error }));
    });
  });
}

function jsonLines({ facts, sections, raw, path, offset }: LogFrame): Buffer {
  const parts: Uint8Array[] = [];
  const records = new RecordCursor(facts, sections.records);
  let line = facts.firstLine;
  let start = 0;
  while (records.next()) {
    for (let i = 0; i < records.lineCount; i++) {
      const end = raw.indexOf(LINE_END, start);
      if (end === -1)
        throw new Failure('ERR_BUG', `the frame at byte ${offset} of ${path} misstates its lines`);
      parts.push(Buffer.from(`{"line":${line++},"arrived":${records.arrivalUs / 1e6},"event":`));
      parts.push(raw.subarray(start, end), EVENT_END);
      start = end + 1;
    }
  }
  return Buffer.concat(parts);
}
