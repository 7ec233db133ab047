/** The screen of `tallyd top`: state and data into lines, each as wide as the terminal at the most. */

import { stripVTControlCharacters } from 'node:util';
import {
  counted,
  displayWidth,
  escapeControls,
  humanBytes,
  humanCount,
  humanDuration,
  humanPercent,
  humanRate,
  NOTHING,
  shorten,
} from '../model/human.js';
import type { StatusReply, WorkflowReply, WorkflowSummary } from '../model/replies.js';
import type { Colors } from './io.js';
import { paintStatus } from './status-color.js';
import { type Column, renderTable } from './table.js';
import { renderTimeline } from './timeline.js';
import { type AgentRow, type TopData, WORKFLOWS_MAX } from './top-data.js';
import {
  AGENT_ORDERS,
  chosenIndex,
  type PanelName,
  type PanelState,
  type Shown,
  type TopState,
  WORKFLOW_ORDERS,
} from './top-state.js';

export interface ScreenStyle {
  readonly columns: number;
  readonly rows: number;
  readonly colors: Colors;
  readonly unicode: boolean;
  /** of a clock on the wall, Unix seconds */
  readonly now: number;
}

export interface Screen {
  readonly lines: readonly string[];
  readonly shown: Shown;
}

/** From here on the panels stand side by side. */
const WIDE = 150;
const PANEL_LINES_MIN = 4;
const GLYPHS = {
  unicode: { levels: ' ▁▂▃▄▅▆▇█', full: '━', failed: '╳', running: '╌', empty: '·', down: '↓', up: '↑' },
  ascii: { levels: ' .:-=+*%#', full: '#', failed: 'x', running: '=', empty: '.', down: 'v', up: '^' },
} as const;

export function renderTop(state: TopState, data: TopData, style: ScreenStyle): Screen {
  const head = headLines(state, data, style);
  const foot = footLine(state, style);
  const room = Math.max(0, style.rows - head.length - 1);
  const body = bodyOf(state, data, style, room);
  const filled = [...body.lines, ...new Array<string>(Math.max(0, room - body.lines.length)).fill('')];
  const lines = [...head, ...filled.slice(0, room), foot].map((line) => cut(line, style.columns));
  return { lines, shown: body.shown };
}

function bodyOf(state: TopState, data: TopData, style: ScreenStyle, room: number): Screen {
  switch (state.view) {
    case 'help':
      return { lines: helpLines(style), shown: { rows: [], page: room, lines: 0 } };
    case 'workflow':
      return workflowBody(state, data, style, room);
    default:
      return panelsBody(state, data, style, room);
  }
}

// The head: the daemon in five lines.

function headLines(state: TopState, data: TopData, style: ScreenStyle): string[] {
  const { colors, columns, now } = style;
  const { status, silence } = data;
  const clock = new Date(now * 1000).toTimeString().slice(0, 8);
  const paused = state.isPaused ? `${colors.yellow('paused')}  ` : '';
  if (status === null) {
    const why = silence === null ? 'asking the daemon' : colors.red(escapeControls(silence.why));
    return [spread(colors.bold('tallyd'), clock, columns), cut(why, columns), ''];
  }
  const { ready, degraded, uptime, pid, version } = status;
  const mood = !ready
    ? colors.red('not ready')
    : degraded.length > 0
      ? colors.yellow('degraded')
      : colors.green('ready');
  const first = `${colors.bold('tallyd')} ${escapeControls(version)}  ${mood}  up ${humanDuration(uptime)}  pid ${pid}`;
  const lines = [spread(first, `${paused}${clock}`, columns), ...statusLines(status, data.rates, style)];
  if (silence !== null) {
    const since = humanDuration(Math.max(0, now - silence.since));
    lines.push(
      colors.inverse(padTo(` no answer for ${since}, asking again: ${escapeControls(silence.why)}`, columns)),
    );
  } else if (degraded.length > 0) {
    lines.push(cut(colors.yellow(`degraded: ${degraded.map(escapeControls).join('; ')}`), columns));
  } else {
    lines.push('');
  }
  return lines;
}

