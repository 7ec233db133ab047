/** Questions to the running daemon over its control socket, and its refusals as failures. */

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { Failure } from '../model/failure.js';

export interface Answer {
  /** as it came */
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the commands read it as the contract describes it
  readonly body: any;
}

/** A daemon that is silent for so long is not there for the one who asks. */
const SILENCE_MS_MAX = 60_000;

/**
 * @param path with its query
 * @param workMs how long the daemon works on it before it says anything
 * @throws Failure ERR_NO_DAEMON, ERR_DENIED, ERR_NOT_FOUND, ERR_NOT_READY, ERR_USAGE or ERR_BUG
 */
export async function request(
  config: Config,
  method: 'GET' | 'POST',
  path: string,
  workMs = 0,
): Promise<Answer> {
  const socketPath = join(config.runtimeDir, 'control.sock');
  const { status, text } = await exchange(socketPath, method, path, workMs);
  if (status >= 400) throw failureOfProblem(status, text);
  try {
    return { text, body: JSON.parse(text) };
  } catch (error) {
    throw new Failure(
      'ERR_BUG',
      `the answer to ${method} ${path} on ${socketPath} is no JSON; is it a tallyd?`,
      {
        cause: error,
      },
    );
  }
}

/**
 * An answer without end, for whoever reads it to its end or destroys it. It ends with an error where it is cut off, and
 * where the daemon is silent too long.
 * @throws Failure as `request`
 */
export async function openStream(
  config: Config,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<IncomingMessage> {
  const socketPath = join(config.runtimeDir, 'control.sock');
  const response = await open(socketPath, 'GET', path, { ...headers, accept: 'text/event-stream' });
  const { statusCode = 0 } = response;
  if (statusCode < 400) return response;
  throw failureOfProblem(statusCode, await collect(response));
}

/** For the control socket and the ingest socket alike. */
export function failureOfSocket(error: unknown, socketPath: string): Failure {
  const code = (error as NodeJS.ErrnoException)?.code ?? 'unknown error';
  if (code === 'EACCES' || code === 'EPERM') {
    const mend = 'run as root, as the user of the daemon, or as a member of the group of the socket';
    return new Failure('ERR_DENIED', `not allowed to connect to ${socketPath}: ${code}; ${mend}`, {
      cause: error,
    });
  }
  const why = code === 'ENOENT' ? 'there is no such socket' : code;
  const mend = 'start one with tallyd run, or name the folder of another with --runtime-dir';
  return new Failure('ERR_NO_DAEMON', `no daemon answers on ${socketPath}: ${why}; ${mend}`, {
    cause: error,
  });
}

async function exchange(
  socketPath: string,
  method: string,
  path: string,
  workMs: number,
): Promise<{ status: number; text: string }> {
  const response = await open(socketPath, method, path, { accept: 'application/json' }, workMs);
  try {
    return { status: response.statusCode ?? 0, text: await collect(response) };
  } catch (error) {
    throw failureOfSocket(error, socketPath);
  }
}

/** Resolves with the head of the answer. */
function open(
  socketPath: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  workMs = 0,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { socketPath, method, path, agent: false };
    const all = { ...headers, host: 'localhost', connection: 'close' };
    const outgoing = httpRequest({ ...options, headers: all }, resolve);
    outgoing.setTimeout(workMs + SILENCE_MS_MAX, () => {
      const silence = Object.assign(new Error('silent'), { code: `silent for ${SILENCE_MS_MAX / 1000} s` });
      outgoing.destroy(silence);
    });
    outgoing.on('error', (error) => reject(failureOfSocket(error, socketPath)));
    outgoing.end();
  });
}

async function collect(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

/** RFC 9457; a body that is none is quoted. */
function failureOfProblem(status: number, text: string): Failure {
  let said = text.trim().slice(0, 500) || 'no reason given';
  try {
    const { title, detail, reason } = JSON.parse(text) as Record<string, unknown>;
    const parts = [title, detail ?? reason].filter((part) => typeof part === 'string' && part !== '');
    if (parts.length > 0) said = [...new Set(parts)].join(': ');
  } catch {
    // The text itself is all there is to say.
  }
  if (status === 404) return new Failure('ERR_NOT_FOUND', said);
  if (status === 503)
    return new Failure('ERR_NOT_READY', `the daemon is not ready: ${said}; ask again, or see its log`);
  if (status === 401 || status === 403) return new Failure('ERR_DENIED', said);
  if (status >= 500)
    return new Failure('ERR_BUG', `the daemon failed (${status}): ${said}; its log has more`);
  return new Failure('ERR_USAGE', said);
}
