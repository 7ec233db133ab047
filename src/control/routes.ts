/** The routes of the control socket (contract, section 3): a path and its parameters into an answer. */

import type { ServerResponse } from 'node:http';
import { PROFILE_SECONDS_DEFAULT, PROFILE_SECONDS_MAX } from '../model/profile.js';
import { WINDOW_NAMES, type WindowName } from '../model/windows.js';
import type { CheckpointRequests } from '../query/checkpoint-requests.js';
import type { HourlyAggregates, TimeSpan } from '../query/hourly.js';
import type { MetricsView } from '../query/metrics.js';
import { type PageRequest, parseCursor } from '../query/page.js';
import { Problem } from '../query/problem.js';
import type { ProfileRequests } from '../query/profile-requests.js';
import type { RecentPast } from '../query/recent-past.js';
import { queryReport } from '../query/report.js';
import { renderReportText } from '../query/report-text.js';
import { queryMetrics, queryStats } from '../query/stats.js';
import { RECOVERING, type StatusView } from '../query/status.js';
import { listTasks } from '../query/task-list.js';
import type { Texts } from '../query/texts.js';
import { listWorkflows } from '../query/workflow-list.js';
import type { WorkflowLookup } from '../query/workflow-lookup.js';
import type { Tables } from '../state/tables.js';
import { type ArchiveStreams, archiveFilterOf } from './archive-streams.js';
import type { EventStreams } from './event-streams.js';
import { METRICS_TYPE, metricsFormatOf } from './metrics-format.js';
import type { PageFiles } from './page-files.js';

export interface Sources {
  readonly tables: Tables;
  readonly texts: Texts;
  readonly workflows: Pick<WorkflowLookup, 'find'>;
  readonly hourly: HourlyAggregates;
  readonly status: StatusView;
  readonly checkpoints: CheckpointRequests;
  readonly profiles: ProfileRequests;
  readonly events: EventStreams;
  readonly archive: Pick<ArchiveStreams, 'serve'>;
  readonly metrics: MetricsView;
  readonly past: RecentPast;
  readonly page: PageFiles;
  readonly nowSeconds: () => number;
}

/** Of a request: the path as it was sent, percent signs and all. */
export interface Target {
  readonly pathname: string;
  readonly searchParams: URLSearchParams;
  /** Of a reader of Server-Sent Events that comes again. */
  readonly lastEventId: string | undefined;
  /** The Accept header. */
  readonly accept: string | undefined;
}

export type Answer = WholeAnswer | StreamAnswer;

interface WholeAnswer {
  readonly status: number;
  /** JSON, plain text, or bytes of `type`. */
  readonly body: object | string | Uint8Array;
  readonly type?: string;
}

/** Writes head and body itself, now or in the course of time. May throw a Problem as long as it has written nothing. */
interface StreamAnswer {
  readonly stream: (response: ServerResponse) => void;
}

const LIMIT_DEFAULT = 1000;
const LIMIT_MAX = 100_000;
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T/i;
/** As of an event's `ts`. */
const TIME_MAX_SECONDS = 1e11;
const CHECKPOINT_PATH = '/v1/checkpoint';
const PROFILE_PATH = '/v1/profile';
const WORKFLOW_PATH = /^\/v1\/workflows\/([^/]+)$/;

/** @throws Problem */
export async function route(sources: Sources, method: string, target: Target): Promise<Answer> {
  const { pathname } = target;
  const answer = match(sources, target);
  if (answer === null)
    throw new Problem(404, 'No such route', `${pathname} is no route of the control socket`);
  const methods = methodsOf(pathname);
  if (!methods.includes(method)) throw new MethodProblem(pathname, methods, method);
  return answer();
}

/** What does something is asked for by POST, all else by GET. */
function methodsOf(path: string): readonly string[] {
  return path === CHECKPOINT_PATH || path === PROFILE_PATH ? ['POST'] : ['GET', 'HEAD'];
}

export class MethodProblem extends Problem {
  readonly allowed: readonly string[];

  constructor(path: string, allowed: readonly string[], method: string) {
    super(405, 'Method not allowed', `${path} answers ${allowed[0]}, not ${method}`);
    this.allowed = allowed;
  }
}

