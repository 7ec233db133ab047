/** All agents: how many tasks each has ended, how well, how long they took and how they spread. */

import { humanCount, humanDuration, humanPercent, humanRate } from '../../model/human.js';
import type { StatsGroup, StatsReply } from '../../model/replies.js';
import { withQuery } from './api.js';
import { type Column, DataTable } from './data-table.js';
import { changeParams, formatPlace, type Place } from './location.js';
import { SpreadStrip } from './marks.js';
import { Empty, RefusalNote } from './panel.js';
import { usePoll } from './poll.js';

export const WINDOWS = ['all', '1d', '1h', '5m', '1m'] as const;
const METRIC = 'task_duration_seconds';

interface AgentRow {
  readonly agent: string;
  readonly all: StatsGroup;
  readonly completed: number;
  readonly failed: number;
}

export function AgentsView({ place }: { place: Place }) {
  const window = place.params.get('window') ?? 'all';
  const search = (place.params.get('q') ?? '').toLowerCase();
  const asked = { metric: METRIC, window, limit: 5000 };
  const all = usePoll<StatsReply>(withQuery('/v1/stats', { ...asked, by: 'agent' }), 3000);
  const byStatus = usePoll<StatsReply>(
    withQuery('/v1/stats', { ...asked, by: 'agent,status', limit: 20_000 }),
    3000,
  );
  const rows = rowsOf(all.data, byStatus.data).filter(({ agent }) => agent.toLowerCase().includes(search));
  const from = Math.min(...rows.map(({ all: { min } }) => Math.max(min, 1e-4)));
  const to = Math.max(...rows.map(({ all: { max } }) => max));
  const refusal = all.refusal ?? byStatus.refusal;
  return (
    <>
      <div class="view-head">
        <h1>Agents</h1>
        <span class="quiet" role="status">
          {all.data !== null && humanCount(rows.length)}
        </span>
      </div>
      <search class="filters">
        <input
          type="search"
          placeholder="Search agents"
          aria-label="Search agents"
          value={place.params.get('q') ?? ''}
          onInput={(event) => location.replace(changeParams(place, { q: event.currentTarget.value }))}
        />
        <WindowChoice place={place} window={window} />
      </search>
      {refusal !== null && <RefusalNote refusal={refusal} />}
      {all.data !== null && refusal === null && rows.length === 0 && (
        <Empty>
          <p>{window === 'all' ? 'No task has ended yet.' : 'No task ended in this window.'}</p>
        </Empty>
      )}
      {rows.length > 0 && (
        <DataTable
          label="Agents"
          columns={columnsOf(from, to)}
          rows={rows}
          rowKey={({ agent }) => agent}
          firstSort={{ key: 'count', down: true }}
          pageSize={500}
        />
      )}
    </>
  );
}

export function WindowChoice({ place, window }: { place: Place; window: string }) {
  return (
    <fieldset class="chips">
      <legend class="unseen">Window</legend>
      {WINDOWS.map((value) => (
        <label key={value} class="chip">
          <input
            type="radio"
            name="window"
            checked={window === value}
            onChange={() => location.replace(changeParams(place, { window: value === 'all' ? null : value }))}
          />
          <span>{value === 'all' ? 'all time' : value}</span>
        </label>
      ))}
    </fieldset>
  );
}

function rowsOf(all: StatsReply | null, byStatus: StatsReply | null): AgentRow[] {
  const counts = new Map<string, { completed: number; failed: number }>();
  for (const { labels, count } of byStatus?.groups ?? []) {
    const agent = labels.agent ?? '';
    const entry = counts.get(agent) ?? { completed: 0, failed: 0 };
    if (labels.status === 'completed') entry.completed += count;
    if (labels.status === 'failed' || labels.status === 'timeout') entry.failed += count;
    counts.set(agent, entry);
  }
  return (all?.groups ?? []).map((group) => {
    const agent = group.labels.agent ?? '';
    return { agent, all: group, ...(counts.get(agent) ?? { completed: 0, failed: 0 }) };
  });
}

function columnsOf(from: number, to: number): readonly Column<AgentRow>[] {
  const duration = (key: 'p50' | 'p95' | 'p99' | 'max', spare?: 1 | 2): Column<AgentRow> => ({
    key,
    title: key,
    number: true,
    cell: ({ all }) => humanDuration(all[key]),
    order: ({ all }) => all[key],
    ...(spare === undefined ? {} : { spare }),
  });
  return [
    {
      key: 'agent',
      title: 'Agent',
      wide: true,
      cell: ({ agent }) => (
        <a class="id" href={formatPlace(['agent', agent])}>
          {agent}
        </a>
      ),
      order: ({ agent }) => agent,
    },
    {
      key: 'count',
      title: 'Ended',
      number: true,
      cell: ({ all }) => humanCount(all.count),
      order: ({ all }) => all.count,
    },
    {
      key: 'success',
      title: 'Succeeded',
      number: true,
      cell: (row) => <Success {...row} />,
      order: ({ completed, all }) => completed / all.count,
    },
    {
      key: 'failed',
      title: 'Failed',
      number: true,
      spare: 1,
      cell: ({ failed }) =>
        failed === 0 ? <span class="quiet">0</span> : <span class="bad-text">{humanCount(failed)}</span>,
      order: ({ failed }) => failed,
    },
    {
      key: 'mean',
      title: 'Mean ± sd',
      number: true,
      spare: 1,
      cell: ({ all }) => (
        <>
          {humanDuration(all.mean)} <span class="quiet">± {humanDuration(all.stddev)}</span>
        </>
      ),
      order: ({ all }) => all.mean,
    },
    duration('p50', 1),
    duration('p95', 2),
    duration('p99'),
    duration('max', 2),
    {
      key: 'spread',
      title: `${humanDuration(from)} to ${humanDuration(to)}`,
      hint: 'On one logarithmic axis: least to most a line, median to p90 a bar, on to p99 a lighter one',
      spare: 2,
      cell: ({ all }) => <SpreadStrip spread={all} from={from} to={to} />,
    },
    {
      key: 'rate',
      title: 'Per s',
      number: true,
      spare: 2,
      cell: ({ all }) => humanRate(all.rate),
      order: ({ all }) => all.rate,
    },
  ];
}

function Success({ completed, failed, all }: AgentRow) {
  const share = completed / all.count;
  return (
    <span class="success">
      <span class="progress" aria-hidden="true">
        <span class="f-completed" style={{ flexGrow: completed }} />
        <span class="f-failed" style={{ flexGrow: failed }} />
        <span class="f-cancelled" style={{ flexGrow: all.count - completed - failed }} />
      </span>
      <span>{humanPercent(share)}</span>
    </span>
  );
}