function statusLines(status: StatusReply, rates: readonly number[], style: ScreenStyle): string[] {
  const { colors, columns } = style;
  const { ingest, ring, lag, state, memory, archive, threads } = status;
  const label = (text: string) => colors.dim(text.padEnd(9));
  const rejected = ingest.rejected > 0 ? colors.red(`${humanCount(ingest.rejected)} rejected`) : '0 rejected';
  const used = ring.used_bytes / ring.capacity_bytes;
  const sparkColumns = Math.max(10, Math.min(60, columns - 59));
  const late = lag.seconds >= 1 ? colors.yellow : (text: string) => text;
  return [
    `${label('events')}${`${humanRate(ingest.rate_1s)}/s`.padEnd(10)} ${colors.cyan(sparkline(rates, sparkColumns, style))}  ${humanCount(ingest.accepted)} accepted, ${rejected}`,
    `${label('ring')}${gauge(used, 10, style)} ${humanPercent(used).padEnd(7)} ${counted(ring.stalls, 'stall')}   ${late(`lag ${counted(lag.events, 'event')}, ${humanDuration(lag.seconds)}`)}   ${counted(ingest.connections, 'connection')}`,
    `${label('running')}${counted(state.tasks_running, 'task')}, ${counted(state.workflows_live, 'workflow')} (${humanCount(state.workflows_recent)} ended)   memory ${humanBytes(memory.rss_bytes)}   archive ${humanBytes(archive.bytes_compressed)}`,
    `${label('threads')}${threads.map((thread) => threadText(thread, style)).join('  ')}`,
  ].map((line) => cut(line, columns));
}

function threadText(
  { name, utilization, restarts }: StatusReply['threads'][number],
  { colors }: ScreenStyle,
): string {
  const share = `${String(Math.round(utilization * 100)).padStart(3)} %`;
  const painted = utilization > 0.9 ? colors.red(share) : utilization > 0.6 ? colors.yellow(share) : share;
  return `${escapeControls(name)}${painted}${restarts > 0 ? colors.red(` ${restarts}×`) : ''}`;
}

/** One level a sample, the newest at the right. */
export function sparkline(
  values: readonly number[],
  columns: number,
  { unicode }: Pick<ScreenStyle, 'unicode'>,
): string {
  const { levels } = unicode ? GLYPHS.unicode : GLYPHS.ascii;
  const shown = values.slice(-columns);
  const most = Math.max(1, ...shown);
  const bars = shown.map((value) => levels[Math.ceil((value / most) * (levels.length - 1))]!);
  return bars.join('').padStart(columns);
}

function gauge(share: number, columns: number, { unicode, colors }: ScreenStyle): string {
  const glyphs = unicode ? GLYPHS.unicode : GLYPHS.ascii;
  const full = Math.min(columns, Math.max(share > 0 ? 1 : 0, Math.round(share * columns)));
  const paint = share > 0.9 ? colors.red : share > 0.6 ? colors.yellow : colors.cyan;
  return paint(glyphs.full.repeat(full)) + colors.dim(glyphs.empty.repeat(columns - full));
}

// The panels.

interface Panel {
  readonly name: PanelName;
  readonly title: string;
  readonly ids: readonly string[];
  readonly render: (width: number) => string;
  readonly empty: string;
}

function panelsBody(state: TopState, data: TopData, style: ScreenStyle, room: number): Screen {
  const panels = [workflowsPanel(state, data, style), agentsPanel(state, data, style)];
  const focused = panels.find(({ name }) => name === state.panel)!;
  if (style.columns >= WIDE) {
    const width = Math.floor((style.columns - 3) / 2);
    const [left, right] = panels.map((panel) => panelLines(panel, state, style, width, room));
    const lines = left!.map((line, i) => `${padTo(line, width)}   ${right![i] ?? ''}`);
    return { lines, shown: { rows: focused.ids, page: Math.max(1, room - 2), lines: 0 } };
  }
  const heights = shareRoom(
    room - 1,
    panels.map(({ ids }) => Math.max(1, ids.length) + 2),
  );
  const [upper, lower] = panels.map((panel, i) =>
    panelLines(panel, state, style, style.columns, heights[i]!),
  );
  const page = Math.max(1, heights[panels.indexOf(focused)]! - 2);
  return { lines: [...upper!, '', ...lower!], shown: { rows: focused.ids, page, lines: 0 } };
}

