/** What a command reads lines from: a file, or standard input. */

import { fstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Failure } from '../model/failure.js';
import type { Io } from './io.js';

export interface Input {
  readonly name: string;
  readonly stream: Readable;
  /** null where the end is not known */
  readonly bytesTotal: number | null;
}

const READ_BYTES = 256 * 1024;

/** @param file `-` and none are standard input. @throws Failure ERR_IO */
export async function openInput(file: string | undefined, io: Io): Promise<Input> {
  if (file === undefined || file === '-') {
    if (io.stdin.isTTY) io.stderr.write('reading event lines from the terminal; Ctrl-D ends them\n');
    return { name: 'standard input', stream: io.stdin, bytesTotal: redirectedSize(io.stdin.fd) };
  }
  try {
    const handle = await open(file);
    const facts = await handle.stat();
    if (facts.isDirectory()) {
      await handle.close();
      throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    }
    const stream = handle.createReadStream({ highWaterMark: READ_BYTES });
    return { name: file, stream, bytesTotal: facts.isFile() ? facts.size : null };
  } catch (error) {
    throw failureOfInput(error, file);
  }
}

export function failureOfInput(error: unknown, name: string): Failure {
  const code = (error as NodeJS.ErrnoException)?.code ?? String(error);
  const text = `cannot read ${name}: ${code}; name a file of event lines that you may read, or - for standard input`;
  return new Failure('ERR_IO', text, { cause: error });
}

function redirectedSize(fd: number | undefined): number | null {
  if (fd === undefined) return null;
  try {
    const facts = fstatSync(fd);
    return facts.isFile() ? facts.size : null;
  } catch {
    return null;
  }
}
