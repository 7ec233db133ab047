/** What each type of event knows, requires and allows, as masks over the keys of keys.ts; row and column are EVENT_*. */
import {
  EVENT_GROUP,
  EVENT_SAMPLE,
  EVENT_TASK_END,
  EVENT_TASK_START,
  EVENT_UNKNOWN,
  EVENT_WORKFLOW_END,
  EVENT_WORKFLOW_PHASE,
  EVENT_WORKFLOW_START,
  EVENT_WORKFLOW_STATUS,
} from '../model/event.js';
import { STATUS_NAMES, type StatusName } from '../model/status.js';
import { KEY_NAMES } from './keys.js';

const TYPE_COUNT = EVENT_UNKNOWN + 1;

export const TYPE_NAMES = [
  '',
  'workflow.start',
  'workflow.phase',
  'workflow.status',
  'workflow.end',
  'task.start',
  'task.end',
  'group',
  'sample',
  '',
  'sync',
  'hello',
] as const;

/** Keys that are judged; `ts` and `parent` everywhere. */
export const KNOWN_KEYS = new Int32Array(TYPE_COUNT);
/** Keys that must be there. A group's tasks or agents are not among them: one of the two will do. */
export const REQUIRED_KEYS = new Int32Array(TYPE_COUNT);
/** Bit s: STATUS_s is allowed. All bits for types without a status. */
export const ALLOWED_STATUSES = new Int32Array(TYPE_COUNT).fill(-1);

type Key = (typeof KEY_NAMES)[number];

rule(EVENT_WORKFLOW_START, ['workflow'], ['name', 'project', 'request', 'phase']);
rule(EVENT_WORKFLOW_PHASE, ['workflow', 'phase'], []);
rule(EVENT_WORKFLOW_STATUS, ['workflow', 'status'], [], ['pending', 'running', 'paused']);
rule(EVENT_WORKFLOW_END, ['workflow', 'status'], ['error'], ['completed', 'failed', 'cancelled']);
rule(EVENT_TASK_START, ['task', 'agent'], ['workflow', 'kind', 'parallel', 'description']);
rule(
  EVENT_TASK_END,
  ['task', 'agent', 'status'],
  ['workflow', 'kind', 'parallel', 'duration', 'tokens', 'error', 'output'],
  ['completed', 'failed', 'timeout', 'cancelled'],
);
rule(EVENT_GROUP, [], ['tasks', 'agents', 'workflow', 'duration']);
rule(EVENT_SAMPLE, ['name', 'value'], ['tags']);
rule(EVENT_UNKNOWN, [], []);

function rule(event: number, required: Key[], optional: Key[], statuses?: StatusName[]): void {
  const bit = (key: Key) => 1 << KEY_NAMES.indexOf(key);
  const keys: Key[] = ['type', 'ts', 'parent', ...required, ...optional];
  KNOWN_KEYS[event] = keys.reduce((mask, key) => mask | bit(key), 0);
  REQUIRED_KEYS[event] = required.reduce((mask, key) => mask | bit(key), 0);
  if (statuses)
    ALLOWED_STATUSES[event] = statuses.reduce((mask, s) => mask | (1 << STATUS_NAMES.indexOf(s)), 0);
}

const encoder = new TextEncoder();

/** By the number of the event or control line; an empty name is that of no type. */
export const TYPE_BYTES: readonly Uint8Array[] = TYPE_NAMES.map((name) => encoder.encode(name));
export const STATUS_BYTES: readonly Uint8Array[] = STATUS_NAMES.map((name) => encoder.encode(name));
