import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach } from 'vitest';

const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tallyd-cli-'));
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** `ingest.sock` in a new folder. @returns the folder */
export async function serveIngest(take: (socket: Socket) => void): Promise<string> {
  const folder = temporaryFolder();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    take(socket);
  });
  await listen(server, join(folder, 'ingest.sock'), () => {
    for (const socket of sockets) socket.destroy();
  });
  return folder;
}

export interface Taken {
  /** all bytes but control lines */
  events: string;
}

/** Accepts every line but those that hold `bad`, and answers sync as the contract says. */
export async function serveCountingIngest(): Promise<{ folder: string; taken: Taken }> {
  const taken: Taken = { events: '' };
  const folder = await serveIngest((socket) => {
    let carry = '';
    let accepted = 0;
    let rejected = 0;
    let said = Promise.resolve();
    // In two writes, so that a reader has to put lines together.
    const say = (reply: string) => {
      said = said.then(async () => {
        socket.write(reply.slice(0, 10));
        await sleep(5);
        socket.write(`${reply.slice(10)}\n`);
      });
    };
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = (carry + text).split('\n');
      carry = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith('{"type":"sync"')) {
          const { id } = JSON.parse(line);
          say(JSON.stringify({ type: 'synced', id, seq: null, accepted, rejected }));
        } else if (line.startsWith('{"type":"hello"')) {
          say('{"type":"error","reason":"late hello"}');
        } else {
          taken.events += `${line}\n`;
          if (line.includes('bad')) rejected++;
          else accepted++;
        }
      }
    });
  });
  return { folder, taken };
}

export interface FakeReply {
  readonly status?: number;
  /** a string is sent as it is */
  readonly body?: unknown;
  /** takes the answer over once its head is written */
  readonly stream?: (response: ServerResponse) => void;
}

/** `control.sock` in a new folder. */
export async function serveControl(
  answer: (request: IncomingMessage) => FakeReply,
): Promise<{ folder: string; requests: string[] }> {
  const folder = temporaryFolder();
  const requests: string[] = [];
  const server = createHttpServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const { status = 200, body, stream } = answer(request);
    response.writeHead(status, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
    if (stream) {
      response.flushHeaders();
      stream(response);
      return;
    }
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await listen(server, join(folder, 'control.sock'), () => server.closeAllConnections());
  return { folder, requests };
}

function listen(server: Server, path: string, closeConnections: () => void): Promise<void> {
  cleanups.unshift(() => {
    server.close();
    closeConnections();
  });
  return new Promise((resolve) => server.listen(path, resolve));
}
