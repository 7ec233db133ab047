/** How it goes right now: rates, what runs, what failed, how long tasks take, and how the daemon itself does. */

import {
  counted,
  humanBytes,
  humanCount,
  humanDuration,
  humanPercent,
  humanRate,
} from '../../model/human.js';
import type {
  RecentReply,
  StatsReply,
  StatusReply,
  TasksReply,
  WorkflowsReply,
} from '../../model/replies.js';
import { withQuery } from './api.js';
import { Chart } from './chart.js';
import { status } from './daemon.js';
import { formatPlace } from './location.js';
import { Progress, StatusMark, Time } from './marks.js';
import { Empty, Fact, Panel, RefusalNote } from './panel.js';
import { type Polled, usePoll } from './poll.js';
import { useStore } from './store.js';

const PAST_SECONDS = 900;
const TASK_METRIC = 'task_duration_seconds';

export function OverviewView() {
  const reply = useStore(status);
  const byStatus = usePoll<StatsReply>(
    withQuery('/v1/stats', { metric: TASK_METRIC, by: 'status', window: '5m' }),
    3000,
  );
  return (
    <>
      <h1 class="unseen">Overview</h1>
      <Tiles reply={reply} byStatus={byStatus} />
      <div class="grid two">
        <PastPanels />
        <RunningPanel />
        <FailuresPanel />
      </div>
      {reply !== null && <DaemonPanel reply={reply} />}
    </>
  );
}

/** The last quarter of an hour, as the daemon has kept it. */
function PastPanels() {
  const { data, refusal } = usePoll<RecentReply>('/v1/recent', 2000);
  if (refusal !== null) return <RefusalNote refusal={refusal} />;
  const past = data ?? NO_PAST;
  const shared = { times: past.times, window: shownWindow(past.times), group: 'overview' };
  return (
    <>
      <Panel title="Events per second" className="bare">
        <Chart
          {...shared}
          title="Events per second"
          format={humanRate}
          lines={[
            { label: 'accepted', color: 'accent', values: past.events_per_second, fill: true },
            { label: 'rejected', color: 's-failed', values: past.rejected_per_second },
          ]}
        />
      </Panel>
      <Panel title="Running" className="bare">
        <Chart
          {...shared}
          title="Running"
          format={humanCount}
          whole
          lines={[
            { label: 'tasks', color: 's-running', values: past.tasks_running, fill: true },
            { label: 'workflows', color: 's-pending', values: past.workflows_live },
          ]}
        />
      </Panel>
      <Panel title="Durations of tasks" className="bare">
        <Chart
          {...shared}
          title="Durations of tasks, each over a minute"
          format={humanDuration}
          logarithmic
          lines={[
            { label: 'p50', color: 's-completed', values: past.task_seconds_p50 },
            { label: 'p90', color: 's-timeout', values: past.task_seconds_p90 },
            { label: 'p99', color: 's-failed', values: past.task_seconds_p99 },
          ]}
        />
      </Panel>
      <Panel title="Tasks that ended" className="bare">
        <Chart
          {...shared}
          title="Tasks that ended, each over a minute"
          format={humanRate}
          lines={[
            { label: 'completed', color: 's-completed', values: past.tasks_completed, fill: true },
            { label: 'failed', color: 's-failed', values: past.tasks_failed },
          ]}
        />
      </Panel>
    </>
  );
}

const NO_PAST: RecentReply = {
  times: [],
  events_per_second: [],
  rejected_per_second: [],
  tasks_running: [],
  workflows_live: [],
  lag_seconds: [],
  ring_used: [],
  tasks_completed: [],
  tasks_failed: [],
  task_seconds_p50: [],
  task_seconds_p90: [],
  task_seconds_p99: [],
};

