/**
 * The load of `tallyd bench` and of the pipeline's bench: lines of one length, by default exactly 136 bytes in batches of
 * just under 64 KiB, made once and then only patched.
 *
 * A batch starts 12 workflows of 19 tasks each, line by line in turns, and ends those that the batch `depth` before it
 * started: so `12 × depth` workflows and `228 × depth` tasks are running at any time. What differs between batches is a
 * number of 8 digits, in ids and times; writing it costs about three stores a place. All times are multiples of
 * 1/8 s, so the sum of all durations is exact.
 */

export const LINE_BYTES = 136;
export const WORKFLOWS_PER_BATCH = 12;
const TASKS_PER_WORKFLOW = 19;
export const TASKS_PER_BATCH = WORKFLOWS_PER_BATCH * TASKS_PER_WORKFLOW;
const AGENTS = 64;
const KINDS = ['build', 'train', 'fetch', 'parse', 'merge', 'score', 'index', 'clean'];
/** One task in so many fails. */
const FAILS_EVERY = 12;
const DIGITS = 8;
/** Where the number goes that the line's batch has in the template. */
const PLACE = '########';
/** Of an end: its ids are those of the batch that started it, its time is that of its own. */
const NOW = '@@@@@@@@';

export interface LoadNames {
  readonly workflow: string;
  readonly agent: string;
}

export interface LoadShape {
  /** With the line's end. */
  readonly lineBytes: number;
  readonly names: LoadNames;
}

export const SHORT_NAMES: LoadNames = { workflow: 'w', agent: 'a' };
/** Names that tell everybody who meets them in a daemon's answers where they come from. */
export const BENCH_NAMES: LoadNames = { workflow: 'bench', agent: 'bench' };
/** Such names make the longest lines by so much longer. */
export const BENCH_LINE_BYTES_MIN = LINE_BYTES + 8;
/** As long as the daemon takes by default (`ingest.max_line_bytes`). */
export const LINE_BYTES_MAX = 64 * 1024;

export type BatchKind = 'starts' | 'mixed' | 'ends';

export interface LoadFacts {
  readonly lines: number;
  readonly workflows: number;
  readonly tasks: number;
  readonly tasksFailed: number;
  readonly tokens: number;
  readonly durationSum: number;
}

interface Template {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** Offsets of the number of the batch, and of the batch that is ended. */
  readonly now: Int32Array;
  readonly ended: Int32Array;
}

/** What `batches` batches of workflows, each started and ended, must come to. */
export function loadFacts(batches: number, depth: number): LoadFacts {
  const tasks = Array.from({ length: TASKS_PER_BATCH }, (_, i) => i);
  const fractions = tasks.reduce((sum, task) => sum + endEighths(task) - startEighths(task), 0) / 8;
  const withTokens = tasks.filter((task) => tokensOf(task) !== null);
  return {
    lines: batches * 2 * (WORKFLOWS_PER_BATCH + TASKS_PER_BATCH),
    workflows: batches * WORKFLOWS_PER_BATCH,
    tasks: batches * TASKS_PER_BATCH,
    tasksFailed: batches * tasks.filter(fails).length,
    tokens: batches * withTokens.reduce((sum, task) => sum + tokensOf(task)!, 0),
    durationSum: batches * (TASKS_PER_BATCH * depth + fractions),
  };
}

export function workflowId(batch: number, index: number): string {
  return `w${digitsOf(batch)}-${String(index).padStart(2, '0')}`;
}

export class Load {
  readonly #templates: Readonly<Record<BatchKind, Template>>;

  readonly lineBytes: number;

  /** @param shape its lines have at least 136 bytes, with `BENCH_NAMES` 144 */
  constructor({ lineBytes, names }: LoadShape = { lineBytes: LINE_BYTES, names: SHORT_NAMES }) {
    this.lineBytes = lineBytes;
    const starts = inTurns((workflow, step) => startLine(workflow, step, names)).map((line, i) =>
      padded(line, 'description', i, lineBytes),
    );
    const ends = inTurns((workflow, step) => endLine(workflow, step, names)).map((line, i) =>
      padded(line, 'remark', i, lineBytes),
    );
    const mixed = starts.flatMap((line, i) => [line, ends[i]!]);
    const compiled = (lines: readonly string[]) => compile(lines, lineBytes);
    this.#templates = { starts: compiled(starts), mixed: compiled(mixed), ends: compiled(ends) };
  }

  /** The bytes of a batch, until the next one of its kind. @param ended number of the batch whose workflows it ends */
  batch(kind: BatchKind, now: number, ended: number): Buffer {
    const template = this.#templates[kind];
    patch(template.view, template.now, now);
    patch(template.view, template.ended, ended);
    return template.bytes;
  }
}

/** Step 0 is the workflow's own line for starts, the last is for ends; the others are its tasks. */
function inTurns(lineOf: (workflow: number, step: number) => string): string[] {
  const lines: string[] = [];
  for (let step = 0; step <= TASKS_PER_WORKFLOW; step++) {
    for (let workflow = 0; workflow < WORKFLOWS_PER_BATCH; workflow++) lines.push(lineOf(workflow, step));
  }
  return lines;
}

