/** `tallyd show WORKFLOW`: one workflow: its facts, its tasks on an axis of time and in a table, its numbers. */

import type { Config } from '../config/config.js';
import { EXIT_DONE, Failure } from '../model/failure.js';
import {
  counted,
  escapeControls,
  escapeControlsInJson,
  humanCount,
  humanDuration,
  humanTime,
  NOTHING,
  shorten,
} from '../model/human.js';
import { request } from './control-client.js';
import { type Io, showsUnicode, tableStyleOf } from './io.js';
import { withQuery } from './query-options.js';
import { type Report, renderBottlenecks, reportFacts } from './report-text.js';
import { paintStatus } from './status-color.js';
import { type Column, renderFacts, renderTable, wrapList } from './table.js';
import { type Axis, renderTimeline, spanOf, type TimelineStyle, type TimelineTask } from './timeline.js';

interface Task extends TimelineTask {
  readonly description: string | null;
  readonly error: string | null;
}

interface Workflow {
  readonly workflow: string;
  readonly run: number;
  readonly runs: readonly unknown[];
  readonly name: string | null;
  readonly project: string | null;
  readonly request: string | null;
  readonly parent: string | null;
  readonly children: readonly string[];
  readonly status: string;
  readonly phase: string | null;
  readonly implicit: boolean;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly duration: number | null;
  readonly error: string | null;
  readonly tasks: readonly Task[];
  readonly tasks_total: number;
  readonly tasks_by_status: Readonly<Record<string, number>>;
  readonly active_agents: readonly string[];
  readonly groups: readonly (readonly string[])[];
  readonly metrics: Partial<Report> | null;
  readonly source: string;
}

