/** `tallyd ps`: the workflows, those last heard of first. */

import type { Config } from '../config/config.js';
import { EXIT_DONE } from '../model/failure.js';
import { counted, escapeControlsInJson, humanCount, humanDuration, NOTHING } from '../model/human.js';
import { request } from './control-client.js';
import { type Io, tableStyleOf } from './io.js';
import { addTexts, wholeNumber, withQuery } from './query-options.js';
import { paintStatus } from './status-color.js';
import { type Column, renderTable, type TableStyle } from './table.js';

export interface PsOptions {
  readonly status?: string;
  readonly phase?: string;
  readonly agent?: string;
  readonly project?: string;
  readonly parent?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

/** As `GET /v1/workflows` summarizes them. */
interface Summary {
  readonly workflow: string;
  readonly project?: string | null;
  readonly status: string;
  readonly phase?: string | null;
  readonly started_at?: number | null;
  readonly ended_at?: number | null;
  readonly updated_at?: number | null;
  readonly duration?: number | null;
  readonly tasks_total?: number;
  readonly tasks_by_status?: Readonly<Record<string, number>>;
}

interface Page {
  readonly workflows: readonly Summary[];
  readonly next_cursor?: string | null;
}

const PAGE_ROWS = 1000;
const ROWS_MAX = 1_000_000_000;

export async function ps(config: Config, options: PsOptions, io: Io): Promise<number> {
  const limit = options.limit === undefined ? ROWS_MAX : wholeNumber('--limit', options.limit, ROWS_MAX);
  const { status, phase, agent, project, parent } = options;
  const filters = new URLSearchParams();
  addTexts(filters, { status, phase, agent, project, parent });
  const page = await readPages(config, filters, limit);
  if (options.json) io.stdout.write(`${escapeControlsInJson(JSON.stringify(page))}\n`);
  else io.stdout.write(renderPs(page, filters.size > 0, Date.now() / 1000, tableStyleOf(io)));
  return EXIT_DONE;
}

/** All pages as one, up to so many rows. */
async function readPages(config: Config, filters: URLSearchParams, limit: number): Promise<Page> {
  const workflows: Summary[] = [];
  for (let cursor: string | null | undefined; ; ) {
    const query = new URLSearchParams(filters);
    query.set('limit', String(Math.min(PAGE_ROWS, limit - workflows.length)));
    if (cursor != null) query.set('cursor', cursor);
    const { body } = await request(config, 'GET', withQuery('/v1/workflows', query));
    const page = body as Page;
    for (const row of page.workflows) workflows.push(row);
    cursor = page.next_cursor;
    if (cursor == null || workflows.length >= limit) {
      return { ...page, workflows: workflows.slice(0, limit), next_cursor: cursor ?? null };
    }
  }
}

function renderPs(page: Page, filtered: boolean, nowSeconds: number, style: TableStyle): string {
  const { workflows, next_cursor: more } = page;
  if (workflows.length === 0) {
    return filtered ? 'no workflow is like that; tallyd ps lists all\n' : 'no workflows yet\n';
  }
  const rows = [...workflows].sort((a, b) => heardOf(b) - heardOf(a));
  const failedCounts = rows.map(failedOf);
  const columns: Column[] = [
    { title: 'workflow', align: 'left', cut: true },
    { title: 'project', align: 'left', cut: true, leaves: 1 },
    {
      title: 'status',
      align: 'left',
      paint: (text, row) => paintStatus(rows[row]!.status, style.colors, text),
    },
    { title: 'phase', align: 'left', cut: true, leaves: 4 },
    { title: 'tasks', align: 'right' },
    {
      title: 'failed',
      align: 'right',
      paint: (text, row) => (failedCounts[row]! > 0 ? style.colors.red(text) : text),
    },
    { title: 'age', align: 'right', leaves: 3 },
    { title: 'took', align: 'right', leaves: 2 },
  ];
  const table = renderTable(
    columns,
    rows.map((row, i) => [
      row.workflow,
      row.project ?? '',
      row.status,
      row.phase ?? '',
      progressText(row),
      humanCount(failedCounts[i]),
      row.started_at == null ? NOTHING : humanDuration(Math.max(0, nowSeconds - row.started_at)),
      row.ended_at == null ? '' : humanDuration(row.duration),
    ]),
    style,
  );
  return more == null ? table : `${table}the first ${counted(rows.length, 'workflow')}; --limit takes more\n`;
}

/** The daemon orders its pages by what it can go on from. */
function heardOf({ updated_at, ended_at, started_at }: Summary): number {
  return updated_at ?? ended_at ?? started_at ?? Number.NEGATIVE_INFINITY;
}

function progressText({ tasks_total, tasks_by_status }: Summary): string {
  if (tasks_total === undefined) return NOTHING;
  return `${humanCount(tasks_total - (tasks_by_status?.running ?? 0))}/${humanCount(tasks_total)}`;
}

function failedOf({ tasks_by_status: counts }: Summary): number {
  return (counts?.failed ?? 0) + (counts?.timeout ?? 0);
}
