/**
 * An example workload: three kinds of workflows (a nightly load, a release, an assistant of several agents), with phases, parallel
 * groups, failures, tokens, samples and children. The same seed gives the same events, for ever.
 */

export interface TimedEvent {
  /** seconds since the beginning */
  readonly at: number;
  readonly event: Readonly<Record<string, unknown>>;
}

const WORKFLOW_EVERY_SECONDS = 7;

/** Events in the order of their times, without end. */
export function* exampleWorkload(seed: number): Generator<TimedEvent> {
  const random = seededRandom(seed);
  const pending: TimedEvent[] = [];
  let nextStart = 0;
  for (let number = 1; ; number++) {
    while (pending.length > 0 && pending[0]!.at <= nextStart) yield pending.shift()!;
    pending.push(...new Plan(random, nextStart, number).events);
    pending.sort((a, b) => a.at - b.at);
    nextStart += random() < 0.2 ? 0.5 : -Math.log(1 - random()) * WORKFLOW_EVERY_SECONDS;
  }
}

type Random = () => number;

interface Step {
  readonly phase: string;
  readonly tasks: readonly Work[];
}

interface Work {
  readonly task: string;
  readonly kind: string;
  readonly agents: readonly string[];
  /** of the median duration, which is spread log-normally */
  readonly seconds: number;
  readonly description: string;
  readonly failure?: { readonly chance: number; readonly error: string };
  readonly tokens?: number;
}

/** The events of one workflow, and of those that it starts. */
class Plan {
  readonly events: TimedEvent[] = [];
  readonly #random: Random;

  constructor(random: Random, startsAt: number, number: number) {
    this.#random = random;
    const kind = random();
    if (kind < 0.4) this.#load(startsAt, number);
    else if (kind < 0.75) this.#release(startsAt, number);
    else this.#assistant(startsAt, number);
  }

  #load(at: number, number: number): void {
    const id = `load-${number}`;
    const tables = ['orders', 'customers', 'products', 'payments', 'returns', 'stock', 'visits', 'prices'];
    const loaders = ['loader-1', 'loader-2', 'loader-3', 'loader-4'];
    const steps: Step[] = [
      {
        phase: 'extract',
        tasks: tables.map((table) => ({
          task: `extract/${table}`,
          kind: 'extract',
          agents: loaders,
          seconds: 3,
          description: `copy ${table} out of the shop's database`,
          failure: { chance: 0.02, error: 'connection reset by peer while reading page 211' },
        })),
      },
      {
        phase: 'transform',
        tasks: ['facts', 'dimensions', 'history'].map((part) => ({
          task: `transform/${part}`,
          kind: 'transform',
          agents: ['transformer-1', 'transformer-2'],
          seconds: 5,
          description: `build the ${part}`,
          failure: { chance: 0.02, error: 'division by zero in column margin' },
        })),
      },
      {
        phase: 'verify',
        tasks: [
          {
            task: 'verify',
            kind: 'verify',
            agents: ['auditor'],
            seconds: 2,
            description: 'compare the sums with the ledger',
            failure: { chance: 0.06, error: 'sum of payments differs by 12.40' },
          },
        ],
      },
    ];
    const end = this.#workflow(at, { id, name: 'nightly-load', project: 'warehouse' }, steps);
    this.events.push({
      at: end,
      event: {
        type: 'sample',
        name: 'rows_loaded',
        value: Math.round(80_000 + 60_000 * this.#random()),
        tags: { source: 'shop' },
      },
    });
  }

  #release(at: number, number: number): void {
    const id = `release-${number}`;
    const runners = ['runner-a', 'runner-b', 'runner-c', 'runner-d', 'runner-e', 'runner-f'];
    const job = (task: string, kind: string, seconds: number, chance: number, error: string): Work => ({
      task,
      kind,
      agents: runners,
      seconds,
      description: `${kind} ${task}`,
      failure: { chance, error },
    });
    const steps: Step[] = [
      {
        phase: 'check',
        tasks: [
          job('lint', 'lint', 2, 0.03, "'total' is assigned and never read"),
          job('types', 'compile', 4, 0.02, "Type 'string' is not assignable to type 'number'"),
        ],
      },
      {
        phase: 'test',
        tasks: Array.from({ length: 12 }, (_, i) =>
          job(`test/${i + 1}-of-12`, 'test', 6, 0.015, '1 of 341 tests failed: a cart keeps its discount'),
        ),
      },
      {
        phase: 'build',
        tasks: ['web', 'worker'].map((part) =>
          job(`build/${part}`, 'build', 5, 0.01, 'no space left on device'),
        ),
      },
    ];
    const parent = { id, name: 'release', project: 'shop' };
    const end = this.#workflow(at, parent, steps);
    if (this.#failedAt(id)) return;
    for (const region of ['eu', 'us']) {
      const deployment = [
        {
          phase: 'deploy',
          tasks: Array.from({ length: 4 }, (_, i) => ({
            task: `node-${i + 1}`,
            kind: 'deploy',
            agents: [`deployer-${region}`],
            seconds: 2,
            description: `replace node ${i + 1} of ${region}`,
            failure: { chance: 0.01, error: 'health check timed out' },
          })),
        },
      ];
      const child = { id: `${id}-${region}`, name: 'deploy', project: 'shop', parent: id };
      this.#workflow(end, child, deployment);
    }
  }

