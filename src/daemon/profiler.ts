/**
 * CPU profiles of all threads of this process, without their help: main reaches the others through the inspector (the NodeWorker
 * domain of Node), which interrupts a thread in the middle of its loop. A thread that sleeps in `Atomics.wait` cannot be
 * interrupted, so the bells of the stages are rung until all have answered. Nothing listens on a port for it.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { failureOfSystemError } from '../model/failure.js';
import type { ProfiledThread } from '../model/profile.js';

const RING_MS = 20;
const ANSWER_MS_MAX = 10_000;
const SAMPLE_US = 500;
const FILE_MODE = 0o640;
const DIRECTORY_MODE = 0o750;

export interface ProfilerParts {
  /** Names of the threads that have one, by their numbers. */
  readonly names: () => ReadonlyMap<number, string>;
  /** Wakes every thread that sleeps. */
  readonly ring: () => void;
}

interface AttachedWorker {
  readonly sessionId: string;
  readonly thread: number;
}

/** A thread by its number: main is asked at once, a worker through main. */
type Ask = (method: string, params?: object) => Promise<unknown>;

/**
 * Records for so long, and writes a file a thread. Call it once at a time.
 * @param directory is made; its name is the capture's
 * @throws Failure where the disk refuses, Error where a thread does not answer
 */
export async function profileThreads(
  directory: string,
  seconds: number,
  { names, ring }: ProfilerParts,
): Promise<ProfiledThread[]> {
  const session = new Session();
  session.connect();
  let ringing = setInterval(ring, RING_MS);
  try {
    const threads = await attach(session);
    const all = (method: string, params = {}) =>
      Promise.all([...threads].map(async ([thread, ask]) => [thread, await ask(method, params)] as const));
    await all('Profiler.enable');
    await all('Profiler.setSamplingInterval', { interval: SAMPLE_US });
    await all('Profiler.start');
    // What the bells cost is no part of what is recorded.
    clearInterval(ringing);
    await sleep(seconds * 1000);
    ringing = setInterval(ring, RING_MS);
    const profiles = await all('Profiler.stop');
    await all('Profiler.disable');
    return writeProfiles(directory, profiles, names());
  } finally {
    clearInterval(ringing);
    session.disconnect();
  }
}

async function attach(session: Session): Promise<Map<number, Ask>> {
  const workers: AttachedWorker[] = [];
  const answers = new Map<string, (message: Reply) => void>();
  session.on('NodeWorker.attachedToWorker', ({ params }) => {
    const thread = /\[worker (\d+)\]/.exec(params.workerInfo.title)?.[1];
    if (thread !== undefined) workers.push({ sessionId: params.sessionId, thread: Number(thread) });
  });
  session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
    const message: Reply = JSON.parse(params.message);
    answers.get(`${params.sessionId}/${message.id}`)?.(message);
  });
  const post = (method: string, params: object) =>
    new Promise<unknown>((resolve, reject) => {
      session.post(method, params, (error, result) => (error ? reject(error) : resolve(result)));
    });
  await post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  let last = 0;
  const askWorker =
    ({ sessionId, thread }: AttachedWorker): Ask =>
    async (method, params = {}) => {
      const id = ++last;
      const answered = new Promise<Reply>((resolve) => answers.set(`${sessionId}/${id}`, resolve));
      await post('NodeWorker.sendMessageToWorker', {
        sessionId,
        message: JSON.stringify({ id, method, params }),
      });
      const reply = await Promise.race([answered, sleep(ANSWER_MS_MAX, null, { ref: false })]);
      answers.delete(`${sessionId}/${id}`);
      if (reply === null) throw new Error(`thread ${thread} does not answer ${method}`);
      if (reply.error !== undefined) throw new Error(`thread ${thread}: ${reply.error.message}`);
      return reply.result;
    };
  return new Map<number, Ask>([
    [threadId, (method, params = {}) => post(method, params)],
    ...workers.map((worker) => [worker.thread, askWorker(worker)] as const),
  ]);
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

function writeProfiles(
  directory: string,
  profiles: readonly (readonly [thread: number, result: unknown])[],
  names: ReadonlyMap<number, string>,
): ProfiledThread[] {
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    return profiles.map(([thread, result]) => {
      const name = names.get(thread) ?? `pool-${thread}`;
      const path = join(directory, `${name}.cpuprofile`);
      const { profile } = result as { profile: object };
      writeFileSync(path, JSON.stringify(profile), { mode: FILE_MODE });
      return { thread: name, path };
    });
  } catch (error) {
    throw failureOfSystemError(error, 'write profiles into', directory);
  }
}
