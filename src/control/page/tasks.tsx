/** The tasks of a workflow as a table, and one of them with all that is known of it. */

import { humanCount, humanDuration } from '../../model/human.js';
import type { TaskReply } from '../../model/replies.js';
import { type Column, DataTable } from './data-table.js';
import { changeParams, formatPlace, type Place } from './location.js';
import { StatusMark, Time } from './marks.js';
import { Fact, Panel } from './panel.js';

export function TaskPanel({ task, onClose }: { task: TaskReply; onClose: () => void }) {
  const close = (
    <button type="button" onClick={onClose}>
      Close
    </button>
  );
  return (
    <Panel title={task.task} end={close} className="task">
      <dl class="facts">
        <Fact label="status">
          <StatusMark status={task.status} />
        </Fact>
        <Fact label="agent">
          <a class="id" href={formatPlace(['agent', task.agent])}>
            {task.agent}
          </a>
        </Fact>
        {task.kind !== null && <Fact label="kind">{task.kind}</Fact>}
        <Fact label="started">
          <Time seconds={task.started_at} />
        </Fact>
        <Fact label="ended">
          <Time seconds={task.ended_at} />
        </Fact>
        <Fact label="took">{humanDuration(task.duration)}</Fact>
        {task.tokens !== null && <Fact label="tokens">{humanCount(task.tokens)}</Fact>}
        {task.parallel !== null && <Fact label="parallel">{task.parallel ? 'yes' : 'no'}</Fact>}
        {task.description !== null && (
          <Fact label="description" wide>
            {task.description}
          </Fact>
        )}
      </dl>
      {task.error !== null && <p class="failure">{task.error}</p>}
      {task.output !== null && task.output !== undefined && (
        <figure class="output-box">
          <figcaption class="quiet">output</figcaption>
          <pre class="output">
            {typeof task.output === 'string' ? task.output : JSON.stringify(task.output, null, 2)}
          </pre>
        </figure>
      )}
    </Panel>
  );
}

export function TasksPanel({
  tasks,
  total,
  place,
}: {
  tasks: readonly TaskReply[];
  total: number;
  place: Place;
}) {
  const columns: readonly Column<TaskReply>[] = [
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
      cell: ({ task, agent, error }) => (
        <>
          <a class="id" href={changeParams(place, { task, agent })}>
            {task}
          </a>
          {error !== null && <span class="quiet"> {error}</span>}
        </>
      ),
      order: ({ task }) => task,
    },
    {
      key: 'agent',
      title: 'Agent',
      cell: ({ agent }) => <span class="id">{agent}</span>,
      order: ({ agent }) => agent,
      spare: 1,
    },
    { key: 'kind', title: 'Kind', cell: ({ kind }) => kind ?? '', order: ({ kind }) => kind, spare: 2 },
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
    {
      key: 'tokens',
      title: 'Tokens',
      number: true,
      spare: 2,
      cell: ({ tokens }) => (tokens === null ? '' : humanCount(tokens)),
      order: ({ tokens }) => tokens,
    },
  ];
  const gone = total - tasks.length;
  return (
    <Panel
      title="Tasks"
      end={gone > 0 ? <span class="quiet">{humanCount(gone)} more have left memory</span> : undefined}
    >
      <DataTable
        label="Tasks"
        columns={columns}
        rows={tasks}
        rowKey={({ task, agent, started_at, ended_at }) => `${agent}\n${task}\n${started_at ?? ended_at}`}
        pageSize={100}
      />
    </Panel>
  );
}
