/** The frame of the page: where one is, how the daemon does, and the view. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { humanDuration } from '../../model/human.js';
import { AgentView } from './agent.js';
import { AgentsView } from './agents.js';
import { Banner } from './banner.js';
import { link, status } from './daemon.js';
import { HistoryView } from './history.js';
import { LiveView } from './live.js';
import { formatPlace, type Place, parsePlace } from './location.js';
import { OverviewView } from './overview.js';
import { useStore } from './store.js';
import { nextTheme, theme } from './theme.js';
import { WorkflowView } from './workflow.js';
import { WorkflowsView } from './workflows.js';

const SECTIONS = [
  ['overview', 'Overview'],
  ['workflows', 'Workflows'],
  ['agents', 'Agents'],
  ['history', 'History'],
  ['live', 'Live'],
] as const;

export function App() {
  const place = usePlace();
  const main = useRef<HTMLElement>(null);
  const [section = 'overview', id] = place.parts;
  const view = `${section}/${id ?? ''}`;
  const first = useRef(true);
  // As if another page had come: its beginning is in sight, and the focus is there. Not where only a filter has changed.
  // It runs when the view changes.
  useEffect(() => {
    if (!first.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
    document.title = titleOf(section, id);
  }, [view]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <Header section={section} />
      <Banner />
      <main id="main" ref={main} tabIndex={-1}>
        <View place={place} section={section} id={id} />
      </main>
    </>
  );
}

function View({ place, section, id }: { place: Place; section: string; id: string | undefined }) {
  switch (section) {
    case 'overview':
      return <OverviewView />;
    case 'workflows':
      return <WorkflowsView place={place} />;
    case 'workflow':
      return <WorkflowView key={id} id={id ?? ''} place={place} />;
    case 'agents':
      return <AgentsView place={place} />;
    case 'agent':
      return <AgentView key={id} id={id ?? ''} place={place} />;
    case 'history':
      return <HistoryView place={place} />;
    case 'live':
      return <LiveView place={place} />;
    default:
      return (
        <section class="empty">
          <h1>No such view</h1>
          <p>
            <a href={formatPlace(['overview'])}>To the overview</a>
          </p>
        </section>
      );
  }
}

function Header({ section }: { section: string }) {
  const shown = section === 'workflow' ? 'workflows' : section === 'agent' ? 'agents' : section;
  return (
    <header class="bar">
      <a class="brand" href={formatPlace(['overview'])}>
        <svg viewBox="0 0 32 32" width="20" height="20" aria-hidden="true">
          <path d="M8 7v18M13.3 7v18M18.6 7v18M24 7v18M4.5 22.5l23-13" />
        </svg>
        tallyd
      </a>
      <nav aria-label="Views">
        {SECTIONS.map(([name, title]) => (
          <a key={name} href={formatPlace([name])} aria-current={shown === name ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <Health />
      <ThemeButton />
    </header>
  );
}

function Health() {
  const reply = useStore(status);
  const isGone = useStore(link).state === 'gone';
  if (reply === null) return <span class="health" />;
  const { version, uptime, ready, degraded } = reply;
  const [word, mood] = isGone
    ? ['no answer', 'bad']
    : !ready
      ? ['not ready', 'bad']
      : degraded.length > 0
        ? ['degraded', 'warn']
        : ['ready', 'good'];
  return (
    <span class="health">
      <span class={`pill ${mood}`}>{word}</span>
      <span class="quiet" title={`version ${version}, process ${reply.pid}`}>
        up {humanDuration(uptime)}
      </span>
    </span>
  );
}

const THEME_WORDS = { system: 'as the system', light: 'light', dark: 'dark' } as const;

function ThemeButton() {
  const chosen = useStore(theme);
  const next = nextTheme(chosen);
  return (
    <button
      type="button"
      class="icon-button"
      title={`Colours: ${THEME_WORDS[chosen]}`}
      aria-label={`Colours: ${THEME_WORDS[chosen]}. Change to ${THEME_WORDS[next]}`}
      onClick={() => theme.set(next)}
    >
      <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
        {chosen === 'system' && (
          <g fill="none" stroke="currentColor" stroke-width="1.6">
            <circle cx="10" cy="10" r="6.5" />
            <path d="M10 3.5a6.5 6.5 0 0 1 0 13z" fill="currentColor" />
          </g>
        )}
        {chosen === 'light' && (
          <g fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round">
            <circle cx="10" cy="10" r="3.4" fill="currentColor" />
            <path d="M10 2v2M10 16v2M2 10h2M16 10h2M4.3 4.3l1.5 1.5M14.2 14.2l1.5 1.5M4.3 15.7l1.5-1.5M14.2 5.8l1.5-1.5" />
          </g>
        )}
        {chosen === 'dark' && (
          <path d="M15.8 12.6A6.8 6.8 0 0 1 7.4 4.2a6.8 6.8 0 1 0 8.4 8.4z" fill="currentColor" />
        )}
      </svg>
    </button>
  );
}

function usePlace(): Place {
  const [place, setPlace] = useState(() => parsePlace(location.hash));
  useEffect(() => {
    const update = () => setPlace(parsePlace(location.hash));
    addEventListener('hashchange', update);
    return () => removeEventListener('hashchange', update);
  }, []);
  return place;
}

function titleOf(section: string, id: string | undefined): string {
  if (id !== undefined) return `${id} · tallyd`;
  const title = SECTIONS.find(([name]) => name === section)?.[1];
  return title === undefined ? 'tallyd' : `${title} · tallyd`;
}