  #assistant(at: number, number: number): void {
    const think = (
      task: string,
      agent: string,
      seconds: number,
      tokens: number,
      description: string,
    ): Work => ({
      task,
      kind: 'think',
      agents: [agent],
      seconds,
      tokens,
      description,
      failure: { chance: 0.03, error: 'the answer was cut off at the limit' },
    });
    const questions = [
      'Add dark mode to the settings page',
      'Why is the search slow on Mondays?',
      'Write the migration for the new price table',
      'Find out which customers the outage hit',
    ];
    const request = questions[number % questions.length]!;
    const steps: Step[] = [
      { phase: 'requirements', tasks: [think('read', 'analyst', 4, 2100, 'read the request and ask back')] },
      { phase: 'design', tasks: [think('design', 'architect', 8, 5200, 'propose two designs, choose one')] },
      {
        phase: 'implementation',
        tasks: ['api', 'page', 'schema'].map((part, i) =>
          think(`write/${part}`, `developer-${i + 1}`, 12, 9000, `write the ${part}`),
        ),
      },
      {
        phase: 'review',
        tasks: ['correctness', 'security'].map((view) =>
          think(`review/${view}`, 'reviewer', 6, 4000, `review for ${view}`),
        ),
      },
    ];
    this.#workflow(at, { id: `assist-${number}`, name: 'assistant', project: 'assistant', request }, steps);
  }

  /** @returns when it is over */
  #workflow(
    at: number,
    start: { id: string; name: string; project: string; parent?: string; request?: string },
    steps: readonly Step[],
  ): number {
    const { id, ...about } = start;
    const put = (time: number, event: object) => this.events.push({ at: time, event: { ...event } });
    put(at, { type: 'workflow.start', workflow: id, ...about, phase: steps[0]!.phase });
    let now = at + 0.2;
    for (const [i, { phase, tasks }] of steps.entries()) {
      if (i > 0) put(now, { type: 'workflow.phase', workflow: id, phase });
      const { end, failed } = this.#step(id, now, tasks);
      now = end + 0.2;
      if (failed !== null) {
        put(now, { type: 'workflow.end', workflow: id, status: 'failed', error: `${failed} failed` });
        return now;
      }
    }
    put(now, { type: 'workflow.end', workflow: id, status: 'completed' });
    return now;
  }

  /** Tasks of one agent run one after the other, those of several side by side. */
  #step(workflow: string, at: number, tasks: readonly Work[]): { end: number; failed: string | null } {
    const freeAt = new Map<string, number>();
    const parallel = tasks.length > 1;
    let end = at;
    let failed: string | null = null;
    for (const work of tasks) {
      const agent = work.agents.reduce((a, b) => ((freeAt.get(b) ?? at) < (freeAt.get(a) ?? at) ? b : a));
      const starts = (freeAt.get(agent) ?? at) + 0.05 + 0.1 * this.#random();
      const duration = work.seconds * Math.exp(0.5 * this.#normal());
      const fails = this.#random() < (work.failure?.chance ?? 0);
      const status = fails ? (this.#random() < 0.2 ? 'timeout' : 'failed') : 'completed';
      const { task, kind, description } = work;
      const same = { workflow, task, agent, kind, parallel };
      this.events.push({ at: starts, event: { type: 'task.start', ...same, description } });
      const over = { type: 'task.end', workflow, task, agent, status };
      const error = fails ? { error: work.failure!.error } : {};
      const tokens =
        work.tokens === undefined ? {} : { tokens: Math.round(work.tokens * (0.6 + 0.8 * this.#random())) };
      const output = fails ? {} : { output: { attempt: 1, artifacts: Math.floor(4 * this.#random()) } };
      this.events.push({ at: starts + duration, event: { ...over, ...error, ...tokens, ...output } });
      freeAt.set(agent, starts + duration);
      end = Math.max(end, starts + duration);
      if (fails) failed ??= task;
    }
    if (parallel) {
      const names = tasks.map(({ task }) => task);
      this.events.push({ at: end, event: { type: 'group', workflow, tasks: names, duration: end - at } });
    }
    return { end, failed };
  }

  #failedAt(workflow: string): boolean {
    return this.events.some(
      ({ event }) =>
        event.type === 'workflow.end' && event.workflow === workflow && event.status === 'failed',
    );
  }

  /** Box and Muller 1958. */
  #normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
  }
}

/** Mulberry32: 32 bits of state, enough for an example. */
function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
