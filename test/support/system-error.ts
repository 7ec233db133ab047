/** Errors as `node:fs` throws them. */

import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

export type ErrorCode = Exclude<keyof typeof constants.errno, 'EINVAL' | 'EBADF' | 'EFAULT'>;

export function systemError(name: ErrorCode, text: string): Error {
  const errno = -constants.errno[name];
  // Node has a name only for what libuv knows: EDQUOT is `Unknown system error -122`.
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${code}: ${text}`), { code, errno, syscall: 'ordered' });
}
