/** `tallyd archive ls`: the segments of the archive, what is in them, and what they take. */

import { basename } from 'node:path';
import { readSegmentFacts, type SegmentFacts } from '../archive/segment-facts.js';
import type { Config } from '../config/config.js';
import { EXIT_DONE } from '../model/failure.js';
import { counted, escapeControlsInJson, humanBytes, humanCount, humanTime, NOTHING } from '../model/human.js';
import { archiveOf } from './archive-reading.js';
import { type Io, tableStyleOf } from './io.js';
import { type Column, renderTable } from './table.js';

/** @throws Failure */
export async function archiveLs(
  config: Pick<Config, 'stateDir'>,
  { json }: { readonly json?: boolean },
  io: Io,
): Promise<number> {
  const segments = readSegmentFacts(archiveOf(config));
  const listed = { segments: segments.map(view), ...totalsOf(segments) };
  if (json) io.stdout.write(`${escapeControlsInJson(JSON.stringify(listed))}\n`);
  else io.stdout.write(render(segments, io));
  return EXIT_DONE;
}

function totalsOf(segments: readonly SegmentFacts[]) {
  const sum = (of: (segment: SegmentFacts) => number) => segments.reduce((all, one) => all + of(one), 0);
  return {
    lines: sum(({ lineCount }) => lineCount),
    frames: sum(({ frameCount }) => frameCount),
    bytes_raw: sum(({ rawBytes }) => rawBytes),
    bytes_compressed: sum(({ bytes }) => bytes),
    bytes_indexes: sum(({ indexBytes }) => indexBytes ?? 0),
  };
}

function view(segment: SegmentFacts) {
  const { path, firstLine, lineCount, frameCount, rawBytes, bytes, indexBytes, isActive } = segment;
  return {
    segment: basename(path),
    active: isActive,
    first_line: firstLine,
    last_line: firstLine + lineCount - 1,
    lines: lineCount,
    frames: frameCount,
    first_ts: secondsOf(segment.firstArrivalUs),
    last_ts: secondsOf(segment.lastArrivalUs),
    bytes_raw: rawBytes,
    bytes_compressed: bytes,
    ratio: ratioOf(segment),
    bytes_index: indexBytes,
  };
}

function ratioOf({ rawBytes, bytes }: Pick<SegmentFacts, 'rawBytes' | 'bytes'>): number | null {
  return bytes === 0 ? null : rawBytes / bytes;
}

function secondsOf(us: number | null): number | null {
  return us === null ? null : us / 1e6;
}

const COLUMNS: readonly Column[] = [
  { title: 'first line', align: 'right' },
  { title: 'lines', align: 'right' },
  { title: 'from', align: 'left' },
  { title: 'to', align: 'left', leaves: 4 },
  { title: 'raw', align: 'right', leaves: 3 },
  { title: 'on disk', align: 'right' },
  { title: 'ratio', align: 'right', leaves: 5 },
  { title: 'frames', align: 'right', leaves: 1 },
  { title: 'index', align: 'right', leaves: 2 },
];

function render(segments: readonly SegmentFacts[], io: Io): string {
  if (segments.length === 0) return 'the archive has no segment yet\n';
  const totals = totalsOf(segments);
  const sum = [
    counted(segments.length, 'segment'),
    counted(totals.lines, 'line'),
    `${humanBytes(totals.bytes_raw)} raw`,
    `${humanBytes(totals.bytes_compressed)} on disk`,
    `${humanBytes(totals.bytes_indexes)} of indexes`,
  ];
  return `${renderTable(COLUMNS, segments.map(row), tableStyleOf(io))}\n${sum.join(', ')}\n`;
}

function row(segment: SegmentFacts): string[] {
  const ratio = ratioOf(segment);
  return [
    humanCount(segment.firstLine),
    humanCount(segment.lineCount),
    humanTime(secondsOf(segment.firstArrivalUs)),
    humanTime(secondsOf(segment.lastArrivalUs)),
    humanBytes(segment.rawBytes),
    humanBytes(segment.bytes),
    ratio === null ? NOTHING : ratio.toFixed(1),
    humanCount(segment.frameCount),
    segment.isActive ? 'active' : segment.indexBytes === null ? 'none' : humanBytes(segment.indexBytes),
  ];
}
