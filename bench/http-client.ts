/** GET over a Unix socket on connections that are kept, timed from when a request was meant to be sent. */

import { Agent, request } from 'node:http';

export interface Reply {
  readonly status: number;
  readonly text: string;
}

export class HttpClient {
  readonly #agent: Agent;
  readonly #socketPath: string;

  constructor(socketPath: string, connections: number) {
    this.#socketPath = socketPath;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  get(path: string): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const options = { socketPath: this.#socketPath, path, agent: this.#agent };
      const outgoing = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
