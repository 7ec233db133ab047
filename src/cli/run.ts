/** `tallyd run`: the daemon, in the foreground. */

import type { Config } from '../config/config.js';
import { runDaemon } from '../daemon/run.js';

export function run(config: Config): Promise<number> {
  return runDaemon(config);
}
