/** The real executions beside the clone: 92,846 events of 69 workflows (Makeflow and Pegasus, from WfInstances). */

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const DATA = fileURLToPath(new URL('../../../shared/data/executions.ndjson.lz4', import.meta.url));
const BYTES_MAX = 256 * 1024 * 1024;

/** Lines as they would be sent. */
export function readExecutions(): Buffer {
  if (!existsSync(DATA)) throw new Error(`${DATA} is not there: this test needs the executions`);
  return execFileSync('lz4', ['-dc', DATA], { maxBuffer: BYTES_MAX });
}