export interface ShowOptions {
  readonly run?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

const TEXT_COLUMNS_MAX = 40;
const PIPED_TEXT_COLUMNS_MAX = 200;
/** Of more tasks than these a person sees those that matter, unless he asks for all. */
const TASKS_SHOWN_MAX = 30;
const NAMES_SHOWN_MAX = 20;
const GROUPS_SHOWN_MAX = 3;

export async function show(config: Config, workflow: string, options: ShowOptions, io: Io): Promise<number> {
  const query = new URLSearchParams();
  if (options.run !== undefined) query.set('run', runOf(options.run));
  const path = withQuery(`/v1/workflows/${pathSegment(workflow)}`, query);
  const { text, body } = await request(config, 'GET', path);
  if (options.json) {
    io.stdout.write(`${escapeControlsInJson(text.trimEnd())}\n`);
  } else {
    const style = { ...tableStyleOf(io), unicode: showsUnicode(io.env) };
    io.stdout.write(renderWorkflow(body, options.all === true, Date.now() / 1000, style));
  }
  return EXIT_DONE;
}

function runOf(text: string): string {
  if (/^[1-9]\d{0,14}$/.test(text)) return text;
  throw new Failure('ERR_USAGE', `--run takes a whole number from 1, is ${JSON.stringify(text)}`);
}

/** Dots alone would be taken for folders by whoever normalizes the path. */
function pathSegment(id: string): string {
  if (id === '') throw new Failure('ERR_USAGE', 'WORKFLOW is empty; name the id of a workflow');
  return /^\.{1,2}$/.test(id) ? id.replaceAll('.', '%2E') : encodeURIComponent(id);
}

function renderWorkflow(reply: Workflow, all: boolean, nowSeconds: number, style: TimelineStyle): string {
  const tasks = reply.tasks ?? [];
  const shown = all ? tasks : tasksThatMatter(tasks);
  const sections = [renderFacts(workflowFacts(reply, style), style.colors)];
  if (tasks.length > 0) {
    const axis = axisOf(reply, nowSeconds);
    sections.push(renderTimeline(inOrder(shown), tasks, axis, style));
    sections.push(taskTable(inOrder(shown), axis, style) + restText(tasks, shown));
  }
  if ((reply.metrics?.total_executions ?? 0) > 0) {
    const metrics = reply.metrics as Report;
    sections.push(renderFacts(reportFacts(metrics), style.colors));
    if (metrics.bottlenecks?.length > 0) sections.push(renderBottlenecks(metrics.bottlenecks, style));
  }
  return sections.join('\n');
}

function workflowFacts(reply: Workflow, { colors, width }: TimelineStyle): [string, string][] {
  const facts: [string, string][] = [];
  const textWidth = width - 12;
  const add = (label: string, text: string | null | undefined) => {
    if (text) facts.push([label, shorten(escapeControls(text), textWidth)]);
  };
  const list = (label: string, items: readonly string[] | undefined) => {
    if (!items?.length) return;
    const names = items.slice(0, NAMES_SHOWN_MAX).map(escapeControls);
    const more = items.length - names.length;
    facts.push([label, wrapList(more > 0 ? [...names, `and ${humanCount(more)} more`] : names, textWidth)]);
  };
  const runs = reply.runs?.length > 1 ? `   run ${reply.run} of ${reply.runs.length}` : '';
  facts.push(['workflow', `${colors.bold(escapeControls(reply.workflow))}${runs}   (${reply.source})`]);
  add('name', reply.name);
  add('project', reply.project);
  const phase = reply.phase ? `   phase ${escapeControls(reply.phase)}` : '';
  const implicit = reply.implicit ? '   (no workflow.start was seen)' : '';
  facts.push(['status', `${paintStatus(reply.status, colors)}${phase}${implicit}`]);
  facts.push(['started', humanTime(reply.started_at)]);
  if (reply.ended_at != null) {
    facts.push(['ended', `${humanTime(reply.ended_at)}   after ${humanDuration(reply.duration)}`]);
  }
  add('request', reply.request);
  add('error', reply.error);
  add('parent', reply.parent);
  list('children', reply.children);
  list('active', reply.active_agents);
  if (reply.groups?.length) facts.push(['groups', groupsText(reply.groups, textWidth)]);
  facts.push(['tasks', tasksText(reply)]);
  return facts;
}

/** The last ones, of which each ran in parallel. */
function groupsText(groups: readonly (readonly string[])[], width: number): string {
  const last = groups.slice(-GROUPS_SHOWN_MAX).map((members) => {
    return shorten(members.map(escapeControls).join(' + '), width);
  });
  const before = groups.length - last.length;
  return (before > 0 ? [...last, `and ${humanCount(before)} before`] : last).join('\n');
}

function tasksText(reply: Workflow): string {
  const statuses = Object.entries(reply.tasks_by_status ?? {})
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${humanCount(count)} ${escapeControls(status)}`);
  const known = reply.tasks?.length ?? 0;
  const part = known < reply.tasks_total ? `, ${humanCount(known)} of them below` : '';
  return `${humanCount(reply.tasks_total)}${statuses.length > 0 ? ` (${statuses.join(', ')})` : ''}${part}`;
}

/** From the start of the workflow or of its first task, to the last thing that is known; now, while a task runs. */
function axisOf(reply: Workflow, nowSeconds: number): Axis {
  const open = { from: 0, to: Number.NEGATIVE_INFINITY };
  let from = reply.started_at ?? Number.POSITIVE_INFINITY;
  let to = reply.ended_at ?? Number.NEGATIVE_INFINITY;
  for (const task of reply.tasks) {
    if (task.status === 'running') to = Math.max(to, nowSeconds);
    const span = spanOf(task, open);
    if (span === null) continue;
    from = Math.min(from, span.start);
    to = Math.max(to, span.end);
  }
  return Number.isFinite(from) ? { from, to: Math.max(from, to) } : { from: 0, to: 0 };
}

/** Running ones first, then failed ones, then those that took longest. */
function tasksThatMatter(tasks: readonly Task[]): readonly Task[] {
  if (tasks.length <= TASKS_SHOWN_MAX) return tasks;
  const rank = ({ status }: Task) => (status === 'running' ? 0 : hasFailed(status) ? 1 : 2);
  return [...tasks]
    .sort((a, b) => rank(a) - rank(b) || (b.duration ?? 0) - (a.duration ?? 0))
    .slice(0, TASKS_SHOWN_MAX);
}

function inOrder(tasks: readonly Task[]): Task[] {
  const start = (task: Task) => task.started_at ?? task.ended_at ?? Number.POSITIVE_INFINITY;
  return [...tasks].sort((a, b) => (start(a) < start(b) ? -1 : start(a) > start(b) ? 1 : 0));
}

function taskTable(tasks: readonly Task[], { from }: Axis, style: TimelineStyle): string {
  const columns: Column[] = [
    { title: 'agent', align: 'left', cut: true },
    { title: 'task', align: 'left', cut: true },
    {
      title: 'status',
      align: 'left',
      paint: (text, row) => paintStatus(tasks[row]!.status, style.colors, text),
    },
    { title: 'start', align: 'right' },
    { title: 'duration', align: 'right' },
    { title: 'text', align: 'left', cut: true, leaves: 1 },
  ];
  const textColumns = style.cut ? TEXT_COLUMNS_MAX : PIPED_TEXT_COLUMNS_MAX;
  const rows = tasks.map((task) => [
    task.agent,
    task.task,
    task.status,
    task.started_at == null ? NOTHING : offsetText(task.started_at - from),
    humanDuration(task.duration),
    shorten(escapeControls(task.error ?? task.description ?? ''), textColumns),
  ]);
  return renderTable(columns, rows, style);
}

function offsetText(seconds: number): string {
  return seconds < 0 ? humanDuration(seconds) : `+${humanDuration(seconds)}`;
}

function restText(tasks: readonly Task[], shown: readonly Task[]): string {
  const rest = tasks.length - shown.length;
  if (rest === 0) return '';
  const failed = (list: readonly Task[]) => list.filter(({ status }) => hasFailed(status)).length;
  const failedRest = failed(tasks) - failed(shown);
  const part = failedRest > 0 ? `, ${humanCount(failedRest)} of them failed` : '';
  return `and ${counted(rest, 'task')} more${part}; --all shows all\n`;
}

function hasFailed(status: string): boolean {
  return status === 'failed' || status === 'timeout';
}
