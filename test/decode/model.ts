/**
 * The rules of the contract once more, written to be read and not to be fast: isUtf8, JSON.parse, and one
 * plain check a rule. The decoder must agree with it on every line.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import type { RefusalReason } from '../../src/model/refusal.js';

export type EventType =
  | 'workflow.start'
  | 'workflow.phase'
  | 'workflow.status'
  | 'workflow.end'
  | 'task.start'
  | 'task.end'
  | 'group'
  | 'sample'
  | 'unknown';

export interface ModelEvent {
  type: EventType;
  /** The name-like fields that are there. */
  names: Record<string, string>;
  status: string;
  parallel: boolean | undefined;
  /** Of request, description, error, output: those that are there. */
  texts: string[];
  ts: number;
  duration: number;
  tokens: number;
  value: number;
  membersAreTasks: boolean;
  members: string[];
  /** Sorted by the bytes of the keys. */
  tags: [string, string][];
}

export type ModelControl =
  | { type: 'sync'; id: string | number }
  | { type: 'hello'; client: string; first: number }
  | { type: 'malformed' };

export type Judgement =
  | { is: 'empty' }
  | { is: 'refused'; reasons: RefusalReason[] }
  | { is: 'event'; event: ModelEvent }
  | { is: 'control'; control: ModelControl };

type Rule = 'name' | 'text' | 'any' | 'count' | 'ts' | 'boolean' | 'finite' | 'status' | 'members' | 'tags';

const FIELDS: Record<EventType, Record<string, Rule>> = {
  'workflow.start': { workflow: 'name', name: 'name', project: 'name', request: 'text', phase: 'name' },
  'workflow.phase': { workflow: 'name', phase: 'name' },
  'workflow.status': { workflow: 'name', status: 'status' },
  'workflow.end': { workflow: 'name', status: 'status', error: 'text' },
  'task.start': {
    task: 'name',
    agent: 'name',
    workflow: 'name',
    kind: 'name',
    parallel: 'boolean',
    description: 'text',
  },
  'task.end': {
    task: 'name',
    agent: 'name',
    status: 'status',
    workflow: 'name',
    kind: 'name',
    parallel: 'boolean',
    duration: 'count',
    tokens: 'count',
    error: 'text',
    output: 'any',
  },
  group: { tasks: 'members', agents: 'members', workflow: 'name', duration: 'count' },
  sample: { name: 'name', value: 'finite', tags: 'tags' },
  unknown: {},
};

/** With what is judged everywhere. */
const RULES = Object.fromEntries(
  Object.entries(FIELDS).map(([type, rules]) => [
    type,
    Object.entries<Rule>({ ts: 'ts', parent: 'name', ...rules }),
  ]),
) as Record<EventType, [string, Rule][]>;

const REQUIRED: Record<EventType, string[]> = {
  'workflow.start': ['workflow'],
  'workflow.phase': ['workflow', 'phase'],
  'workflow.status': ['workflow', 'status'],
  'workflow.end': ['workflow', 'status'],
  'task.start': ['task', 'agent'],
  'task.end': ['task', 'agent', 'status'],
  group: [],
  sample: ['name', 'value'],
  unknown: [],
};

const STATUSES: Partial<Record<EventType, string[]>> = {
  'workflow.status': ['pending', 'running', 'paused'],
  'workflow.end': ['completed', 'failed', 'cancelled'],
  'task.end': ['completed', 'failed', 'timeout', 'cancelled'],
};

