/** What was: a metric over a time that has passed, out of the hourly roll-ups, and the lines of that time out of the archive. */

import { useMemo } from 'preact/hooks';
import { humanCount, humanDuration, humanNumber } from '../../model/human.js';
import type { MetricsReply, StatsGroup } from '../../model/replies.js';
import { LinesPanel } from './archive-lines.js';
import { Chart } from './chart.js';
import { type Column, DataTable } from './data-table.js';
import { changeParams, type Place } from './location.js';
import { useMetricHistory } from './metric-history.js';
import { Panel, RefusalNote } from './panel.js';
import { usePoll } from './poll.js';

const SPANS = { '6h': 6 * 3600, '1d': 86_400, '7d': 7 * 86_400, '30d': 30 * 86_400 } as const;

export function HistoryView({ place }: { place: Place }) {
  const { params } = place;
  const change = (changes: Record<string, string | null>) => location.replace(changeParams(place, changes));
  const span = params.get('span') ?? '1d';
  const metric = params.get('metric') ?? 'task_duration_seconds';
  const by = params.get('by') ?? '';
  const metrics = usePoll<MetricsReply>('/v1/stats', 30_000);
  const known = metrics.data?.metrics ?? [];
  const labels = known.find((each) => each.metric === metric)?.labels ?? [];
  const [from, to] = useSpan(span, params.get('since'), params.get('until'));
  const { slices, groups, refusal, isDone } = useMetricHistory(metric, by, from, to);
  const format = metric.endsWith('_seconds') ? humanDuration : humanNumber;
  return (
    <>
      <div class="view-head">
        <h1>History</h1>
        <span class="quiet" role="status">
          {!isDone && 'asking…'}
        </span>
      </div>
      <search class="filters">
        <select
          aria-label="Metric"
          value={metric}
          onChange={(event) => change({ metric: event.currentTarget.value, by: null })}
        >
          {(known.some((each) => each.metric === metric) ? [] : [metric])
            .concat(known.map((each) => each.metric))
            .map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
        </select>
        <select
          aria-label="Group by"
          value={by}
          onChange={(event) => change({ by: event.currentTarget.value })}
        >
          <option value="">all together</option>
          {labels.map((label) => (
            <option key={label} value={label}>
              by {label}
            </option>
          ))}
        </select>
        <fieldset class="chips">
          <legend class="unseen">Time</legend>
          {Object.keys(SPANS).map((value) => (
            <label key={value} class="chip">
              <input
                type="radio"
                name="span"
                checked={span === value && !params.has('since')}
                onChange={() => change({ span: value, since: null, until: null })}
              />
              <span>{value}</span>
            </label>
          ))}
        </fieldset>
        <TimeInput
          label="From"
          seconds={from}
          onChange={(value) => change({ since: value, until: String(to) })}
        />
        <TimeInput
          label="To"
          seconds={to}
          onChange={(value) => change({ since: String(from), until: value })}
        />
      </search>
      {refusal !== null && <RefusalNote refusal={refusal} />}
      {refusal === null && (
        <div class="grid two">
          <Panel title="Count" className="bare">
            <Chart
              title="Samples"
              times={slices.times}
              window={[from, to]}
              format={humanCount}
              whole
              group="history"
              height={200}
              note={isDone ? 'No sample in this time.' : undefined}
              lines={[{ label: 'count', color: 'accent', values: slices.counts, bars: true }]}
            />
          </Panel>
          <Panel title="Values" className="bare">
            <Chart
              title="Values"
              times={slices.times}
              window={[from, to]}
              format={format}
              group="history"
              height={200}
              note={isDone ? 'No sample in this time.' : undefined}
              lines={[
                { label: 'p50', color: 's-completed', values: slices.p50, points: true },
                { label: 'p90', color: 's-timeout', values: slices.p90, points: true },
                { label: 'p99', color: 's-failed', values: slices.p99, points: true },
              ]}
            />
          </Panel>
        </div>
      )}
      {groups !== null && groups.length > 0 && (
        <Panel title={by === '' ? 'Over all of this time' : `By ${by}`}>
          <DataTable
            label="Groups"
            columns={groupColumns(by, format)}
            rows={groups}
            rowKey={({ labels: own }) => JSON.stringify(own)}
            pageSize={200}
          />
        </Panel>
      )}
      <LinesPanel from={from} to={to} />
    </>
  );
}

/** Whole hours, as the roll-ups have them. */
function useSpan(
  span: string,
  since: string | null | undefined,
  until: string | null | undefined,
): readonly [number, number] {
  const hour = Math.floor(Date.now() / 3_600_000);
  return useMemo(() => {
    const to = Number(until) || (hour + 1) * 3600;
    const length = SPANS[span as keyof typeof SPANS] ?? SPANS['1d'];
    return [Number(since) || to - length, to];
  }, [span, since, until, hour]);
}

function TimeInput({
  label,
  seconds,
  onChange,
}: {
  label: string;
  seconds: number;
  onChange: (seconds: string) => void;
}) {
  return (
    <label class="time-input">
      {label}
      <input
        type="datetime-local"
        step={3600}
        value={localTime(seconds)}
        onChange={(event) => {
          const time = new Date(event.currentTarget.value).getTime() / 1000;
          if (Number.isFinite(time)) onChange(String(Math.floor(time / 3600) * 3600));
        }}
      />
    </label>
  );
}

/** `2026-11-24T18:00`, in the browser's time, as the input wants it. */
function localTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return new Date(seconds * 1000 - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function groupColumns(by: string, format: (value: number | null) => string): readonly Column<StatsGroup>[] {
  const value = (
    key: 'mean' | 'stddev' | 'min' | 'p50' | 'p90' | 'p99' | 'max',
    spare?: 1 | 2,
  ): Column<StatsGroup> => ({
    key,
    title: key === 'stddev' ? 'sd' : key,
    number: true,
    cell: (group) => format(group[key]),
    order: (group) => group[key],
    ...(spare === undefined ? {} : { spare }),
  });
  const label: readonly Column<StatsGroup>[] =
    by === ''
      ? []
      : [
          {
            key: 'label',
            title: by,
            wide: true,
            cell: ({ labels }) => <span class="id">{labels[by] || '(none)'}</span>,
            order: ({ labels }) => labels[by] ?? '',
          },
        ];
  return [
    ...label,
    {
      key: 'count',
      title: 'Count',
      number: true,
      cell: ({ count }) => humanCount(count),
      order: ({ count }) => count,
    },
    value('mean'),
    value('stddev', 2),
    value('min', 2),
    value('p50', 1),
    value('p90', 1),
    value('p99'),
    value('max', 2),
  ];
}