function Tiles({ reply, byStatus }: { reply: StatusReply | null; byStatus: Polled<StatsReply> }) {
  const groups = byStatus.data?.groups ?? [];
  const ended = groups.reduce((sum, { count }) => sum + count, 0);
  const failed = groups
    .filter(({ labels }) => labels.status === 'failed' || labels.status === 'timeout')
    .reduce((sum, { count }) => sum + count, 0);
  const windowed = byStatus.data !== null && byStatus.refusal === null;
  return (
    <dl class="tiles">
      <Tile
        title="Events / s"
        value={humanRate(reply?.ingest.rate_1s)}
        foot={`${humanCount(reply?.ingest.accepted)} since the start`}
      />
      <Tile
        title="Running tasks"
        value={humanCount(reply?.state.tasks_running)}
        foot={`${counted(reply?.ingest.connections, 'connection')}`}
      />
      <Tile
        title="Running workflows"
        value={humanCount(reply?.state.workflows_live)}
        foot={`${humanCount(reply?.state.workflows_recent)} ended and in memory`}
      />
      <Tile
        title="Failed tasks, 5 min"
        value={windowed ? humanCount(failed) : '–'}
        foot={
          windowed
            ? `${ended === 0 ? 'no task ended' : `${humanPercent(failed / ended)} of ${humanCount(ended)}`}`
            : 'not known'
        }
        mood={failed > 0 ? 'bad' : undefined}
      />
      <Tile
        title="Ring"
        value={humanPercent(reply === null ? null : reply.ring.used_bytes / reply.ring.capacity_bytes)}
        foot={`of ${humanBytes(reply?.ring.capacity_bytes)}, ${counted(reply?.ring.stalls, 'stall')}`}
      />
      <Tile
        title="Lag"
        value={humanDuration(reply?.lag.seconds)}
        foot={`${counted(reply?.lag.events, 'event')} in flight`}
        mood={(reply?.lag.seconds ?? 0) > 5 ? 'bad' : undefined}
      />
    </dl>
  );
}

function Tile({
  title,
  value,
  foot,
  mood,
}: {
  title: string;
  value: string;
  foot: string;
  mood?: 'bad' | undefined;
}) {
  return (
    <div class={`tile ${mood ?? ''}`}>
      <dt>{title}</dt>
      <dd class="value">{value}</dd>
      <dd class="foot">{foot}</dd>
    </div>
  );
}

const ROWS = 8;

