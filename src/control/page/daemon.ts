/**
 * The daemon as the page knows it: whether it answers, and its last status. One loop asks for the status each
 * second while somebody looks; every other question waits for this loop to say that the daemon is there.
 */

import type { StatusReply } from '../../model/replies.js';
import { ask, Refusal, Silence } from './api.js';
import { Store } from './store.js';

export type Link =
  | { readonly state: 'connecting' }
  | { readonly state: 'up' }
  | {
      readonly state: 'gone';
      readonly since: number;
      readonly tries: number;
      readonly retryAt: number;
      readonly reason: string;
    };

const STATUS_MS = 1000;
const RETRY_MS_MAX = 8000;

export const link = new Store<Link>({ state: 'connecting' });
export const status = new Store<StatusReply | null>(null);

let wake: () => void = () => {};

/** Ends a wait before the next try. */
export function retryNow(): void {
  wake();
}

/** For whoever asked something else and got silence: the loop finds out at once. */
export function doubtLink(): void {
  if (link.value.state === 'up') wake();
}

export async function watchDaemon(): Promise<never> {
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) wake();
  });
  for (;;) {
    if (!document.hidden) await takeStatus();
    const { value } = link;
    await rest(value.state === 'gone' ? Math.max(0, value.retryAt - Date.now()) : STATUS_MS);
  }
}

async function takeStatus(): Promise<void> {
  try {
    const reply = await ask<StatusReply>('/v1/status', new AbortController().signal);
    status.set(reply);
    link.set({ state: 'up' });
  } catch (error) {
    if (!(error instanceof Silence || error instanceof Refusal)) throw error;
    const before = link.value.state === 'gone' ? link.value : { since: Date.now(), tries: 0 };
    const tries = before.tries + 1;
    const waitMs = Math.min(RETRY_MS_MAX, STATUS_MS * 2 ** (tries - 1));
    link.set({
      state: 'gone',
      since: before.since,
      tries,
      retryAt: Date.now() + waitMs,
      reason: error.message,
    });
  }
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