function match(
  sources: Sources,
  { pathname: path, searchParams: params, accept, lastEventId }: Target,
): (() => Answer | Promise<Answer>) | null {
  switch (path) {
    case '/healthz':
      // Whoever can answer this is alive; a stage that cannot be run again ends the process.
      return () => ({ status: 200, body: { status: 'ok' } });
    case '/readyz':
      return () => readiness(sources.status.notReady());
    case '/v1/status':
      return () => ({ status: 200, body: sources.status.render(isAsked(params, 'connections')) });
    case '/v1/recent':
      return () => ({ status: 200, body: sources.past.render() });
    case '/metrics':
      return () => metrics(sources, accept);
    case '/v1/stats':
      return async () => ({ status: 200, body: await stats(sources, params) });
    case CHECKPOINT_PATH:
      return async () => {
        requireTables(sources);
        return { status: 200, body: await sources.checkpoints.take() };
      };
    case PROFILE_PATH:
      return async () => {
        const threads = await sources.profiles.take(profileSecondsOf(params.get('seconds')));
        return { status: 200, body: { threads } };
      };
    case '/v1/events':
      return () => ({ stream: (response) => sources.events.serve(response, params, lastEventId) });
    case '/v1/archive':
      return () => {
        const filter = archiveFilterOf(params, sources.nowSeconds());
        return { stream: (response) => sources.archive.serve(response, filter) };
      };
    case '/v1/report':
      return () => report(sources, params);
    case '/v1/workflows':
      return async () => ({ status: 200, body: await workflows(sources, params) });
    case '/v1/tasks':
      return async () => ({ status: 200, body: await tasks(sources, params) });
  }
  if (sources.page.has(path)) return () => ({ stream: (response) => sources.page.serve(path, response) });
  const workflow = WORKFLOW_PATH.exec(path);
  if (workflow === null) return null;
  const id = decode(workflow[1]!);
  return async () => {
    requireTables(sources);
    return { status: 200, body: await sources.workflows.find(id, runOf(params)) };
  };
}

/** `?name=1`, and `?name` alone. */
function isAsked(params: URLSearchParams, name: string): boolean {
  const value = params.get(name);
  return value !== null && value !== '0' && value !== 'false';
}

function readiness(reason: string | null): WholeAnswer {
  if (reason === null) return { status: 200, body: { status: 'ready' } };
  return { status: 503, body: { status: 'not ready', reason } };
}

function metrics({ metrics }: Sources, accept: string | undefined): Answer {
  const format = metricsFormatOf(accept);
  return { status: 200, body: metrics.render(format), type: METRICS_TYPE[format] };
}

/** While the tables are rebuilt they hold a part of the log only, and no answer is better than a wrong one. */
function requireTables({ status }: Sources): void {
  if (status.recovering()) throw new Problem(503, 'Not ready', `${RECOVERING}; ask again`);
}

async function stats(sources: Sources, params: URLSearchParams): Promise<object> {
  requireTables(sources);
  const span = spanOf(params);
  const window = windowOf(params.get('window'));
  const metric = params.get('metric');
  if (metric === null || metric === '') return queryMetrics(sources.tables);
  const by = labelsOf(params.getAll('by'));
  const scope = {
    metric,
    by: by.includes('*') ? null : by,
    where: params.getAll('where').map(conditionOf),
    limit: limitOf(params.get('limit')),
  };
  const now = sources.nowSeconds();
  if (span === null) return queryStats(sources.tables, { ...scope, ...(window && { window }) }, now);
  if (window === null) return sources.hourly.stats(scope, span, now);
  const detail = 'a window counts back from now, and since and until name a time; give one or the other';
  throw new Problem(400, 'Bad parameter', detail);
}

async function report(sources: Sources, params: URLSearchParams): Promise<WholeAnswer> {
  requireTables(sources);
  const span = spanOf(params);
  const format = params.get('format') || 'json';
  if (format !== 'json' && format !== 'text') {
    throw new Problem(400, 'Bad parameter', `format must be json or text, is ${JSON.stringify(format)}`);
  }
  const scope = { workflow: params.get('workflow') || null, project: params.get('project') || null };
  if (scope.workflow !== null && scope.project !== null) {
    const detail = 'a report is over a workflow or over a project, so only one of both can be given';
    throw new Problem(400, 'Bad parameter', detail);
  }
  if (scope.workflow !== null && span !== null) {
    const detail =
      'the report of a workflow is over all of it; since and until go with a project, or with everything';
    throw new Problem(400, 'Bad parameter', detail);
  }
  const body =
    span === null
      ? await queryReport(sources.tables, sources.workflows, scope)
      : await sources.hourly.report(scope.project, span, sources.nowSeconds());
  return { status: 200, body: format === 'json' ? body : renderReportText(body, scope) };
}

