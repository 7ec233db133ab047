/** The event feed as it comes. A screen reader is not told of each event; it can read the table when it likes. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { humanCount } from '../../model/human.js';
import { withQuery } from './api.js';
import { clockTime } from './clock-time.js';
import { link } from './daemon.js';
import { useDeferred } from './deferred.js';
import { readFeed } from './feed.js';
import { changeParams, formatPlace, type Place } from './location.js';
import { Empty } from './panel.js';
import { useStore } from './store.js';

const TYPES = [
  'workflow.start',
  'workflow.phase',
  'workflow.status',
  'workflow.end',
  'task.start',
  'task.end',
  'group',
  'sample',
] as const;
const EVENTS_MAX = 500;
/** Together at most so often: an eye follows no more, and a flood must not become a flood of frames. */
const SHOW_MS = 200;

interface Received {
  readonly key: number;
  readonly at: number;
  readonly event: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export function LiveView({ place }: { place: Place }) {
  const { params } = place;
  const [isPaused, setPaused] = useState(false);
  const asked = {
    type: params.get('type') ?? '',
    workflow: useDeferred(params.get('workflow') ?? ''),
    agent: useDeferred(params.get('agent') ?? ''),
  };
  const { events, counts, state } = useFeed(withQuery('/v1/events', asked), isPaused);
  const change = (name: string, value: string) => location.replace(changeParams(place, { [name]: value }));
  return (
    <>
      <div class="view-head">
        <h1>Live</h1>
        <span class="quiet">
          {isPaused ? 'paused' : state}, {humanCount(counts.told)} received
          {counts.missed > 0 && `, ${humanCount(counts.missed)} not told, since they came too fast`}
        </span>
      </div>
      <search class="filters">
        <select
          aria-label="Type"
          value={asked.type}
          onChange={(event) => change('type', event.currentTarget.value)}
        >
          <option value="">every type</option>
          {TYPES.map((type) => (
            <option key={type} value={type}>
              {type}
            </option>
          ))}
        </select>
        {(['workflow', 'agent'] as const).map((name) => (
          <input
            key={name}
            type="text"
            class="short"
            placeholder={name}
            aria-label={name}
            value={params.get(name) ?? ''}
            onInput={(event) => change(name, event.currentTarget.value)}
          />
        ))}
        <button type="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
          {isPaused ? 'Go on' : 'Pause'}
        </button>
      </search>
      {events.length === 0 ? (
        <Empty>
          <p>{state === 'receiving' ? 'No event has come since you are here.' : 'Waiting for the feed.'}</p>
        </Empty>
      ) : (
        <div class="table-box">
          <table aria-label="Events, the newest first" class="feed">
            <thead>
              <tr>
                <th scope="col" class="num">
                  Time
                </th>
                <th scope="col">Type</th>
                <th scope="col">Subject</th>
                <th scope="col" class="spare-1">
                  Details
                </th>
              </tr>
            </thead>
            <tbody>
              {events.map(({ key, at, event, text }) => (
                <tr key={key}>
                  <td class="num">{clockTime(at)}</td>
                  <td>{String(event.type ?? '')}</td>
                  <td>
                    <Subject event={event} />
                  </td>
                  <td class="spare-1 clip quiet" title={text}>
                    {detailsOf(event)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

function Subject({ event }: { event: Received['event'] }) {
  const { workflow, task, agent, name } = event;
  return (
    <>
      {typeof workflow === 'string' && (
        <a class="id" href={formatPlace(['workflow', workflow])}>
          {workflow}
        </a>
      )}
      {typeof task === 'string' && <span class="id"> {task}</span>}
      {typeof agent === 'string' && (
        <a class="id quiet" href={formatPlace(['agent', agent])}>
          {' '}
          {agent}
        </a>
      )}
      {event.type === 'sample' && <span class="id">{String(name)}</span>}
    </>
  );
}

const SUBJECT_FIELDS = new Set(['type', 'workflow', 'task', 'agent', 'ts']);

function detailsOf(event: Received['event']): string {
  return Object.entries(event)
    .filter(([name]) => !SUBJECT_FIELDS.has(name))
    .map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('  ');
}

function useFeed(path: string, isPaused: boolean) {
  const [shown, setShown] = useState<readonly Received[]>([]);
  const [counts, setCounts] = useState({ told: 0, missed: 0 });
  const [state, setState] = useState<'connecting' | 'receiving' | 'cut off'>('connecting');
  const now = useRef({ told: 0, missed: 0 });
  const up = useStore(link).state !== 'gone';
  // Other filters, other events.
  useEffect(() => setShown([]), [path]);
  useEffect(() => {
    if (isPaused || !up) return;
    let waiting: Received[] = [];
    const leaving = new AbortController();
    const listener = {
      onEvent: (data: string) => {
        now.current.told++;
        if (waiting.length >= EVENTS_MAX) waiting.shift();
        waiting.push(read(data, now.current.told));
      },
      onGap: (missed: number) => {
        now.current.missed += missed;
      },
      onState: setState,
    };
    readFeed(path, listener, leaving.signal);
    const showing = setInterval(() => {
      if (document.hidden) return;
      setCounts((before) => (sameCounts(before, now.current) ? before : { ...now.current }));
      if (waiting.length === 0) return;
      const news = waiting.reverse();
      waiting = [];
      setShown((before) => [...news, ...before].slice(0, EVENTS_MAX));
    }, SHOW_MS);
    return () => {
      leaving.abort();
      clearInterval(showing);
      setState('connecting');
    };
  }, [path, isPaused, up]);
  return { events: shown, counts, state };
}

interface Counts {
  readonly told: number;
  readonly missed: number;
}

function sameCounts(a: Counts, b: Counts): boolean {
  return a.told === b.told && a.missed === b.missed;
}

function read(text: string, key: number): Received {
  const at = Date.now() / 1000;
  try {
    const event = JSON.parse(text) as Received['event'];
    return { key, at, event, text };
  } catch {
    return { key, at, event: { type: text }, text };
  }
}
