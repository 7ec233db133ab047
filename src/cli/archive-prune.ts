/** `tallyd archive prune`: removes the oldest segments, with or without a daemon that does the same beside it. */

import { basename, join } from 'node:path';
import { applyRetention, newestArrivalUs, type Retained, type RetentionRules } from '../archive/retention.js';
import { firstLineNeeded } from '../checkpoint/checkpoint-files.js';
import type { Config } from '../config/config.js';
import { tryParseSize } from '../config/sizes.js';
import { tryParseDuration } from '../model/durations.js';
import { EXIT_DONE, Failure } from '../model/failure.js';
import { counted, escapeControlsInJson, humanBytes, humanCount } from '../model/human.js';
import { archiveOf } from './archive-reading.js';
import type { Io } from './io.js';

export interface ArchivePruneOptions {
  readonly olderThan?: string;
  readonly maxBytes?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** @throws Failure ERR_NOT_FOUND, ERR_USAGE, and those of the system */
export async function archivePrune(
  config: Pick<Config, 'stateDir' | 'archive'>,
  options: ArchivePruneOptions,
  io: Pick<Io, 'stdout'>,
): Promise<number> {
  const directory = archiveOf(config);
  const retained = applyRetention({
    directory,
    rules: rulesOf(config, options, directory),
    firstLineNeeded: firstLineNeeded(join(config.stateDir, 'checkpoint')),
    isTrial: options.dryRun === true,
  });
  io.stdout.write(
    options.json ? `${escapeControlsInJson(JSON.stringify(view(retained)))}\n` : render(retained, options),
  );
  return EXIT_DONE;
}

/**
 * Those of the options, and without any those of the configuration: by these the daemon prunes, and nobody looks on, so a wall
 * that was set ahead must not empty the archive (model/age-clock.ts).
 * @throws Failure ERR_USAGE
 */
function rulesOf(
  { archive }: Pick<Config, 'archive'>,
  { olderThan, maxBytes }: ArchivePruneOptions,
  directory: string,
): RetentionRules {
  const wallUs = Date.now() * 1000;
  if (olderThan === undefined && maxBytes === undefined) {
    const nowUs = Math.min(wallUs, newestArrivalUs(directory));
    return { keepFromUs: nowUs - archive.maxAgeMs * 1000, maxBytes: archive.maxBytes };
  }
  const ageMs = olderThan === undefined ? null : tryParseDuration(olderThan);
  const bytes = maxBytes === undefined ? Number.POSITIVE_INFINITY : tryParseSize(maxBytes);
  if (ageMs === undefined) {
    throw new Failure('ERR_USAGE', `--older-than takes a duration, as 30d, is ${JSON.stringify(olderThan)}`);
  }
  if (bytes === undefined) {
    throw new Failure('ERR_USAGE', `--max-bytes takes a size, as 5GiB, is ${JSON.stringify(maxBytes)}`);
  }
  return { keepFromUs: ageMs === null ? 0 : wallUs - ageMs * 1000, maxBytes: bytes };
}

function view({ removed, isHeld, bytes, oldestUs }: Retained): object {
  return {
    removed: removed.map(({ path, firstLine, lastLine, bytes: size }) => {
      return { segment: basename(path), first_line: firstLine, last_line: lastLine, bytes: size };
    }),
    held: isHeld,
    bytes_left: bytes,
    oldest_ts: oldestUs === 0 ? null : oldestUs / 1e6,
  };
}

function render({ removed, isHeld, bytes }: Retained, { dryRun }: ArchivePruneOptions): string {
  const lines = removed.map(({ path, firstLine, lastLine, bytes: size }) => {
    const range = `lines ${humanCount(firstLine)} to ${humanCount(lastLine)}`;
    return `${dryRun ? 'would remove' : 'removed'} ${basename(path)}  ${range}  ${humanBytes(size)}`;
  });
  const sum = removed.reduce((all, segment) => all + segment.bytes, 0);
  const left = `${humanBytes(bytes)} ${dryRun ? 'would be' : 'are'} left`;
  lines.push(
    removed.length === 0
      ? `nothing to remove; ${left}`
      : `${counted(removed.length, 'segment')}, ${humanBytes(sum)}; ${left}`,
  );
  if (isHeld) {
    lines.push(
      'the next one is due too, but a start of the daemon may need it until there are two checkpoints after it',
    );
  }
  return `${lines.join('\n')}\n`;
}
