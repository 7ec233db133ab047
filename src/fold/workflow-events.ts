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
import { STATUS_CANCELLED, STATUS_RUNNING } from '../model/status.js';
import {
  COUNT_NAMES_FULL,
  COUNT_WORKFLOW_DUPLICATE_ENDS,
  COUNT_WORKFLOWS_DISPLACED,
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
  WORKFLOW_FIRST_LINE,
  WORKFLOW_FLAGS,
  WORKFLOW_NAME,
  WORKFLOW_PROJECT,
  WORKFLOW_REQUEST_LINE,
  WORKFLOW_RUN,
  WORKFLOW_STARTED,
  WORKFLOW_STATUS,
  WORKFLOW_TOUCHED,
} from '../state/workflows.js';
import type { EventContext } from './event-context.js';
import { type Samples, UNNAMED } from './samples.js';
import type { WorkflowNumbers } from './workflow-numbers.js';

export class WorkflowEvents {
  readonly #context: EventContext;
  readonly #samples: Samples;
  readonly #numbers: WorkflowNumbers;
  readonly #firstPhase: i32;

  constructor(context: EventContext, samples: Samples, numbers: WorkflowNumbers) {
    this.#context = context;
    this.#samples = samples;
    this.#numbers = numbers;
    this.#firstPhase = samples.word('requirements');
  }

  #find(): i32 {
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
  touched(): i32 {
    if (this.#context.event.length[FIELD_WORKFLOW] === 0) return 0;
    const workflows = this.#context.tables.workflows;
    const slot = this.#find();
    if (slot === 0) return this.#create(true) || -1;
    workflows.touch(slot, this.#context.arrived);
    return slot;
  }

  #create(implicit: boolean): i32 {
    const { workflows, limits, board } = this.#context.tables;
    const event = this.#context.event;
    while (workflows.live >= limits.maxLiveWorkflows) this.#displaceOldestLive();
    const offset = event.offset[FIELD_WORKFLOW]!;
    const length = event.length[FIELD_WORKFLOW]!;
    const hash = event.hash[FIELD_WORKFLOW]!;
    const view = this.#context.viewOf(offset);
    let slot = workflows.create(view, offset & ~SCRATCH_OFFSET, length, hash);
    while (slot === 0 && workflows.oldestRecent !== 0) {
      this.forget(workflows.oldestRecent);
      slot = workflows.create(view, offset & ~SCRATCH_OFFSET, length, hash);
    }
    if (slot === 0) {
      board.count(COUNT_NAMES_FULL);
      return 0;
    }
    workflows.table.lock(slot);
    if (implicit) workflows.table.words[slot * workflows.table.slotWords + WORKFLOW_FLAGS] = FLAG_IMPLICIT;
    workflows.table.doubles[slot * workflows.table.slotDoubles + WORKFLOW_FIRST_LINE] = this.#context.line;
    this.#enterFirstPhase(slot);
    workflows.setTouched(slot, this.#context.arrived);
    workflows.table.unlock(slot);
    return slot;
  }

  /** Call inside the lock. */
  #enterFirstPhase(slot: i32): void {
    const { workflows, names } = this.#context.tables;
    names.retain(this.#firstPhase);
    workflows.setNamed(workflows.byPhase, slot, this.#firstPhase);
  }

  /** A live workflow that nobody has touched for long: cancelled as stale, and kept among the recent ones. */
  #makeStale(slot: i32): void {
    const { workflows, board } = this.#context.tables;
    workflows.table.lock(slot);
    workflows.setStatus(slot, STATUS_CANCELLED);
    workflows.table.words[slot * workflows.table.slotWords + WORKFLOW_FLAGS]! |= FLAG_STALE;
    workflows.setOver(slot, true);
    workflows.table.unlock(slot);
    board.count(COUNT_WORKFLOWS_STALE);
    this.#keepRecentBounded();
  }

  /** All that have been idle for too long. */
  makeIdleStale(nowSeconds: f64): void {
    while (this.hasIdle(nowSeconds)) this.#makeStale(this.#context.tables.workflows.oldestLive);
  }

  /** Whether there is a live one without an event for `stale_after`. */
  hasIdle(nowSeconds: f64): boolean {
    const { workflows, limits } = this.#context.tables;
    const { doubles, slotDoubles } = workflows.table;
    const oldest = workflows.oldestLive;
    const touchedBefore = nowSeconds - limits.staleAfterMs / 1000;
    return oldest !== 0 && doubles[oldest * slotDoubles + WORKFLOW_TOUCHED]! <= touchedBefore;
  }

  /** After a change of the limits. Tasks follow where the next one comes. */
  keepBounded(): void {
    this.#keepLiveBounded();
    this.#keepRecentBounded();
  }

  #displaceOldestLive(): void {
    const { workflows, board } = this.#context.tables;
    board.count(COUNT_WORKFLOWS_DISPLACED);
    this.#makeStale(workflows.oldestLive);
  }

  #keepLiveBounded(): void {
    const { workflows, limits } = this.#context.tables;
    while (workflows.live > limits.maxLiveWorkflows) this.#displaceOldestLive();
  }

