/**
 * Failures that a person has to act on, each with a stable code. Exit codes are those of sysexits(3), as the
 * contract lists them. A failure's text says what, the value, the bound and the mend; `cause` keeps the original.
 */

export const EXIT_DONE = 0;
export const EXIT_NO = 1;
export const EXIT_USAGE = 64;
export const EXIT_UNAVAILABLE = 69;
export const EXIT_BUG = 70;
export const EXIT_TAKEN = 73;
export const EXIT_IO = 74;
export const EXIT_DENIED = 77;
export const EXIT_CONFIG = 78;
/** By convention 128 + SIGINT. */
export const EXIT_INTERRUPTED = 130;

const EXIT_CODE_BY_FAILURE = {
  ERR_USAGE: EXIT_USAGE,
  ERR_NO_DAEMON: EXIT_UNAVAILABLE,
  ERR_NOT_FOUND: EXIT_NO,
  ERR_NOT_READY: EXIT_NO,
  ERR_DAMAGE: EXIT_NO,
  ERR_BUG: EXIT_BUG,
  ERR_TAKEN: EXIT_TAKEN,
  ERR_IO: EXIT_IO,
  ERR_ARCHIVE_FORMAT: EXIT_IO,
  ERR_CHECKPOINT_FORMAT: EXIT_IO,
  ERR_DENIED: EXIT_DENIED,
  ERR_CONFIG_INVALID: EXIT_CONFIG,
} as const;

export type FailureCode = keyof typeof EXIT_CODE_BY_FAILURE;

export class Failure extends Error {
  readonly code: FailureCode;

  /** @param text what was wrong, with the value and the bound, and after it the mend */
  constructor(code: FailureCode, text: string, options?: { cause?: unknown }) {
    super(text, options);
    this.name = 'Failure';
    this.code = code;
  }

  get exitCode(): number {
    return EXIT_CODE_BY_FAILURE[this.code];
  }
}

/** The failure for an error of the operating system met while doing `what` on `path`. */
export function failureOfSystemError(error: unknown, what: string, path: string): Failure {
  const code = (error as NodeJS.ErrnoException)?.code ?? 'unknown error';
  const denied = code === 'EACCES' || code === 'EPERM';
  const mend = denied
    ? 'run as the user that owns it, or choose another folder with --state-dir and --runtime-dir'
    : 'see that the folder exists, is on a working disk and has room';
  return new Failure(denied ? 'ERR_DENIED' : 'ERR_IO', `cannot ${what} ${path}: ${code}; ${mend}`, {
    cause: error,
  });
}
