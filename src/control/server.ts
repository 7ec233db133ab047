/**
 * HTTP/1.1 over the control socket, and over TCP on the loopback where that is wanted: requests to `route`, and its answers and
 * problems (RFC 9457) back as JSON.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, ListenOptions } from 'node:net';
import { Failure, type FailureCode } from '../model/failure.js';
import type { StatusReply } from '../model/replies.js';
import { Problem } from '../query/problem.js';
import { RecentPast } from '../query/recent-past.js';
import { requireLoopbackHost } from './host-check.js';
import { PageFiles } from './page-files.js';
import { MethodProblem, route, type Sources, type Target } from './routes.js';

const SAMPLE_MS = 1000;

export interface ControlServer {
  /** Where it listens on TCP; null: nowhere. */
  readonly url: string | null;
  close(): Promise<void>;
}

/** What the control thread tells main. */
export type ControlNews =
  | { readonly kind: 'listening'; readonly url: string | null }
  | { readonly kind: 'failure'; readonly code: FailureCode; readonly text: string }
  | { readonly kind: 'warning'; readonly text: string }
  /** Profiles are asked for: main answers by a ProfileReply. */
  | { readonly kind: 'profile'; readonly seconds: number }
  | { readonly kind: 'bug'; readonly error: Error };

export interface TcpAddress {
  /** without the brackets of IPv6 */
  readonly host: string;
  readonly port: number;
}

export interface ControlPlaces {
  /** of the Unix socket */
  readonly path: string;
  /** null: no TCP */
  readonly address: TcpAddress | null;
}

/**
 * @param given what others have made; its own past and the files of the page the server makes itself
 * @param onBug told of errors that are no problem of the asker's
 * @throws Failure ERR_TAKEN or ERR_IO where it cannot listen on the address
 */
export async function startControl(
  given: Omit<Sources, 'past' | 'page'>,
  { path, address }: ControlPlaces,
  maxConnections: number,
  onBug: (error: unknown) => void,
): Promise<ControlServer> {
  const { tables, status, events, nowSeconds } = given;
  const past = new RecentPast(tables, () => status.render() as StatusReply);
  const sources = { ...given, past, page: new PageFiles() };
  const serve = (admit: (request: IncomingMessage) => void) => {
    const server = createServer((request, response) => {
      answer(sources, request, response, onBug, admit).catch(onBug);
    });
    server.maxConnections = maxConnections;
    return server;
  };
  const servers = [serve(() => {})];
  await listen(servers[0]!, { path });
  let url: string | null = null;
  if (address !== null) {
    const server = serve(requireLoopbackHost);
    servers.push(server);
    await listen(server, { ...address }).catch((error) => {
      throw failureOfListen(error, address);
    });
    // Port 0 is any free one.
    url = urlOf({ ...address, port: (server.address() as AddressInfo).port });
  }
  const sampling = setInterval(() => {
    status.sample();
    // Tables of which a part is missing have no past to show.
    if (!status.recovering()) past.sample(nowSeconds());
  }, SAMPLE_MS);
  return {
    url,
    close: async () => {
      clearInterval(sampling);
      await events.close();
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

function listen(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function urlOf({ host, port }: TcpAddress): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}

function failureOfListen(error: NodeJS.ErrnoException, address: TcpAddress): Failure {
  const mend = 'name a free port of the loopback in control.listen, or none';
  return error.code === 'EADDRINUSE'
    ? new Failure('ERR_TAKEN', `another program listens on ${urlOf(address)}; ${mend}`, { cause: error })
    : new Failure('ERR_IO', `cannot listen on ${urlOf(address)}: ${error.code}; ${mend}`, { cause: error });
}

async function answer(
  sources: Sources,
  request: IncomingMessage,
  response: ServerResponse,
  onBug: (error: unknown) => void,
  admit: (request: IncomingMessage) => void,
): Promise<void> {
  request.resume();
  try {
    admit(request);
    const found = await route(sources, request.method ?? 'GET', targetOf(request));
    if ('stream' in found) found.stream(response);
    else {
      const {
        status,
        body,
        type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json',
      } = found;
      send(response, status, type, body, request.method === 'HEAD');
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
    accept: headers.accept,
    lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
  };
}

function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: object | string | Uint8Array,
  headOnly: boolean,
): void {
  const bytes =
    body instanceof Uint8Array
      ? body
      : Buffer.from(typeof body === 'string' ? body : `${JSON.stringify(body)}\n`);
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': bytes.length,
    'Cache-Control': 'no-store',
  });
  response.end(headOnly ? undefined : bytes);
}
