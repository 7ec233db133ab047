#!/usr/bin/env node
/** The executable: the process's streams and signals around the program. */

import type { Io } from './io.js';
import { reportError, runProgram } from './program.js';

const io: Io = {
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signals: process,
};

// Who reads our output may stop when he has enough (`tallyd stats | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`ERR_IO: cannot write to standard output: ${error.code}\n`);
  process.exit(74);
});
process.stderr.on('error', () => {});
process.on('uncaughtException', (error) => process.exit(reportError(error, io)));

const exitCode = await runProgram(process.argv.slice(2), io);
// Not before the last byte is out; and then at once, whatever still waits (a terminal that is our input).
process.stdout.write('', (error) => {
  // The listener above says why, a moment later.
  if (error != null) return;
  process.stderr.write('', () => process.exit(exitCode));
});
