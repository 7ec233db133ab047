/** `tallyd report`: how well the work of a workflow, of a project or of everything went, and what would mend it. */

import type { Config } from '../config/config.js';
import { EXIT_DONE, Failure } from '../model/failure.js';
import {
  counted,
  escapeControls,
  escapeControlsInJson,
  humanDuration,
  humanPercent,
  humanTime,
} from '../model/human.js';
import { request } from './control-client.js';
import { type Io, showsUnicode, tableStyleOf } from './io.js';
import { addTexts, addTimes, withQuery } from './query-options.js';
import { type Report, renderBottlenecks, reportFacts } from './report-text.js';
import { type Column, renderFacts, renderTable, type TableStyle, wrapWords } from './table.js';

export interface ReportOptions {
  readonly workflow?: string;
  readonly project?: string;
  readonly since?: string;
  readonly until?: string;
  readonly json?: boolean;
}

const AGENTS_SHOWN_MAX = 20;
const BAR_COLUMNS_MAX = 40;
const BAR_COLUMNS_MIN = 8;

export async function report(config: Config, options: ReportOptions, io: Io): Promise<number> {
  const { workflow, project } = options;
  if (workflow !== undefined && project !== undefined) {
    throw new Failure('ERR_USAGE', 'a report is over --workflow or over --project; give one of the two');
  }
  const query = new URLSearchParams();
  addTexts(query, { workflow, project });
  addTimes(query, options, Date.now() / 1000);
  const subject = subjectText(query);
  query.set('format', 'json');
  const { text, body } = await request(config, 'GET', withQuery('/v1/report', query));
  if (options.json) io.stdout.write(`${escapeControlsInJson(text.trimEnd())}\n`);
  else io.stdout.write(renderReport(subject, body, tableStyleOf(io), showsUnicode(io.env)));
  return EXIT_DONE;
}

function subjectText(query: URLSearchParams): string {
  const of = (name: string) => query.get(name);
  const what = ['workflow', 'project'].flatMap((name) =>
    of(name) === null ? [] : [`${name} ${escapeControls(of(name)!)}`],
  );
  const when = ['since', 'until'].flatMap((name) =>
    of(name) === null ? [] : [`${name} ${humanTime(Number(of(name)))}`],
  );
  return [what[0] ?? 'everything', ...when].join('   ');
}

function renderReport(subject: string, reply: Report, style: TableStyle, unicode: boolean): string {
  const facts: [string, string][] = [['report', style.colors.bold(subject)], ...reportFacts(reply)];
  const sections = [renderFacts(facts, style.colors)];
  if (reply.total_executions === 0) return `${sections[0]}\nno task has ended in it yet\n`;
  const { bottlenecks = [], suggestions = [] } = reply;
  const agents = Object.entries(reply.agent_utilization ?? {}).sort(([, a], [, b]) => b - a);
  if (agents.length > 0) sections.push(agentTable(agents, style, unicode));
  if (bottlenecks.length > 0) sections.push(renderBottlenecks(bottlenecks, style));
  const mends = new Set(bottlenecks.map(({ suggestion }) => suggestion));
  const others = suggestions.filter((suggestion) => !mends.has(suggestion));
  if (others.length > 0) sections.push(suggestionList(others, style));
  if (reply.partial) {
    sections.push(
      style.colors.yellow('not whole: raise stats.max_series, which left no room for every agent\n'),
    );
  }
  return sections.join('\n');
}

/** Agents by the time that their tasks took, with the share of each as a bar. */
function agentTable(agents: readonly [string, number][], style: TableStyle, unicode: boolean): string {
  const total = agents.reduce((sum, [, seconds]) => sum + seconds, 0);
  const most = agents[0]![1];
  const shown = agents.slice(0, AGENTS_SHOWN_MAX);
  const columns: Column[] = [
    { title: 'agent', align: 'left', cut: true },
    { title: 'time', align: 'right' },
    { title: 'share', align: 'right' },
    { title: '', align: 'left', leaves: 1, paint: (text) => style.colors.cyan(text) },
  ];
  const nameColumns = shown.reduce((widest, [agent]) => Math.max(widest, agent.length), 5);
  const room = style.width - Math.min(nameColumns, style.width / 2) - 24;
  const barColumns = Math.min(BAR_COLUMNS_MAX, Math.max(BAR_COLUMNS_MIN, Math.floor(room)));
  const bar = (seconds: number) => {
    const width = most > 0 ? Math.round((seconds / most) * barColumns) : 0;
    return (unicode ? '█' : '#').repeat(seconds > 0 ? Math.max(1, width) : 0);
  };
  const rows = shown.map(([agent, seconds]) => [
    agent,
    humanDuration(seconds),
    total > 0 ? humanPercent(seconds / total) : '',
    bar(seconds),
  ]);
  const rest = agents.slice(AGENTS_SHOWN_MAX);
  const restSeconds = rest.reduce((sum, [, seconds]) => sum + seconds, 0);
  const more =
    rest.length > 0
      ? `and ${counted(rest.length, 'agent')} more, ${humanDuration(restSeconds)}; --json has all\n`
      : '';
  return renderTable(columns, rows, style) + more;
}

function suggestionList(suggestions: readonly string[], { colors, width }: TableStyle): string {
  const lines = suggestions.flatMap((suggestion) => {
    const [first = '', ...others] = wrapWords(escapeControls(suggestion), width - 4);
    return [`  - ${first}`, ...others.map((line) => `    ${line}`)];
  });
  return `${[colors.bold('suggestions'), ...lines].join('\n')}\n`;
}
