/**
 * `GET /v1/archive`: lines of the log as they were accepted, in its order (README.md). A reader takes as long as it wants, and
 * a few lots of frames wait for it meanwhile; one that goes away ends its scan.
 */

import type { ServerResponse } from 'node:http';
import { Failure } from '../model/failure.js';
import { tryParseTime } from '../model/times.js';
import { ALL_LINES, type ArchiveFilter } from '../query/archive-filter.js';
import { type FrameScanner, type IndexOf, type ScanFlaw, scanArchive } from '../query/archive-scan.js';
import type { LogEnd } from '../query/log-end.js';
import { Problem } from '../query/problem.js';

/** Each holds a few MiB, and all share the same threads. */
const SCANS_MAX = 16;
/** How many stretches of the log could not be given: after the body, since that is when it is known. */
const FLAWS_TRAILER = 'Tallyd-Flaws';

export interface ArchiveStreamsParts {
  readonly directory: string;
  readonly end: LogEnd;
  readonly scanner: FrameScanner;
  readonly indexOf: IndexOf;
  /** The number of the last line that is folded. */
  readonly lastLine: () => number;
  /** Told what a scan could not give. */
  readonly onWarning: (text: string) => void;
  readonly onBug: (error: unknown) => void;
}

export class ArchiveStreams {
  readonly #parts: ArchiveStreamsParts;
  #scans = 0;

  constructor(parts: ArchiveStreamsParts) {
    this.#parts = parts;
  }

  /** @throws Problem 503 where there are scans enough; nothing is answered then */
  serve(response: ServerResponse, filter: ArchiveFilter): void {
    if (this.#scans >= SCANS_MAX) {
      throw new Problem(
        503,
        'Too many scans',
        `${SCANS_MAX} scans of the archive run, and no more at a time`,
      );
    }
    const { method, httpVersion } = response.req;
    // HTTP/1.0 has no place for it.
    if (method !== 'HEAD' && httpVersion !== '1.0') response.setHeader('Trailer', FLAWS_TRAILER);
    response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
    if (method === 'HEAD') {
      response.end();
      return;
    }
    this.#scans++;
    this.#stream(response, filter)
      .catch((error) => {
        // Half an answer must not look like a whole one.
        response.destroy();
        if (error instanceof Failure)
          this.#parts.onWarning(`a scan of the archive has failed: ${error.message}`);
        else this.#parts.onBug(error);
      })
      .finally(() => {
        this.#scans--;
      });
  }

  async #stream(response: ServerResponse, filter: ArchiveFilter): Promise<void> {
    const { directory, end, scanner, indexOf, lastLine, onWarning } = this.#parts;
    const reader = new Reader(response);
    const upTo = await end.behind(lastLine());
    const flaws: ScanFlaw[] = [];
    const isCancelled = () => reader.isGone;
    const options = { filter, json: false, upTo, scanner, indexOf, isCancelled };
    for await (const item of scanArchive(directory, options)) {
      if (item.kind === 'lines') await reader.give(item.bytes);
      else flaws.push(item);
      if (reader.isGone) return;
    }
    if (reader.isGone) return;
    if (response.hasHeader('Trailer')) response.addTrailers({ [FLAWS_TRAILER]: String(flaws.length) });
    response.end();
    if (flaws.length > 0) onWarning(warningOf(flaws));
  }
}

class Reader {
  readonly #response: ServerResponse;
  #isGone = false;
  #goOn: () => void = () => {};

  constructor(response: ServerResponse) {
    this.#response = response;
    response.on('error', () => {}); // 'close' follows
    response.on('drain', () => this.#goOn());
    response.on('close', () => {
      this.#isGone = true;
      this.#goOn();
    });
    // Who has asked wants to know that he is heard, also where nothing is found for a while.
    response.flushHeaders();
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Resolves when there is room for more, or nobody takes it any more. */
  async give(bytes: Uint8Array): Promise<void> {
    if (this.#isGone || this.#response.write(bytes)) return;
    await new Promise<void>((resolve) => {
      this.#goOn = resolve;
    });
  }
}

/** @throws Problem */
export function archiveFilterOf(params: URLSearchParams, nowSeconds: number): ArchiveFilter {
  const all = (name: string) => params.getAll(name).filter((value) => value !== '');
  const sinceUs = timeOf(params, 'since', nowSeconds) ?? ALL_LINES.sinceUs;
  const untilUs = timeOf(params, 'until', nowSeconds) ?? ALL_LINES.untilUs;
  if (sinceUs >= untilUs) throw new Problem(400, 'Bad parameter', 'since is not before until');
  return { sinceUs, untilUs, types: all('type'), workflows: all('workflow'), agents: all('agent') };
}

function timeOf(params: URLSearchParams, name: string, nowSeconds: number): number | null {
  const text = params.get(name);
  if (text === null || text === '') return null;
  const seconds = tryParseTime(text, nowSeconds);
  if (seconds !== undefined) return Math.round(seconds * 1e6);
  const forms = 'Unix seconds, RFC 3339 or -2h';
  throw new Problem(400, 'Bad parameter', `${name} must be ${forms}, is ${JSON.stringify(text)}`);
}

function warningOf([first, ...others]: readonly ScanFlaw[]): string {
  const { path, offset, reason } = first!;
  const more = others.length === 0 ? '' : `; and ${others.length} more`;
  return `a scan of the archive could not give all: ${path} at byte ${offset}: ${reason}${more}`;
}
