/** Events of tasks into the table of tasks: the rules of the contract's "What events do". */

import {
  FIELD_AGENT,
  FIELD_KIND,
  FIELD_TASK,
  PARALLEL_ABSENT,
  PARALLEL_TRUE,
  SCRATCH_OFFSET,
  TEXT_DESCRIPTION,
  TEXT_ERROR,
  TEXT_OUTPUT,
} from '../decode/decoded-event.js';
import { mostWord } from '../model/memory.js';
import { STATUS_NONE, STATUS_RUNNING } from '../model/status.js';
import {
  COUNT_TASK_DUPLICATE_ENDS,
  COUNT_TASK_RESTARTS,
  COUNT_TASKS_EVICTED,
  COUNT_TASKS_UNTRACKED,
} from '../state/board.js';
import {
  FLAG_END_TEXTS,
  FLAG_MEASURED,
  FLAG_PARALLEL,
  FLAG_PARALLEL_KNOWN,
  FLAG_REPEATED,
  FLAG_UNNAMED,
  TASK_AGENT,
  TASK_DESCRIPTION_LINE,
  TASK_DURATION,
  TASK_ENDED,
  TASK_FLAGS,
  TASK_KIND,
  TASK_SECONDS_BEFORE,
  TASK_STARTED,
  TASK_STATUS,
  TASK_TOKENS,
  TASK_WORKFLOW,
} from '../state/tasks.js';
import { WORKFLOW_PROJECT } from '../state/workflows.js';
import type { EventContext } from './event-context.js';
import { type Samples, UNNAMED } from './samples.js';
import type { WorkflowEvents } from './workflow-events.js';
import type { WorkflowNumbers } from './workflow-numbers.js';

export class TaskEvents {
  readonly #context: EventContext;
  readonly #workflows: WorkflowEvents;
  readonly #samples: Samples;
  readonly #numbers: WorkflowNumbers;

  constructor(context: EventContext, workflows: WorkflowEvents, samples: Samples, numbers: WorkflowNumbers) {
    this.#context = context;
    this.#workflows = workflows;
    this.#samples = samples;
    this.#numbers = numbers;
  }

