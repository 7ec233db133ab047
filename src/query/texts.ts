/**
 * Texts of workflows and tasks (request, description, output, error). They are not state: state keeps the number of the
 * line that brought one, and the line is read out of the archive.
 */

import { readLines } from '../archive/line-lookup.js';
import { parseAcceptedLine } from '../decode/field-text.js';
import { LogEnd, type LogEndMemory } from './log-end.js';

export type Line = Record<string, unknown>;

export class Texts {
  readonly #end: LogEnd;
  readonly #directory: string;

  constructor(memory: LogEndMemory, directory: string) {
    this.#end = new LogEnd(memory);
    this.#directory = directory;
  }

  /** The lines of these numbers, parsed; one that is not there any more is left out. 0 stands for none. */
  async lines(numbers: Iterable<number>): Promise<Map<number, Line>> {
    const wanted = [...new Set(numbers)].filter((line) => line > 0).sort((a, b) => a - b);
    if (wanted.length === 0) return new Map();
    const upTo = await this.#end.behind(wanted.at(-1)!);
    const found = await readLines(this.#directory, wanted, { upTo });
    return new Map([...found].map(([line, bytes]) => [line, parseAcceptedLine(bytes)]));
  }
}
