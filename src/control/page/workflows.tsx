/** All workflows that are in memory, by filters that the daemon applies, and a search over what it gave. */

import { humanCount, humanDuration } from '../../model/human.js';
import type { WorkflowSummary, WorkflowsReply } from '../../model/replies.js';
import { withQuery } from './api.js';
import { type Column, DataTable } from './data-table.js';
import { useDeferred } from './deferred.js';
import { changeParams, formatPlace, type Place } from './location.js';
import { Progress, StatusMark, Time } from './marks.js';
import { Empty, RefusalNote } from './panel.js';
import { usePoll } from './poll.js';

const STATUSES = ['running', 'completed', 'failed', 'cancelled', 'paused', 'pending'] as const;
const LIMIT = 1000;

export function WorkflowsView({ place }: { place: Place }) {
  const { params } = place;
  const filter = (name: string) => params.get(name) ?? '';
  const change = (name: string, value: string) => {
    location.replace(changeParams(place, { [name]: value }));
  };
  const asked = {
    status: filter('status'),
    phase: useDeferred(filter('phase')),
    project: useDeferred(filter('project')),
    agent: useDeferred(filter('agent')),
  };
  const polled = usePoll<WorkflowsReply>(withQuery('/v1/workflows', { ...asked, limit: LIMIT }), 2000);
  const isTree = filter('tree') !== '';
  const search = filter('q').trim().toLowerCase();
  const all = polled.data?.workflows ?? [];
  const rows = search === '' ? all : all.filter((row) => matches(row, search));
  const filtered = Object.values(asked).some((value) => value !== '') || search !== '';
  return (
    <>
      <div class="view-head">
        <h1>Workflows</h1>
        <span class="quiet" role="status">
          {polled.data !== null && countText(rows.length, all.length, polled.data.next_cursor !== null)}
        </span>
      </div>
      <search class="filters">
        <input
          type="search"
          placeholder="Search id, name, project"
          aria-label="Search id, name, project"
          value={filter('q')}
          onInput={(event) => change('q', event.currentTarget.value)}
        />
        <fieldset class="chips">
          <legend class="unseen">Status</legend>
          {['', ...STATUSES].map((value) => (
            <label key={value} class="chip">
              <input
                type="radio"
                name="status"
                checked={asked.status === value}
                onChange={() => change('status', value)}
              />
              <span>{value === '' ? 'all' : value}</span>
            </label>
          ))}
        </fieldset>
        {(['project', 'phase', 'agent'] as const).map((name) => (
          <input
            key={name}
            type="text"
            class="short"
            placeholder={name}
            aria-label={name}
            value={filter(name)}
            onInput={(event) => change(name, event.currentTarget.value)}
          />
        ))}
        <label class="check">
          <input
            type="checkbox"
            checked={isTree}
            onChange={(event) => change('tree', event.currentTarget.checked ? '1' : '')}
          />
          as a tree
        </label>
      </search>
      {polled.refusal !== null && <RefusalNote refusal={polled.refusal} />}
      {polled.data !== null && rows.length === 0 && (
        <Empty>
          <p>{filtered ? 'No workflow in memory is like that.' : 'No workflow is in memory yet.'}</p>
          {search !== '' && (
            <p>
              <a href={formatPlace(['workflow', filter('q').trim()])}>
                Look for “{filter('q').trim()}” in the archive
              </a>
            </p>
          )}
        </Empty>
      )}
      {rows.length > 0 && (
        <DataTable
          label="Workflows"
          columns={COLUMNS}
          rows={rows}
          rowKey={({ workflow }) => workflow}
          firstSort={{ key: 'started', down: true }}
          family={isTree ? familyOf : undefined}
        />
      )}
    </>
  );
}

const COLUMNS: readonly Column<WorkflowSummary>[] = [
  {
    key: 'status',
    title: 'Status',
    cell: ({ status }) => <StatusMark status={status} />,
    order: ({ status }) => status,
  },
  {
    key: 'workflow',
    title: 'Workflow',
    wide: true,
    cell: ({ workflow, name, parent }) => (
      <>
        <a class="id" href={formatPlace(['workflow', workflow])}>
          {workflow}
        </a>
        {name !== null && <span class="quiet"> {name}</span>}
        {parent !== null && <span class="quiet parent"> ↳ of {parent}</span>}
      </>
    ),
    order: ({ workflow }) => workflow,
  },
  {
    key: 'project',
    title: 'Project',
    spare: 2,
    cell: ({ project }) => project ?? '',
    order: ({ project }) => project,
  },
  {
    key: 'phase',
    title: 'Phase',
    spare: 1,
    cell: ({ phase }) => phase ?? '',
    order: ({ phase }) => phase,
  },
  {
    key: 'tasks',
    title: 'Tasks',
    spare: 1,
    cell: ({ tasks_total, tasks_by_status }) => (
      <span class="progress-cell">
        <Progress total={tasks_total} byStatus={tasks_by_status} />
        <span class="num">{humanCount(tasks_total)}</span>
      </span>
    ),
    order: ({ tasks_total }) => tasks_total,
    number: true,
  },
  {
    key: 'failed',
    title: 'Failed',
    number: true,
    spare: 2,
    cell: (row) => {
      const failed = failedOf(row);
      return failed === 0 ? <span class="quiet">0</span> : <span class="bad-text">{humanCount(failed)}</span>;
    },
    order: failedOf,
  },
  {
    key: 'started',
    title: 'Started',
    number: true,
    spare: 1,
    cell: ({ started_at }) => <Time seconds={started_at} />,
    order: ({ started_at }) => started_at,
  },
  {
    key: 'duration',
    title: 'Duration',
    number: true,
    cell: (row) => humanDuration(durationOf(row)),
    order: durationOf,
  },
];

function familyOf({ workflow, parent }: WorkflowSummary) {
  return { own: workflow, parent };
}

function failedOf({ tasks_by_status: { failed = 0, timeout = 0 } }: WorkflowSummary): number {
  return failed + timeout;
}

/** Of one that runs, so far. */
function durationOf({ started_at, ended_at, duration }: WorkflowSummary): number | null {
  if (duration !== null) return duration;
  return started_at === null || ended_at !== null ? null : Math.max(0, Date.now() / 1000 - started_at);
}

function matches({ workflow, name, project }: WorkflowSummary, search: string): boolean {
  return [workflow, name, project].some((text) => text?.toLowerCase().includes(search));
}

function countText(shown: number, all: number, more: boolean): string {
  const of = shown === all ? humanCount(all) : `${humanCount(shown)} of ${humanCount(all)}`;
  return more ? `${of}, the first of more: narrow the filter` : of;
}
