/**
 * What one would write first: an object per line, Maps by string keys, Welford's recurrence per cell. It keeps less than the
 * real fold (no histogram, no texts' lines, no order of forgetting but that of arrival), which is in its favour.
 */

interface NaiveTask {
  status: string;
  started: number;
  kind: string;
}

interface NaiveWorkflow {
  status: string;
  started: number;
  readonly tasks: Map<string, NaiveTask>;
}

interface NaiveCell {
  count: number;
  sum: number;
  mean: number;
  m2: number;
  min: number;
  max: number;
}

// biome-ignore lint/suspicious/noExplicitAny: the lines are JSON, and nothing checks them here
type NaiveEvent = any;

const RECENT_MAX = 10_000;

export class NaiveFold {
  readonly workflows = new Map<string, NaiveWorkflow>();
  readonly #recent: string[] = [];
  readonly #cells = new Map<string, NaiveCell>();
  lines = 0;
  workflowsOver = 0;

  take(line: string): void {
    const event: NaiveEvent = JSON.parse(line);
    this.lines++;
    switch (event.type) {
      case 'workflow.start':
        this.workflows.set(event.workflow, { status: 'running', started: event.ts, tasks: new Map() });
        break;
      case 'workflow.end':
        this.#endWorkflow(event);
        break;
      case 'task.start': {
        const task = { status: 'running', started: event.ts, kind: event.kind };
        this.workflows.get(event.workflow)?.tasks.set(`${event.agent}\0${event.task}`, task);
        break;
      }
      case 'task.end':
        this.#endTask(event);
        break;
      case 'sample':
        this.#add(`${event.name}\0${Object.entries(event.tags).sort().join('\0')}`, event.value);
    }
  }

  /** Over all cells whose metric this is. */
  total(metric: string): { count: number; sum: number } {
    let count = 0;
    let sum = 0;
    for (const [key, cell] of this.#cells) {
      if (!key.startsWith(`${metric}\0`)) continue;
      count += cell.count;
      sum += cell.sum;
    }
    return { count, sum };
  }

  #endWorkflow(event: NaiveEvent): void {
    const workflow = this.workflows.get(event.workflow);
    if (workflow === undefined) return;
    workflow.status = event.status;
    this.workflowsOver++;
    this.#add(`workflow_duration_seconds\0${event.status}`, event.ts - workflow.started);
    this.#recent.push(event.workflow);
    if (this.#recent.length < 2 * RECENT_MAX) return;
    for (const id of this.#recent.splice(0, RECENT_MAX)) this.workflows.delete(id);
  }

  #endTask(event: NaiveEvent): void {
    const task = this.workflows.get(event.workflow)?.tasks.get(`${event.agent}\0${event.task}`);
    if (task === undefined) return;
    task.status = event.status;
    const labels = `${event.agent}\0${event.kind ?? task.kind}`;
    this.#add(`task_duration_seconds\0${labels}\0${event.status}`, event.ts - task.started);
    if (event.tokens !== undefined) this.#add(`task_tokens\0${labels}`, event.tokens);
  }

  #add(key: string, value: number): void {
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = { count: 0, sum: 0, mean: 0, m2: 0, min: value, max: value };
      this.#cells.set(key, cell);
    }
    cell.count++;
    cell.sum += value;
    const delta = value - cell.mean;
    cell.mean += delta / cell.count;
    cell.m2 += delta * (value - cell.mean);
    if (value < cell.min) cell.min = value;
    if (value > cell.max) cell.max = value;
  }
}
