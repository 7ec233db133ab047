/** Events of workflows into the table of workflows: the rules of the contract's "What events do". */

import {
  FIELD_NAME,
  FIELD_PARENT,
  FIELD_PHASE,
  FIELD_PROJECT,
  FIELD_WORKFLOW,
  SCRATCH_OFFSET,
  TEXT_ERROR,
  TEXT_REQUEST,
} from '../decode/decoded-event.js';
import { hashBytes } from '../model/hash.js';
import { STATUS_CANCELLED, STATUS_NAMES, STATUS_RUNNING } from '../model/status.js';
import {
  COUNT_WORKFLOW_DUPLICATE_ENDS,
  COUNT_WORKFLOWS_EVICTED,
  COUNT_WORKFLOWS_STALE,
} from '../state/board.js';
import {
  FLAG_IMPLICIT,
  FLAG_OVER,
  FLAG_STALE,
  FLAG_UNNAMED,
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
import type { EventContext } from './event-context.js';
import { type Samples, UNNAMED } from './samples.js';

const FIRST_PHASE = 'requirements';

export class WorkflowEvents {
  readonly #context: EventContext;
  readonly #samples: Samples;
  readonly #phaseView: DataView;
  readonly #phaseHash: number;

  constructor(context: EventContext, samples: Samples) {
    this.#context = context;
    this.#samples = samples;
    const phase = Buffer.from(FIRST_PHASE);
    this.#phaseView = new DataView(phase.buffer, phase.byteOffset, phase.byteLength);
    this.#phaseHash = hashBytes(phase, 0, phase.length);
  }

  #find(): number {
    const event = this.#context.event;
    const offset = event.offset[FIELD_WORKFLOW]!;
    return this.#context.tables.workflows.find(
      this.#context.viewOf(offset),
      offset & ~SCRATCH_OFFSET,
      event.length[FIELD_WORKFLOW]!,
      event.hash[FIELD_WORKFLOW]!,
    );
  }

  /** The workflow that the event names, brought to life if it is not known, and touched. 0: it names none; −1: no room. */
  touched(): number {
    if (this.#context.event.length[FIELD_WORKFLOW] === 0) return 0;
    const workflows = this.#context.tables.workflows;
    const slot = this.#find();
    if (slot === 0) return this.#create(true) || -1;
    workflows.touch(slot, this.#context.arrived);
    return slot;
  }

  #create(implicit: boolean): number {
    const { workflows, names, memory } = this.#context.tables;
    const event = this.#context.event;
    while (workflows.live >= memory.limits.maxLiveWorkflows) this.#makeStale(workflows.oldestLive);
    const offset = event.offset[FIELD_WORKFLOW]!;
    const length = event.length[FIELD_WORKFLOW]!;
    const hash = event.hash[FIELD_WORKFLOW]!;
    const view = this.#context.viewOf(offset);
    let slot = workflows.create(view, offset & ~SCRATCH_OFFSET, length, hash);
    while (slot === 0 && workflows.oldestRecent !== 0) {
      this.forget(workflows.oldestRecent);
      slot = workflows.create(view, offset & ~SCRATCH_OFFSET, length, hash);
    }
    if (slot === 0) return 0;
    const { words, slotWords } = workflows.table;
    const at = slot * slotWords;
    workflows.table.lock(slot);
    words[at + WORKFLOW_STATUS] = STATUS_RUNNING;
    words[at + WORKFLOW_FLAGS] = implicit ? FLAG_IMPLICIT : 0;
    words[at + WORKFLOW_PHASE] = names.intern(this.#phaseView, 0, FIRST_PHASE.length, this.#phaseHash);
    workflows.setTouched(slot, this.#context.arrived);
    workflows.table.unlock(slot);
    return slot;
  }

  /** A live workflow that room is needed from: cancelled as stale, and kept among the recent ones. */
  #makeStale(slot: number): void {
    const { workflows, board } = this.#context.tables;
    const at = slot * workflows.table.slotWords;
    workflows.table.lock(slot);
    workflows.table.words[at + WORKFLOW_STATUS] = STATUS_CANCELLED;
    workflows.table.words[at + WORKFLOW_FLAGS]! |= FLAG_STALE;
    workflows.setOver(slot, true);
    workflows.table.unlock(slot);
    board.count(COUNT_WORKFLOWS_STALE);
    this.#keepRecentBounded();
  }

  #keepLiveBounded(): void {
    const { workflows, memory } = this.#context.tables;
    while (workflows.live > memory.limits.maxLiveWorkflows) this.#makeStale(workflows.oldestLive);
  }

  #keepRecentBounded(): void {
    const { workflows, memory } = this.#context.tables;
    while (workflows.recent > memory.limits.maxRecentWorkflows) this.forget(workflows.oldestRecent);
  }

  /** Forgets a workflow and its tasks; what they counted stays counted. */
  forget(slot: number): void {
    const { workflows, tasks, board } = this.#context.tables;
    this.#forgetTasks(tasks.first(slot));
    workflows.remove(slot);
    board.count(COUNT_WORKFLOWS_EVICTED);
  }

  #forgetTasks(first: number): void {
    const { tasks } = this.#context.tables;
    let task = first;
    while (task !== 0) {
      const next = tasks.next(task);
      tasks.remove(task);
      task = next;
    }
  }

  start(): void {
    const { workflows } = this.#context.tables;
    const { words, doubles, slotWords, slotDoubles } = workflows.table;
    const ts = this.#context.ts;
    let slot = this.#find();
    if (slot === 0) {
      slot = this.#create(false);
      if (slot === 0) return;
      workflows.table.lock(slot);
      doubles[slot * slotDoubles + WORKFLOW_STARTED] = ts;
      this.#update(slot);
      workflows.table.unlock(slot);
      return;
    }
    const at = slot * slotWords;
    const flags = words[at + WORKFLOW_FLAGS]!;
    const over = (flags & FLAG_OVER) !== 0;
    const implicit = (flags & FLAG_IMPLICIT) !== 0;
    const ended = doubles[slot * slotDoubles + WORKFLOW_ENDED]!;
    const completes = over && implicit && ts <= ended;
    if (over && !completes) this.#forgetTasks(this.#context.tables.tasks.first(slot));
    workflows.table.lock(slot);
    if (over && !completes) this.#beginRun(slot);
    workflows.touch(slot, this.#context.arrived);
    if (implicit || over) {
      doubles[slot * slotDoubles + WORKFLOW_STARTED] = ts;
      words[at + WORKFLOW_FLAGS]! &= ~FLAG_IMPLICIT;
    }
    this.#update(slot);
    workflows.table.unlock(slot);
    this.#keepLiveBounded();
    if (completes) this.#sample(slot, ended - ts);
  }

  /** A new run under the same id: only id and the number of the run stay. Call inside the lock. */
  #beginRun(slot: number): void {
    const { workflows, names } = this.#context.tables;
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
  #update(slot: number): void {
    const { workflows } = this.#context.tables;
    this.#setName(slot, WORKFLOW_NAME, FIELD_NAME);
    this.#setName(slot, WORKFLOW_PROJECT, FIELD_PROJECT);
    this.#setName(slot, WORKFLOW_PHASE, FIELD_PHASE);
    this.#setParent(slot);
    if ((this.#context.event.texts & TEXT_REQUEST) !== 0) {
      workflows.table.doubles[slot * workflows.table.slotDoubles + WORKFLOW_REQUEST_LINE] =
        this.#context.line;
    }
  }

  #setName(slot: number, word: number, field: number): void {
    const ref = this.#context.intern(field);
    const { table } = this.#context.tables.workflows;
    if (ref === 0) {
      if (this.#context.event.length[field] !== 0)
        table.words[slot * table.slotWords + WORKFLOW_FLAGS]! |= FLAG_UNNAMED;
      return;
    }
    const at = slot * table.slotWords + word;
    this.#context.tables.names.release(table.words[at]!, true);
    table.words[at] = ref;
  }

  #setParent(slot: number): void {
    const event = this.#context.event;
    const length = event.length[FIELD_PARENT]!;
    if (length === 0) return;
    const offset = event.offset[FIELD_PARENT]!;
    const { names, workflows } = this.#context.tables;
    const at = slot * workflows.table.slotWords + WORKFLOW_PARENT;
    const hash = event.hash[FIELD_PARENT]!;
    const ref = names.store(this.#context.viewOf(offset), offset & ~SCRATCH_OFFSET, length, hash);
    if (ref === 0) return;
    names.release(workflows.table.words[at]!, false);
    workflows.table.words[at] = ref;
  }

  enterPhase(): void {
    const slot = this.touched();
    if (slot <= 0) return;
    const { workflows } = this.#context.tables;
    workflows.table.lock(slot);
    this.#setName(slot, WORKFLOW_PHASE, FIELD_PHASE);
    workflows.table.unlock(slot);
  }

  /** A status of a workflow that is over changes nothing: only a start begins it anew. */
  setStatus(): void {
    const slot = this.touched();
    if (slot <= 0) return;
    const { table } = this.#context.tables.workflows;
    const at = slot * table.slotWords;
    if ((table.words[at + WORKFLOW_FLAGS]! & FLAG_OVER) !== 0) return;
    table.lock(slot);
    table.words[at + WORKFLOW_STATUS] = this.#context.event.status;
    table.unlock(slot);
  }

  end(): void {
    const slot = this.touched();
    if (slot <= 0) return;
    const { workflows, board } = this.#context.tables;
    const { words, doubles, slotWords, slotDoubles } = workflows.table;
    const at = slot * slotWords;
    const flags = words[at + WORKFLOW_FLAGS]!;
    if ((flags & FLAG_OVER) !== 0 && (flags & FLAG_STALE) === 0) {
      board.count(COUNT_WORKFLOW_DUPLICATE_ENDS);
      return;
    }
    const ts = this.#context.ts;
    workflows.table.lock(slot);
    words[at + WORKFLOW_STATUS] = this.#context.event.status;
    words[at + WORKFLOW_FLAGS]! &= ~FLAG_STALE;
    doubles[slot * slotDoubles + WORKFLOW_ENDED] = ts;
    if ((this.#context.event.texts & TEXT_ERROR) !== 0) {
      doubles[slot * slotDoubles + WORKFLOW_ERROR_LINE] = this.#context.line;
    }
    workflows.setOver(slot, true);
    workflows.table.unlock(slot);
    const started = doubles[slot * slotDoubles + WORKFLOW_STARTED]!;
    if (!Number.isNaN(started)) this.#sample(slot, this.#context.elapsed(started, ts));
    this.#keepRecentBounded();
  }

  #sample(slot: number, duration: number): void {
    const { words, slotWords } = this.#context.tables.workflows.table;
    const at = slot * slotWords;
    const unnamed = (words[at + WORKFLOW_FLAGS]! & FLAG_UNNAMED) !== 0;
    const status = this.#samples.statuses[words[at + WORKFLOW_STATUS]!]!;
    this.#samples.workflowDuration(
      unnamed ? UNNAMED : words[at + WORKFLOW_NAME]!,
      words[at + WORKFLOW_PROJECT]!,
      status,
      duration,
      this.#context.arrived,
    );
  }
}
