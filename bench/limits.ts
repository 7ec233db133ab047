/** The limits of the state as they are by default, for benches that allocate their own. */

import type { StateLimits } from '../src/state/layout.js';

export const DEFAULT_LIMITS: StateLimits = {
  maxLiveWorkflows: 100_000,
  maxRecentWorkflows: 10_000,
  maxTasksPerWorkflow: 10_000,
  maxTasks: 2_000_000,
  maxSeries: 10_000,
  seriesIdleMs: 30 * 86_400_000,
  windowBytes: 128 * 1024 * 1024,
  staleAfterMs: 6 * 3600 * 1000,
  namesBytes: 256 * 1024 * 1024,
  maxClients: 10_000,
};
