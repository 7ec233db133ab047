/** `tallyd send [FILE]`: event lines into the daemon, until they are on its disk. */

import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { EXIT_DONE, EXIT_INTERRUPTED, EXIT_NO } from '../model/failure.js';
import { counted, humanBytes } from '../model/human.js';
import { openInput } from './input.js';
import type { Io } from './io.js';
import { NumberedSending } from './numbered-sending.js';
import { Sending, type Sent } from './sending.js';

class Interrupted extends Error {}

/**
 * @returns done where every line was accepted and is durable, no where some were refused or lost, 130 after SIGINT
 * @throws Failure ERR_IO for the input, ERR_NO_DAEMON and ERR_DENIED for the socket, ERR_USAGE and ERR_TAKEN for the client
 */
export async function send(
  config: Config,
  file: string | undefined,
  options: { client?: string; json?: boolean },
  io: Io,
): Promise<number> {
  const path = join(config.runtimeDir, 'ingest.sock');
  const { client } = options;
  const input = await openInput(file, io);
  const sending =
    client === undefined ? new Sending(input, path, io) : new NumberedSending(input, path, client, io);
  const interrupt = () => sending.end(new Interrupted());
  io.signals.once('SIGINT', interrupt);
  const startedMs = performance.now();
  try {
    const sent = await sending.run();
    const seconds = (performance.now() - startedMs) / 1000;
    const { notes, ...counts } = sent;
    if (options.json) io.stdout.write(`${JSON.stringify({ ...counts, seconds })}\n`);
    else io.stderr.write(`${closingLine(sent, seconds)}\n`);
    for (const note of notes) io.stderr.write(`${note}\n`);
    const { rejected, lost = 0 } = sent;
    if (rejected > 0) {
      io.stderr.write(`${counted(rejected, 'line')} refused: tallyd status counts them by reason\n`);
    }
    return rejected === 0 && lost === 0 ? EXIT_DONE : EXIT_NO;
  } catch (error) {
    if (error instanceof Interrupted) return EXIT_INTERRUPTED;
    throw error;
  } finally {
    io.signals.off('SIGINT', interrupt);
    sending.end(undefined);
  }
}

function closingLine(sent: Sent, seconds: number): string {
  const { lines, bytes, accepted, rejected, skipped = 0 } = sent;
  const volume = `sent ${lines} line${lines === 1 ? '' : 's'} (${humanBytes(bytes)}) in ${seconds.toFixed(3)} s`;
  const text = `${volume}, accepted ${accepted}, rejected ${rejected}, durable`;
  return skipped === 0 ? text : `${text}; skipped ${counted(skipped, 'line')} that the daemon had`;
}