/** Each as many lines as it needs, where there is room; else half each, and what one leaves goes to the other. */
function shareRoom(room: number, needs: readonly number[]): readonly [number, number] {
  const [first = 0, second = 0] = needs;
  const half = Math.max(PANEL_LINES_MIN, Math.floor(room / 2));
  const upper = Math.min(first, Math.max(half, room - second));
  return [upper, Math.max(0, room - upper)];
}

function panelLines(
  panel: Panel,
  state: TopState,
  style: ScreenStyle,
  width: number,
  room: number,
): string[] {
  const { colors } = style;
  const isFocused = panel.name === state.panel;
  const title = isFocused ? colors.bold(colors.cyan(panel.title)) : colors.bold(panel.title);
  const filter = filterText(state, panel.name, style);
  const heading = cut(`${title}${filter}`, width);
  if (panel.ids.length === 0) return [heading, cut(colors.dim(panel.empty), width)].slice(0, room);
  const [head = '', ...rows] = panel.render(width).trimEnd().split('\n');
  const page = Math.max(1, room - 2);
  const chosen = chosenIndex(state[panel.name], panel.ids);
  const first = Math.min(Math.max(0, rows.length - page), Math.max(0, chosen - Math.floor(page / 2)));
  const shown = rows.slice(first, first + page).map((row, i) => {
    if (!isFocused || first + i !== chosen) return row;
    return colors.inverse(padTo(stripVTControlCharacters(row), width));
  });
  const more = rows.length - first - shown.length;
  if (more > 0 || first > 0) {
    const range = `${first + 1}-${first + shown.length} of ${rows.length}`;
    return [spread(heading, colors.dim(range), width), head, ...shown];
  }
  return [heading, head, ...shown];
}

function filterText(
  { panel, isFiltering, ...state }: TopState,
  name: PanelName,
  { colors }: ScreenStyle,
): string {
  const { filter } = state[name];
  const isTyped = isFiltering && panel === name;
  if (filter === '' && !isTyped) return '';
  return `  ${colors.yellow(`/${escapeControls(filter)}`)}${isTyped ? colors.inverse(' ') : ''}`;
}

function workflowsPanel(state: TopState, data: TopData, style: ScreenStyle): Panel {
  const { colors, now } = style;
  const name = 'workflows';
  const order = WORKFLOW_ORDERS[state.workflows.order]!;
  // Of those that run the oldest are looked for, of all the newest.
  const isTurned = state.withEnded && order === 'age';
  const panel = { ...state.workflows, isReversed: state.workflows.isReversed !== isTurned };
  const what = state.withEnded ? 'WORKFLOWS' : 'RUNNING WORKFLOWS';
  if ('refusal' in data.workflows) return refusedPanel(name, what, data.workflows.refusal);
  const isCut = data.workflows.rows.length >= WORKFLOWS_MAX;
  const found = data.workflows.rows.filter((row) =>
    matches(panel.filter, [row.workflow, row.name, row.project, row.phase]),
  );
  const rows = inOrder(found, panel, WORKFLOW_VALUES[order](now));
  const columns: Column[] = [
    { title: 'workflow', align: 'left', cut: true },
    { title: 'project', align: 'left', cut: true, leaves: 1 },
    ...(state.withEnded
      ? [
          {
            title: 'status',
            align: 'left',
            paint: (text, row) => paintStatus(rows[row]!.status, colors, text),
          } satisfies Column,
        ]
      : []),
    { title: 'phase', align: 'left', cut: true },
    { title: 'age', align: 'right' },
    { title: 'progress', align: 'left', leaves: 2, paint: (text) => paintProgress(text, style) },
    { title: 'tasks', align: 'right' },
    {
      title: 'failed',
      align: 'right',
      paint: (text) => (text === '0' ? colors.dim(text) : colors.red(text)),
    },
  ];
  return {
    name,
    title: `${what} ${humanCount(rows.length)}${isCut ? '+' : ''}${orderText(order, panel, style)}`,
    ids: rows.map(({ workflow }) => workflow),
    empty:
      panel.filter !== ''
        ? 'none is like that; Esc clears the filter'
        : 'nothing runs; a shows those that are over',
    render: (width) =>
      renderTable(
        columns,
        rows.map((row) => [
          row.workflow,
          row.project ?? '',
          ...(state.withEnded ? [row.status] : []),
          row.phase ?? '',
          humanDuration(ageOf(row, now)),
          progressText(row, style),
          `${humanCount(row.tasks_total - (row.tasks_by_status.running ?? 0))}/${humanCount(row.tasks_total)}`,
          humanCount(failedOf(row)),
        ]),
        { width, cut: true, colors },
      ),
  };
}

