/**
 * `GET /v1/events`: the live feed as Server-Sent Events (README.md). The ring is looked at while somebody listens, and not
 * else. Every listener has a bounded amount of unsent bytes, and is cut off beyond it.
 */

import type { ServerResponse } from 'node:http';
import { Feed, type FeedListener, type FeedMemory, gapMessage } from '../query/feed.js';
import { FeedFilter } from '../query/feed-filter.js';
import { Problem } from '../query/problem.js';

export interface EventStreamsOptions {
  readonly listenersMax: number;
  /** Of one listener, beside what the kernel holds for it. */
  readonly unsentBytesMax: number;
  readonly heartbeatMs: number;
  /** Told when a listener is cut off. */
  readonly onCutOff: (unsentBytes: number) => void;
}

export const EVENT_STREAMS_DEFAULTS = {
  listenersMax: 100,
  unsentBytesMax: 2 * 1024 * 1024,
  heartbeatMs: 15_000,
} as const;

/** How late an event may be for want of a look. */
const LOOK_MS = 20;
const END_MS = 1000;
/** A comment: it shows that both sides are there, and finds out where one is not. */
const HEARTBEAT = Buffer.from(':\n\n');

interface Stream extends FeedListener {
  readonly response: ServerResponse;
}

export class EventStreams {
  readonly #feed: Feed;
  readonly #options: EventStreamsOptions;
  readonly #streams = new Set<Stream>();
  #next: NodeJS.Timeout | NodeJS.Immediate | null = null;
  #heartbeat: NodeJS.Timeout | null = null;

  constructor(memory: FeedMemory, options: EventStreamsOptions) {
    this.#feed = new Feed(memory);
    this.#options = options;
  }

  /**
   * Answers with a stream that ends when either side wants it.
   * @param lastEventId the header of a reader that comes again: what it has missed is told
   * @throws Problem 503 where there are listeners enough; nothing is answered then
   */
  serve(response: ServerResponse, params: URLSearchParams, lastEventId: string | undefined): void {
    const { listenersMax } = this.#options;
    if (this.#streams.size >= listenersMax) {
      throw new Problem(
        503,
        'Too many listeners',
        `the feed has ${listenersMax} listeners, and takes no more`,
      );
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    if (response.req.method === 'HEAD') response.end();
    else this.#listen(response, filterOf(params), lastEventId);
  }

  /** Sends what is folded, and ends all streams; those that do not take it are cut off. */
  async close(): Promise<void> {
    while (this.#streams.size > 0 && this.#feed.pump(this.#streams)) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const ended = [...this.#streams].map(
      ({ response }) =>
        new Promise<void>((resolve) => {
          response.once('close', resolve);
          response.end();
        }),
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, END_MS);
    });
    await Promise.race([Promise.all(ended), late]);
    clearTimeout(timer);
    for (const { response } of this.#streams) response.destroy();
  }

  #listen(response: ServerResponse, filter: FeedFilter, lastEventId: string | undefined): void {
    // Who has asked wants to know that he is heard, also where nothing happens.
    response.flushHeaders();
    const after = this.#feed.lastLine();
    const stream: Stream = { response, filter, after, send: (messages) => this.#send(stream, messages) };
    if (this.#streams.size === 0) this.#begin();
    this.#streams.add(stream);
    response.on('close', () => this.#remove(stream));
    response.on('error', () => {}); // 'close' follows
    const seen = Number(lastEventId ?? '');
    if (Number.isInteger(seen) && seen > 0 && seen < after) stream.send(gapMessage(seen + 1, after));
  }

  #begin(): void {
    this.#feed.start();
    this.#schedule(false);
    this.#heartbeat = setInterval(() => {
      for (const stream of this.#streams) stream.send(HEARTBEAT);
    }, this.#options.heartbeatMs);
  }

  #remove(stream: Stream): void {
    if (!this.#streams.delete(stream) || this.#streams.size > 0) return;
    clearInterval(this.#heartbeat ?? undefined);
    clearTimeout(this.#next as NodeJS.Timeout);
    clearImmediate(this.#next as NodeJS.Immediate);
    this.#next = null;
  }

  #schedule(hasMore: boolean): void {
    const look = () => {
      const more = this.#feed.pump(this.#streams);
      if (this.#streams.size > 0) this.#schedule(more);
    };
    this.#next = hasMore ? setImmediate(look) : setTimeout(look, LOOK_MS);
  }

  #send(stream: Stream, messages: Buffer): void {
    const { response } = stream;
    response.write(messages);
    if (response.writableLength <= this.#options.unsentBytesMax) return;
    this.#options.onCutOff(response.writableLength);
    this.#remove(stream);
    response.destroy();
  }
}

/** Values of one name are alternatives, and an empty one is none. */
function filterOf(params: URLSearchParams): FeedFilter {
  const all = (name: string) => params.getAll(name).filter((value) => value !== '');
  return new FeedFilter({ types: all('type'), workflows: all('workflow'), agents: all('agent') });
}
