/** A task of a pool: some frames of a segment into the lines of them that are asked for. Takes a task of frame-scan.ts. */

import { moved } from '../src/daemon/thread-pool.js';
import { type FrameScanResult, type FrameScanTask, scanFrames } from '../src/query/frame-scan.js';

export default async function frameScan(task: FrameScanTask): Promise<FrameScanResult> {
  const result = await scanFrames(task);
  return moved(result, [result.bytes.buffer]);
}