const WORKFLOW_VALUES: Record<
  (typeof WORKFLOW_ORDERS)[number],
  (now: number) => (row: WorkflowSummary) => number | string
> = {
  age: (now) => (row) => -(ageOf(row, now) ?? -1),
  workflow: () => (row) => row.workflow,
  tasks: () => (row) => -row.tasks_total,
  failed: () => (row) => -failedOf(row),
};

function agentsPanel(state: TopState, data: TopData, style: ScreenStyle): Panel {
  const { colors } = style;
  const name = 'agents';
  const panel = state.agents;
  const what = state.window === 'all' ? 'AGENTS' : `AGENTS OF THE LAST ${state.window}`;
  if ('refusal' in data.agents) return refusedPanel(name, what, data.agents.refusal);
  const order = AGENT_ORDERS[panel.order]!;
  const found = data.agents.rows.filter(({ agent }) => matches(panel.filter, [agent]));
  const rows = inOrder(found, panel, AGENT_VALUES[order]);
  const columns: Column[] = [
    { title: 'agent', align: 'left', cut: true },
    { title: 'ended', align: 'right' },
    { title: 'mean', align: 'right' },
    { title: '± sd', align: 'right', paint: (text) => colors.dim(text) },
    { title: 'p50', align: 'right', leaves: 1 },
    { title: 'p99', align: 'right' },
    {
      title: 'failed',
      align: 'right',
      paint: (text) => (text === '0' ? colors.dim(text) : colors.red(text)),
    },
    { title: 'share', align: 'right', leaves: 2 },
    { title: 'per s', align: 'right', leaves: 3 },
  ];
  if (!style.unicode) columns[3] = { ...columns[3]!, title: '+- sd' };
  return {
    name,
    title: `${what} ${humanCount(rows.length)}${orderText(order, panel, style)}`,
    ids: rows.map(({ agent }) => agent),
    empty:
      panel.filter !== ''
        ? 'none is like that; Esc clears the filter'
        : state.window === 'all'
          ? 'no task has ended yet'
          : 'no task ended in this window; w takes another',
    render: (width) =>
      renderTable(
        columns,
        rows.map((row) => [
          row.agent,
          humanCount(row.count),
          humanDuration(row.mean),
          row.stddev === null ? NOTHING : humanDuration(row.stddev),
          humanDuration(row.p50),
          humanDuration(row.p99),
          humanCount(row.failed),
          humanPercent(row.failed / row.count),
          humanRate(row.rate),
        ]),
        { width, cut: true, colors },
      ),
  };
}

const AGENT_VALUES: Record<(typeof AGENT_ORDERS)[number], (row: AgentRow) => number | string> = {
  count: ({ count }) => -count,
  agent: ({ agent }) => agent,
  mean: ({ mean }) => -mean,
  p99: ({ p99 }) => -p99,
  failed: ({ failed }) => -failed,
};

function refusedPanel(name: PanelName, what: string, refusal: string): Panel {
  return { name, title: what, ids: [], empty: escapeControls(refusal), render: () => '' };
}

/** @param orderOf the least first */
function inOrder<Row>(
  rows: readonly Row[],
  { isReversed }: PanelState,
  orderOf: (row: Row) => number | string,
): readonly Row[] {
  const sign = isReversed ? -1 : 1;
  return [...rows].sort((a, b) => {
    const x = orderOf(a);
    const y = orderOf(b);
    return sign * (typeof x === 'number' ? x - Number(y) : x < y ? -1 : x > y ? 1 : 0);
  });
}

function orderText(order: string, { isReversed }: PanelState, { colors, unicode }: ScreenStyle): string {
  const { down, up } = unicode ? GLYPHS.unicode : GLYPHS.ascii;
  const isName = order === 'workflow' || order === 'agent';
  return colors.dim(`  by ${order === 'count' ? 'ended' : order} ${isName === isReversed ? down : up}`);
}

