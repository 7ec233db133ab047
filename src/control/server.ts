/** HTTP/1.1 over the control socket: requests to `route`, and its answers and problems (RFC 9457) back as JSON. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Problem } from '../query/problem.js';
import { MethodProblem, route, type Sources, type Target } from './routes.js';

const SAMPLE_MS = 1000;

export interface ControlServer {
  close(): Promise<void>;
}

/** @param onBug told of errors that are no problem of the asker's */
export async function startControl(
  sources: Sources,
  path: string,
  onBug: (error: unknown) => void,
): Promise<ControlServer> {
  const server = createServer((request, response) => {
    answer(sources, request, response, onBug).catch(onBug);
  });
  await listen(server, path);
  const sampling = setInterval(() => sources.status.sample(), SAMPLE_MS);
  return {
    close: async () => {
      clearInterval(sampling);
      await sources.events.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function answer(
  sources: Sources,
  request: IncomingMessage,
  response: ServerResponse,
  onBug: (error: unknown) => void,
): Promise<void> {
  request.resume();
  try {
    const found = await route(sources, request.method ?? 'GET', targetOf(request));
    if ('stream' in found) found.stream(response);
    else {
      const type = typeof found.body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
      send(response, found.status, type, found.body, request.method === 'HEAD');
    }
  } catch (error) {
    if (!(error instanceof Problem)) onBug(error);
    const problem =
      error instanceof Problem
        ? error
        : new Problem(500, 'Internal error', 'the daemon could not answer this; its log says why');
    const { status, title, message } = problem;
    const body = { type: 'about:blank', title, status, detail: message };
    if (error instanceof MethodProblem) response.setHeader('Allow', error.allowed.join(', '));
    send(response, status, 'application/problem+json', body, request.method === 'HEAD');
  }
}

/**
 * Path and query as they were sent, also out of the absolute form (RFC 9112, 3.2.2). A `URL` would resolve `.` and `..`,
 * written or as %2E, and these are ids like any other.
 */
function targetOf({ url: text = '/', headers }: IncomingMessage): Target {
  const [, pathname = '', query = ''] = /^(?:https?:\/\/[^/?#]*)?([^?#]*)(?:\?([^#]*))?/i.exec(text)!;
  if (!pathname.startsWith('/')) {
    throw new Problem(400, 'Bad request target', `${JSON.stringify(text)} is no path`);
  }
  const lastEventId = headers['last-event-id'];
  return {
    pathname,
    searchParams: new URLSearchParams(query),
    lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
  };
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: object | string,
  headOnly: boolean,
): void {
  const text = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  });
  response.end(headOnly ? undefined : text);
}
