/** Profiles on request: main makes them, one capture at a time. */

import type { ProfiledThread } from '../model/profile.js';
import { Problem } from './problem.js';

/** What main answers: the files, or why there are none. */
export type ProfileReply =
  | { readonly kind: 'profiled'; readonly threads: readonly ProfiledThread[] }
  | { readonly kind: 'profile-failed'; readonly text: string };

export class ProfileRequests {
  readonly #ask: (seconds: number) => void;
  #resolve: ((reply: ProfileReply) => void) | null = null;

  /** @param ask has main begin; its answer goes to `answer` */
  constructor(ask: (seconds: number) => void) {
    this.#ask = ask;
  }

  /** @throws Problem where another capture is under way, or this one has failed */
  async take(seconds: number): Promise<readonly ProfiledThread[]> {
    if (this.#resolve !== null) {
      throw new Problem(409, 'Profiles are being taken', 'one capture at a time: ask again when it is over');
    }
    const answered = new Promise<ProfileReply>((resolve) => {
      this.#resolve = resolve;
    });
    this.#ask(seconds);
    const reply = await answered;
    if (reply.kind === 'profiled') return reply.threads;
    throw new Problem(503, 'No profiles', reply.text);
  }

  answer(reply: ProfileReply): void {
    this.#resolve?.(reply);
    this.#resolve = null;
  }
}
