/**
 * Event lines like those of real executions (WfInstances: Makeflow and Pegasus runs), made from a seed, with the
 * exact counts and sums that a fold over them must give. Times and durations are multiples of 1/64 s, so that every
 * sum of them is exact in doubles, in whatever order it is taken.
 */

const TS_BASE = 1_700_000_000;
const KINDS = [
  'mDiffFit',
  'blastall',
  'mProject',
  'split_fasta',
  'sol2sanger',
  'frequency',
  'individuals',
  'mBackground',
];

export interface LogShape {
  readonly workflows: number;
  readonly tasksPerWorkflow: number;
  /** Workflows that run at the same time, their lines in turns. */
  readonly workflowsAtOnce: number;
  /** Tasks of one workflow that run at the same time. */
  readonly tasksAtOnce: number;
  readonly agents: number;
  /** Behind each task's end. */
  readonly samplesPerTask: number;
  /** One task in so many has quotes and other escapes in its names and texts; 0: none. */
  readonly escapesEvery: number;
  /** Whether starts and ends bring descriptions and outputs, which make two thirds of real lines. */
  readonly texts: boolean;
}

export interface LogFacts {
  readonly lines: number;
  readonly workflows: number;
  readonly tasks: number;
  readonly tasksFailed: number;
  readonly samples: number;
  readonly durationSum: number;
  readonly sampleSum: number;
}

export interface GeneratedLog {
  readonly bytes: Buffer;
  readonly facts: LogFacts;
}

/** A generator of Marsaglia's xorshift family: 32 bits of state are enough for lines that differ. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** A whole number below `bound`. */
  below(bound: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) % bound;
  }
}

interface RunningWorkflow {
  readonly id: string;
  readonly serial: number;
  started: boolean;
  next: number;
  readonly running: { readonly task: number; readonly startedTicks: number }[];
}

export function generateLog(shape: LogShape, seed = 1): GeneratedLog {
  return new LogGenerator(shape, seed).run();
}

class LogGenerator {
  readonly #shape: LogShape;
  readonly #random: Random;
  readonly #lines: string[] = [];
  #ticks = 0; // of 1/64 s
  #tasksFailed = 0;
  #samples = 0;
  #durationTicks = 0;
  #sampleSum = 0;

  constructor(shape: LogShape, seed: number) {
    this.#shape = shape;
    this.#random = new Random(seed);
  }

  run(): GeneratedLog {
    const { workflows, tasksPerWorkflow, workflowsAtOnce } = this.#shape;
    const running: RunningWorkflow[] = [];
    let serial = 0;
    for (let turn = 0; serial < workflows || running.length > 0; turn++) {
      while (serial < workflows && running.length < workflowsAtOnce) {
        const id = `montage-chameleon-2mass-${String(serial).padStart(6, '0')}`;
        running.push({ id, serial, started: false, next: 0, running: [] });
        serial++;
      }
      const at = turn % running.length;
      if (this.#step(running[at]!)) running.splice(at, 1);
      this.#ticks += this.#random.below(3);
    }
    const facts = {
      lines: this.#lines.length,
      workflows,
      tasks: workflows * tasksPerWorkflow,
      tasksFailed: this.#tasksFailed,
      samples: this.#samples,
      durationSum: this.#durationTicks / 64,
      sampleSum: this.#sampleSum,
    };
    return { bytes: Buffer.from(this.#lines.join('')), facts };
  }

  /** The next line of a workflow. @returns whether it was the last */
  #step(workflow: RunningWorkflow): boolean {
    const { tasksPerWorkflow, tasksAtOnce } = this.#shape;
    if (!workflow.started) {
      workflow.started = true;
      const name = `montage-${workflow.serial % 5}`;
      const request = 'Trace generated with WorkflowHub - https://workflowhub.org';
      this.#emit({
        type: 'workflow.start',
        workflow: workflow.id,
        name,
        project: 'pegasus',
        request,
        ts: this.#ts(),
      });
      return false;
    }
    if (workflow.next < tasksPerWorkflow && workflow.running.length < tasksAtOnce) {
      this.#startTask(workflow, workflow.next++);
      return false;
    }
    if (workflow.running.length > 0) {
      this.#endTask(workflow);
      return false;
    }
    this.#emit({ type: 'workflow.end', workflow: workflow.id, status: 'completed', ts: this.#ts() });
    return true;
  }

