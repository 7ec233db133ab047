/** `tallyd archive cat`: accepted lines, byte for byte, with or without a daemon that writes at the same time. */

import { endOfLog } from '../archive/log-reader.js';
import type { Config } from '../config/config.js';
import { EXIT_DONE, EXIT_NO, Failure } from '../model/failure.js';
import type { ArchiveFilter } from '../query/archive-filter.js';
import { type FrameScanner, scanArchive } from '../query/archive-scan.js';
import { archiveOf, flawText, withFrameThreads } from './archive-reading.js';
import type { Io } from './io.js';
import { timeRange } from './query-options.js';

export interface ArchiveCatOptions {
  readonly since?: string;
  readonly until?: string;
  readonly type?: readonly string[];
  readonly workflow?: readonly string[];
  readonly agent?: readonly string[];
  /** One `{"line":N,"arrived":seconds,"event":<the line>}` per line. */
  readonly json?: boolean;
}

/**
 * Prints what was in the archive when it began. Ends quietly when the reader of `stdout` has gone.
 * @returns the exit code: `EXIT_NO` where something cannot be read, which `stderr` names
 * @throws Failure ERR_NOT_FOUND without an archive, ERR_USAGE, ERR_ARCHIVE_FORMAT, and those of the system
 */
export async function archiveCat(
  config: Pick<Config, 'stateDir'>,
  options: ArchiveCatOptions,
  io: Pick<Io, 'stdout' | 'stderr'>,
): Promise<number> {
  const filter = filterOf(options, Date.now() / 1000);
  const directory = archiveOf(config);
  // `write` tells an error to its callback; without a listener the same error would end the process.
  const heardByCallback = () => {};
  io.stdout.on('error', heardByCallback);
  try {
    return await withFrameThreads((scanner) =>
      print(directory, filter, { scanner, json: options.json === true }, io),
    );
  } finally {
    io.stdout.removeListener('error', heardByCallback);
  }
}

async function print(
  directory: string,
  filter: ArchiveFilter,
  options: { scanner: FrameScanner; json: boolean },
  { stdout, stderr }: Pick<Io, 'stdout' | 'stderr'>,
): Promise<number> {
  const upTo = endOfLog(directory);
  if (upTo === null) return EXIT_DONE;
  let exitCode = EXIT_DONE;
  for await (const item of scanArchive(directory, { filter, upTo, ...options })) {
    if (item.kind === 'lines') {
      if (!(await write(stdout, item.bytes))) return exitCode;
    } else {
      if (item.kind !== 'unfinished') exitCode = EXIT_NO;
      stderr.write(`tallyd: ${flawText(item)}\n`);
    }
  }
  return exitCode;
}

/** @throws Failure ERR_USAGE */
function filterOf(
  { since, until, type, workflow, agent }: ArchiveCatOptions,
  nowSeconds: number,
): ArchiveFilter {
  const range = timeRange({ since, until }, nowSeconds);
  for (const [name, values] of Object.entries({ type, workflow, agent })) {
    if (values?.includes('')) {
      throw new Failure('ERR_USAGE', `--${name} is empty; name one, or leave it out for all`);
    }
  }
  return {
    sinceUs: range.since === undefined ? 0 : Math.round(range.since * 1e6),
    untilUs: range.until === undefined ? Number.POSITIVE_INFINITY : Math.round(range.until * 1e6),
    types: type ?? [],
    workflows: workflow ?? [],
    agents: agent ?? [],
  };
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
