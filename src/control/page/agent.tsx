/** One agent: the spread of its durations, its success over time, by kind, and its last tasks. */

import { useMemo } from 'preact/hooks';
import { humanCount, humanDuration } from '../../model/human.js';
import type { StatsReply, TaskReply, TasksReply } from '../../model/replies.js';
import { WindowChoice } from './agents.js';
import { withQuery } from './api.js';
import { Chart } from './chart.js';
import { type Column, DataTable } from './data-table.js';
import { DurationHistogram } from './duration-histogram.js';
import { formatPlace, type Place } from './location.js';
import { StatusMark, Time } from './marks.js';
import { outcomesOverTime } from './outcomes.js';
import { Empty, Panel, RefusalNote } from './panel.js';
import { usePoll } from './poll.js';

const METRIC = 'task_duration_seconds';
const TASKS = 2000;

export function AgentView({ id, place }: { id: string; place: Place }) {
  const window = place.params.get('window') ?? 'all';
  const where = `agent=${id}`;
  const whole = usePoll<StatsReply>(withQuery('/v1/stats', { metric: METRIC, where, window }), 3000);
  const byKind = usePoll<StatsReply>(
    withQuery('/v1/stats', { metric: METRIC, where, window, by: 'kind,status' }),
    3000,
  );
  const recent = usePoll<TasksReply>(withQuery('/v1/tasks', { agent: id, limit: TASKS }), 4000);
  const tasks = recent.data?.tasks ?? NO_TASKS;
  const ended = useMemo(() => tasks.filter(({ ended_at }) => ended_at !== null), [tasks]);
  const outcomes = useMemo(() => outcomesOverTime(ended), [ended]);
  const all = whole.data?.groups[0];
  const refusal = whole.refusal ?? byKind.refusal;
  return (
    <>
      <div class="view-head">
        <nav class="crumbs" aria-label="Path">
          <a href={formatPlace(['agents'])}>Agents</a>
        </nav>
        <h1 class="id">{id}</h1>
      </div>
      <div class="filters">
        <WindowChoice place={place} window={window} />
      </div>
      {refusal !== null && <RefusalNote refusal={refusal} />}
      {all !== undefined && (
        <dl class="facts head-facts">
          {(
            [
              ['ended', humanCount(all.count)],
              ['mean', humanDuration(all.mean)],
              ['sd', humanDuration(all.stddev)],
              ['min', humanDuration(all.min)],
              ['p50', humanDuration(all.p50)],
              ['p90', humanDuration(all.p90)],
              ['p95', humanDuration(all.p95)],
              ['p99', humanDuration(all.p99)],
              ['max', humanDuration(all.max)],
              ['in all', humanDuration(all.sum)],
            ] as const
          ).map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {whole.data !== null && all === undefined && refusal === null && (
        <Empty>
          <p>No task of this agent ended in this window.</p>
        </Empty>
      )}
      {recent.refusal !== null && <RefusalNote refusal={recent.refusal} />}
      {ended.length > 0 && (
        <div class="grid two">
          <Panel title={`Durations of its last ${humanCount(ended.length)} tasks`}>
            <DurationHistogram tasks={ended} />
          </Panel>
          <Panel title="Success over time" className="bare">
            <Chart
              title={`Its last ${humanCount(ended.length)} tasks, by their end`}
              times={outcomes.times}
              window={[outcomes.times[0] ?? 0, outcomes.end]}
              format={humanCount}
              whole
              height={180}
              lines={[
                { label: 'all', color: 'f-completed', values: outcomes.all, bars: true },
                { label: 'not completed', color: 'f-failed', values: outcomes.failed, bars: true },
              ]}
            />
          </Panel>
        </div>
      )}
      {byKind.data !== null && byKind.data.groups.length > 0 && (
        <Panel title="By kind and outcome">
          <DataTable
            label="By kind and outcome"
            columns={KIND_COLUMNS}
            rows={byKind.data.groups}
            rowKey={({ labels }) => JSON.stringify(labels)}
          />
        </Panel>
      )}
      {tasks.length > 0 && (
        <Panel title="Its tasks in memory">
          <DataTable
            label="Tasks"
            columns={TASK_COLUMNS}
            rows={tasks}
            rowKey={(task) => `${task.workflow}\n${task.task}\n${task.started_at ?? task.ended_at}`}
            firstSort={{ key: 'started', down: true }}
            pageSize={50}
          />
        </Panel>
      )}
    </>
  );
}

const NO_TASKS: readonly TaskReply[] = [];

type Group = StatsReply['groups'][number];

const KIND_COLUMNS: readonly Column<Group>[] = [
  {
    key: 'kind',
    title: 'Kind',
    wide: true,
    cell: ({ labels }) => labels.kind || '(none)',
    order: ({ labels }) => labels.kind ?? '',
  },
  {
    key: 'status',
    title: 'Outcome',
    cell: ({ labels }) => <StatusMark status={labels.status as TaskReply['status']} />,
    order: ({ labels }) => labels.status ?? '',
  },
  {
    key: 'count',
    title: 'Ended',
    number: true,
    cell: ({ count }) => humanCount(count),
    order: ({ count }) => count,
  },
  {
    key: 'mean',
    title: 'Mean',
    number: true,
    cell: ({ mean }) => humanDuration(mean),
    order: ({ mean }) => mean,
  },
  {
    key: 'sd',
    title: 'sd',
    number: true,
    spare: 1,
    cell: ({ stddev }) => humanDuration(stddev),
    order: ({ stddev }) => stddev,
  },
  { key: 'p99', title: 'p99', number: true, cell: ({ p99 }) => humanDuration(p99), order: ({ p99 }) => p99 },
];

const TASK_COLUMNS: readonly Column<TaskReply>[] = [
  {
    key: 'status',
    title: 'Status',
    cell: ({ status }) => <StatusMark status={status} />,
    order: ({ status }) => status,
  },
  {
    key: 'task',
    title: 'Task',
    wide: true,
    cell: ({ task, workflow, error, agent }) => (
      <>
        {workflow ? (
          <a class="id" href={formatPlace(['workflow', workflow], { task, agent })}>
            {task}
          </a>
        ) : (
          <span class="id">{task}</span>
        )}
        {error !== null && <span class="quiet"> {error}</span>}
      </>
    ),
    order: ({ task }) => task,
  },
  {
    key: 'workflow',
    title: 'Workflow',
    spare: 1,
    cell: ({ workflow }) => <span class="id">{workflow ?? ''}</span>,
    order: ({ workflow }) => workflow ?? null,
  },
  { key: 'kind', title: 'Kind', spare: 2, cell: ({ kind }) => kind ?? '', order: ({ kind }) => kind },
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
    cell: ({ duration }) => humanDuration(duration),
    order: ({ duration }) => duration,
  },
];
