/** The tables out of the log: what the daemon does at its start, and when a fold died inside a line's changes. */

import { ArchiveBoard } from '../archive/board.js';
import { decodeClients } from '../archive/frame-clients.js';
import { RecordCursor } from '../archive/frame-records.js';
import { readFrames } from '../archive/log-reader.js';
import { Replay } from '../fold/replay.js';
import type { Tables } from '../state/tables.js';

const WAIT_MS = 5;

/**
 * Clears the tables and folds the log up to and with `lastLine`. Lines that the archive stage has not written yet are
 * waited for: it was asked to (the fold's `wanted`), and needs nothing of the fold for it.
 */
export async function rebuildTables(
  tables: Tables,
  directory: string,
  boardMemory: SharedArrayBuffer,
  lastLine: number,
): Promise<void> {
  const board = new ArchiveBoard(boardMemory);
  const idle = new Int32Array(new SharedArrayBuffer(4));
  while (board.written().line < lastLine) Atomics.wait(idle, 0, 0, WAIT_MS);
  tables.clear();
  const replay = new Replay(tables, 0);
  const { segment, segmentBytes, lastArrivedUs } = board.written();
  for await (const frame of readFrames(directory, { upTo: { segment, offset: segmentBytes } })) {
    if (frame.kind !== 'frame') continue;
    for (const { id, lastLine: number, arrivalUs } of decodeClients(frame.facts, frame.sections.clients)) {
      tables.clients.restore(id, number, arrivalUs);
    }
    if (frame.facts.lineCount === 0) continue;
    replay.skipTo(frame.facts.firstLine - 1);
    replay.attach(frame.raw);
    const records = new RecordCursor(frame.facts, frame.sections.records);
    let at = 0;
    while (records.next()) at = replay.fold(at, frame.raw.length, records.lineCount, records.arrivalUs);
  }
  // Lines at the end of the log may be damaged; their numbers are not given twice.
  if (replay.line < lastLine) tables.board.setLine(lastLine, lastArrivedUs);
}
