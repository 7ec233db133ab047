/** `tallyd run`: the daemon, in the foreground. */

import type { Config } from '../config/config.js';
import { runDaemon } from '../daemon/run.js';

/** @param readConfig reads the configuration again, when the daemon is asked to */
export function run(config: Config, readConfig: () => Config): Promise<number> {
  return runDaemon(config, readConfig);
}