function matches(filter: string, texts: readonly (string | null)[]): boolean {
  const wanted = filter.toLowerCase();
  return texts.some((text) => text?.toLowerCase().includes(wanted));
}

function ageOf({ started_at }: WorkflowSummary, now: number): number | null {
  return started_at === null ? null : Math.max(0, now - started_at);
}

function failedOf({ tasks_by_status: { failed = 0, timeout = 0 } }: WorkflowSummary): number {
  return failed + timeout;
}

const PROGRESS_COLUMNS = 14;

function progressText({ tasks_total, tasks_by_status }: WorkflowSummary, { unicode }: ScreenStyle): string {
  const glyphs = unicode ? GLYPHS.unicode : GLYPHS.ascii;
  if (tasks_total === 0) return glyphs.empty.repeat(PROGRESS_COLUMNS);
  const { completed = 0, failed = 0, timeout = 0, running = 0 } = tasks_by_status;
  const at = (tasks: number) => Math.round((tasks / tasks_total) * PROGRESS_COLUMNS);
  const toCompleted = at(completed);
  const toFailed = at(completed + failed + timeout);
  const toRunning = at(completed + failed + timeout + running);
  return (
    glyphs.full.repeat(toCompleted) +
    glyphs.failed.repeat(toFailed - toCompleted) +
    glyphs.running.repeat(toRunning - toFailed) +
    glyphs.empty.repeat(PROGRESS_COLUMNS - toRunning)
  );
}

function paintProgress(text: string, { colors, unicode }: ScreenStyle): string {
  const glyphs = unicode ? GLYPHS.unicode : GLYPHS.ascii;
  const paints: Record<string, (part: string) => string> = {
    [glyphs.full]: colors.green,
    [glyphs.failed]: colors.red,
    [glyphs.running]: colors.cyan,
    [glyphs.empty]: colors.dim,
  };
  return text.replace(/(.)\1*/gu, (run, glyph) => paints[glyph]?.(run) ?? run);
}

// One workflow.

function workflowBody(state: TopState, data: TopData, style: ScreenStyle, room: number): Screen {
  const { colors, columns, unicode, now } = style;
  const id = escapeControls(state.opened ?? '');
  const nothing = (line: string): Screen => ({
    lines: [colors.bold(cut(id, columns)), cut(line, columns)],
    shown: { rows: [], page: room, lines: 0 },
  });
  const { opened } = data;
  if (opened === null) return nothing(colors.dim('asking the daemon'));
  if ('refusal' in opened) return nothing(colors.red(escapeControls(opened.refusal)));
  const workflow = opened.rows;
  if (workflow.workflow !== state.opened) return nothing(colors.dim('asking the daemon'));
  const facts = workflowFacts(workflow, style);
  const tasks = [...workflow.tasks].sort((a, b) => (a.started_at ?? 0) - (b.started_at ?? 0));
  const starts = tasks.flatMap(({ started_at }) => started_at ?? []);
  const from = workflow.started_at ?? starts[0] ?? now;
  const axis = { from: Math.min(from, starts[0] ?? from), to: workflow.ended_at ?? Math.max(now, from) };
  const bars =
    tasks.length === 0
      ? [colors.dim('no task of it is known yet')]
      : renderTimeline(tasks, tasks, axis, { width: columns, cut: true, colors, unicode })
          .trimEnd()
          .split('\n');
  const page = Math.max(1, room - facts.length - 1);
  const scroll = Math.min(state.scroll, Math.max(0, bars.length - page));
  const range =
    bars.length > page ? colors.dim(`${scroll + 1}-${scroll + page} of ${bars.length} lines`) : '';
  return {
    lines: [...facts, spread('', range, columns), ...bars.slice(scroll, scroll + page)],
    shown: { rows: [], page, lines: bars.length },
  };
}

