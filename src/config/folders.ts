/** Where the sockets and the state lie, when nobody says: systemd's folders, the user's, the system's. */

import { isAbsolute, join, resolve } from 'node:path';

export interface FolderFlags {
  readonly stateDir?: string | undefined;
  readonly runtimeDir?: string | undefined;
}

export interface FolderHost {
  readonly uid: number;
  readonly homeDir: string;
}

export interface Folders {
  /** holds archive/, checkpoint/, rejects/ */
  readonly stateDir: string;
  /** holds ingest.sock, control.sock */
  readonly runtimeDir: string;
}

/**
 * A path of a Unix socket has 108 bytes on Linux, the last one NUL; `/control.sock` takes 13. The kernel cuts nothing:
 * it refuses, and says EINVAL.
 */
export const RUNTIME_DIR_BYTES_MAX = 107 - '/control.sock'.length;

/** Each of the two on its own: a flag, systemd, XDG, root's, the home's. All absolute. */
export function foldersOf(
  flags: FolderFlags,
  env: Readonly<Record<string, string | undefined>>,
  host: FolderHost,
): Folders {
  const home = join(env.HOME ? env.HOME : host.homeDir, '.local/state/tallyd');
  const root = host.uid === 0;
  return {
    stateDir:
      absolute(flags.stateDir) ??
      firstOf(env.STATE_DIRECTORY) ??
      xdg(env.XDG_STATE_HOME) ??
      (root ? '/var/lib/tallyd' : home),
    runtimeDir:
      absolute(flags.runtimeDir) ??
      firstOf(env.RUNTIME_DIRECTORY) ??
      xdg(env.XDG_RUNTIME_DIR) ??
      (root ? '/run/tallyd' : join(home, 'run')),
  };
}

function absolute(path: string | undefined): string | undefined {
  return path ? resolve(path) : undefined;
}

/** systemd joins several directories by colons. */
function firstOf(paths: string | undefined): string | undefined {
  return absolute(paths?.split(':').find((path) => path !== ''));
}

/** The XDG base directory specification: a relative path is invalid, and to be ignored. */
function xdg(base: string | undefined): string | undefined {
  return base && isAbsolute(base) ? join(base, 'tallyd') : undefined;
}