export function judge(line: Buffer): Judgement {
  let at = 0;
  while (line[at] === 0x20 || line[at] === 0x09 || line[at] === 0x0d) at++;
  if (at === line.length) return { is: 'empty' };
  if (line[at] !== 0x7b) return refused('unsupported');
  if (!isUtf8(line)) return refused('invalid_utf8');
  const text = line.toString();
  const isTooDeep = (text.match(/[[{]/g)?.length ?? 0) > 64 && depthOf(text) > 64;
  let object: Record<string, unknown>;
  try {
    object = JSON.parse(wellFormed(text)) as Record<string, unknown>;
  } catch {
    return isTooDeep ? refused('invalid_json', 'too_deep') : refused('invalid_json');
  }
  if (isTooDeep) return refused('too_deep');
  return judgeObject(object);
}

function judgeObject(object: Record<string, unknown>): Judgement {
  const type = object.type;
  if (isAbsent(type)) return refused('missing_field');
  if (typeof type !== 'string') return refused('wrong_type');
  if (type === 'sync' || type === 'hello') return { is: 'control', control: judgeControl(object) };
  const known: EventType =
    type !== 'unknown' && Object.hasOwn(FIELDS, type) ? (type as EventType) : 'unknown';

  const faults = new Set<RefusalReason>();
  const present: Record<string, unknown> = {};
  for (const [field, rule] of RULES[known]) {
    const value = Object.hasOwn(object, field) ? object[field] : undefined;
    const fault = faultOf(rule, value, known);
    if (fault === 'absent') continue;
    if (fault === undefined) present[field] = value;
    else faults.add(fault);
  }
  for (const reason of ['wrong_type', 'out_of_range'] as const)
    if (faults.has(reason)) return refused(reason);
  for (const field of REQUIRED[known]) if (!Object.hasOwn(present, field)) return refused('missing_field');
  if (known === 'group' && !present.tasks && !present.agents) return refused('missing_field');
  return { is: 'event', event: eventOf(known, present) };
}

function eventOf(type: EventType, present: Record<string, unknown>): ModelEvent {
  const names: Record<string, string> = {};
  for (const [field, rule] of RULES[type]) {
    if (rule === 'name' && Object.hasOwn(present, field)) names[field] = present[field] as string;
  }
  const tags = Object.entries((present.tags ?? {}) as Record<string, unknown>).filter(
    ([, v]) => !isAbsent(v),
  );
  return {
    type,
    names,
    status: (present.status as string | undefined) ?? '',
    parallel: present.parallel as boolean | undefined,
    texts: ['request', 'description', 'error', 'output'].filter((field) => Object.hasOwn(present, field)),
    ts: numberOf(present.ts),
    duration: numberOf(present.duration),
    tokens: numberOf(present.tokens),
    value: numberOf(present.value),
    membersAreTasks: present.tasks !== undefined,
    members: (present.tasks ?? present.agents ?? []) as string[],
    tags: (tags as [string, string][]).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  };
}

function faultOf(rule: Rule, value: unknown, type: EventType): RefusalReason | 'absent' | undefined {
  if (value === null || value === undefined) return 'absent';
  switch (rule) {
    case 'any':
      return undefined;
    case 'name':
    case 'text':
    case 'status':
      if (typeof value !== 'string') return 'wrong_type';
      if (value === '') return 'absent';
      if (rule === 'name') return isTooLong(value) ? 'out_of_range' : undefined;
      if (rule === 'status') return STATUSES[type]!.includes(value) ? undefined : 'out_of_range';
      return undefined;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'wrong_type';
    case 'count':
    case 'ts':
    case 'finite':
      if (typeof value !== 'number') return 'wrong_type';
      if (!Number.isFinite(value)) return 'out_of_range';
      if (rule !== 'finite' && value < 0) return 'out_of_range';
      return rule === 'ts' && value > 1e11 ? 'out_of_range' : undefined;
    case 'members':
      if (!Array.isArray(value)) return 'wrong_type';
      if (value.some((member) => typeof member !== 'string')) return 'wrong_type';
      if (value.length < 1 || value.length > 1000) return 'out_of_range';
      return value.some((member) => member === '' || isTooLong(member)) ? 'out_of_range' : undefined;
    case 'tags': {
      if (typeof value !== 'object' || Array.isArray(value)) return 'wrong_type';
      const tags = Object.entries(value).filter(([, v]) => !isAbsent(v));
      if (tags.some(([, v]) => typeof v !== 'string')) return 'wrong_type';
      if (tags.length > 16) return 'out_of_range';
      return tags.some(([k, v]) => k === '' || isTooLong(k) || isTooLong(v as string))
        ? 'out_of_range'
        : undefined;
    }
  }
}

function judgeControl(object: Record<string, unknown>): ModelControl {
  const { type, id, client, first } = object;
  if (type === 'sync') {
    const isGood = typeof id === 'string' ? !isTooLong(id) : typeof id === 'number' && Number.isFinite(id);
    return isGood ? { type, id: id as string | number } : { type: 'malformed' };
  }
  if (typeof client !== 'string' || client === '' || isTooLong(client)) return { type: 'malformed' };
  if (first === null || first === undefined) return { type: 'hello', client, first: Number.NaN };
  const isWhole = typeof first === 'number' && Number.isInteger(first) && first >= 1 && first <= 2 ** 53;
  return isWhole ? { type: 'hello', client, first } : { type: 'malformed' };
}

function refused(...reasons: RefusalReason[]): Judgement {
  return { is: 'refused', reasons };
}

function isAbsent(value: unknown): boolean {
  return value === null || value === undefined || value === '';
}

function isTooLong(text: string): boolean {
  return text.length > 256 || Buffer.byteLength(text) > 256;
}

function numberOf(value: unknown): number {
  return value === undefined ? Number.NaN : (value as number);
}

/** How deep brackets nest outside of strings; the true depth where the text is JSON. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (isInString) {
      if (c === '\\') i++;
      else if (c === '"') isInString = false;
    } else if (c === '"') isInString = true;
    else if (c === '{' || c === '[') deepest = Math.max(deepest, ++depth);
    else if (c === '}' || c === ']') depth--;
  }
  return deepest;
}

/** The text with `\ufffd` for each `\u` escape of a surrogate that has no partner. */
function wellFormed(text: string): string {
  if (!/\\u[dD]/.test(text)) return text;
  const unitAt = (at: number) =>
    /^\\u[0-9a-fA-F]{4}$/.test(text.slice(at, at + 6)) ? Number.parseInt(text.slice(at + 2, at + 6), 16) : -1;
  let out = '';
  let copied = 0;
  for (let i = text.indexOf('\\'); i >= 0; ) {
    const unit = unitAt(i);
    let length = 2;
    if (unit >= 0xd800 && unit <= 0xdfff) {
      const next = unit < 0xdc00 ? unitAt(i + 6) : -1;
      const isPair = next >= 0xdc00 && next <= 0xdfff;
      if (!isPair) {
        out += `${text.slice(copied, i)}\\ufffd`;
        copied = i + 6;
      }
      length = isPair ? 12 : 6;
    }
    i = text.indexOf('\\', i + length);
  }
  out += text.slice(copied);
  return out;
}
