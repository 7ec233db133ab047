/** The worker of board.test.ts: writes the archive's board as fast as it can. */

import { ArchiveBoard, type Written } from '../../src/archive/board.js';

export interface BoardTask {
  readonly board: SharedArrayBuffer;
  readonly count: number;
}

export function writtenOf(n: number): Written {
  return {
    position: n,
    line: n,
    cuts: n,
    segment: n,
    segmentBytes: n,
    segmentSinceUs: n,
    segments: n,
    rawBytes: n,
    compressedBytes: n,
    lastArrivedUs: n,
    oldestUs: n,
    frameBytes: n,
    rewrites: n,
  };
}

export default function write({ board, count }: BoardTask): void {
  const archive = new ArchiveBoard(board);
  for (let n = 1; n <= count; n++) archive.setWritten(writtenOf(n));
}
