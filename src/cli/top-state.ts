/**
 * What a person has chosen in `tallyd top`: the panel, the row, the order, the filter, the view. Keys change it, and nothing else;
 * it knows no terminal and no daemon.
 */

import type { Key } from './top-terminal.js';

export const TOP_WINDOWS = ['all', '1d', '1h', '5m', '1m'] as const;
export type TopWindow = (typeof TOP_WINDOWS)[number];

export const WORKFLOW_ORDERS = ['age', 'workflow', 'tasks', 'failed'] as const;
export const AGENT_ORDERS = ['count', 'agent', 'mean', 'p99', 'failed'] as const;

export type PanelName = 'workflows' | 'agents';

export interface PanelState {
  /** index into its orders */
  readonly order: number;
  readonly isReversed: boolean;
  readonly filter: string;
  /** the id of the chosen row; it stays chosen where the row goes */
  readonly chosen: string | null;
}

export interface TopState {
  readonly view: 'main' | 'workflow' | 'help';
  readonly panel: PanelName;
  readonly workflows: PanelState;
  readonly agents: PanelState;
  /** whether what is typed goes into the filter of the panel */
  readonly isFiltering: boolean;
  readonly window: TopWindow;
  /** whether workflows that are over are listed, too */
  readonly withEnded: boolean;
  readonly isPaused: boolean;
  /** the workflow whose timeline is shown */
  readonly opened: string | null;
  /** lines of the timeline above the screen */
  readonly scroll: number;
  readonly isOver: boolean;
}

/** What the screen showed when the key was pressed. */
export interface Shown {
  /** ids of the panel's rows, all of them, in their order */
  readonly rows: readonly string[];
  /** rows of the panel, or lines of the timeline, that are seen at once */
  readonly page: number;
  /** lines of the timeline */
  readonly lines: number;
}

const PANEL: PanelState = { order: 0, isReversed: false, filter: '', chosen: null };

export const TOP_BEGIN: TopState = {
  view: 'main',
  panel: 'workflows',
  workflows: PANEL,
  agents: PANEL,
  isFiltering: false,
  window: 'all',
  withEnded: false,
  isPaused: false,
  opened: null,
  scroll: 0,
  isOver: false,
};

export function pressKey(state: TopState, key: Key, shown: Shown): TopState {
  if (key === 'ctrl+c') return { ...state, isOver: true };
  if (state.isFiltering) return typeFilter(state, key);
  if (state.view === 'help') return { ...state, view: state.opened === null ? 'main' : 'workflow' };
  switch (key) {
    case '?':
    case 'h':
      return { ...state, view: 'help' };
    case ' ':
    case 'p':
      return { ...state, isPaused: !state.isPaused };
  }
  return state.view === 'workflow' ? inWorkflow(state, key, shown) : inMain(state, key, shown);
}

/** The row that is chosen: the one of before, else the first. */
export function chosenIndex(panel: PanelState, rows: readonly string[]): number {
  return Math.max(0, panel.chosen === null ? 0 : rows.indexOf(panel.chosen));
}

function inMain(state: TopState, key: Key, shown: Shown): TopState {
  const panel = state[state.panel];
  const change = (changes: Partial<PanelState>): TopState => ({
    ...state,
    [state.panel]: { ...panel, ...changes },
  });
  const move = (by: number): TopState => {
    const to = Math.min(shown.rows.length - 1, Math.max(0, chosenIndex(panel, shown.rows) + by));
    return change({ chosen: shown.rows[to] ?? null });
  };
  const orders = state.panel === 'workflows' ? WORKFLOW_ORDERS : AGENT_ORDERS;
  switch (key) {
    case 'q':
      return { ...state, isOver: true };
    case 'tab':
    case 'left':
    case 'right':
      return { ...state, panel: state.panel === 'workflows' ? 'agents' : 'workflows' };
    case 'up':
    case 'k':
      return move(-1);
    case 'down':
    case 'j':
      return move(1);
    case 'pageup':
      return move(-shown.page);
    case 'pagedown':
      return move(shown.page);
    case 'home':
    case 'g':
      return move(-Infinity);
    case 'end':
    case 'G':
      return move(Infinity);
    case 's':
      return change({ order: (panel.order + 1) % orders.length, isReversed: false });
    case 'r':
      return change({ isReversed: !panel.isReversed });
    case '/':
      return { ...state, isFiltering: true };
    case 'escape':
      return change({ filter: '' });
    case 'w':
      return { ...state, window: TOP_WINDOWS[(TOP_WINDOWS.indexOf(state.window) + 1) % TOP_WINDOWS.length]! };
    case 'a':
      return { ...state, withEnded: !state.withEnded };
    case 'return':
    case 'enter':
      return open(state, shown);
    default:
      return state;
  }
}

function open(state: TopState, { rows }: Shown): TopState {
  const row = rows[chosenIndex(state[state.panel], rows)];
  if (state.panel !== 'workflows' || row === undefined) return state;
  return { ...state, view: 'workflow', opened: row, scroll: 0 };
}

function inWorkflow(state: TopState, key: Key, { page, lines }: Shown): TopState {
  const last = Math.max(0, lines - page);
  const scrollTo = (line: number): TopState => ({ ...state, scroll: Math.min(last, Math.max(0, line)) });
  switch (key) {
    case 'q':
    case 'escape':
    case 'backspace':
    case 'left':
      return { ...state, view: 'main', opened: null, scroll: 0 };
    case 'up':
    case 'k':
      return scrollTo(state.scroll - 1);
    case 'down':
    case 'j':
      return scrollTo(state.scroll + 1);
    case 'pageup':
      return scrollTo(state.scroll - page);
    case 'pagedown':
      return scrollTo(state.scroll + page);
    case 'home':
    case 'g':
      return scrollTo(0);
    case 'end':
    case 'G':
      return scrollTo(last);
    default:
      return state;
  }
}

function typeFilter(state: TopState, key: Key): TopState {
  const panel = state[state.panel];
  const filtered = (filter: string): TopState => ({ ...state, [state.panel]: { ...panel, filter } });
  switch (key) {
    case 'return':
    case 'enter':
    case 'tab':
      return { ...state, isFiltering: false };
    case 'escape':
      return { ...filtered(''), isFiltering: false };
    case 'backspace':
      return filtered([...panel.filter].slice(0, -1).join(''));
    case 'ctrl+u':
      return filtered('');
    default:
      return [...key].length === 1 ? filtered(panel.filter + key) : state;
  }
}