  #startTask(workflow: RunningWorkflow, task: number): void {
    const kind = this.#kind(task);
    workflow.running.push({ task, startedTicks: this.#ticks });
    this.#emit({
      type: 'task.start',
      workflow: workflow.id,
      task: this.#taskId(task),
      agent: this.#agent(workflow, task),
      kind,
      parallel: this.#shape.tasksAtOnce > 1,
      ts: this.#ts(),
      ...(this.#shape.texts && { description: this.#description(kind, task) }),
    });
  }

  #endTask(workflow: RunningWorkflow): void {
    const { task, startedTicks } = workflow.running.splice(
      this.#random.below(workflow.running.length),
      1,
    )[0]!;
    const failed = task % 16 === 15;
    if (failed) this.#tasksFailed++;
    this.#durationTicks += this.#ticks - startedTicks;
    const kind = this.#kind(task);
    this.#emit({
      type: 'task.end',
      workflow: workflow.id,
      task: this.#taskId(task),
      agent: this.#agent(workflow, task),
      kind,
      status: failed ? 'failed' : 'completed',
      ts: this.#ts(),
      ...(this.#shape.texts && { output: { avgCPU: this.#random.below(10_000) / 10_000 } }),
    });
    for (let i = 0; i < this.#shape.samplesPerTask; i++) {
      const value = 2_800_000 + this.#random.below(100) * 4000;
      this.#samples++;
      this.#sampleSum += value;
      const tags = { kind, application: `montage-${workflow.serial % 5}` };
      this.#emit({ type: 'sample', name: 'task_memory_bytes', value, tags, ts: this.#ts() });
    }
  }

  #emit(event: object): void {
    this.#lines.push(`${JSON.stringify(event)}\n`);
  }

  #ts(): number {
    return TS_BASE + this.#ticks / 64;
  }

  #kind(task: number): string {
    return KINDS[task % KINDS.length]!;
  }

  #taskId(task: number): string {
    const { escapesEvery } = this.#shape;
    const quote = escapesEvery > 0 && task % escapesEvery === 0 ? '"é\\' : '';
    return `${this.#kind(task)}${quote}_ID${String(task).padStart(7, '0')}`;
  }

  #agent(workflow: RunningWorkflow, task: number): string {
    return `compute-${(workflow.serial * 7 + task) % this.#shape.agents}.novalocal`;
  }

  #description(kind: string, task: number): string {
    const { escapesEvery } = this.#shape;
    const end = escapesEvery > 0 && task % escapesEvery === 0 ? ' 2> "large\\fasta.err"\t' : '';
    const number = String(task).padStart(6, '0');
    return `${kind} -d -s 1-fit.${number}.000012.txt p2mass-atlas-001021s-j${number}233.fits 1-diff.${number}.fits region-oversized.hdr${end}`;
  }
}

/** `count` ends of tasks of exactly 136 bytes, as the pipeline takes them. */
export function taskEndLines(count: number): Buffer {
  const bytes = Buffer.alloc(count * 136, 0x20);
  for (let i = 0; i < count; i++) {
    const number = String(i).padStart(8, '0');
    const agent = String(i % 64).padStart(2, '0');
    const workflow = String(i % 12).padStart(2, '0');
    const ts = `17${number}.${['125', '250', '375', '500'][i & 3]}`;
    const line = `{"type":"task.end","workflow":"w${number}-${workflow}","task":"t${number}-123","agent":"a${agent}","status":"completed","ts":${ts},"tokens":${10 + (i % 90)}}\n`;
    if (line.length !== 136) throw new Error(`a line has ${line.length} bytes, and should have 136`);
    bytes.write(line, i * 136, 'latin1');
  }
  return bytes;
}
