/**
 * What executions and groups add to the report of their workflow. It is kept in the workflow's slot, so that it stays exact
 * when tasks are forgotten: only what each agent did, and when tasks ran, is in the tasks' own slots, and moves from
 * there into shares and cover.
 */

import { STATUS_COMPLETED, STATUS_COUNT, STATUS_RUNNING } from '../model/status.js';
import { COUNT_NAMES_FULL, COUNT_SHARES_FULL } from '../state/board.js';
import { SHARE_SECONDS, SHARE_STATUSES } from '../state/shares.js';
import type { Tables } from '../state/tables.js';
import {
  TASK_AGENT,
  TASK_DURATION,
  TASK_ENDED,
  TASK_SECONDS_BEFORE,
  TASK_STATUS,
  TASK_WORKFLOW,
} from '../state/tasks.js';
import {
  WORKFLOW_COMPLETED,
  WORKFLOW_COVER,
  WORKFLOW_EXECUTIONS,
  WORKFLOW_GROUPS,
  WORKFLOW_GROUPS_MEASURED,
  WORKFLOW_PARALLEL,
  WORKFLOW_SECONDS,
  WORKFLOW_SPEEDUPS,
  WORKFLOW_TASKS_BY_STATUS,
  WORKFLOW_TASKS_TOTAL,
  WORKFLOW_TOKENS,
} from '../state/workflows.js';
import { addCoverTo, addToCover } from './cover.js';
import { addGroup } from './groups.js';
import { IntervalUnion } from './interval-union.js';
import { addCarrying } from './moments.js';
import { efficiencyScore } from './scores.js';

export class WorkflowNumbers {
  readonly #tables: Tables;
  readonly #union: IntervalUnion = new IntervalUnion();

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** A task has gone from one status to another. @param from 0: it was not known before */
  countStatus(workflow: i32, from: i32, to: i32): void {
    if (workflow === 0) return;
    const { table } = this.#tables.workflows;
    table.lock(workflow);
    this.#countStatus(workflow, from, to);
    table.unlock(workflow);
  }

