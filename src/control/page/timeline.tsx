/**
 * One workflow's tasks over time, on a canvas: wheel and pinch zoom, dragging moves, arrows go from task to task. The table below
 * the timeline has the same tasks for those who do not see it.
 */

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { humanDuration } from '../../model/human.js';
import type { TaskReply } from '../../model/replies.js';
import { useStore } from './store.js';
import { shade } from './theme.js';
import { type Grouping, layoutTasks } from './timeline-layout.js';
import { AXIS_HEIGHT, ROW_HEIGHT } from './timeline-painter.js';
import { type Span, wholeSpan, ZOOM_STEP, zoomed } from './timeline-span.js';
import { type Hover, MAP_HEIGHT, Stage, type StageProps } from './timeline-stage.js';

const HEIGHT_MAX = 460;

export interface TimelineProps {
  readonly tasks: readonly TaskReply[];
  readonly startedAt: number | null;
  /** null while it runs */
  readonly endedAt: number | null;
  readonly selected: number | null;
  readonly onSelect: (task: number | null) => void;
}

export function Timeline({ tasks, startedAt, endedAt, selected, onSelect }: TimelineProps) {
  const [grouping, setGrouping] = useState<Grouping>('agent');
  const layout = useMemo(() => layoutTasks(tasks, grouping), [tasks, grouping]);
  const [span, setSpan] = useState<Span | null>(null);
  const whole = wholeSpan(layout, startedAt, endedAt, Date.now() / 1000);
  return (
    <div class="timeline">
      <div class="timeline-tools">
        <fieldset class="chips">
          <legend class="unseen">Rows</legend>
          {(['agent', 'kind', 'none'] as const).map((value) => (
            <label key={value} class="chip">
              <input
                type="radio"
                name="grouping"
                checked={grouping === value}
                onChange={() => setGrouping(value)}
              />
              <span>{value === 'none' ? 'each task' : `by ${value}`}</span>
            </label>
          ))}
        </fieldset>
        <span class="quiet keys">
          <kbd>←</kbd>
          <kbd>↑</kbd>
          <kbd>↓</kbd>
          <kbd>→</kbd> task <kbd>+</kbd>
          <kbd>−</kbd> zoom <kbd>0</kbd> all
        </span>
        <span class="tools">
          <button
            type="button"
            aria-label="Zoom out"
            title="Zoom out (−)"
            onClick={() => setSpan(zoomed(span ?? whole, whole, 1 / ZOOM_STEP))}
          >
            −
          </button>
          <button
            type="button"
            aria-label="Zoom in"
            title="Zoom in (+)"
            onClick={() => setSpan(zoomed(span ?? whole, whole, ZOOM_STEP))}
          >
            +
          </button>
          <button type="button" disabled={span === null} onClick={() => setSpan(null)} title="Show all (0)">
            Fit
          </button>
        </span>
      </div>
      <TimelineCanvas
        tasks={tasks}
        layout={layout}
        whole={whole}
        span={span ?? whole}
        onSpan={setSpan}
        isLive={endedAt === null}
        selected={selected}
        onSelect={onSelect}
      />
    </div>
  );
}

function TimelineCanvas(props: StageProps) {
  const { tasks, layout, selected } = props;
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const map = useRef<HTMLCanvasElement>(null);
  const latest = useRef(props);
  latest.current = props;
  const [stage] = useState(() => new Stage(latest));
  const hover = useStore(stage.hover);
  const shadeNow = useStore(shade);

  useEffect(() => stage.attach(box.current!, canvas.current!, map.current!), [stage]);
  // The colours change with the shade.
  useEffect(() => stage.recolor(), [stage, shadeNow]);
  useEffect(() => stage.draw());
  // It comes into sight when it is chosen, not when others end.
  useEffect(() => {
    if (selected !== null) stage.reveal(layout.barOfTask[selected] ?? -1);
  }, [stage, selected]);

  const height = Math.min(HEIGHT_MAX, AXIS_HEIGHT + Math.max(3, layout.rows.length) * ROW_HEIGHT + 4);
  const chosen = selected === null ? undefined : tasks[selected];
  const hovered = hover.bar < 0 ? undefined : tasks[layout.tasks[hover.bar] ?? -1];
  return (
    <div class="timeline-stage">
      <canvas ref={map} class="timeline-map" style={{ height: `${MAP_HEIGHT}px` }} />
      <div
        ref={box}
        class="timeline-box"
        style={{ height: `${height}px` }}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes keys
        tabIndex={0}
        role="application"
        aria-roledescription="timeline"
        aria-label={`Timeline of ${tasks.length} tasks. Arrow keys choose a task, plus and minus zoom, 0 shows all. The table below has the same tasks.`}
      >
        <div style={{ height: `${AXIS_HEIGHT + layout.rows.length * ROW_HEIGHT}px` }}>
          <canvas ref={canvas} />
        </div>
      </div>
      {hovered !== undefined && <Tip task={hovered} hover={hover} />}
      <p class="unseen" aria-live="polite">
        {chosen === undefined
          ? ''
          : `${chosen.task}, agent ${chosen.agent}, ${chosen.status}, ${humanDuration(chosen.duration)}`}
      </p>
    </div>
  );
}

function Tip({ task, hover: { x, y, isAbove } }: { task: TaskReply; hover: Hover }) {
  const so =
    task.status === 'running' && task.started_at !== null
      ? Date.now() / 1000 - task.started_at
      : task.duration;
  return (
    <div class={isAbove ? 'tip above' : 'tip'} style={{ left: `${x}px`, top: `${y}px` }} aria-hidden="true">
      <b>{task.task}</b>
      <span>
        <span class={`status s-${task.status}`}>{task.status}</span> {humanDuration(so)}
      </span>
      <span class="quiet">
        {task.agent}
        {task.kind !== null && ` · ${task.kind}`}
      </span>
      {task.error !== null && <span class="bad-text">{task.error}</span>}
    </div>
  );
}
