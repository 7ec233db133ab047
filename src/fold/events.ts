/** An event into state: which rule is for which type. All that it reaches is compiled twice (fold/wasm/README.md). */

import { type DecodedEvent, FIELD_NAME } from '../decode/decoded-event.js';
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
import type { Tables } from '../state/tables.js';
import { EventContext } from './event-context.js';
import { Samples, UNNAMED } from './samples.js';
import { TaskEvents } from './task-events.js';
import { WorkflowEvents } from './workflow-events.js';
import { WorkflowNumbers } from './workflow-numbers.js';

export class Events {
  readonly context: EventContext;
  readonly workflows: WorkflowEvents;
  readonly #samples: Samples;
  readonly #tasks: TaskEvents;

  /** @param event the one in work, whenever `apply` is called */
  constructor(tables: Tables, event: DecodedEvent) {
    const context = new EventContext(tables, event);
    const samples = new Samples(tables);
    const numbers = new WorkflowNumbers(tables);
    const workflows = new WorkflowEvents(context, samples, numbers);
    this.context = context;
    this.workflows = workflows;
    this.#samples = samples;
    this.#tasks = new TaskEvents(context, workflows, samples, numbers);
  }

  /**
   * Applies the event.
   * @param code EVENT_*
   * @param line its number in the log
   * @param arrivedUs when it arrived
   */
  apply(code: i32, line: f64, arrivedUs: f64): void {
    this.context.line = line;
    this.context.arrived = arrivedUs / 1e6;
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
        this.workflows.start();
        break;
      case EVENT_WORKFLOW_PHASE:
        this.workflows.enterPhase();
        break;
      case EVENT_WORKFLOW_STATUS:
        this.workflows.setStatus();
        break;
      case EVENT_WORKFLOW_END:
        this.workflows.end();
        break;
      case EVENT_GROUP:
        this.workflows.takeGroup();
        break;
    }
  }

  /** Somebody else has changed the tables: what was found in them lately may be gone. */
  forgetRecent(): void {
    this.#samples.forgetRecent();
  }

  #takeSample(): void {
    const context = this.context;
    const event = context.event;
    const { names } = context.tables;
    const { labels } = this.#samples;
    const tags = event.tagCount;
    let count = tags;
    for (let i = 0; i < tags; i++) {
      const key = context.internSpan(event.tagKeyOffset[i]!, event.tagKeyLength[i]!, event.tagKeyHash[i]!);
      const value = context.internSpan(
        event.tagValueOffset[i]!,
        event.tagValueLength[i]!,
        event.tagValueHash[i]!,
      );
      labels[2 * i] = key;
      labels[2 * i + 1] = value;
      if (key === 0 || value === 0) count = UNNAMED;
    }
    const metric = context.intern(FIELD_NAME);
    this.#samples.add(metric, count, event.value, context.arrived);
    names.release(metric);
    for (let i = 0; i < tags * 2; i++) names.release(labels[i]!);
  }
}
