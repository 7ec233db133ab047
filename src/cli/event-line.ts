/** One event on one line, as a person reads it: when, what, where, how it went, how long it took. */

import {
  counted,
  displayWidth,
  escapeControls,
  humanCount,
  humanDuration,
  NOTHING,
  shorten,
} from '../model/human.js';
import type { Colors } from './io.js';
import { paintStatus } from './status-color.js';

export interface EventLineStyle {
  readonly colors: Colors;
  /** of a terminal; null where another program reads */
  readonly width: number | null;
}

type Event = Readonly<Record<string, unknown>>;

const TYPE_COLUMNS = 15;
const TEXT_COLUMNS_MAX = 200;
const TEXT_COLUMNS_MIN = 20;
const DAY_SECONDS = 86_400;

/**
 * @param json an accepted line
 * @param nowSeconds for events that do not say when they were
 */
export function eventLine(json: string, nowSeconds: number, style: EventLineStyle): string {
  const event = JSON.parse(json) as Event;
  const type = String(event.type);
  const time = timeText(number(event.ts) ?? nowSeconds, nowSeconds);
  const { facts, text } = DESCRIBE.get(type)?.(event) ?? unknown(event);
  const shown = facts.filter((fact) => fact !== '').map(escapeControls);
  const head = `${time}  ${escapeControls(type).padEnd(TYPE_COLUMNS)}`;
  const room =
    style.width === null ? TEXT_COLUMNS_MAX : style.width - 1 - displayWidth([head, ...shown, ''].join('  '));
  const tail = text === '' ? [] : [shorten(escapeControls(text), Math.max(TEXT_COLUMNS_MIN, room))];
  const { status } = event;
  const painted = shown.map((fact) => (fact === status ? paintStatus(fact, style.colors) : fact));
  return [style.colors.dim(time), head.slice(time.length + 2), ...painted, ...tail].join('  ').trimEnd();
}

interface Description {
  readonly facts: readonly string[];
  readonly text: string;
}

const DESCRIBE: ReadonlyMap<string, (event: Event) => Description> = new Map([
  [
    'workflow.start',
    (e: Event) => ({
      facts: [string(e.workflow), string(e.name), string(e.project), string(e.phase)],
      text: string(e.request),
    }),
  ],
  ['workflow.phase', (e) => ({ facts: [string(e.workflow), string(e.phase)], text: '' })],
  ['workflow.status', (e) => ({ facts: [string(e.workflow), string(e.status)], text: '' })],
  ['workflow.end', (e) => ({ facts: [string(e.workflow), string(e.status)], text: string(e.error) })],
  ['task.start', (e) => ({ facts: taskFacts(e), text: string(e.description) })],
  [
    'task.end',
    (e) => ({
      facts: [...taskFacts(e), string(e.status), durationText(e), tokensText(e)],
      text: string(e.error),
    }),
  ],
  ['group', (e) => ({ facts: [string(e.workflow), membersText(e), durationText(e)], text: '' })],
  ['sample', (e) => ({ facts: [string(e.name), String(e.value), tagsText(e)], text: '' })],
]);

/** Of a type that tallyd does not know: what its sender has said. */
function unknown({ type: _, ts: __, ...rest }: Event): Description {
  return { facts: [], text: Object.keys(rest).length === 0 ? '' : JSON.stringify(rest) };
}

function taskFacts(e: Event): string[] {
  return [string(e.workflow) || NOTHING, string(e.agent), string(e.task), string(e.kind)];
}

function durationText(e: Event): string {
  return number(e.duration) === null ? '' : humanDuration(number(e.duration));
}

function tokensText(e: Event): string {
  return number(e.tokens) === null ? '' : `${humanCount(number(e.tokens))} tokens`;
}

function membersText({ tasks, agents }: Event): string {
  if (Array.isArray(tasks)) return counted(tasks.length, 'task');
  return Array.isArray(agents) ? counted(agents.length, 'agent') : '';
}

function tagsText({ tags }: Event): string {
  if (typeof tags !== 'object' || tags === null) return '';
  return Object.entries(tags)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

/** In UTC, as everywhere; with the day where that is not today. */
function timeText(seconds: number, nowSeconds: number): string {
  const iso = new Date(seconds * 1000).toISOString();
  const today = Math.floor(seconds / DAY_SECONDS) === Math.floor(nowSeconds / DAY_SECONDS);
  return today ? iso.slice(11) : `${iso.slice(0, 19).replace('T', ' ')}Z`;
}

function string(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
