/**
 * Questions of all kinds at a steady rate, as a dashboard's crowd would ask: by the schedule, whether or not answers are
 * late, so that a slow answer counts as often as it was waited for. Arguments: path of the control socket. Says `ready`; at
 * `{ seconds, perSecond }` begins, and then says what it has asked and how long each answer took from the time at which
 * its question was due.
 */

import { once } from 'node:events';
import { workflowId } from '../../src/load/load.js';
import { HttpClient } from '../http-client.js';

export interface Asked {
  /** ms, of all questions */
  readonly times: readonly number[];
  /** Answers with another status than they should have, by path. */
  readonly wrong: Readonly<Record<string, number>>;
}

const CONNECTIONS = 16;
const METRIC = 'task_duration_seconds';
/** A workflow is asked for by a number that has started, and may have left memory. */
const QUESTIONS: readonly ((n: number) => string)[] = [
  (n) => `/v1/workflows/${workflowId(n % 400, n % 12)}`,
  () => '/v1/status',
  () => `/v1/stats?metric=${METRIC}`,
  (n) => `/v1/workflows/${workflowId(n % 4000, n % 12)}`,
  () => `/v1/stats?metric=${METRIC}&by=agent`,
  () => `/v1/stats?metric=${METRIC}&by=kind&window=1m`,
  (n) => `/v1/stats?metric=${METRIC}&by=kind,status&where=agent%3Da${String(n % 64).padStart(2, '0')}`,
  () => '/v1/report',
  () => '/v1/stats',
  () => '/v1/stats?metric=workflow_duration_seconds&by=name,status&window=1h',
];

const client = new HttpClient(process.argv[2]!, CONNECTIONS);
process.send!('ready');
const [{ seconds, perSecond }] = (await once(process, 'message')) as [{ seconds: number; perSecond: number }];
const times: number[] = [];
const wrong: Record<string, number> = {};
const open = new Set<Promise<void>>();
const startedMs = performance.now();
let asked = 0;
await new Promise<void>((resolve) => {
  const timer = setInterval(() => {
    const elapsedMs = performance.now() - startedMs;
    while (asked < seconds * perSecond && (asked * 1000) / perSecond <= elapsedMs) ask(asked++);
    if (asked < seconds * perSecond) return;
    clearInterval(timer);
    resolve();
  }, 1);
});
await Promise.all(open);
client.close();
const answer: Asked = { times, wrong };
process.send!(answer);
process.disconnect();

function ask(n: number): void {
  const path = QUESTIONS[n % QUESTIONS.length]!(n);
  const dueMs = startedMs + (n * 1000) / perSecond;
  const asking = client.get(path).then(({ status, text }) => {
    times.push(performance.now() - dueMs);
    const isRight = status === 200 ? isJson(text) : status === 404 && path.startsWith('/v1/workflows/');
    if (!isRight) wrong[path] = (wrong[path] ?? 0) + 1;
  });
  open.add(asking);
  asking.finally(() => open.delete(asking));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
