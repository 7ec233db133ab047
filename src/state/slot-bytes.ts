/** How large the slots of the tables are (layout.ts). */

/** Cells beyond `max_series`, for the overflow of each metric. */
export const OVERFLOW_CELLS = 1024;
export const WORKFLOW_BYTES = 312;
export const TASK_BYTES = 128;
export const SHARE_BYTES = 40;
export const CELL_BYTES = 432;
/** A block of 32 counters, one octave of a histogram. */
export const BUCKETS_BYTES = 272;
export const CLIENT_BYTES = 304;
export const REPORT_BYTES = 240;
/** Of the windows' pool. */
export const CHUNK_BYTES = 64;