  #keepRecentBounded(): void {
    const { workflows, limits } = this.#context.tables;
    while (workflows.recent > limits.maxRecentWorkflows) this.forget(workflows.oldestRecent);
  }

  /** Forgets a workflow and all that hangs on it; what they counted stays counted. */
  forget(slot: i32): void {
    const { workflows, board } = this.#context.tables;
    this.#forgetTasks(slot);
    this.#numbers.drop(slot);
    workflows.remove(slot);
    board.count(COUNT_WORKFLOWS_EVICTED);
  }

  #forgetTasks(slot: i32): void {
    const { tasks } = this.#context.tables;
    for (let task = tasks.first(slot); task !== 0; task = tasks.first(slot)) tasks.remove(task);
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
    if (over && !completes) {
      this.#forgetTasks(slot);
      this.#numbers.drop(slot);
    }
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
    if (completes) this.#sampleDuration(slot, ended - ts);
  }

  /** A new run under the same id: only id and the number of the run stay. Call inside the lock. */
  #beginRun(slot: i32): void {
    const { workflows, names } = this.#context.tables;
    const { words, doubles, slotWords, slotDoubles } = workflows.table;
    const at = slot * slotWords;
    names.release(words[at + WORKFLOW_NAME]!);
    words[at + WORKFLOW_NAME] = 0;
    workflows.setNamed(workflows.byProject, slot, 0);
    workflows.setNamed(workflows.byParent, slot, 0);
    this.#enterFirstPhase(slot);
    words[at + WORKFLOW_RUN]! += 1;
    workflows.setStatus(slot, STATUS_RUNNING);
    workflows.setOver(slot, false);
    words[at + WORKFLOW_FLAGS] = 0;
    doubles[slot * slotDoubles + WORKFLOW_ENDED] = Number.NaN;
    doubles[slot * slotDoubles + WORKFLOW_REQUEST_LINE] = 0;
    doubles[slot * slotDoubles + WORKFLOW_ERROR_LINE] = 0;
    doubles[slot * slotDoubles + WORKFLOW_FIRST_LINE] = this.#context.line;
  }

  /** What a start names, it sets. Call inside the lock. */
  #update(slot: i32): void {
    const { workflows, names } = this.#context.tables;
    const { table } = workflows;
    const name = this.#nameOf(slot, FIELD_NAME);
    if (name !== 0) {
      const at = slot * table.slotWords + WORKFLOW_NAME;
      names.release(table.words[at]!);
      table.words[at] = name;
    }
    const project = this.#nameOf(slot, FIELD_PROJECT);
    if (project !== 0) workflows.setNamed(workflows.byProject, slot, project);
    const parent = this.#nameOf(slot, FIELD_PARENT);
    if (parent !== 0) workflows.setNamed(workflows.byParent, slot, parent);
    this.#updatePhase(slot);
    if ((this.#context.event.texts & TEXT_REQUEST) !== 0) {
      table.doubles[slot * table.slotDoubles + WORKFLOW_REQUEST_LINE] = this.#context.line;
    }
  }

  #updatePhase(slot: i32): void {
    const { workflows } = this.#context.tables;
    const phase = this.#nameOf(slot, FIELD_PHASE);
    if (phase !== 0) workflows.setNamed(workflows.byPhase, slot, phase);
  }

  /** The interned name in a field, with a reference; 0 where it is absent, or has no room, which the workflow's flag keeps. */
  #nameOf(slot: i32, field: i32): i32 {
    if (this.#context.event.length[field] === 0) return 0;
    const ref = this.#context.intern(field);
    const { table } = this.#context.tables.workflows;
    if (ref === 0) table.words[slot * table.slotWords + WORKFLOW_FLAGS]! |= FLAG_UNNAMED;
    return ref;
  }

  enterPhase(): void {
    const slot = this.touched();
    if (slot <= 0) return;
    const { workflows } = this.#context.tables;
    workflows.table.lock(slot);
    this.#updatePhase(slot);
    workflows.table.unlock(slot);
  }

  /** A group counts in its workflow and its project; one of no workflow is for the report over everything alone. */
  takeGroup(): void {
    const slot = this.touched();
    const { memberCount, duration } = this.#context.event;
    const speedup = Number.isNaN(duration)
      ? duration
      : this.#samples.report.groupEnded(this.#projectOf(slot), memberCount, duration);
    if (slot > 0) this.#numbers.countGroup(slot, this.#context.line, speedup);
  }

  #projectOf(slot: i32): i32 {
    const { words, slotWords } = this.#context.tables.workflows.table;
    return slot > 0 ? words[slot * slotWords + WORKFLOW_PROJECT]! : 0;
  }

  /** A status of a workflow that is over changes nothing: only a start begins it anew. */
  setStatus(): void {
    const slot = this.touched();
    if (slot <= 0) return;
    const { workflows } = this.#context.tables;
    const { table } = workflows;
    if ((table.words[slot * table.slotWords + WORKFLOW_FLAGS]! & FLAG_OVER) !== 0) return;
    table.lock(slot);
    workflows.setStatus(slot, this.#context.event.status);
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
    workflows.setStatus(slot, this.#context.event.status);
    words[at + WORKFLOW_FLAGS]! &= ~FLAG_STALE;
    doubles[slot * slotDoubles + WORKFLOW_ENDED] = ts;
    if ((this.#context.event.texts & TEXT_ERROR) !== 0) {
      doubles[slot * slotDoubles + WORKFLOW_ERROR_LINE] = this.#context.line;
    }
    workflows.setOver(slot, true);
    workflows.table.unlock(slot);
    const started = doubles[slot * slotDoubles + WORKFLOW_STARTED]!;
    if (!Number.isNaN(started)) this.#sampleDuration(slot, this.#context.elapsed(started, ts));
    this.#sampleEfficiency(slot);
    this.#samples.report.workflowEnded(
      this.#projectOf(slot),
      this.#numbers.busySeconds(slot),
      this.#numbers.coveredSeconds(slot),
    );
    this.#keepRecentBounded();
  }

  #sampleDuration(slot: i32, duration: f64): void {
    const { words, slotWords } = this.#context.tables.workflows.table;
    const at = slot * slotWords;
    this.#samples.workflowDuration(
      this.#nameLabel(slot),
      words[at + WORKFLOW_PROJECT]!,
      this.#samples.statuses[words[at + WORKFLOW_STATUS]!]!,
      duration,
      this.#context.arrived,
    );
  }

  #sampleEfficiency(slot: i32): void {
    const { words, slotWords } = this.#context.tables.workflows.table;
    this.#samples.workflowEfficiency(
      this.#nameLabel(slot),
      words[slot * slotWords + WORKFLOW_PROJECT]!,
      this.#numbers.efficiency(slot),
      this.#context.arrived,
    );
  }

  /** UNNAMED stands for the whole label set: the names had no room for one of them. */
  #nameLabel(slot: i32): i32 {
    const { words, slotWords } = this.#context.tables.workflows.table;
    const at = slot * slotWords;
    return (words[at + WORKFLOW_FLAGS]! & FLAG_UNNAMED) !== 0 ? UNNAMED : words[at + WORKFLOW_NAME]!;
  }
}