function startLine(workflow: number, step: number, names: LoadNames): string {
  const id = `${names.workflow}${PLACE}-${String(workflow).padStart(2, '0')}`;
  if (step === 0) {
    const head = `{"type":"workflow.start","workflow":"${id}","name":"nightly-${workflow % 4}","ts":17${PLACE}.000,"request":"`;
    return `${filled(head, 'build everything from the last commit', '"}')}\n`;
  }
  const task = workflow * TASKS_PER_WORKFLOW + step - 1;
  const ts = `17${PLACE}.${thousandths(startEighths(task))}`;
  return `{"type":"task.start","workflow":"${id}","task":"${taskId(task)}","agent":"${names.agent}${agentOf(task)}","kind":"${KINDS[task % KINDS.length]}","parallel":true,"ts":${ts}}\n`;
}

function endLine(workflow: number, step: number, names: LoadNames): string {
  const id = `${names.workflow}${PLACE}-${String(workflow).padStart(2, '0')}`;
  if (step === TASKS_PER_WORKFLOW) {
    const head = `{"type":"workflow.end","workflow":"${id}","status":"completed","ts":17${NOW}.000,"note":"`;
    return `${filled(head, 'all of its tasks are over, none is left', '"}')}\n`;
  }
  const task = workflow * TASKS_PER_WORKFLOW + step;
  const ts = `17${NOW}.${thousandths(endEighths(task))}`;
  const tokens = tokensOf(task);
  const rest = fails(task)
    ? '"error":"exit"'
    : tokens !== null
      ? `"tokens":${tokens}`
      : `"output":${10 + (task % 90)}`;
  const status = fails(task) ? 'failed' : 'completed';
  return `{"type":"task.end","workflow":"${id}","task":"${taskId(task)}","agent":"${names.agent}${agentOf(task)}","status":"${status}","ts":${ts},${rest}}\n`;
}

function taskId(task: number): string {
  return `t${PLACE}-${String(task).padStart(3, '0')}`;
}

function agentOf(task: number): string {
  return String((task * 5) % AGENTS).padStart(2, '0');
}

function fails(task: number): boolean {
  return task % FAILS_EVERY === FAILS_EVERY - 1;
}

/** Every second task that completes says what it has used. */
function tokensOf(task: number): number | null {
  return fails(task) || task % 2 === 1 ? null : 10 + (task % 90);
}

function startEighths(task: number): number {
  return task % 8;
}

function endEighths(task: number): number {
  return (task * 3) % 8;
}

function thousandths(eighths: number): string {
  return String(eighths * 125).padStart(3, '0');
}

function filled(head: string, text: string, tail: string): string {
  return head + text.padEnd(200, '.').slice(0, LINE_BYTES - 1 - head.length - tail.length) + tail;
}

/** A text of words that differ from line to line, so that it packs about as well as real ones. */
function padded(line: string, key: string, number: number, lineBytes: number): string {
  const room = lineBytes - line.length;
  if (room <= 0) return line;
  const body = line.slice(0, -2);
  const member = `,"${key}":""`;
  if (room < member.length) return `${body}${' '.repeat(room)}}\n`;
  let text = '';
  for (let i = number; text.length < room; i++) {
    text += `${KINDS[(i * 7) % KINDS.length]}-${(i * 2_654_435_761) % 10_007} `;
  }
  return `${body},"${key}":"${text.slice(0, room - member.length)}"}\n`;
}

function compile(lines: readonly string[], lineBytes: number): Template {
  for (const line of lines) {
    if (line.length !== lineBytes)
      throw new Error(`a line has ${line.length} bytes, not ${lineBytes}: ${line}`);
  }
  const text = lines.join('');
  const bytes = Buffer.from(text);
  // A start knows only its own batch, so there both places mean the same.
  const now: number[] = [];
  const ended: number[] = [];
  lines.forEach((line, i) => {
    const isEnd = line.includes(NOW);
    for (let at = 0; at < line.length; at++) {
      if (line.startsWith(NOW, at)) now.push(i * lineBytes + at);
      else if (line.startsWith(PLACE, at)) (isEnd ? ended : now).push(i * lineBytes + at);
    }
  });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return { bytes, view, now: Int32Array.from(now), ended: Int32Array.from(ended) };
}

function digitsOf(batch: number): string {
  return String(batch).padStart(DIGITS, '0');
}

function patch(view: DataView, places: Int32Array, batch: number): void {
  if (places.length === 0) return;
  const digits = Buffer.from(digitsOf(batch));
  const high = digits.readInt32LE(0);
  const low = digits.readInt32LE(4);
  for (let i = 0; i < places.length; i++) {
    view.setInt32(places[i]!, high, true);
    view.setInt32(places[i]! + 4, low, true);
  }
}
