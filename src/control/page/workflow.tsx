/** One workflow: what it is, its timeline, the task that is chosen, its tasks as a table, its family. */

import { useEffect, useMemo, useState } from 'preact/hooks';
import { humanCount, humanDuration, humanPercent } from '../../model/human.js';
import type { TaskReply, WorkflowReply } from '../../model/replies.js';
import { workflowPath } from './api.js';
import { FamilyPanel } from './family.js';
import { changeParams, formatPlace, type Place } from './location.js';
import { StatusMark, TASK_STATUSES, Time } from './marks.js';
import { Empty, Fact, Panel, RefusalNote } from './panel.js';
import { usePoll } from './poll.js';
import { TaskPanel, TasksPanel } from './tasks.js';
import { Timeline } from './timeline.js';

const LIVE_MS = 1500;
const OVER_MS = 15_000;

export function WorkflowView({ id, place }: { id: string; place: Place }) {
  const run = Number(place.params.get('run')) || null;
  const [isOver, setOver] = useState(false);
  const { data, refusal } = usePoll<WorkflowReply>(workflowPath(id, run), isOver ? OVER_MS : LIVE_MS);
  useEffect(() => setOver(data !== null && data.ended_at !== null), [data]);
  const tasks = data?.tasks ?? NO_TASKS;
  const selected = useSelected(tasks, place);
  if (refusal !== null) {
    return (
      <>
        <Crumbs parents={[]} id={id} />
        <RefusalNote refusal={refusal} />
      </>
    );
  }
  if (data === null) return <Crumbs parents={[]} id={id} />;
  const choose = (task: number | null) => {
    const chosen = task === null ? undefined : tasks[task];
    const changes = { task: chosen?.task ?? null, agent: chosen?.agent ?? null };
    history.replaceState(null, '', changeParams(place, changes));
    dispatchEvent(new HashChangeEvent('hashchange'));
  };
  return (
    <>
      <Crumbs parents={data.parent === null ? [] : [data.parent]} id={id} />
      <Facts data={data} place={place} />
      {data.error !== null && <p class="failure">{data.error}</p>}
      <Panel title="Timeline" end={<Legend data={data} />}>
        {tasks.length === 0 ? (
          <Empty>
            <p>No task of this workflow is known yet.</p>
          </Empty>
        ) : (
          <Timeline
            tasks={tasks}
            startedAt={data.started_at}
            endedAt={data.ended_at}
            selected={selected}
            onSelect={choose}
          />
        )}
      </Panel>
      {selected !== null && <TaskPanel task={tasks[selected]!} onClose={() => choose(null)} />}
      <div class="grid two">
        <ReportPanel data={data} />
        <FamilyPanel id={id} parent={data.parent} />
      </div>
      {tasks.length > 0 && <TasksPanel tasks={tasks} total={data.tasks_total} place={place} />}
    </>
  );
}

const NO_TASKS: readonly TaskReply[] = [];

/** The index of the task that the address names. */
function useSelected(tasks: readonly TaskReply[], place: Place): number | null {
  const task = place.params.get('task');
  const agent = place.params.get('agent');
  return useMemo(() => {
    if (task === undefined) return null;
    const at = tasks.findLastIndex(
      (each) => each.task === task && (agent === undefined || each.agent === agent),
    );
    return at < 0 ? null : at;
  }, [tasks, task, agent]);
}

function Crumbs({ parents, id }: { parents: readonly string[]; id: string }) {
  return (
    <div class="view-head">
      <nav class="crumbs" aria-label="Path">
        <a href={formatPlace(['workflows'])}>Workflows</a>
        {parents.map((parent) => (
          <a key={parent} class="id" href={formatPlace(['workflow', parent])}>
            {parent}
          </a>
        ))}
      </nav>
      <h1 class="id">{id}</h1>
    </div>
  );
}

function Facts({ data, place }: { data: WorkflowReply; place: Place }) {
  const so =
    data.duration ??
    (data.started_at !== null && data.ended_at === null ? Date.now() / 1000 - data.started_at : null);
  return (
    <dl class="facts head-facts">
      <Fact label="status">
        <StatusMark status={data.status} />
      </Fact>
      {data.phase !== null && <Fact label="phase">{data.phase}</Fact>}
      {data.name !== null && <Fact label="name">{data.name}</Fact>}
      {data.project !== null && (
        <Fact label="project">
          <a href={formatPlace(['workflows'], { project: data.project })}>{data.project}</a>
        </Fact>
      )}
      <Fact label="started">
        <Time seconds={data.started_at} />
      </Fact>
      <Fact label={data.ended_at === null ? 'running for' : 'took'}>{humanDuration(so)}</Fact>
      {data.runs.length > 1 && (
        <Fact label="run">
          <select
            aria-label="Run"
            value={String(data.run)}
            onChange={(event) => {
              location.hash = changeParams(place, {
                run: event.currentTarget.value,
                task: null,
                agent: null,
              });
            }}
          >
            {data.runs.map(({ run, status }) => (
              <option key={run} value={String(run)}>
                {run} ({status})
              </option>
            ))}
          </select>
        </Fact>
      )}
      {data.source === 'archive' && <Fact label="read from">the archive</Fact>}
      {data.request !== null && (
        <Fact label="request" wide>
          {data.request}
        </Fact>
      )}
    </dl>
  );
}

function Legend({ data }: { data: WorkflowReply }) {
  return (
    <span class="legend">
      {TASK_STATUSES.map((status) => [status, data.tasks_by_status[status] ?? 0] as const)
        .filter(([, count]) => count > 0)
        .map(([status, count]) => (
          <span key={status} class="legend-item">
            <span class={`swatch f-${status}`} aria-hidden="true" />
            {status} <b>{humanCount(count)}</b>
          </span>
        ))}
    </span>
  );
}

function ReportPanel({ data }: { data: WorkflowReply }) {
  const { metrics } = data;
  const some = metrics.total_executions > 0;
  return (
    <Panel title="Report">
      <dl class="facts">
        <Fact label="tasks ended">{humanCount(metrics.total_executions)}</Fact>
        <Fact label="succeeded">{some ? humanPercent(metrics.success_rate / 100) : '–'}</Fact>
        <Fact label="in parallel">{some ? humanPercent(metrics.parallelization_ratio) : '–'}</Fact>
        <Fact label="speed-up, measured">{some ? `${metrics.measured_speedup.toFixed(2)} ×` : '–'}</Fact>
        <Fact label="speed-up of groups">{some ? `${metrics.average_speedup.toFixed(2)} ×` : '–'}</Fact>
        <Fact label="efficiency">{some ? `${metrics.efficiency_score.toFixed(0)} of 100` : '–'}</Fact>
        {metrics.token_usage > 0 && <Fact label="tokens">{humanCount(metrics.token_usage)}</Fact>}
      </dl>
      {metrics.bottlenecks.length > 0 && (
        <ul class="bottlenecks">
          {metrics.bottlenecks.map(({ type, severity, description, suggestion }) => (
            <li key={type} class={severity}>
              <strong>{description}</strong> {suggestion}
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
