/** A CPU profile of one thread, as `POST /v1/profile` tells of it. */

export interface ProfiledThread {
  /** `ingest`, `fold`, `archive`, `sync`, `control`, or `pool-N` of a pool's thread. */
  readonly thread: string;
  readonly path: string;
}

/** Seconds that a profile may take. */
export const PROFILE_SECONDS_DEFAULT = 10;
export const PROFILE_SECONDS_MAX = 600;
