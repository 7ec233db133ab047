/** What a workflow is part of, and what it has started: a tree that opens as far as one looks. */

import { useState } from 'preact/hooks';
import { humanDuration } from '../../model/human.js';
import type { WorkflowsReply } from '../../model/replies.js';
import { withQuery } from './api.js';
import { formatPlace } from './location.js';
import { Progress, StatusMark } from './marks.js';
import { Panel, RefusalNote } from './panel.js';
import { usePoll } from './poll.js';

export function FamilyPanel({ id, parent }: { id: string; parent: string | null }) {
  return (
    <Panel title="Family">
      {parent !== null && (
        <p class="family-parent">
          <span class="quiet">part of</span>{' '}
          <a class="id" href={formatPlace(['workflow', parent])}>
            {parent}
          </a>
        </p>
      )}
      <Children of={id} depth={0} />
    </Panel>
  );
}

const DEPTH_MAX = 20;

function Children({ of, depth }: { of: string; depth: number }) {
  const { data, refusal } = usePoll<WorkflowsReply>(
    withQuery('/v1/workflows', { parent: of, limit: 200 }),
    5000,
  );
  if (refusal !== null) return <RefusalNote refusal={refusal} />;
  const rows = data?.workflows ?? [];
  if (rows.length === 0) {
    return depth === 0 && data !== null ? <p class="quiet pad">It has started no other workflow.</p> : null;
  }
  return (
    <ul class="tree">
      {rows.map((row) => (
        <Child key={row.workflow} row={row} depth={depth} />
      ))}
    </ul>
  );
}

function Child({ row, depth }: { row: WorkflowsReply['workflows'][number]; depth: number }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <li>
      <span class="tree-row">
        <button
          type="button"
          class="twist"
          aria-expanded={isOpen}
          aria-label={`Workflows that ${row.workflow} has started`}
          disabled={depth >= DEPTH_MAX}
          onClick={() => setOpen(!isOpen)}
        >
          {isOpen ? '▾' : '▸'}
        </button>
        <StatusMark status={row.status} bare />
        <a class="id clip" href={formatPlace(['workflow', row.workflow])}>
          {row.workflow}
        </a>
        <Progress total={row.tasks_total} byStatus={row.tasks_by_status} />
        <span class="num">{humanDuration(row.duration)}</span>
      </span>
      {isOpen && <Children of={row.workflow} depth={depth + 1} />}
    </li>
  );
}
