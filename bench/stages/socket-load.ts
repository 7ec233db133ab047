/** What the sender of the socket bench sends, and its readers count: 17 writes of 64 KiB hold whole lines again. */

export const LINE_BYTES = 136;
export const WRITE_BYTES = 64 * 1024;
export const ROUND_LINES = (17 * WRITE_BYTES) / LINE_BYTES;
