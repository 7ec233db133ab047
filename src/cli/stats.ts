/** `tallyd stats`: the aggregates of one metric by labels, or the metrics that there are. */

import type { Config } from '../config/config.js';
import { EXIT_DONE, Failure } from '../model/failure.js';
import {
  counted,
  escapeControls,
  escapeControlsInJson,
  humanCount,
  humanDuration,
  humanNumber,
  humanRate,
} from '../model/human.js';
import { request } from './control-client.js';
import { type Io, tableStyleOf } from './io.js';
import { addTimes, wholeNumber, withQuery } from './query-options.js';
import { type Column, renderTable, type TableStyle } from './table.js';

export interface StatsOptions {
  readonly by?: readonly string[];
  readonly where?: readonly string[];
  readonly limit?: string;
  readonly window?: string;
  readonly since?: string;
  readonly until?: string;
  readonly json?: boolean;
}

interface Group {
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly max: number | null;
  readonly rate: number | null;
}

interface MetricEntry {
  readonly metric: string;
  readonly labels: readonly string[];
  readonly count: number;
}

/** Options that choose among the samples of a metric. */
const CHOOSING = {
  by: '--by',
  where: '--where',
  window: '--window',
  since: '--since',
  until: '--until',
} as const;
const GROUPS_MAX = 100_000;

export async function stats(
  config: Config,
  metric: string | undefined,
  options: StatsOptions,
  io: Io,
): Promise<number> {
  const { text, body } = await request(config, 'GET', statsPath(metric, options));
  const style = tableStyleOf(io);
  if (options.json) io.stdout.write(`${escapeControlsInJson(text.trimEnd())}\n`);
  else if (metric === undefined) io.stdout.write(renderMetrics(body.metrics, style));
  else io.stdout.write(renderGroups(metric, body.groups, options, style));
  return EXIT_DONE;
}

/** @throws Failure ERR_USAGE */
function statsPath(metric: string | undefined, options: StatsOptions): string {
  const query = new URLSearchParams();
  const by = labelsOf(options.by);
  if (metric !== undefined) query.set('metric', metric);
  else if (Object.keys(CHOOSING).some((name) => options[name as keyof typeof CHOOSING] !== undefined)) {
    const names = Object.values(CHOOSING).join(', ');
    throw new Failure('ERR_USAGE', `${names} need a METRIC; tallyd stats lists them`);
  }
  if (by.length > 0) query.set('by', by.join(','));
  for (const where of options.where ?? []) {
    if (where.indexOf('=') < 1) {
      const text = `--where takes LABEL=VALUE, is ${JSON.stringify(where)}; as in --where status=failed`;
      throw new Failure('ERR_USAGE', text);
    }
    query.append('where', where);
  }
  addTimes(query, options, Date.now() / 1000);
  if (options.limit !== undefined) {
    query.set('limit', String(wholeNumber('--limit', options.limit, GROUPS_MAX)));
  }
  return withQuery('/v1/stats', query);
}

function renderMetrics(metrics: readonly MetricEntry[], style: TableStyle): string {
  if (metrics.length === 0) return 'no samples yet\n';
  const columns: Column[] = [
    { title: 'metric', align: 'left', cut: true },
    { title: 'samples', align: 'right' },
    { title: 'labels', align: 'left', cut: true },
  ];
  const rows = metrics.map(({ metric, labels, count }) => [metric, humanCount(count), labels.join(', ')]);
  return renderTable(columns, rows, style);
}

function renderGroups(
  metric: string,
  groups: readonly Group[],
  options: StatsOptions,
  style: TableStyle,
): string {
  const name = escapeControls(metric);
  const { by, window, since, until } = options;
  const times = Object.entries({ window, since, until }).flatMap(([option, text]) =>
    text === undefined ? [] : [`   ${option} ${escapeControls(text)}`],
  );
  if (groups.length === 0) {
    const when = times.length > 0 ? ` in${times.join('').replaceAll('   ', ' ')}` : '';
    return `${name}: no samples${when}; tallyd stats lists the metrics that have some\n`;
  }
  const asked = labelsOf(by);
  const labels = asked.includes('*')
    ? [...new Set(groups.flatMap((group) => Object.keys(group.labels)))]
    : asked;
  const value = metric.endsWith('_seconds') ? humanDuration : humanNumber;
  const columns: Column[] = [
    ...labels.map((title): Column => ({ title: escapeControls(title), align: 'left', cut: true })),
    { title: 'count', align: 'right' },
    { title: 'mean', align: 'right' },
    { title: 'p50', align: 'right' },
    { title: 'p95', align: 'right', leaves: 2 },
    { title: 'p99', align: 'right' },
    { title: 'max', align: 'right' },
    { title: 'per s', align: 'right', leaves: 1 },
  ];
  const rows = groups.map((group) => [
    ...labels.map((label) => group.labels[label] ?? ''),
    humanCount(group.count),
    value(group.mean),
    value(group.p50),
    value(group.p95),
    value(group.p99),
    value(group.max),
    humanRate(group.rate),
  ]);
  const head = `${style.colors.bold(name)}   ${counted(groups.length, 'group')}${times.join('')}\n`;
  return head + renderTable(columns, rows, style);
}

function labelsOf(by: readonly string[] | undefined): string[] {
  return (by ?? []).flatMap((list) => list.split(',')).filter((label) => label !== '');
}
