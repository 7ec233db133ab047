/** A question that is asked again and again while somebody looks at its answer. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, Refusal, Silence } from './api.js';
import { doubtLink, link } from './daemon.js';

export interface Polled<T> {
  /** the last answer, also while the next is awaited, and after one that failed */
  readonly data: T | null;
  readonly refusal: Refusal | null;
}

const NOTHING: Polled<never> = { data: null, refusal: null };

/**
 * @param path null: nothing to ask
 * @param everyMs the rest between an answer and the next question; a question that took long is asked less often
 */
export function usePoll<T>(path: string | null, everyMs: number): Polled<T> {
  const [polled, setPolled] = useState<Polled<T> & { path: string | null }>({ ...NOTHING, path });
  const current = useRef(path);
  current.current = path;
  useEffect(() => {
    if (path === null) return;
    const leaving = new AbortController();
    const take = (next: Partial<Polled<T>>) => {
      if (current.current !== path || leaving.signal.aborted) return;
      setPolled((before) => ({ ...(before.path === path ? before : NOTHING), path, refusal: null, ...next }));
    };
    pollUntil(path, everyMs, leaving.signal, take);
    return () => leaving.abort();
  }, [path, everyMs]);
  return polled.path === path ? polled : NOTHING;
}

async function pollUntil<T>(
  path: string,
  everyMs: number,
  leaving: AbortSignal,
  take: (next: Partial<Polled<T>>) => void,
): Promise<void> {
  while (!leaving.aborted) {
    await untilWatchedAndUp(leaving);
    if (leaving.aborted) return;
    const before = performance.now();
    try {
      take({ data: await ask<T>(path, leaving) });
    } catch (error) {
      if (leaving.aborted) return;
      if (error instanceof Refusal) take({ refusal: error });
      else if (error instanceof Silence) doubtLink();
      else throw error;
    }
    const tookMs = performance.now() - before;
    await sleep(Math.max(everyMs, 4 * tookMs), leaving);
  }
}

function untilWatchedAndUp(leaving: AbortSignal): Promise<void> {
  const holds = () => !document.hidden && link.value.state !== 'gone';
  if (holds()) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      if (!leaving.aborted && !holds()) return;
      document.removeEventListener('visibilitychange', done);
      unsubscribe();
      leaving.removeEventListener('abort', done);
      resolve();
    };
    document.addEventListener('visibilitychange', done);
    const unsubscribe = link.subscribe(done);
    leaving.addEventListener('abort', done);
  });
}

function sleep(ms: number, leaving: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      leaving.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    leaving.addEventListener('abort', done);
  });
}
