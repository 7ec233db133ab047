/**
 * Events into state: what the contract's "What events do" says, as far as pairing starts with ends needs it. It reads no
 * clock and no configuration beyond the limits of its tables, so the same lines with the same arrivals give
 * the same bytes, live and in replay.
 */

import {
  type DecodedEvent,
  FIELD_AGENT,
  FIELD_KIND,
  FIELD_NAME,
  FIELD_PARENT,
  FIELD_PHASE,
  FIELD_PROJECT,
  FIELD_TASK,
  FIELD_WORKFLOW,
  PARALLEL_ABSENT,
  PARALLEL_TRUE,
  SCRATCH_OFFSET,
  TEXT_DESCRIPTION,
  TEXT_ERROR,
  TEXT_OUTPUT,
  TEXT_REQUEST,
} from '../decode/decoded-event.js';
import {
  EVENT_GROUP,
  EVENT_SAMPLE,
  EVENT_TASK_END,
  EVENT_TASK_START,
  EVENT_WORKFLOW_END,
  EVENT_WORKFLOW_PHASE,
  EVENT_WORKFLOW_START,
  EVENT_WORKFLOW_STATUS,
} from '../model/event.js';
import { hashBytes } from '../model/hash.js';
import { STATUS_CANCELLED, STATUS_NAMES, STATUS_RUNNING } from '../model/status.js';
import {
  COUNT_CLOCK_SKEW,
  COUNT_TASK_DUPLICATE_ENDS,
  COUNT_TASK_RESTARTS,
  COUNT_TASKS_EVICTED,
  COUNT_TASKS_UNTRACKED,
  COUNT_WORKFLOW_DUPLICATE_ENDS,
  COUNT_WORKFLOWS_EVICTED,
  COUNT_WORKFLOWS_STALE,
} from '../state/board.js';
import type { Tables } from '../state/tables.js';
import {
  FLAG_MEASURED,
  FLAG_PARALLEL,
  FLAG_PARALLEL_KNOWN,
  TASK_AGENT,
  TASK_DURATION,
  TASK_END_LINE,
  TASK_ENDED,
  TASK_FLAGS,
  TASK_KIND,
  TASK_START_LINE,
  TASK_STARTED,
  TASK_STATUS,
  TASK_TOKENS,
} from '../state/tasks.js';
import {
  FLAG_IMPLICIT,
  FLAG_OVER,
  FLAG_STALE,
  WORKFLOW_ENDED,
  WORKFLOW_ERROR_LINE,
  WORKFLOW_FLAGS,
  WORKFLOW_NAME,
  WORKFLOW_PARENT,
  WORKFLOW_PHASE,
  WORKFLOW_PROJECT,
  WORKFLOW_REQUEST_LINE,
  WORKFLOW_RUN,
  WORKFLOW_STARTED,
  WORKFLOW_STATUS,
  WORKFLOW_TASKS_BY_STATUS,
  WORKFLOW_TASKS_TOTAL,
} from '../state/workflows.js';
import { Samples } from './samples.js';

const FIRST_PHASE = 'requirements';

export class Lifecycle {
  readonly #tables: Tables;
  readonly #event: DecodedEvent;
  readonly #scratchView: DataView;
  readonly #samples: Samples;
  readonly #statusRefs: Int32Array;
  readonly #phaseView: DataView;
  readonly #phaseHash: number;
  #view: DataView;
  #line = 0;
  #arrived = 0;

  /** @param scratch of the decoder whose events are applied */
  constructor(tables: Tables, event: DecodedEvent, scratch: Uint8Array) {
    this.#tables = tables;
    this.#event = event;
    this.#scratchView = new DataView(scratch.buffer, scratch.byteOffset, scratch.byteLength);
    this.#view = this.#scratchView;
    this.#samples = new Samples(tables);
    // The words that every state needs, interned first, so that they have the same place in each.
    this.#statusRefs = Int32Array.from(STATUS_NAMES, (name) => this.#samples.word(name));
    const phase = Buffer.from(FIRST_PHASE);
    this.#phaseView = new DataView(phase.buffer, phase.byteOffset, phase.byteLength);
    this.#phaseHash = hashBytes(phase, 0, phase.length);
  }

