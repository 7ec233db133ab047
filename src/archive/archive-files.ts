/** The calls that the archive makes to the file system: a parameter, so that tests can make the disk fail. */

import * as nodeFs from 'node:fs';

export type ArchiveFiles = Pick<
  typeof nodeFs,
  | 'closeSync'
  | 'fdatasyncSync'
  | 'fstatSync'
  | 'fsyncSync'
  | 'ftruncateSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readdirSync'
  | 'readSync'
  | 'renameSync'
  | 'statSync'
  | 'unlinkSync'
  | 'writevSync'
>;

export const NODE_FILES: ArchiveFiles = nodeFs;

/** Makes the names in a folder durable: after a file was created, renamed or removed in it. Throws what the system throws. */
export function syncDirectory(directory: string, files: ArchiveFiles): void {
  const fd = files.openSync(directory, 'r');
  try {
    files.fsyncSync(fd);
  } finally {
    files.closeSync(fd);
  }
}
