/** The control thread's line to main: news one way, `stop` and answers the other. */

import type { MessagePort } from 'node:worker_threads';
import { Failure } from '../model/failure.js';
import { type ProfileReply, ProfileRequests } from '../query/profile-requests.js';
import type { ControlNews } from './server.js';

export class MainPort {
  readonly profiles: ProfileRequests;
  /** Resolves when main says so. */
  readonly stopped: Promise<void>;
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
    this.profiles = new ProfileRequests((seconds) => this.tell({ kind: 'profile', seconds }));
    this.stopped = new Promise((resolve) => {
      port.on('message', (message: 'stop' | ProfileReply) => {
        if (message === 'stop') resolve();
        else this.profiles.answer(message);
      });
    });
  }

  tell(news: ControlNews): void {
    this.#port.postMessage(news);
  }

  readonly tellWarning = (text: string): void => {
    this.tell({ kind: 'warning', text });
  };

  /** Something failed that is no problem of the asker's. */
  readonly tellBug = (error: unknown): void => {
    this.tell({ kind: 'bug', error: error instanceof Error ? error : new Error(String(error)) });
  };

  /** What has ended the thread before it listens. Throws what is no failure. */
  tellFailure(error: unknown): void {
    if (!(error instanceof Failure)) throw error;
    this.tell({ kind: 'failure', code: error.code, text: error.message });
  }

  readonly tellCutOff = (bytes: number): void => {
    this.tell({ kind: 'warning', text: `cut off a reader of /v1/events that did not take ${bytes} bytes` });
  };

  close(): void {
    this.#port.close();
  }
}
