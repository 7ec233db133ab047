/**
 * A workflow out of the archive, on a thread of the pool: its lines in the frames that the indexes name are folded into tables of
 * their own by the code that folded them first, and shown by the code that shows those in memory. So the answer is what it was.
 *
 * What made the workflow over beside its lines: a tick of time, of which the last one before a line is enough, since arrivals
 * never go back; and the limit of live workflows, which is known of it only by its having left memory.
 */

import { RecordCursor } from '../archive/frame-records.js';
import { decodeTicks } from '../archive/frame-ticks.js';
import { Decoder } from '../decode/decoder.js';
import { Replay } from '../fold/replay.js';
import { EVENT_UNKNOWN } from '../model/event.js';
import { STATUS_NAMES } from '../model/status.js';
import { TICK_TIME } from '../model/tick.js';
import { allocateTables, type StateLimits } from '../state/layout.js';
import type { Limits } from '../state/limits.js';
import { Tables } from '../state/tables.js';
import { WORKFLOW_RUN, WORKFLOW_STARTED, WORKFLOW_STATUS } from '../state/workflows.js';
import { FeedFilter } from './feed-filter.js';
import { type FrameWithLines, HistoryFrames, type NamedFrame } from './history-frames.js';
import { type NameKey, nameKey } from './name-key.js';
import { findWorkflow, type WorkflowFacts, workflowFacts } from './workflow.js';

/** Those that what is shown of one workflow depends on. */
export type HistoryLimits = Pick<Limits, 'maxTasksPerWorkflow' | 'staleAfterMs'>;

export interface HistoryFrame extends NamedFrame {
  /** In force in its segment. */
  readonly limits: HistoryLimits;
  /** Arrival of the last tick of time between the frame before in the list and this one, µs; 0: none that matters. */
  readonly tickedUs: number;
}

/** Crosses threads as a message, as does the answer. */
export interface HistoryTask {
  readonly workflow: string;
  readonly frames: readonly HistoryFrame[];
  /** Lines behind this one are not looked at. */
  readonly toLine: number;
  /** The workflow was over before this line came: it was not in memory any more, or the state says so. */
  readonly overBefore: number;
  /** The run to show, from 1 in the order of the log; the last of them; or none. */
  readonly show: number | 'last' | 'none';
}

/** A run as its last line left it. */
export interface PastRun {
  readonly firstLine: number;
  started_at: number | null;
  status: string;
}

export interface HistoryAnswer {
  /** In the order of the log; none: no line names this workflow. */
  readonly runs: readonly PastRun[];
  /** The run that was to be shown; null where there is none of this number. */
  readonly facts: WorkflowFacts | null;
  /** Of the last run. */
  readonly isOver: boolean;
}

const NO_PAYLOAD = new Uint8Array(0);
const SMALL: StateLimits = {
  maxLiveWorkflows: 2,
  maxRecentWorkflows: 2,
  maxTasksPerWorkflow: 32_768,
  maxTasks: 32_768,
  maxSeries: 200,
  seriesIdleMs: 86_400_000,
  windowBytes: 1024 * 1024,
  namesBytes: 16 * 1024 * 1024,
  staleAfterMs: 86_400_000,
  maxClients: 1,
};
const TASKS_MAX = 2_000_000;
const NAMES_BYTES_MAX = 1024 * 1024 * 1024;
/** Raw bytes of a frame, at most in nearly all cases: what its names need is less. */
const FRAME_BYTES = 1024 * 1024;

export async function readHistory(task: HistoryTask): Promise<HistoryAnswer> {
  const frames = new HistoryFrames(task.frames);
  const tables = tablesFor(task.frames);
  const whole = new HistoryFold(tables, task);
  await whole.fold(frames, 1, task.toLine + 1);
  const { runs } = whole;
  const found = findWorkflow(tables, task.workflow);
  const isOver = found?.read.over ?? false;
  if (found === null || task.show === 'none') return { runs, facts: null, isOver };
  if (task.show === 'last' || task.show === runs.length) {
    return { runs, facts: await workflowFacts(tables, frames, found), isOver };
  }
  const run = runs[task.show - 1];
  const facts = run === undefined ? null : await earlierRun(tables, frames, task, run, runs[task.show]!);
  return { runs, facts, isOver };
}

/** Folds its lines alone. */
async function earlierRun(
  tables: Tables,
  frames: HistoryFrames<HistoryFrame>,
  task: HistoryTask,
  { firstLine }: PastRun,
  next: PastRun,
): Promise<WorkflowFacts | null> {
  const fold = new HistoryFold(tables, { ...task, overBefore: next.firstLine });
  await fold.fold(frames, firstLine, next.firstLine);
  const found = findWorkflow(tables, task.workflow);
  return found && workflowFacts(tables, frames, found);
}

/** Those of this thread, used again for each question; a workflow that is longer than most gets its own. */
let usual: Tables | null = null;

