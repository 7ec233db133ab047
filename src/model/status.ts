/** The words of status, of workflows and of tasks; a status is its index here, also in shared memory. 0: none. */

export const STATUS_NAMES = [
  '',
  'pending',
  'running',
  'paused',
  'completed',
  'failed',
  'cancelled',
  'timeout',
] as const;

export type StatusName = (typeof STATUS_NAMES)[number];

export const STATUS_NONE = 0;
export const STATUS_RUNNING = 2;
export const STATUS_COMPLETED = 4;
export const STATUS_FAILED = 5;
export const STATUS_CANCELLED = 6;
export const STATUS_COUNT = 8;