  /** The event's task; 0 if it is not known. @param agent its interned name */
  #find(workflow: i32, agent: i32): i32 {
    const event = this.#context.event;
    const offset = event.offset[FIELD_TASK]!;
    return this.#context.tables.tasks.find(
      workflow,
      agent,
      this.#context.viewOf(offset),
      offset & ~SCRATCH_OFFSET,
      event.length[FIELD_TASK]!,
      event.hash[FIELD_TASK]!,
    );
  }

  #create(workflow: i32, agent: i32): i32 {
    const { tasks, limits, board } = this.#context.tables;
    // More than one where running tasks, or a change of the limit, have taken it beyond.
    while (tasks.held(workflow) >= limits.maxTasksPerWorkflow && tasks.oldestEnded(workflow) !== 0) {
      this.#evict(tasks.oldestEnded(workflow));
    }
    const event = this.#context.event;
    const offset = event.offset[FIELD_TASK]!;
    const length = event.length[FIELD_TASK]!;
    const hash = event.hash[FIELD_TASK]!;
    const view = this.#context.viewOf(offset);
    const line = this.#context.line;
    for (;;) {
      if (tasks.used < limits.maxTasks) {
        const slot = tasks.create(workflow, agent, view, offset & ~SCRATCH_OFFSET, length, hash, line);
        if (slot !== 0) return slot;
      }
      if (!this.#freeRoom(workflow)) break;
    }
    board.count(COUNT_TASKS_UNTRACKED);
    return 0;
  }

  /** Makes room for one task more: an ended one of the same workflow goes, else the oldest recent workflow. */
  #freeRoom(workflow: i32): boolean {
    const { tasks, workflows } = this.#context.tables;
    const ended = tasks.oldestEnded(workflow);
    if (ended !== 0) {
      this.#evict(ended);
      return true;
    }
    const oldest = workflows.oldestRecent;
    if (oldest === 0 || oldest === workflow) return false;
    this.#workflows.forget(oldest);
    return true;
  }

  #evict(task: i32): void {
    const { tasks, board } = this.#context.tables;
    this.#numbers.keepTask(task);
    tasks.remove(task);
    board.count(COUNT_TASKS_EVICTED);
  }

  start(): void {
    const { tasks, board, names } = this.#context.tables;
    const { words, doubles, slotWords, slotDoubles } = tasks.table;
    const ts = this.#context.ts;
    const workflow = this.#workflows.touched();
    const agent = this.#context.intern(FIELD_AGENT);
    if (workflow < 0 || agent === 0) {
      names.release(agent);
      board.count(COUNT_TASKS_UNTRACKED);
      return;
    }
    let slot = this.#find(workflow, agent);
    const known = slot !== 0;
    if (!known) {
      slot = this.#create(workflow, agent);
      if (slot === 0) {
        names.release(agent);
        return;
      }
      this.#numbers.countStatus(workflow, 0, STATUS_RUNNING);
    }
    names.release(agent);
    const status = words[slot * slotWords + TASK_STATUS]!;
    const ended = doubles[slot * slotDoubles + TASK_ENDED]!;
    const started = doubles[slot * slotDoubles + TASK_STARTED]!;
    if (known && status !== STATUS_RUNNING && Number.isNaN(started) && ts <= ended) {
      this.#complete(slot, workflow, ts, ended);
      return;
    }
    if (known && status === STATUS_RUNNING) board.count(COUNT_TASK_RESTARTS);
    const again = known && status !== STATUS_RUNNING;
    if (again) this.#numbers.keepInterval(workflow, ended, doubles[slot * slotDoubles + TASK_DURATION]!);
    tasks.table.lock(slot);
    if (again) this.#beginExecution(slot);
    doubles[slot * slotDoubles + TASK_STARTED] = ts;
    this.#describe(slot, true);
    tasks.table.unlock(slot);
    if (again) this.#numbers.countStatus(workflow, status, STATUS_RUNNING);
  }

  /** A new execution under the id of one that has ended, of which the seconds alone stay. Call inside the lock. */
  #beginExecution(slot: i32): void {
    const { tasks, names } = this.#context.tables;
    const { words, doubles, slotWords, slotDoubles } = tasks.table;
    const duration = doubles[slot * slotDoubles + TASK_DURATION]!;
    if (!Number.isNaN(duration)) doubles[slot * slotDoubles + TASK_SECONDS_BEFORE]! += duration;
    tasks.setStatus(slot, STATUS_RUNNING, this.#context.line);
    tasks.forgetTimes(slot);
    doubles[slot * slotDoubles + TASK_DESCRIPTION_LINE] = 0;
    words[slot * slotWords + TASK_FLAGS] = FLAG_REPEATED;
    names.release(words[slot * slotWords + TASK_KIND]!);
    words[slot * slotWords + TASK_KIND] = 0;
  }

  /** The start of an execution that is known by its end alone: kind, parallel and tokens given there stay. */
  #complete(slot: i32, workflow: i32, ts: f64, ended: f64): void {
    const { tasks } = this.#context.tables;
    const { words, doubles, slotWords, slotDoubles } = tasks.table;
    const before = words[slot * slotWords + TASK_FLAGS]!;
    tasks.table.lock(slot);
    doubles[slot * slotDoubles + TASK_STARTED] = ts;
    this.#describe(slot, false);
    const measured = (before & FLAG_MEASURED) !== 0;
    if (!measured) {
      doubles[slot * slotDoubles + TASK_DURATION] = ended - ts;
      words[slot * slotWords + TASK_FLAGS]! |= FLAG_MEASURED;
    }
    tasks.table.unlock(slot);
    const becameParallel = (words[slot * slotWords + TASK_FLAGS]! & ~before & FLAG_PARALLEL) !== 0;
    this.#numbers.countLate(workflow, becameParallel, measured ? Number.NaN : ended - ts);
    if (!measured) this.#sampleDuration(slot);
    this.#samples.report.taskCompleted(
      this.#projectOf(words[slot * slotWords + TASK_WORKFLOW]!),
      words[slot * slotWords + TASK_AGENT]!,
      becameParallel,
      measured ? Number.NaN : ended - ts,
    );
  }

  /** Kind, parallel and the line of the description. @param overwrite whether they replace what is known */
  #describe(slot: i32, overwrite: boolean): void {
    const { table } = this.#context.tables.tasks;
    const at = slot * table.slotWords;
    if (overwrite || table.words[at + TASK_KIND] === 0) this.#setKind(slot);
    if (overwrite || (table.words[at + TASK_FLAGS]! & FLAG_PARALLEL_KNOWN) === 0) this.#setParallel(slot);
    if ((this.#context.event.texts & TEXT_DESCRIPTION) !== 0) {
      table.doubles[slot * table.slotDoubles + TASK_DESCRIPTION_LINE] = this.#context.line;
    }
  }

  #setKind(slot: i32): void {
    const ref = this.#context.intern(FIELD_KIND);
    const { table } = this.#context.tables.tasks;
    const flags = slot * table.slotWords + TASK_FLAGS;
    if (ref === 0) {
      if (this.#context.event.length[FIELD_KIND] !== 0) table.words[flags]! |= FLAG_UNNAMED;
      return;
    }
    table.words[flags]! &= ~FLAG_UNNAMED;
    const at = slot * table.slotWords + TASK_KIND;
    this.#context.tables.names.release(table.words[at]!);
    table.words[at] = ref;
  }

  #setParallel(slot: i32): void {
    const parallel = this.#context.event.parallel;
    if (parallel === PARALLEL_ABSENT) return;
    const { table } = this.#context.tables.tasks;
    const at = slot * table.slotWords + TASK_FLAGS;
    const flags = table.words[at]! & ~FLAG_PARALLEL;
    table.words[at] = flags | FLAG_PARALLEL_KNOWN | (parallel === PARALLEL_TRUE ? FLAG_PARALLEL : 0);
  }

  end(): void {
    const { tasks, board, names } = this.#context.tables;
    const { words, doubles, slotWords, slotDoubles } = tasks.table;
    const event = this.#context.event;
    const ts = this.#context.ts;
    const workflow = this.#workflows.touched();
    const agent = this.#context.intern(FIELD_AGENT);
    if (workflow < 0 || agent === 0) {
      board.count(COUNT_TASKS_UNTRACKED);
      this.#endUntracked(mostWord(0, workflow), agent, ts);
      names.release(agent);
      return;
    }
    let slot = this.#find(workflow, agent);
    let before = STATUS_RUNNING;
    if (slot === 0) {
      slot = this.#create(workflow, agent);
      if (slot === 0) {
        this.#endUntracked(workflow, agent, ts);
        names.release(agent);
        return;
      }
      before = STATUS_NONE;
    } else if (words[slot * slotWords + TASK_STATUS] !== STATUS_RUNNING) {
      names.release(agent);
      board.count(COUNT_TASK_DUPLICATE_ENDS);
      return;
    }
    names.release(agent);
    tasks.table.lock(slot);
    tasks.setStatus(slot, event.status, this.#context.line);
    const started = doubles[slot * slotDoubles + TASK_STARTED]!;
    const duration = this.#durationOf(started, ts);
    doubles[slot * slotDoubles + TASK_ENDED] = ts;
    doubles[slot * slotDoubles + TASK_DURATION] = duration;
    doubles[slot * slotDoubles + TASK_TOKENS] = event.tokens;
    this.#setKind(slot);
    this.#setParallel(slot);
    let flags = words[slot * slotWords + TASK_FLAGS]!;
    if (!Number.isNaN(duration)) flags |= FLAG_MEASURED;
    if ((event.texts & (TEXT_OUTPUT | TEXT_ERROR)) !== 0) flags |= FLAG_END_TEXTS;
    words[slot * slotWords + TASK_FLAGS] = flags;
    tasks.table.unlock(slot);
    const parallel = (flags & FLAG_PARALLEL) !== 0;
    this.#numbers.countEnd(workflow, before, event.status, parallel, duration, event.tokens);
    if (!Number.isNaN(duration)) this.#sampleDuration(slot);
    if (!Number.isNaN(event.tokens)) this.#sampleTokens(slot);
    this.#samples.report.taskEnded(
      this.#projectOf(workflow),
      words[slot * slotWords + TASK_AGENT]!,
      event.status,
      parallel,
      duration,
      event.tokens,
    );
  }

  /** The project of a workflow as it is known now; 0: of no workflow, or of none that has one. */
  #projectOf(workflow: i32): i32 {
    if (workflow <= 0) return 0;
    const { table } = this.#context.tables.workflows;
    return table.words[workflow * table.slotWords + WORKFLOW_PROJECT]!;
  }

  #durationOf(started: f64, ended: f64): f64 {
    if (!Number.isNaN(this.#context.event.duration)) return this.#context.event.duration;
    return Number.isNaN(started) ? Number.NaN : this.#context.elapsed(started, ended);
  }

  #sampleDuration(slot: i32): void {
    const { table } = this.#context.tables.tasks;
    const at = slot * table.slotWords;
    const status = this.#samples.statuses[table.words[at + TASK_STATUS]!]!;
    const duration = table.doubles[slot * table.slotDoubles + TASK_DURATION]!;
    this.#samples.taskDuration(
      table.words[at + TASK_AGENT]!,
      this.#kindOf(slot),
      status,
      duration,
      this.#context.arrived,
    );
  }

  #sampleTokens(slot: i32): void {
    const { table } = this.#context.tables.tasks;
    const at = slot * table.slotWords;
    const tokens = table.doubles[slot * table.slotDoubles + TASK_TOKENS]!;
    this.#samples.taskTokens(
      table.words[at + TASK_AGENT]!,
      this.#kindOf(slot),
      tokens,
      this.#context.arrived,
    );
  }

  #kindOf(slot: i32): i32 {
    const { words, slotWords } = this.#context.tables.tasks.table;
    const at = slot * slotWords;
    return (words[at + TASK_FLAGS]! & FLAG_UNNAMED) !== 0 ? UNNAMED : words[at + TASK_KIND]!;
  }

  /** An end that no slot is left for still counts by what it brings itself. @param agent 0: the names had no room for it */
  #endUntracked(workflow: i32, agent: i32, ts: f64): void {
    const { duration, tokens, status, parallel, length } = this.#context.event;
    const { arrived } = this.#context;
    const kind = this.#context.intern(FIELD_KIND);
    const agentLabel = agent === 0 ? UNNAMED : agent;
    const kindLabel = kind === 0 && length[FIELD_KIND] !== 0 ? UNNAMED : kind;
    this.#numbers.countEnd(workflow, STATUS_NONE, status, parallel === PARALLEL_TRUE, duration, tokens);
    this.#numbers.keepInterval(workflow, ts, duration);
    this.#numbers.keepShare(workflow, agent, status, duration);
    if (!Number.isNaN(duration)) {
      this.#samples.taskDuration(agentLabel, kindLabel, this.#samples.statuses[status]!, duration, arrived);
    }
    if (!Number.isNaN(tokens)) this.#samples.taskTokens(agentLabel, kindLabel, tokens, arrived);
    const project = this.#projectOf(workflow);
    this.#samples.report.taskEnded(project, agent, status, parallel === PARALLEL_TRUE, duration, tokens);
    this.#context.tables.names.release(kind);
  }
}