function tablesFor(frames: readonly HistoryFrame[]): Tables {
  const lines = frames.reduce((sum, { lineCount }) => sum + lineCount, 0);
  const namesBytes = frames.length * FRAME_BYTES;
  if (lines <= SMALL.maxTasks && namesBytes <= SMALL.namesBytes) {
    usual ??= new Tables(allocateTables(SMALL));
    return usual;
  }
  return new Tables(
    allocateTables({
      ...SMALL,
      maxTasks: Math.max(SMALL.maxTasks, Math.min(lines, TASKS_MAX)),
      namesBytes: Math.max(SMALL.namesBytes, Math.min(namesBytes, NAMES_BYTES_MAX)),
    }),
  );
}

class HistoryFold {
  readonly runs: PastRun[] = [];
  readonly #tables: Tables;
  readonly #task: HistoryTask;
  readonly #filter: FeedFilter;
  readonly #decoder = new Decoder();
  readonly #replay: Replay;
  readonly #key: NameKey;
  /** Arrival of the last tick of time so far, and of the last one that was applied, µs. */
  #tickedUs = 0;
  #appliedUs = 0;
  #run = 0;
  #found = 0;
  #isOver = false;

  /** Clears the tables. */
  constructor(tables: Tables, task: HistoryTask) {
    tables.clear();
    this.#tables = tables;
    this.#task = task;
    this.#filter = new FeedFilter({ types: [], workflows: [task.workflow], agents: [] });
    this.#replay = new Replay(tables, 0);
    this.#key = nameKey(task.workflow);
  }

  /** The lines of the workflow from one on and before another one, and what made it over before that. */
  async fold(frames: HistoryFrames<HistoryFrame>, from: number, before: number): Promise<void> {
    for (const frame of frames.list) {
      if (frame.firstLine >= before) break;
      this.#tickedUs = Math.max(this.#tickedUs, frame.tickedUs);
      if (frame.firstLine + frame.lineCount <= from) continue;
      const content = await frames.read(frame);
      if (content === null) continue;
      this.#tables.setLimits(frame.limits);
      this.#foldFrame(content, from, before);
    }
    const { overBefore } = this.#task;
    if (overBefore < Number.POSITIVE_INFINITY && overBefore <= before) this.#makeOver();
  }

  #foldFrame({ head, raw, sections }: FrameWithLines, from: number, before: number): void {
    const ticks = decodeTicks(head, sections.ticks).filter(({ kind }) => kind === TICK_TIME);
    let nextTick = 0;
    const passTicks = (lineOffset: number) => {
      for (; nextTick < ticks.length && ticks[nextTick]!.lineOffset <= lineOffset; nextTick++) {
        this.#tickedUs = ticks[nextTick]!.arrivalUs;
      }
    };
    this.#decoder.attach(raw.buffer, raw.byteOffset, raw.length);
    this.#replay.attach(raw);
    const records = new RecordCursor(head, sections.records);
    let line = head.firstLine;
    let at = 0;
    while (records.next()) {
      for (let i = 0; i < records.lineCount; i++, line++) {
        const code = this.#decoder.decodeNext(at, raw.length);
        const end = this.#decoder.lineEnd + 1;
        const isWanted = code > 0 && code <= EVENT_UNKNOWN && this.#filter.matches(this.#decoder, raw, '');
        if (isWanted && line >= from) {
          passTicks(line - head.firstLine);
          this.#applyTick(this.#tickedUs);
          if (line >= this.#task.overBefore) this.#makeOver();
          if (line >= before) return;
          this.#replay.skipTo(line - 1);
          this.#replay.fold(at, end, 1, records.arrivalUs);
          this.#note(line);
        }
        at = end;
      }
    }
    passTicks(head.lineCount);
  }

  #applyTick(arrivedUs: number): void {
    if (arrivedUs <= this.#appliedUs) return;
    this.#appliedUs = arrivedUs;
    if (this.#replay.tick(TICK_TIME, NO_PAYLOAD, Number.NaN, arrivedUs)) this.#noteState();
  }

  /** Once: what comes later may live. */
  #makeOver(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#replay.tick(TICK_TIME, NO_PAYLOAD, Number.NaN, Number.MAX_SAFE_INTEGER)) this.#noteState();
  }

  #note(line: number): void {
    const slot = this.#slot();
    if (slot === 0) return;
    const { words, slotWords } = this.#tables.workflows.table;
    const run = words[slot * slotWords + WORKFLOW_RUN]!;
    if (run !== this.#run) this.runs.push({ firstLine: line, started_at: null, status: '' });
    this.#run = run;
    this.#noteState();
  }

  #noteState(): void {
    const { words, doubles, slotWords, slotDoubles } = this.#tables.workflows.table;
    const started = doubles[this.#slot() * slotDoubles + WORKFLOW_STARTED]!;
    const run = this.runs.at(-1)!;
    run.started_at = Number.isNaN(started) ? null : started;
    run.status = STATUS_NAMES[words[this.#slot() * slotWords + WORKFLOW_STATUS]!]!;
  }

  /** The same for ever, once there is one. */
  #slot(): number {
    const { view, length, hash } = this.#key;
    if (this.#found === 0) this.#found = this.#tables.workflows.find(view, 0, length, hash);
    return this.#found;
  }
}
