/**
 * Events into state. It reads no clock and no configuration beyond the limits of its tables, so the same lines with the
 * same arrivals give the same bytes, live and in replay.
 */

import { FIELD_NAME } from '../decode/decoded-event.js';
import type { Decoder } from '../decode/decoder.js';
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
import { TICK_LIMITS, TICK_TIME } from '../model/tick.js';
import { decodeLimits } from '../state/limits.js';
import type { Tables } from '../state/tables.js';
import { EventContext } from './event-context.js';
import { Hours, type OnHour } from './hours.js';
import { Samples, UNNAMED } from './samples.js';
import { TaskEvents } from './task-events.js';
import { WorkflowEvents } from './workflow-events.js';
import { WorkflowNumbers } from './workflow-numbers.js';

export class Lifecycle {
  readonly #context: EventContext;
  readonly #samples: Samples;
  readonly #hours: Hours;
  readonly #workflows: WorkflowEvents;
  readonly #tasks: TaskEvents;

  /** @param decoder whose events are applied @param onHour who keeps the hours that are over */
  constructor(tables: Tables, decoder: Decoder, onHour: OnHour | null = null) {
    this.#context = new EventContext(tables, decoder);
    this.#samples = new Samples(tables);
    this.#hours = new Hours(tables, onHour);
    const numbers = new WorkflowNumbers(tables);
    this.#workflows = new WorkflowEvents(this.#context, this.#samples, numbers);
    this.#tasks = new TaskEvents(this.#context, this.#workflows, this.#samples, numbers);
  }

  /** The memory that the events' spans lie in. */
  attach(view: DataView): void {
    this.#context.attach(view);
  }

  /**
   * Applies the decoded event.
   * @param code EVENT_*
   * @param line its number in the log
   * @param arrivedUs when it arrived
   */
  apply(code: number, line: number, arrivedUs: number): void {
    this.#context.line = line;
    this.#context.arrived = arrivedUs / 1e6;
    if (arrivedUs >= this.#hours.endUs) this.#hours.turnTo(arrivedUs);
    switch (code) {
      case EVENT_TASK_START:
        this.#tasks.start();
        break;
      case EVENT_TASK_END:
        this.#tasks.end();
        break;
      case EVENT_SAMPLE:
        this.#takeSample();
        break;
      case EVENT_WORKFLOW_START:
        this.#workflows.start();
        break;
      case EVENT_WORKFLOW_PHASE:
        this.#workflows.enterPhase();
        break;
      case EVENT_WORKFLOW_STATUS:
        this.#workflows.setStatus();
        break;
      case EVENT_WORKFLOW_END:
        this.#workflows.end();
        break;
      case EVENT_GROUP:
        this.#workflows.takeGroup();
        break;
    }
  }

  /**
   * Applies a tick (model/tick.ts).
   * @param number its number; NaN: the next one, live. One that the state has in it already changes nothing.
   * @returns whether it changed the state: else it does not belong into the log
   */
  tick(kind: number, payload: Uint8Array, number: number, arrivedUs: number): boolean {
    const { tables } = this.#context;
    const { board } = tables;
    if (number <= board.ticks) return false;
    this.#context.arrived = arrivedUs / 1e6;
    switch (kind) {
      case TICK_TIME:
        if (!this.#workflows.hasIdle(arrivedUs / 1e6)) return false;
        this.#hours.turnTo(arrivedUs);
        this.#workflows.makeIdleStale(arrivedUs / 1e6);
        break;
      case TICK_LIMITS: {
        const limits = decodeLimits(payload);
        if (tables.limits.include(limits) && board.ticks > 0) return false;
        this.#hours.turnTo(arrivedUs);
        tables.setLimits(limits);
        this.#workflows.keepBounded();
        break;
      }
      default:
        // A later version's, in a log that it has written: what it changed there is not known here.
        return false;
    }
    board.setTicks(Number.isNaN(number) ? board.ticks + 1 : number);
    return true;
  }

  #takeSample(): void {
    const event = this.#context.event;
    const { names } = this.#context.tables;
    const { labels } = this.#samples;
    let count = event.tagCount;
    for (let i = 0; i < event.tagCount; i++) {
      const key = this.#context.internSpan(
        event.tagKeyOffset[i]!,
        event.tagKeyLength[i]!,
        event.tagKeyHash[i]!,
      );
      const value = this.#context.internSpan(
        event.tagValueOffset[i]!,
        event.tagValueLength[i]!,
        event.tagValueHash[i]!,
      );
      labels[2 * i] = key;
      labels[2 * i + 1] = value;
      if (key === 0 || value === 0) count = UNNAMED;
    }
    const metric = this.#context.intern(FIELD_NAME);
    this.#samples.add(metric, count, event.value, this.#context.arrived);
    names.release(metric);
    for (let i = 0; i < event.tagCount * 2; i++) names.release(labels[i]!);
  }
}
