/**
 * `tallyd tail`: the live event feed, one line an event, until it is interrupted. A feed that ends is asked for again, since
 * who follows a log wants to see the daemon come back: for some seconds, and then there is no daemon. What was not told
 * meanwhile is counted on standard error.
 */

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/config.js';
import { EventSource, type ServerEvent } from '../model/event-source.js';
import { EXIT_INTERRUPTED, Failure } from '../model/failure.js';
import { counted, escapeControlsInJson, humanCount } from '../model/human.js';
import { openStream } from './control-client.js';
import { eventLine } from './event-line.js';
import { colorsOf, type Io, widthOf } from './io.js';

export interface TailOptions {
  readonly type?: readonly string[];
  readonly workflow?: readonly string[];
  readonly agent?: readonly string[];
  readonly json?: boolean;
}

/** How long a daemon may be away: a restart by systemd, and not a day. */
const AWAY_MS_MAX = 10_000;
const AGAIN_MS = 200;

/** @returns 130 after SIGINT @throws Failure as `openStream`, at the start and when the daemon does not come back */
export async function tail(
  config: Config,
  options: TailOptions,
  io: Io,
  awayMsMax = AWAY_MS_MAX,
): Promise<number> {
  const following = new Following(config, options, io, awayMsMax);
  const interrupt = () => following.interrupt();
  io.signals.once('SIGINT', interrupt);
  try {
    await following.run();
    return EXIT_INTERRUPTED;
  } finally {
    io.signals.off('SIGINT', interrupt);
  }
}

class Following {
  readonly #config: Config;
  readonly #options: TailOptions;
  readonly #io: Io;
  readonly #path: string;
  readonly #awayMsMax: number;
  readonly #over = new AbortController();
  #response: IncomingMessage | undefined;
  /** The last line that was told. */
  #lastId = '';

  constructor(config: Config, options: TailOptions, io: Io, awayMsMax: number) {
    this.#config = config;
    this.#options = options;
    this.#io = io;
    this.#path = feedPath(options);
    this.#awayMsMax = awayMsMax;
  }

  interrupt(): void {
    this.#over.abort();
    this.#response?.destroy();
  }

  /** Resolves when it is interrupted. */
  async run(): Promise<void> {
    await this.#open();
    while (!this.#over.signal.aborted) {
      const ended = await this.#follow();
      if (this.#over.signal.aborted) return;
      this.#say(
        ended
          ? 'the daemon has ended the feed; waiting for it to come back'
          : 'cut off: this reader was too slow, or the daemon died; listening again',
      );
      await this.#openAgain();
    }
  }

  async #open(): Promise<void> {
    const headers: Record<string, string> = this.#lastId === '' ? {} : { 'last-event-id': this.#lastId };
    this.#response = await openStream(this.#config, this.#path, headers);
    if (this.#over.signal.aborted) this.#response.destroy();
  }

  async #openAgain(): Promise<void> {
    const until = performance.now() + this.#awayMsMax;
    for (;;) {
      await sleep(AGAIN_MS, undefined, { signal: this.#over.signal }).catch(() => {});
      if (this.#over.signal.aborted) return;
      try {
        await this.#open();
        return;
      } catch (error) {
        const away =
          error instanceof Failure && (error.code === 'ERR_NO_DAEMON' || error.code === 'ERR_NOT_READY');
        if (!away || performance.now() > until) throw error;
      }
    }
  }

  /** Prints what comes. @returns whether the daemon has ended it, and not something else */
  async #follow(): Promise<boolean> {
    const response = this.#response!;
    const source = new EventSource();
    response.setEncoding('utf8');
    try {
      // Reads no faster than it can print; the daemon cuts off who is too slow.
      for await (const part of response) await this.#print(source.take(part as string));
    } catch {
      return false;
    }
    return response.complete;
  }

  async #print(events: readonly ServerEvent[]): Promise<void> {
    const { stdout, env } = this.#io;
    const width = stdout.isTTY === true ? widthOf(stdout) : null;
    const style = { colors: colorsOf(stdout, env), width };
    const nowSeconds = Date.now() / 1000;
    let text = '';
    for (const { id, event, data } of events) {
      if (id !== '') this.#lastId = id;
      if (event === 'gap' && this.#sayGap(data)) continue;
      if (this.#options.json) text += `${jsonLine(data, stdout.isTTY === true)}\n`;
      else text += `${eventLine(data, nowSeconds, style)}\n`;
    }
    if (text === '' || stdout.write(text) || stdout.destroyed) return;
    await Promise.race([once(stdout, 'drain'), once(stdout, 'close')]);
  }

  /** @returns false where it is an event of a client, of that type */
  #sayGap(data: string): boolean {
    const { type, missed, first, last } = JSON.parse(data);
    if (type !== undefined) return false;
    const filtered = this.#path.includes('?') ? ', filter or not' : '';
    this.#say(
      `${counted(missed, 'line')} missed (${humanCount(first)} to ${humanCount(last)}${filtered}); tallyd archive cat has them`,
    );
    return true;
  }

  #say(text: string): void {
    this.#io.stderr.write(`tallyd: ${text}\n`);
  }
}

/** The line as it was accepted, but for carriage returns, which the feed hands on as line ends. */
function jsonLine(data: string, terminal: boolean): string {
  const line = data.replaceAll('\n', ' ');
  return terminal ? escapeControlsInJson(line) : line;
}

function feedPath({ type, workflow, agent }: TailOptions): string {
  const query = new URLSearchParams();
  for (const [name, values] of Object.entries({ type, workflow, agent })) {
    for (const value of values ?? []) {
      if (value === '')
        throw new Failure('ERR_USAGE', `--${name} is empty; name one, or leave it out for all`);
      query.append(name, value);
    }
  }
  const text = query.toString();
  return text === '' ? '/v1/events' : `/v1/events?${text}`;
}
