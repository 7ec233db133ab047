/**
 * The event feed, read as a stream. Not by the browser's own EventSource: that tells only of events whose types were named to it
 * before, and a type that tallyd does not know is what one may be looking for.
 */

import { EventSource } from '../../model/event-source.js';

export interface FeedListener {
  /** @param data the line as it was sent */
  onEvent(data: string): void;
  /** Lines that were not told, since we or the daemon were too slow. */
  onGap(missed: number): void;
  onState(state: 'receiving' | 'cut off'): void;
}

const AGAIN_MS = 1000;

/** Reads until it is aborted; after a cut it goes on where it was, as far as the daemon can. */
export async function readFeed(path: string, listener: FeedListener, signal: AbortSignal): Promise<void> {
  let lastId = '';
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = lastId === '' ? {} : { 'last-event-id': lastId };
      const response = await fetch(path, { signal, headers, cache: 'no-store' });
      if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
      listener.onState('receiving');
      const source = new EventSource();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        for (const { id, event, data } of source.take(read.value)) {
          if (id !== '') lastId = id;
          if (event === 'gap') listener.onGap(missedOf(data));
          else listener.onEvent(data);
        }
      }
    } catch {
      // Why it ended is not known here; that of a daemon which is gone the banner says.
    }
    if (signal.aborted) return;
    listener.onState('cut off');
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function missedOf(data: string): number {
  const { missed } = JSON.parse(data) as { missed?: unknown };
  return typeof missed === 'number' ? missed : 0;
}