  #countStatus(workflow: i32, from: i32, to: i32): void {
    const { words, slotWords } = this.#tables.workflows.table;
    const at = workflow * slotWords;
    if (from === 0) words[at + WORKFLOW_TASKS_TOTAL]! += 1;
    else words[at + WORKFLOW_TASKS_BY_STATUS + from]! -= 1;
    words[at + WORKFLOW_TASKS_BY_STATUS + to]! += 1;
  }

  /** An execution has ended. @param from the status before, 0: none was known @param duration NaN: unknown; so for tokens */
  countEnd(workflow: i32, from: i32, status: i32, parallel: boolean, duration: f64, tokens: f64): void {
    if (workflow === 0) return;
    const { table } = this.#tables.workflows;
    const { words, doubles } = table;
    const at = workflow * table.slotWords;
    const d = workflow * table.slotDoubles;
    table.lock(workflow);
    this.#countStatus(workflow, from, status);
    words[at + WORKFLOW_EXECUTIONS]! += 1;
    if (parallel) words[at + WORKFLOW_PARALLEL]! += 1;
    if (status === STATUS_COMPLETED) words[at + WORKFLOW_COMPLETED]! += 1;
    if (duration > 0) addCarrying(doubles, d + WORKFLOW_SECONDS, duration);
    if (tokens > 0) addCarrying(doubles, d + WORKFLOW_TOKENS, tokens);
    table.unlock(workflow);
  }

  /** A late start has said more of an execution that is counted. @param duration NaN: no news of it */
  countLate(workflow: i32, becameParallel: boolean, duration: f64): void {
    if (workflow === 0) return;
    const { table } = this.#tables.workflows;
    table.lock(workflow);
    if (becameParallel) table.words[workflow * table.slotWords + WORKFLOW_PARALLEL]! += 1;
    if (duration > 0) addCarrying(table.doubles, workflow * table.slotDoubles + WORKFLOW_SECONDS, duration);
    table.unlock(workflow);
  }

  /** @param speedup NaN: the group has no duration */
  countGroup(workflow: i32, line: f64, speedup: f64): void {
    const { workflows, names, board } = this.#tables;
    const { table } = workflows;
    const at = workflow * table.slotWords;
    table.lock(workflow);
    const block = addGroup(names, table.words[at + WORKFLOW_GROUPS]!, line);
    table.words[at + WORKFLOW_GROUPS] = block;
    if (!Number.isNaN(speedup)) {
      table.words[at + WORKFLOW_GROUPS_MEASURED]! += 1;
      addCarrying(table.doubles, workflow * table.slotDoubles + WORKFLOW_SPEEDUPS, speedup);
    }
    table.unlock(workflow);
    if (block === 0) board.count(COUNT_NAMES_FULL);
  }

  /** An execution that has ended leaves its task's slot: to a new one under the same id, or with the task. */
  keepInterval(workflow: i32, ended: f64, duration: f64): void {
    const { workflows, names, board } = this.#tables;
    // A duration can be too short for a time since the epoch, and unknown.
    if (workflow === 0 || !(ended - duration < ended)) return;
    const { table } = workflows;
    const at = workflow * table.slotWords + WORKFLOW_COVER;
    table.lock(workflow);
    const block = addToCover(names, table.words[at]!, ended - duration, ended);
    table.words[at] = block;
    table.unlock(workflow);
    if (block === 0) board.count(COUNT_NAMES_FULL);
  }

  /** What an agent did in a task that has no slot any more. @param seconds NaN: unknown */
  keepShare(workflow: i32, agent: i32, status: i32, seconds: f64): void {
    if (workflow === 0 || agent === 0) return;
    const { shares, board } = this.#tables;
    const share = shares.of(workflow, agent);
    if (share === 0) {
      board.count(COUNT_SHARES_FULL);
      return;
    }
    const { table } = shares;
    table.lock(share);
    table.words[share * table.slotWords + SHARE_STATUSES]! |= 1 << status;
    if (seconds > 0) addCarrying(table.doubles, share * table.slotDoubles + SHARE_SECONDS, seconds);
    table.unlock(share);
  }

  /** A task of a workflow that goes on is forgotten. */
  keepTask(task: i32): void {
    const { words, doubles, slotWords, slotDoubles } = this.#tables.tasks.table;
    const at = task * slotWords;
    const d = task * slotDoubles;
    const workflow = words[at + TASK_WORKFLOW]!;
    const duration = doubles[d + TASK_DURATION]!;
    this.keepInterval(workflow, doubles[d + TASK_ENDED]!, duration);
    const before = doubles[d + TASK_SECONDS_BEFORE]!;
    const seconds = Number.isNaN(duration) ? before : before + duration;
    this.keepShare(workflow, words[at + TASK_AGENT]!, words[at + TASK_STATUS]!, seconds);
  }

  /** Forgets all that hangs on the workflow but its tasks: at a new run, and when it is forgotten itself. */
  drop(workflow: i32): void {
    const { workflows, names, shares } = this.#tables;
    const { table } = workflows;
    const at = workflow * table.slotWords;
    const d = workflow * table.slotDoubles;
    table.lock(workflow);
    shares.removeAll(workflow);
    for (let word = WORKFLOW_GROUPS; word <= WORKFLOW_COVER; word++) {
      names.free(table.words[at + word]!);
      table.words[at + word] = 0;
    }
    table.words[at + WORKFLOW_TASKS_TOTAL] = 0;
    for (let word = WORKFLOW_EXECUTIONS; word <= WORKFLOW_GROUPS_MEASURED; word++) table.words[at + word] = 0;
    for (let i = 0; i < STATUS_COUNT; i++) table.words[at + WORKFLOW_TASKS_BY_STATUS + i] = 0;
    for (let double = WORKFLOW_SECONDS; double < WORKFLOW_SPEEDUPS + 2; double++)
      table.doubles[d + double] = 0;
    table.unlock(workflow);
  }

  efficiency(workflow: i32): f64 {
    const { words, doubles, slotWords, slotDoubles } = this.#tables.workflows.table;
    const at = workflow * slotWords;
    const speedups = workflow * slotDoubles + WORKFLOW_SPEEDUPS;
    return efficiencyScore(
      words[at + WORKFLOW_EXECUTIONS]!,
      words[at + WORKFLOW_PARALLEL]!,
      words[at + WORKFLOW_COMPLETED]!,
      words[at + WORKFLOW_GROUPS_MEASURED]!,
      doubles[speedups]! + doubles[speedups + 1]!,
    );
  }

  /** Seconds of all executions of the workflow so far: how long its tasks worked, one by one. */
  busySeconds(workflow: i32): f64 {
    const { doubles, slotDoubles } = this.#tables.workflows.table;
    const at = workflow * slotDoubles + WORKFLOW_SECONDS;
    return doubles[at]! + doubles[at + 1]!;
  }

  /** Seconds in which at least one of them did. A walk over its tasks: call it once a run. */
  coveredSeconds(workflow: i32): f64 {
    const { tasks, workflows, names } = this.#tables;
    const { words, doubles, slotWords, slotDoubles } = tasks.table;
    const union = this.#union;
    union.clear();
    for (let task = tasks.first(workflow); task !== 0; task = tasks.next(task)) {
      if (words[task * slotWords + TASK_STATUS] === STATUS_RUNNING) continue;
      const duration = doubles[task * slotDoubles + TASK_DURATION]!;
      const ended = doubles[task * slotDoubles + TASK_ENDED]!;
      if (duration > 0) union.add(ended - duration, ended);
    }
    const cover = workflows.table.words[workflow * workflows.table.slotWords + WORKFLOW_COVER]!;
    const closed = cover === 0 ? 0 : addCoverTo(union, names.doubles, cover + 1);
    return union.length() - closed;
  }
}