  /** The memory that the event's spans lie in. */
  attach(view: DataView): void {
    this.#view = view;
  }

  /**
   * Applies the decoded event.
   * @param code EVENT_*
   * @param line its number in the log
   * @param arrivedUs when it arrived
   */
  apply(code: number, line: number, arrivedUs: number): void {
    this.#line = line;
    this.#arrived = arrivedUs / 1e6;
    switch (code) {
      case EVENT_TASK_START:
        return this.#startTask();
      case EVENT_TASK_END:
        return this.#endTask();
      case EVENT_SAMPLE:
        return this.#takeSample();
      case EVENT_WORKFLOW_START:
        return this.#startWorkflow();
      case EVENT_WORKFLOW_PHASE:
        return this.#enterPhase();
      case EVENT_WORKFLOW_STATUS:
        return this.#setWorkflowStatus();
      case EVENT_WORKFLOW_END:
        return this.#endWorkflow();
      case EVENT_GROUP:
        this.#touchedWorkflow();
        return;
    }
  }

  get #ts(): number {
    const ts = this.#event.ts;
    return Number.isNaN(ts) ? this.#arrived : ts;
  }

  #viewOf(offset: number): DataView {
    return offset >= SCRATCH_OFFSET ? this.#scratchView : this.#view;
  }

  /** The interned name of a field; 0 where it is absent. */
  #intern(field: number): number {
    const length = this.#event.length[field]!;
    if (length === 0) return 0;
    const offset = this.#event.offset[field]!;
    const view = this.#viewOf(offset);
    return this.#tables.names.intern(view, offset & ~SCRATCH_OFFSET, length, this.#event.hash[field]!);
  }

  // Workflows

  #findWorkflow(): number {
    const event = this.#event;
    const offset = event.offset[FIELD_WORKFLOW]!;
    return this.#tables.workflows.find(
      this.#viewOf(offset),
      offset & ~SCRATCH_OFFSET,
      event.length[FIELD_WORKFLOW]!,
      event.hash[FIELD_WORKFLOW]!,
    );
  }

  /** The workflow that the event names, brought to life if it is not known, and touched; 0: names none, or no room. */
  #touchedWorkflow(): number {
    if (this.#event.length[FIELD_WORKFLOW] === 0) return 0;
    const workflows = this.#tables.workflows;
    let slot = this.#findWorkflow();
    if (slot === 0) return this.#createWorkflow(true);
    if (workflows.newest(slot)) {
      workflows.setTouched(slot, this.#arrived);
    } else {
      workflows.table.lock(slot);
      workflows.touch(slot, this.#arrived);
      workflows.table.unlock(slot);
    }
    return slot;
  }

  #createWorkflow(implicit: boolean): number {
    const { workflows, names, memory } = this.#tables;
    const event = this.#event;
    while (workflows.live >= memory.limits.maxLiveWorkflows) this.#makeStale(workflows.oldestLive);
    const offset = event.offset[FIELD_WORKFLOW]!;
    const length = event.length[FIELD_WORKFLOW]!;
    const hash = event.hash[FIELD_WORKFLOW]!;
    const view = this.#viewOf(offset);
    let slot = workflows.create(view, offset & ~SCRATCH_OFFSET, length, hash);
    while (slot === 0 && workflows.oldestRecent !== 0) {
      this.#forget(workflows.oldestRecent);
      slot = workflows.create(view, offset & ~SCRATCH_OFFSET, length, hash);
    }
    if (slot === 0) return 0;
    const { words, slotWords } = workflows.table;
    const at = slot * slotWords;
    workflows.table.lock(slot);
    words[at + WORKFLOW_STATUS] = STATUS_RUNNING;
    words[at + WORKFLOW_FLAGS] = implicit ? FLAG_IMPLICIT : 0;
    words[at + WORKFLOW_PHASE] = names.intern(this.#phaseView, 0, FIRST_PHASE.length, this.#phaseHash);
    workflows.setTouched(slot, this.#arrived);
    workflows.table.unlock(slot);
    return slot;
  }

  /** A live workflow that room is needed from: cancelled as stale, and kept among the recent ones. */
  #makeStale(slot: number): void {
    const { workflows, board } = this.#tables;
    const at = slot * workflows.table.slotWords;
    workflows.table.lock(slot);
    workflows.table.words[at + WORKFLOW_STATUS] = STATUS_CANCELLED;
    workflows.table.words[at + WORKFLOW_FLAGS]! |= FLAG_STALE;
    workflows.setOver(slot, true);
    workflows.table.unlock(slot);
    board.count(COUNT_WORKFLOWS_STALE);
    this.#keepRecentBounded();
  }

  #keepRecentBounded(): void {
    const { workflows, memory } = this.#tables;
    while (workflows.recent > memory.limits.maxRecentWorkflows) this.#forget(workflows.oldestRecent);
  }

  #forget(slot: number): void {
    const { workflows, tasks, board } = this.#tables;
    this.#forgetTasks(tasks.first(slot));
    workflows.remove(slot);
    board.count(COUNT_WORKFLOWS_EVICTED);
  }

  #forgetTasks(first: number): void {
    const { tasks } = this.#tables;
    let task = first;
    while (task !== 0) {
      const next = tasks.next(task);
      tasks.remove(task);
      task = next;
    }
  }

  #startWorkflow(): void {
    const { workflows } = this.#tables;
    const { words, doubles, slotWords, slotDoubles } = workflows.table;
    const ts = this.#ts;
    let slot = this.#findWorkflow();
    if (slot === 0) {
      slot = this.#createWorkflow(false);
      if (slot === 0) return;
      workflows.table.lock(slot);
      doubles[slot * slotDoubles + WORKFLOW_STARTED] = ts;
      this.#updateWorkflow(slot);
      workflows.table.unlock(slot);
      return;
    }
    const at = slot * slotWords;
    const flags = words[at + WORKFLOW_FLAGS]!;
    const over = (flags & FLAG_OVER) !== 0;
    const implicit = (flags & FLAG_IMPLICIT) !== 0;
    const ended = doubles[slot * slotDoubles + WORKFLOW_ENDED]!;
    const completes = over && implicit && ts <= ended;
    if (over && !completes) this.#forgetTasks(this.#tables.tasks.first(slot));
    workflows.table.lock(slot);
    if (over && !completes) this.#beginRun(slot);
    workflows.touch(slot, this.#arrived);
    if (implicit || over) {
      doubles[slot * slotDoubles + WORKFLOW_STARTED] = ts;
      words[at + WORKFLOW_FLAGS]! &= ~FLAG_IMPLICIT;
    }
    this.#updateWorkflow(slot);
    workflows.table.unlock(slot);
    if (completes) this.#sampleWorkflow(slot, ended - ts);
  }

  /** A new run under the same id: only id and the number of the run stay. Call inside the lock. */
  #beginRun(slot: number): void {
    const { workflows, names } = this.#tables;
    const { words, doubles, slotWords, slotDoubles } = workflows.table;
    const at = slot * slotWords;
    for (const field of [WORKFLOW_NAME, WORKFLOW_PROJECT, WORKFLOW_PHASE]) {
      names.release(words[at + field]!, true);
      words[at + field] = 0;
    }
    names.release(words[at + WORKFLOW_PARENT]!, false);
    words[at + WORKFLOW_PARENT] = 0;
    words[at + WORKFLOW_RUN]! += 1;
    words[at + WORKFLOW_STATUS] = STATUS_RUNNING;
    workflows.setOver(slot, false);
    words[at + WORKFLOW_FLAGS] = 0;
    words[at + WORKFLOW_TASKS_TOTAL] = 0;
    words.fill(0, at + WORKFLOW_TASKS_BY_STATUS, at + WORKFLOW_TASKS_BY_STATUS + STATUS_NAMES.length);
    doubles[slot * slotDoubles + WORKFLOW_ENDED] = Number.NaN;
    doubles[slot * slotDoubles + WORKFLOW_REQUEST_LINE] = 0;
    doubles[slot * slotDoubles + WORKFLOW_ERROR_LINE] = 0;
    words[at + WORKFLOW_PHASE] = names.intern(this.#phaseView, 0, FIRST_PHASE.length, this.#phaseHash);
  }

  /** What a start names, it sets. Call inside the lock. */
  #updateWorkflow(slot: number): void {
    const { workflows } = this.#tables;
    this.#setName(slot, WORKFLOW_NAME, FIELD_NAME);
    this.#setName(slot, WORKFLOW_PROJECT, FIELD_PROJECT);
    this.#setName(slot, WORKFLOW_PHASE, FIELD_PHASE);
    this.#setParent(slot);
    if ((this.#event.texts & TEXT_REQUEST) !== 0) {
      workflows.table.doubles[slot * workflows.table.slotDoubles + WORKFLOW_REQUEST_LINE] = this.#line;
    }
  }

  #setName(slot: number, word: number, field: number): void {
    const ref = this.#intern(field);
    if (ref === 0) return;
    const { table } = this.#tables.workflows;
    const at = slot * table.slotWords + word;
    this.#tables.names.release(table.words[at]!, true);
    table.words[at] = ref;
  }

  #setParent(slot: number): void {
    const event = this.#event;
    const length = event.length[FIELD_PARENT]!;
    if (length === 0) return;
    const offset = event.offset[FIELD_PARENT]!;
    const { names, workflows } = this.#tables;
    const at = slot * workflows.table.slotWords + WORKFLOW_PARENT;
    const hash = event.hash[FIELD_PARENT]!;
    const ref = names.store(this.#viewOf(offset), offset & ~SCRATCH_OFFSET, length, hash);
    if (ref === 0) return;
    names.release(workflows.table.words[at]!, false);
    workflows.table.words[at] = ref;
  }

  #enterPhase(): void {
    const slot = this.#touchedWorkflow();
    if (slot === 0) return;
    const { workflows } = this.#tables;
    workflows.table.lock(slot);
    this.#setName(slot, WORKFLOW_PHASE, FIELD_PHASE);
    workflows.table.unlock(slot);
  }

  /** A status of a workflow that is over changes nothing: only a start begins it anew. */
  #setWorkflowStatus(): void {
    const slot = this.#touchedWorkflow();
    if (slot === 0) return;
    const { table } = this.#tables.workflows;
    const at = slot * table.slotWords;
    if ((table.words[at + WORKFLOW_FLAGS]! & FLAG_OVER) !== 0) return;
    table.lock(slot);
    table.words[at + WORKFLOW_STATUS] = this.#event.status;
    table.unlock(slot);
  }

  #endWorkflow(): void {
    const slot = this.#touchedWorkflow();
    if (slot === 0) return;
    const { workflows, board } = this.#tables;
    const { words, doubles, slotWords, slotDoubles } = workflows.table;
    const at = slot * slotWords;
    const flags = words[at + WORKFLOW_FLAGS]!;
    if ((flags & FLAG_OVER) !== 0 && (flags & FLAG_STALE) === 0) {
      board.count(COUNT_WORKFLOW_DUPLICATE_ENDS);
      return;
    }
    const ts = this.#ts;
    workflows.table.lock(slot);
    words[at + WORKFLOW_STATUS] = this.#event.status;
    words[at + WORKFLOW_FLAGS]! &= ~FLAG_STALE;
    doubles[slot * slotDoubles + WORKFLOW_ENDED] = ts;
    if ((this.#event.texts & TEXT_ERROR) !== 0) {
      doubles[slot * slotDoubles + WORKFLOW_ERROR_LINE] = this.#line;
    }
    workflows.setOver(slot, true);
    workflows.table.unlock(slot);
    const started = doubles[slot * slotDoubles + WORKFLOW_STARTED]!;
    if (!Number.isNaN(started)) this.#sampleWorkflow(slot, this.#elapsed(started, ts));
    this.#keepRecentBounded();
  }

  #sampleWorkflow(slot: number, duration: number): void {
    const { words, slotWords } = this.#tables.workflows.table;
    const at = slot * slotWords;
    const status = this.#statusRefs[words[at + WORKFLOW_STATUS]!]!;
    this.#samples.workflowDuration(words[at + WORKFLOW_NAME]!, words[at + WORKFLOW_PROJECT]!, status, duration, this.#arrived);
  }

  /** Seconds between two times; an end before its start is clock skew, and takes no time. */
  #elapsed(started: number, ended: number): number {
    if (ended >= started) return ended - started;
    this.#tables.board.count(COUNT_CLOCK_SKEW);
    return 0;
  }

  // Tasks

  /** The event's task; 0 if it is not known. @param agent its interned name */
  #findTask(workflow: number, agent: number): number {
    const event = this.#event;
    const offset = event.offset[FIELD_TASK]!;
    return this.#tables.tasks.find(
      workflow,
      agent,
      this.#viewOf(offset),
      offset & ~SCRATCH_OFFSET,
      event.length[FIELD_TASK]!,
      event.hash[FIELD_TASK]!,
    );
  }

  #createTask(workflow: number, agent: number): number {
    const { tasks, memory, board } = this.#tables;
    if (tasks.held(workflow) >= memory.limits.maxTasksPerWorkflow) {
      const oldest = tasks.oldestEnded(workflow);
      if (oldest !== 0) {
        tasks.remove(oldest);
        board.count(COUNT_TASKS_EVICTED);
      }
    }
    const event = this.#event;
    const offset = event.offset[FIELD_TASK]!;
    const length = event.length[FIELD_TASK]!;
    const hash = event.hash[FIELD_TASK]!;
    const view = this.#viewOf(offset);
    for (;;) {
      if (tasks.used < memory.limits.maxTasks) {
        const slot = tasks.create(workflow, agent, view, offset & ~SCRATCH_OFFSET, length, hash);
        if (slot !== 0) return slot;
      }
      if (!this.#freeTaskRoom(workflow)) break;
    }
    board.count(COUNT_TASKS_UNTRACKED);
    return 0;
  }

  /** Makes room for one task more: an ended one of the same workflow goes, else the oldest recent workflow. */
  #freeTaskRoom(workflow: number): boolean {
    const { tasks, workflows, board } = this.#tables;
    const ended = tasks.oldestEnded(workflow);
    if (ended !== 0) {
      tasks.remove(ended);
      board.count(COUNT_TASKS_EVICTED);
      return true;
    }
    const oldest = workflows.oldestRecent;
    if (oldest === 0 || oldest === workflow) return false;
    this.#forget(oldest);
    return true;
  }

  #countTask(workflow: number, from: number, to: number): void {
    if (workflow === 0) return;
    const { table } = this.#tables.workflows;
    const at = workflow * table.slotWords;
    table.lock(workflow);
    if (from === 0) table.words[at + WORKFLOW_TASKS_TOTAL]! += 1;
    else table.words[at + WORKFLOW_TASKS_BY_STATUS + from]! -= 1;
    table.words[at + WORKFLOW_TASKS_BY_STATUS + to]! += 1;
    table.unlock(workflow);
  }

  #startTask(): void {
    const { tasks, board, names } = this.#tables;
    const { words, doubles, slotWords, slotDoubles } = tasks.table;
    const ts = this.#ts;
    const workflow = this.#touchedWorkflow();
    const agent = this.#intern(FIELD_AGENT);
    if (agent === 0) {
      board.count(COUNT_TASKS_UNTRACKED);
      return;
    }
    let slot = this.#findTask(workflow, agent);
    const known = slot !== 0;
    if (!known) {
      slot = this.#createTask(workflow, agent);
      if (slot === 0) {
        names.release(agent, true);
        return;
      }
      this.#countTask(workflow, 0, STATUS_RUNNING);
    }
    names.release(agent, true);
    const status = words[slot * slotWords + TASK_STATUS]!;
    const ended = doubles[slot * slotDoubles + TASK_ENDED]!;
    const started = doubles[slot * slotDoubles + TASK_STARTED]!;
    if (known && status !== STATUS_RUNNING && Number.isNaN(started) && ts <= ended) {
      this.#completeTask(slot, ts, ended);
      return;
    }
    if (known && status === STATUS_RUNNING) board.count(COUNT_TASK_RESTARTS);
    tasks.table.lock(slot);
    const again = known && status !== STATUS_RUNNING;
    if (again) {
      tasks.setStatus(slot, STATUS_RUNNING);
      tasks.forgetTimes(slot);
      doubles[slot * slotDoubles + TASK_START_LINE] = 0;
      doubles[slot * slotDoubles + TASK_END_LINE] = 0;
      words[slot * slotWords + TASK_FLAGS] = 0;
    }
    doubles[slot * slotDoubles + TASK_STARTED] = ts;
    this.#describeTask(slot, true);
    tasks.table.unlock(slot);
    if (again) this.#countTask(workflow, status, STATUS_RUNNING);
  }

  /** The start of an execution that is known by its end alone: kind, parallel and tokens given there stay. */
  #completeTask(slot: number, ts: number, ended: number): void {
    const { tasks } = this.#tables;
    const { words, doubles, slotWords, slotDoubles } = tasks.table;
    tasks.table.lock(slot);
    doubles[slot * slotDoubles + TASK_STARTED] = ts;
    this.#describeTask(slot, false);
    const measured = (words[slot * slotWords + TASK_FLAGS]! & FLAG_MEASURED) !== 0;
    if (!measured) {
      doubles[slot * slotDoubles + TASK_DURATION] = ended - ts;
      words[slot * slotWords + TASK_FLAGS]! |= FLAG_MEASURED;
    }
    tasks.table.unlock(slot);
    if (!measured) this.#sampleDuration(slot);
  }

  /** Kind, parallel and the line of the description. @param overwrite whether they replace what is known */
  #describeTask(slot: number, overwrite: boolean): void {
    const { table } = this.#tables.tasks;
    const at = slot * table.slotWords;
    if (overwrite || table.words[at + TASK_KIND] === 0) this.#setKind(slot);
    if (overwrite || (table.words[at + TASK_FLAGS]! & FLAG_PARALLEL_KNOWN) === 0) this.#setParallel(slot);
    if ((this.#event.texts & TEXT_DESCRIPTION) !== 0) {
      table.doubles[slot * table.slotDoubles + TASK_START_LINE] = this.#line;
    }
  }

  #setKind(slot: number): void {
    const ref = this.#intern(FIELD_KIND);
    if (ref === 0) return;
    const { table } = this.#tables.tasks;
    const at = slot * table.slotWords + TASK_KIND;
    this.#tables.names.release(table.words[at]!, true);
    table.words[at] = ref;
  }

  #setParallel(slot: number): void {
    const parallel = this.#event.parallel;
    if (parallel === PARALLEL_ABSENT) return;
    const { table } = this.#tables.tasks;
    const at = slot * table.slotWords + TASK_FLAGS;
    const flags = table.words[at]! & ~FLAG_PARALLEL;
    table.words[at] = flags | FLAG_PARALLEL_KNOWN | (parallel === PARALLEL_TRUE ? FLAG_PARALLEL : 0);
  }

  #endTask(): void {
    const { tasks, board, names } = this.#tables;
    const { words, doubles, slotWords, slotDoubles } = tasks.table;
    const event = this.#event;
    const ts = this.#ts;
    const workflow = this.#touchedWorkflow();
    const agent = this.#intern(FIELD_AGENT);
    let slot = agent === 0 ? 0 : this.#findTask(workflow, agent);
    if (slot === 0) {
      if (agent !== 0) slot = this.#createTask(workflow, agent);
      else board.count(COUNT_TASKS_UNTRACKED);
      if (slot === 0) {
        this.#sampleUntracked(agent);
        names.release(agent, true);
        return;
      }
      this.#countTask(workflow, 0, event.status);
    } else {
      if (words[slot * slotWords + TASK_STATUS] !== STATUS_RUNNING) {
        names.release(agent, true);
        board.count(COUNT_TASK_DUPLICATE_ENDS);
        return;
      }
      this.#countTask(workflow, STATUS_RUNNING, event.status);
    }
    names.release(agent, true);
    tasks.table.lock(slot);
    tasks.setStatus(slot, event.status);
    const started = doubles[slot * slotDoubles + TASK_STARTED]!;
    const duration = this.#durationOf(started, ts);
    doubles[slot * slotDoubles + TASK_ENDED] = ts;
    doubles[slot * slotDoubles + TASK_DURATION] = duration;
    doubles[slot * slotDoubles + TASK_TOKENS] = event.tokens;
    if (!Number.isNaN(duration)) words[slot * slotWords + TASK_FLAGS]! |= FLAG_MEASURED;
    this.#setKind(slot);
    this.#setParallel(slot);
    if ((event.texts & (TEXT_OUTPUT | TEXT_ERROR)) !== 0) {
      doubles[slot * slotDoubles + TASK_END_LINE] = this.#line;
    }
    tasks.table.unlock(slot);
    if (!Number.isNaN(duration)) this.#sampleDuration(slot);
    if (!Number.isNaN(event.tokens)) this.#sampleTokens(slot);
  }

  #durationOf(started: number, ended: number): number {
    if (!Number.isNaN(this.#event.duration)) return this.#event.duration;
    return Number.isNaN(started) ? Number.NaN : this.#elapsed(started, ended);
  }

  #sampleDuration(slot: number): void {
    const { table } = this.#tables.tasks;
    const at = slot * table.slotWords;
    const status = this.#statusRefs[table.words[at + TASK_STATUS]!]!;
    const duration = table.doubles[slot * table.slotDoubles + TASK_DURATION]!;
    this.#samples.taskDuration(table.words[at + TASK_AGENT]!, table.words[at + TASK_KIND]!, status, duration, this.#arrived);
  }

  #sampleTokens(slot: number): void {
    const { table } = this.#tables.tasks;
    const at = slot * table.slotWords;
    const tokens = table.doubles[slot * table.slotDoubles + TASK_TOKENS]!;
    this.#samples.taskTokens(table.words[at + TASK_AGENT]!, table.words[at + TASK_KIND]!, tokens, this.#arrived);
  }

  /** An end that no slot is left for still counts in the aggregates. */
  #sampleUntracked(agent: number): void {
    const { duration, tokens, status } = this.#event;
    const kind = this.#intern(FIELD_KIND);
    if (!Number.isNaN(duration)) {
      this.#samples.taskDuration(agent, kind, this.#statusRefs[status]!, duration, this.#arrived);
    }
    if (!Number.isNaN(tokens)) this.#samples.taskTokens(agent, kind, tokens, this.#arrived);
    this.#tables.names.release(kind, true);
  }

  // Samples

  #takeSample(): void {
    const event = this.#event;
    const { names } = this.#tables;
    const labels = this.#samples.labels;
    for (let i = 0; i < event.tagCount; i++) {
      labels[2 * i] = this.#internSpan(event.tagKeyOffset[i]!, event.tagKeyLength[i]!, event.tagKeyHash[i]!);
      labels[2 * i + 1] = this.#internSpan(
        event.tagValueOffset[i]!,
        event.tagValueLength[i]!,
        event.tagValueHash[i]!,
      );
    }
    const metric = this.#intern(FIELD_NAME);
    this.#samples.add(metric, event.tagCount, event.value, this.#arrived);
    names.release(metric, true);
    for (let i = 0; i < event.tagCount * 2; i++) names.release(labels[i]!, true);
  }

  #internSpan(offset: number, length: number, hash: number): number {
    return this.#tables.names.intern(this.#viewOf(offset), offset & ~SCRATCH_OFFSET, length, hash);
  }
}
