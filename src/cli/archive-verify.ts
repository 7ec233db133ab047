/** `tallyd archive verify`: whether the archive is whole, and where it is not. */

import { checkLog, type IndexFlaw } from '../archive/log-check.js';
import { endOfLog, type LogFlaw } from '../archive/log-reader.js';
import { listSegments } from '../archive/segment-name.js';
import type { Config } from '../config/config.js';
import { EXIT_DONE, EXIT_NO } from '../model/failure.js';
import {
  counted,
  escapeControls,
  escapeControlsInJson,
  humanBytes,
  humanCount,
  humanDuration,
} from '../model/human.js';
import { archiveOf, flawText, withFrameThreads } from './archive-reading.js';
import type { Io } from './io.js';
import { TerminalNote } from './terminal-note.js';

interface Verified {
  ok: boolean;
  segments: number;
  frames: number;
  lines: number;
  bytes_raw: number;
  bytes_compressed: number;
  seconds: number;
  damage: object[];
  indexes: { path: string; reason: string }[];
  unfinished: object[];
  removed: object[];
}

/**
 * Checks what was in the archive when it began.
 * @returns done where nothing is damaged @throws Failure ERR_NOT_FOUND, ERR_ARCHIVE_FORMAT, and those of the system
 */
export async function archiveVerify(
  config: Pick<Config, 'stateDir' | 'ingest'>,
  { json }: { readonly json?: boolean },
  io: Pick<Io, 'stdout' | 'stderr'>,
): Promise<number> {
  const directory = archiveOf(config);
  const found: (LogFlaw | IndexFlaw)[] = [];
  const sums = { frames: 0, lines: 0, bytes_raw: 0, bytes_compressed: 0 };
  const note = new TerminalNote(io);
  const startedMs = performance.now();
  const upTo = endOfLog(directory);
  const segments = listSegments(directory).length;
  await withFrameThreads(async (checker) => {
    const { clientMemoryMs, maxClients } = config.ingest;
    const options = { upTo, checker, clientMemoryUs: clientMemoryMs * 1000, maxClients };
    for await (const item of checkLog(directory, options)) {
      if (item.kind !== 'checked') {
        found.push(item);
        note.clear();
        if (!json) io.stdout.write(`${textOf(item)}\n`);
        continue;
      }
      sums.frames += item.frames;
      sums.lines += item.lines;
      sums.bytes_raw += item.rawBytes;
      sums.bytes_compressed += item.bytes;
      note.update(() => `checked to line ${humanCount(sums.lines)}`);
    }
  });
  note.clear();
  const verified: Verified = {
    ok: found.every(({ kind }) => kind === 'unfinished' || kind === 'removed'),
    segments,
    ...sums,
    seconds: (performance.now() - startedMs) / 1000,
    damage: flawsOf(found, 'damage'),
    indexes: found.filter((item) => item.kind === 'index').map(({ path, reason }) => ({ path, reason })),
    unfinished: flawsOf(found, 'unfinished'),
    removed: flawsOf(found, 'removed'),
  };
  io.stdout.write(json ? `${escapeControlsInJson(JSON.stringify(verified))}\n` : summary(verified));
  return verified.ok ? EXIT_DONE : EXIT_NO;
}

function textOf(item: LogFlaw | IndexFlaw): string {
  if (item.kind !== 'index') return flawText(item);
  return `the index ${escapeControls(item.path)} cannot be trusted: ${escapeControls(item.reason)}; remove it, and the daemon builds it again`;
}

function flawsOf(found: readonly (LogFlaw | IndexFlaw)[], kind: LogFlaw['kind']): object[] {
  return found.flatMap((item) => {
    if (item.kind !== kind) return [];
    const { path, offset, bytes, reason, firstLine, lastLine } = item;
    return [{ path, offset, bytes, reason, first_line: firstLine, last_line: lastLine }];
  });
}

function summary({ ok, segments, frames, lines, bytes_raw, seconds, damage, indexes }: Verified): string {
  const whole = `${counted(segments, 'segment')}, ${counted(frames, 'frame')}, ${counted(lines, 'line')}, ${humanBytes(bytes_raw)} in ${humanDuration(seconds)}`;
  if (ok) return `whole: ${whole}\n`;
  const flaws = counted(damage.length + indexes.length, 'flaw');
  return `DAMAGED: ${flaws}; checked ${whole}\n`;
}
