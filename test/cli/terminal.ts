import { EventEmitter } from 'node:events';
import { PassThrough, Readable, Writable } from 'node:stream';
import type { Io, Output } from '../../src/cli/io.js';
import { runProgram } from '../../src/cli/program.js';

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestIo extends Io {
  readonly texts: { stdout: string; stderr: string };
}

export interface TestIoOptions {
  readonly input?: string | Buffer | Readable;
  readonly env?: Record<string, string>;
  /** columns of a terminal; without it the streams are pipes */
  readonly terminalColumns?: number;
}

export function testIo({ input = '', env = {}, terminalColumns }: TestIoOptions = {}): TestIo {
  const texts = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr'): Output => {
    const stream = new Writable({
      decodeStrings: false,
      write(text, _, done) {
        texts[name] += String(text);
        done();
      },
    });
    const facts = terminalColumns === undefined ? {} : { isTTY: true, columns: terminalColumns };
    return Object.assign(stream, facts);
  };
  return {
    stdin: input instanceof Readable ? input : Readable.from([Buffer.from(input)]),
    stdout: output('stdout'),
    stderr: output('stderr'),
    env,
    signals: new EventEmitter(),
    texts,
  };
}

/** The program in this process, as a shell would see it. */
export async function tallyd(
  args: readonly string[],
  options: TestIoOptions | TestIo = {},
): Promise<Outcome> {
  const io = 'texts' in options ? options : testIo(options);
  const exitCode = await runProgram(args, io);
  return { exitCode, ...io.texts };
}

/** An input that never ends by itself. */
export function endlessInput(first = ''): PassThrough {
  const stream = new PassThrough();
  if (first !== '') stream.write(first);
  return stream;
}