function workflowFacts(workflow: WorkflowReply, { colors, columns, now }: ScreenStyle): string[] {
  const { status, phase, name, project, started_at, ended_at, duration, error, request, tasks_by_status } =
    workflow;
  const took =
    ended_at === null
      ? `for ${humanDuration(started_at === null ? null : Math.max(0, now - started_at))}`
      : `after ${humanDuration(duration)}`;
  const counts = Object.entries(tasks_by_status).filter(([, count]) => count > 0);
  const about = [name, project].filter((text) => text !== null).map(escapeControls);
  const lines = [
    spread(
      `${colors.bold(escapeControls(workflow.workflow))}  ${paintStatus(status, colors)} ${took}${phase === null ? '' : `  phase ${escapeControls(phase)}`}`,
      colors.dim(about.join(', ')),
      columns,
    ),
    `${counted(workflow.tasks_total, 'task')}: ${counts.map(([word, count]) => paintStatus(word, colors, `${humanCount(count)} ${word}`)).join(', ')}`,
  ];
  if (request !== null) lines.push(colors.dim(escapeControls(request)));
  if (error !== null) lines.push(colors.red(escapeControls(error)));
  return lines.map((line) => cut(line, columns));
}

// Help, and the last line.

const HELP: readonly (readonly [keys: string, does: string])[] = [
  ['Tab', 'the other panel'],
  ['Up Down PgUp PgDn', 'choose a row (also k j, g G for the ends)'],
  ['Enter', 'the timeline of the chosen workflow; Esc goes back'],
  ['/', 'filter the panel; Enter keeps the filter, Esc clears it'],
  ['s  r', 'the next order; the other way round'],
  ['a', 'running workflows, or those that are over, too'],
  ['w', "the agents' window: all, 1d, 1h, 5m, 1m"],
  ['Space', 'hold the screen still'],
  ['Ctrl-Z', 'suspend; fg comes back'],
  ['q  Ctrl-C', 'quit'],
];

function helpLines({ colors, columns, unicode }: ScreenStyle): string[] {
  const glyphs = unicode ? GLYPHS.unicode : GLYPHS.ascii;
  const width = HELP.reduce((most, [keys]) => Math.max(most, keys.length), 0);
  const progress = [
    colors.green(`${glyphs.full} completed`),
    colors.red(`${glyphs.failed} failed`),
    colors.cyan(`${glyphs.running} running`),
  ].join('   ');
  return [
    colors.bold('KEYS'),
    ...HELP.map(([keys, does]) => `  ${colors.cyan(keys.padEnd(width))}  ${does}`),
    '',
    `${colors.bold('PROGRESS')}  ${progress}`,
    '',
    colors.dim('any key goes back'),
  ].map((line) => cut(line, columns));
}

function footLine(state: TopState, { colors, columns }: ScreenStyle): string {
  const hints: Record<TopState['view'], readonly (readonly [string, string])[]> = {
    main: [
      ['q', 'quit'],
      ['?', 'help'],
      ['Tab', 'panel'],
      ['Enter', 'open'],
      ['/', 'filter'],
      ['s', 'order'],
      ['a', state.withEnded ? 'running only' : 'ended, too'],
      ['w', 'window'],
    ],
    workflow: [
      ['Esc', 'back'],
      ['Up Down', 'scroll'],
      ['?', 'help'],
    ],
    help: [],
  };
  if (state.isFiltering) return cut(`${colors.bold('Enter')} keep  ${colors.bold('Esc')} clear`, columns);
  return cut(
    hints[state.view].map(([key, does]) => `${colors.bold(key)} ${colors.dim(does)}`).join('  '),
    columns,
  );
}

// Lines with colours in them.

function widthOf(line: string): number {
  return displayWidth(stripVTControlCharacters(line));
}

/** Cut to so many columns, colours kept whole. */
function cut(line: string, columns: number): string {
  if (widthOf(line) <= columns) return line;
  let left = columns;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
  return line.replace(/(\x1b\[[\d;]*m)|[^\x1b]+/g, (part, color) => {
    if (color !== undefined) return color;
    const kept = left <= 0 ? '' : shorten(part, left);
    left -= displayWidth(part);
    return kept;
  });
}

function padTo(line: string, columns: number): string {
  const short = cut(line, columns);
  return short + ' '.repeat(Math.max(0, columns - widthOf(short)));
}

/** One text at the left edge, one at the right; where both do not fit, the right one stays whole. */
function spread(left: string, right: string, columns: number): string {
  const room = columns - widthOf(right) - (right === '' ? 0 : 2);
  return `${padTo(left, Math.max(0, room))}${right === '' ? '' : '  '}${right}`;
}
