/** `tallyd show WORKFLOW`: one workflow and its tasks. */

import type { Config } from '../config/config.js';
import { EXIT_DONE, Failure } from '../model/failure.js';
import { request } from './control-client.js';
import {
  escapeControls,
  escapeControlsInJson,
  humanCount,
  humanDuration,
  humanTime,
  NOTHING,
  shorten,
} from './human.js';
import { type Colors, colorsOf, type Io, widthOf } from './io.js';
import { type Column, renderFacts, renderTable, wrapList } from './table.js';

interface Task {
  readonly task: string;
  readonly agent: string;
  readonly status: string;
  readonly description: string | null;
  readonly started_at: number | null;
  readonly duration: number | null;
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
  readonly source: string;
}

export interface ShowOptions {
  readonly run?: string;
  readonly json?: boolean;
}

export async function show(config: Config, workflow: string, options: ShowOptions, io: Io): Promise<number> {
  if (options.run !== undefined && !/^[1-9]\d{0,14}$/.test(options.run)) {
    throw new Failure('ERR_USAGE', `--run takes a whole number from 1, is ${JSON.stringify(options.run)}`);
  }
  const query = options.run === undefined ? '' : `?run=${options.run}`;
  const { text, body } = await request(config, 'GET', `/v1/workflows/${pathSegment(workflow)}${query}`);
  if (options.json) {
    io.stdout.write(`${escapeControlsInJson(text.trimEnd())}\n`);
  } else {
    const cut = io.stdout.isTTY === true;
    io.stdout.write(renderWorkflow(body, colorsOf(io.stdout, io.env), widthOf(io.stdout), cut));
  }
  return EXIT_DONE;
}

/** Dots alone would be taken for folders by whoever normalizes the path. */
function pathSegment(id: string): string {
  if (id === '') throw new Failure('ERR_USAGE', 'WORKFLOW is empty; name the id of a workflow');
  return /^\.{1,2}$/.test(id) ? id.replaceAll('.', '%2E') : encodeURIComponent(id);
}

/** @param cut whether ids and texts in the table may be cut to the width */
function renderWorkflow(reply: Workflow, colors: Colors, width: number, cut: boolean): string {
  const facts: [string, string][] = [];
  const textWidth = width - 12;
  const add = (label: string, text: string | null | undefined) => {
    if (text) facts.push([label, shorten(escapeControls(text), textWidth)]);
  };
  const list = (label: string, items: readonly string[] | undefined) => {
    if (items?.length) facts.push([label, wrapList(items.map(escapeControls), textWidth)]);
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
  facts.push(['tasks', tasksText(reply)]);
  const tasks = reply.tasks ?? [];
  if (tasks.length === 0) return renderFacts(facts, colors);
  return `${renderFacts(facts, colors)}\n${taskTable(reply, tasks, { width, cut, colors })}`;
}

function taskTable(
  reply: Workflow,
  tasks: readonly Task[],
  style: { width: number; cut: boolean; colors: Colors },
): string {
  const columns: Column[] = [
    { title: 'agent', align: 'left', cut: true },
    { title: 'task', align: 'left', cut: true },
    { title: 'status', align: 'left' },
    { title: 'start', align: 'right' },
    { title: 'duration', align: 'right' },
    { title: 'text', align: 'left', cut: true, leaves: 1 },
  ];
  const starts = tasks.flatMap((task) => (task.started_at == null ? [] : [task.started_at]));
  const zero =
    reply.started_at ?? starts.reduce((least, start) => Math.min(least, start), Number.POSITIVE_INFINITY);
  const rows = tasks.map((task) => [
    task.agent,
    task.task,
    task.status,
    task.started_at == null ? NOTHING : offsetText(task.started_at - zero),
    humanDuration(task.duration),
    shorten(escapeControls(task.error ?? task.description ?? ''), TEXT_COLUMNS_MAX),
  ]);
  return renderTable(columns, rows, style);
}

const TEXT_COLUMNS_MAX = 40;

function offsetText(seconds: number): string {
  return seconds < 0 ? humanDuration(seconds) : `+${humanDuration(seconds)}`;
}

function tasksText(reply: Workflow): string {
  const statuses = Object.entries(reply.tasks_by_status ?? {})
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${humanCount(count)} ${escapeControls(status)}`);
  const shown = reply.tasks?.length ?? 0;
  const part = shown < reply.tasks_total ? `, ${humanCount(shown)} of them below` : '';
  return `${humanCount(reply.tasks_total)}${statuses.length > 0 ? ` (${statuses.join(', ')})` : ''}${part}`;
}

function paintStatus(status: string, colors: Colors): string {
  const text = escapeControls(status ?? NOTHING);
  if (status === 'completed') return colors.green(text);
  if (status === 'failed' || status === 'timeout') return colors.red(text);
  if (status === 'running') return colors.cyan(text);
  return text;
}