/** null: all time. */
function spanOf(params: URLSearchParams): TimeSpan | null {
  const [since, until] = ['since', 'until'].map((name) => timeOf(params.get(name), name));
  return since === null && until === null ? null : { since: since!, until: until! };
}

/** Unix seconds, or RFC 3339. @throws Problem 400 */
function timeOf(text: string | null, name: string): number | null {
  if (text === null || text === '') return null;
  const seconds = DATE_TIME.test(text) ? Date.parse(text) / 1000 : Number(text);
  if (seconds >= 0 && seconds <= TIME_MAX_SECONDS) return seconds;
  const detail = `${name} must be Unix seconds or RFC 3339, is ${JSON.stringify(text)}`;
  throw new Problem(400, 'Bad parameter', detail);
}

/** null: all time. */
function windowOf(text: string | null): WindowName | null {
  if (text === null || text === '' || text === 'all') return null;
  const window = WINDOW_NAMES.find((name) => name === text);
  if (window !== undefined) return window;
  const names = WINDOW_NAMES.slice(0, -1).join(', ');
  const detail = `window must be all, ${names} or ${WINDOW_NAMES.at(-1)}, is ${JSON.stringify(text)}`;
  throw new Problem(400, 'Bad parameter', detail);
}

function workflows(sources: Sources, params: URLSearchParams): Promise<object> {
  requireTables(sources);
  const filter = given(params, ['status', 'phase', 'agent', 'project', 'parent']);
  return listWorkflows(sources.tables, filter, pageOf(params));
}

/** `texts=false` leaves out what has to be read from the archive: description, error and output. */
function tasks(sources: Sources, params: URLSearchParams): Promise<object> {
  requireTables(sources);
  const filter = given(params, ['workflow', 'agent', 'status', 'task']);
  const texts = params.get('texts') === 'false' ? null : sources.texts;
  return listTasks(sources.tables, texts, filter, pageOf(params));
}

/** The parameters of these names that have a value. */
function given<K extends string>(params: URLSearchParams, names: readonly K[]): { [name in K]?: string } {
  const found: { [name in K]?: string } = {};
  for (const name of names) {
    const value = params.get(name);
    if (value) found[name] = value;
  }
  return found;
}

function pageOf(params: URLSearchParams): PageRequest {
  const cursor = params.get('cursor');
  return { limit: limitOf(params.get('limit')), cursor: cursor ? parseCursor(cursor) : null };
}

function labelsOf(values: readonly string[]): string[] {
  const labels = values.flatMap((value) => value.split(','));
  return [...new Set(labels.filter((label) => label !== ''))];
}

function conditionOf(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) {
    throw new Problem(400, 'Bad parameter', `where must be LABEL=VALUE, is ${JSON.stringify(text)}`);
  }
  return [text.slice(0, at), text.slice(at + 1)];
}

function limitOf(text: string | null): number {
  if (text === null) return LIMIT_DEFAULT;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) {
    throw new Problem(400, 'Bad parameter', `limit must be 1 to ${LIMIT_MAX}, is ${JSON.stringify(text)}`);
  }
  return limit;
}

function profileSecondsOf(text: string | null): number {
  const seconds = text === null ? PROFILE_SECONDS_DEFAULT : Number(text);
  if (seconds > 0 && seconds <= PROFILE_SECONDS_MAX) return seconds;
  const detail = `seconds must be above 0 and at most ${PROFILE_SECONDS_MAX}, is ${JSON.stringify(text)}`;
  throw new Problem(400, 'Bad parameter', detail);
}

function runOf(params: URLSearchParams): number | null {
  const text = params.get('run');
  if (text === null) return null;
  const run = Number(text);
  if (!Number.isInteger(run) || run < 1) {
    throw new Problem(400, 'Bad parameter', `run must be a whole number from 1, is ${JSON.stringify(text)}`);
  }
  return run;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    throw new Problem(400, 'Bad path', `${JSON.stringify(part)} is no percent-encoded UTF-8`);
  }
}
