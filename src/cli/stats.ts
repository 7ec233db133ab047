/** `tallyd stats`: the aggregates of one metric by labels, or the metrics that there are. */

import type { Config } from '../config/config.js';
import { EXIT_DONE, Failure } from '../model/failure.js';
import { request } from './control-client.js';
import {
  counted,
  escapeControls,
  escapeControlsInJson,
  humanCount,
  humanDuration,
  humanNumber,
  humanRate,
} from './human.js';
import { colorsOf, type Io, widthOf } from './io.js';
import { type Column, renderTable, type TableStyle } from './table.js';

export interface StatsOptions {
  readonly by?: readonly string[];
  readonly where?: readonly string[];
  readonly limit?: string;
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

export async function stats(
  config: Config,
  metric: string | undefined,
  options: StatsOptions,
  io: Io,
): Promise<number> {
  const { text, body } = await request(config, 'GET', statsPath(metric, options));
  const style = {
    width: widthOf(io.stdout),
    cut: io.stdout.isTTY === true,
    colors: colorsOf(io.stdout, io.env),
  };
  if (options.json) io.stdout.write(`${escapeControlsInJson(text.trimEnd())}\n`);
  else if (metric === undefined) io.stdout.write(renderMetrics(body.metrics, style));
  else io.stdout.write(renderGroups(metric, body.groups, options.by ?? [], style));
  return EXIT_DONE;
}

/** @throws Failure ERR_USAGE */
function statsPath(metric: string | undefined, options: StatsOptions): string {
  const query = new URLSearchParams();
  const by = labelsOf(options.by);
  if (metric !== undefined) query.set('metric', metric);
  else if (by.length > 0 || options.where?.length) {
    throw new Failure('ERR_USAGE', '--by and --where need a METRIC; tallyd stats lists them');
  }
  if (by.length > 0) query.set('by', by.join(','));
  for (const where of options.where ?? []) {
    if (where.indexOf('=') < 1) {
      const text = `--where takes LABEL=VALUE, is ${JSON.stringify(where)}; as in --where status=failed`;
      throw new Failure('ERR_USAGE', text);
    }
    query.append('where', where);
  }
  if (options.limit !== undefined) {
    const limit = Number(options.limit);
    if (!/^\d+$/.test(options.limit) || limit < 1 || limit > 100_000) {
      const text = `--limit takes a whole number from 1 to 100000, is ${JSON.stringify(options.limit)}`;
      throw new Failure('ERR_USAGE', text);
    }
    query.set('limit', options.limit);
  }
  const text = query.toString();
  return text === '' ? '/v1/stats' : `/v1/stats?${text}`;
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
  by: readonly string[],
  style: TableStyle,
): string {
  const name = escapeControls(metric);
  if (groups.length === 0) return `${name}: no samples; tallyd stats lists the metrics that have some\n`;
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
  const head = `${style.colors.bold(name)}   ${counted(groups.length, 'group')}\n`;
  return head + renderTable(columns, rows, style);
}

function labelsOf(by: readonly string[] | undefined): string[] {
  return (by ?? []).flatMap((list) => list.split(',')).filter((label) => label !== '');
}
