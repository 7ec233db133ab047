/** A listener of the event feed: `GET /v1/events` over a control socket, its messages as they come. */

import { type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

export interface FeedMessage {
  readonly id: number | null;
  readonly event: string;
  readonly data: string;
}

const POLL_MS = 10;
const WAIT_MS = 20_000;

export class FeedClient {
  readonly messages: FeedMessage[] = [];
  readonly comments: string[] = [];
  /** Resolves with whether the stream was ended as HTTP has it, and not cut off. */
  readonly ended: Promise<boolean>;
  readonly response: IncomingMessage;
  #carry = '';

  private constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.#take(text));
    response.on('error', () => {}); // 'close' follows
    this.ended = new Promise((resolve) => response.on('close', () => resolve(response.complete)));
  }

  /** Resolves when the daemon has answered: all that is accepted later will come. */
  static listen(
    runtimeDir: string,
    query = '',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<FeedClient> {
    return new Promise((resolve, reject) => {
      const socketPath = join(runtimeDir, 'control.sock');
      const asked = request({ socketPath, path: `/v1/events${query}`, headers, agent: false }, (response) => {
        const client = new FeedClient(response);
        if (response.statusCode === 200) resolve(client);
        else reject(new Error(`status ${response.statusCode}`));
      });
      asked.on('error', reject);
      asked.end();
      onTestFinished(() => {
        asked.destroy();
      });
    });
  }

  get lines(): string[] {
    return this.messages.map(({ data }) => data);
  }

  /** Resolves when there are so many messages, or fails. */
  async atLeast(count: number): Promise<FeedMessage[]> {
    const until = performance.now() + WAIT_MS;
    while (this.messages.length < count) {
      if (performance.now() > until)
        throw new Error(`only ${this.messages.length} of ${count} messages came`);
      await sleep(POLL_MS);
    }
    return this.messages;
  }

  close(): void {
    this.response.destroy();
  }

  #take(text: string): void {
    const blocks = (this.#carry + text).split('\n\n');
    this.#carry = blocks.pop()!;
    for (const block of blocks) {
      const fields = block
        .split('\n')
        .map((line) => /^([^:]*):? ?(.*)$/s.exec(line)!.slice(1) as [string, string]);
      const values = (name: string) => fields.filter(([field]) => field === name).map(([, value]) => value);
      this.comments.push(...values(''));
      if (values('data').length === 0) continue;
      this.messages.push({
        id: values('id').length > 0 ? Number(values('id').at(-1)) : null,
        event: values('event').at(-1) ?? 'message',
        data: values('data').join('\n'),
      });
    }
  }
}