function RunningPanel() {
  const polled = usePoll<WorkflowsReply>(withQuery('/v1/workflows', { status: 'running', limit: 200 }), 2000);
  const rows = [...(polled.data?.workflows ?? [])]
    .sort((a, b) => (a.started_at ?? Infinity) - (b.started_at ?? Infinity))
    .slice(0, ROWS);
  const more = <a href={formatPlace(['workflows'], { status: 'running' })}>all</a>;
  return (
    <Panel title="Running longest" end={more}>
      {polled.refusal !== null && <RefusalNote refusal={polled.refusal} />}
      {polled.data !== null && rows.length === 0 && <NothingRuns />}
      {rows.length > 0 && (
        <ul class="rows">
          {rows.map((row) => (
            <li key={row.workflow}>
              <a class="id" href={formatPlace(['workflow', row.workflow])}>
                {row.workflow}
              </a>
              <span class="quiet clip">{row.phase ?? ''}</span>
              <Progress total={row.tasks_total} byStatus={row.tasks_by_status} />
              <span class="num">
                {humanDuration(row.started_at === null ? null : Date.now() / 1000 - row.started_at)}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function NothingRuns() {
  return (
    <Empty>
      <p>Nothing runs. Try:</p>
      <pre>{`echo '{"type":"workflow.start","workflow":"first"}' | tallyd send`}</pre>
    </Empty>
  );
}

function FailuresPanel() {
  const polled = usePoll<TasksReply>(withQuery('/v1/tasks', { status: 'failed', limit: 200 }), 3000);
  const rows = [...(polled.data?.tasks ?? [])]
    .sort((a, b) => (b.ended_at ?? 0) - (a.ended_at ?? 0))
    .slice(0, ROWS);
  return (
    <Panel
      title="Failed last"
      end={<a href={formatPlace(['workflows'], { status: 'failed' })}>failed workflows</a>}
    >
      {polled.refusal !== null && <RefusalNote refusal={polled.refusal} />}
      {polled.data !== null && rows.length === 0 && (
        <Empty>
          <p>No failed task is in memory.</p>
        </Empty>
      )}
      {rows.length > 0 && (
        <ul class="rows failures">
          {rows.map((row) => (
            <li key={`${row.workflow}/${row.agent}/${row.task}`}>
              <StatusMark status={row.status} bare />
              <span class="clip">
                {row.workflow ? (
                  <a class="id" href={formatPlace(['workflow', row.workflow], { task: row.task })}>
                    {row.workflow}
                  </a>
                ) : null}{' '}
                <span class="id">{row.task}</span>
                {row.error !== null && <span class="quiet"> {row.error}</span>}
              </span>
              <span class="num quiet">
                <Time seconds={row.ended_at} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function DaemonPanel({ reply }: { reply: StatusReply }) {
  const { archive, memory, ingest, state } = reply;
  const counts = Object.entries(state.counts).filter(([, n]) => n > 0);
  const reasons = Object.entries(ingest.rejected_by_reason).filter(([, n]) => n > 0);
  const ratio = archive.bytes_compressed > 0 ? archive.bytes_raw / archive.bytes_compressed : null;
  return (
    <Panel title="Daemon">
      <div class="daemon">
        <ul class="threads" aria-label="Threads">
          {reply.threads.map(({ name, utilization, restarts }) => (
            <li key={name}>
              <span>{name}</span>
              <span class="gauge" aria-hidden="true">
                <span
                  class={utilization > 0.9 ? 'full' : ''}
                  style={{ width: `${Math.round(utilization * 100)}%` }}
                />
              </span>
              <span class="num">{humanPercent(utilization)}</span>
              {restarts > 0 && <span class="warn-text">{counted(restarts, 'restart')}</span>}
            </li>
          ))}
        </ul>
        <dl class="facts">
          <Fact label="lines">
            {humanCount(ingest.lines)}, {humanBytes(ingest.bytes)}
          </Fact>
          <Fact label="rejected">
            {humanCount(ingest.rejected)}
            {reasons.length > 0 && (
              <span class="quiet"> {reasons.map(([name, n]) => `${name} ${humanCount(n)}`).join(', ')}</span>
            )}
          </Fact>
          <Fact label="archive">
            {counted(archive.segments, 'segment')}, {humanBytes(archive.bytes_compressed)}
            {ratio !== null && <span class="quiet"> of {humanBytes(archive.bytes_raw)}</span>}
          </Fact>
          <Fact label="durable to line">{humanCount(archive.durable_seq)}</Fact>
          <Fact label="last sync">
            {humanDuration(archive.last_sync_ms === null ? null : archive.last_sync_ms / 1000)}
          </Fact>
          <Fact label="oldest line">
            <Time seconds={archive.oldest_ts} />
          </Fact>
          <Fact label="memory">
            {humanBytes(memory.rss_bytes)}, state {humanBytes(memory.state_bytes)}
          </Fact>
          <Fact label="series">{humanCount(state.series)}</Fact>
          {counts.length > 0 && (
            <Fact label="counted">{counts.map(([name, n]) => `${name} ${humanCount(n)}`).join(', ')}</Fact>
          )}
        </dl>
      </div>
    </Panel>
  );
}

/** From the first value on, until there is a quarter of an hour: the width is used from the beginning. */
function shownWindow(times: readonly number[]): readonly [number, number] {
  const to = times.at(-1) ?? Date.now() / 1000;
  return [Math.max(to - PAST_SECONDS, Math.min(times[0] ?? to, to - 60)), to];
}
