/**
 * Numbered clients while threads die: whatever the fold was about to do for a hello, the one that takes over does once. More
 * clients than the table holds, connections that supersede each other, and a table slot that goes from one client to the
 * next while the archive is behind. The model is a list of clients in the order of their activity.
 */

import { describe, expect, test } from 'vitest';
import { decodeClients } from '../../src/archive/frame-clients.js';
import { Clients } from '../../src/state/clients.js';
import { readLog } from '../archive/log-fixture.js';
import type { FileFault, FoldFault, FoldStep } from './faults.js';
import { Pipeline, type PipelineOptions, type Welcome } from './pipeline.js';
import { randomOf } from './workload.js';

const SEED = Number(process.env.TALLYD_SEED ?? 20250615);
const CLIENTS_MAX = 3;
const CONNECTIONS = 8;
const IDS = ['a', 'b', 'c', 'd', 'é\n'];

type Step =
  | {
      readonly connection: number;
      readonly hello: string;
      readonly first: number | undefined;
      readonly n: number;
    }
  | { readonly connection: number; readonly lines: readonly { n: number; kind: string; text: string }[] }
  | { readonly connection: number; readonly close: true };

/** Each connection begins with a hello, and goes on with records, until it ends and its number is another's. */
function stepsOf(count: number, seed: number): Step[] {
  const random = randomOf(seed);
  const greeted = new Set<number>();
  let n = 0;
  return Array.from({ length: count }, (): Step => {
    const connection = 1 + random(CONNECTIONS);
    if (!greeted.has(connection)) {
      greeted.add(connection);
      const first = random(4) === 0 ? 1 + random(30) : undefined;
      return { connection, hello: IDS[random(IDS.length)]!, first, n: n++ };
    }
    if (random(6) === 0) {
      greeted.delete(connection);
      return { connection, close: true };
    }
    const lines = Array.from({ length: 1 + random(5) }, () => lineOf(n++, random(10)));
    return { connection, lines };
  });
}

function lineOf(n: number, pick: number): { n: number; kind: string; text: string } {
  if (pick < 2) return { n, kind: 'refused', text: `{"type":"sample","n":${n}}` };
  if (pick < 3) return { n, kind: 'empty', text: '' };
  if (pick < 4) return { n, kind: 'sync', text: `{"type":"sync","n":${n},"id":"s${n}"}` };
  return { n, kind: 'event', text: `{"type":"sample","n":${n},"name":"m","value":${n % 7}}` };
}

interface ModelClient {
  line: number;
  /** As the log has it, which says nothing of a gap before the line behind it; 0: nothing. */
  logged: number;
  owner: number;
}

/** What must come of the steps. */
class Model {
  /** The least recently active first. */
  readonly clients = new Map<string, ModelClient>();
  readonly welcomes: Welcome[] = [];
  readonly superseded: number[] = [];
  readonly answers: object[] = [];
  readonly accepted: string[] = [];
  readonly corners = new Set<string>();
  rejected = 0;
  readonly #clientsMax: number;
  readonly #clientOf = new Map<number, string>();
  readonly #sums = new Map<number, { accepted: number; rejected: number }>();

  constructor(clientsMax: number) {
    this.#clientsMax = clientsMax;
  }

  take(step: Step): void {
    const { connection } = step;
    const client = this.#clientOf.get(connection);
    if ('hello' in step) {
      this.#hello(connection, step.hello, step.first);
    } else if ('close' in step) {
      if (client !== undefined) this.#close(client);
      this.#clientOf.delete(connection);
    } else if (client === undefined) {
      this.corners.add('lines of a superseded connection');
    } else {
      this.#lines(connection, client, step.lines);
    }
  }

  #close(id: string): void {
    const client = this.clients.get(id)!;
    client.owner = 0;
    this.#touch(id, client);
  }

  #hello(connection: number, id: string, first: number | undefined): void {
    const known = this.clients.get(id);
    if (known === undefined && this.clients.size === this.#clientsMax) this.#evict();
    const client = known ?? { line: 0, logged: 0, owner: 0 };
    if (client.owner !== 0) this.#supersede(client.owner);
    const gap = Math.max(0, (first ?? 1) - 1 - client.line);
    client.line += gap;
    client.owner = connection;
    this.#touch(id, client);
    this.#clientOf.set(connection, id);
    this.#sums.set(connection, { accepted: 0, rejected: 0 });
    this.welcomes.push({ client: id, connection, seq: client.line, known: known !== undefined, gap });
    if (gap > 0) this.corners.add('a gap');
    if (known !== undefined) this.corners.add('known');
  }

  /** Whoever is connected is not gone. */
  #evict(): void {
    const free = [...this.clients].findIndex(([, { owner }]) => owner === 0);
    this.corners.add(free < 0 ? 'all are connected' : 'forgotten');
    for (const [id, client] of [...this.clients].slice(0, Math.max(0, free))) this.#touch(id, client);
    const [id, { owner }] = [...this.clients][0]!;
    if (owner !== 0) this.#supersede(owner);
    this.clients.delete(id);
  }

  #supersede(connection: number): void {
    this.superseded.push(connection);
    this.#clientOf.delete(connection);
  }

  #lines(connection: number, id: string, lines: readonly { n: number; kind: string; text: string }[]): void {
    const client = this.clients.get(id)!;
    const sum = this.#sums.get(connection)!;
    for (const { n, kind, text } of lines) {
      if (kind === 'event') this.accepted.push(text);
      if (kind === 'sync') this.answers.push({ id: `s${n}`, connection, ...sum, seq: client.line });
      if (kind !== 'event' && kind !== 'refused') continue;
      client.line++;
      client.logged = client.line;
      if (kind === 'event') sum.accepted++;
      else sum.rejected++;
      if (kind === 'refused') this.rejected++;
    }
    this.#touch(id, client);
  }

  #touch(id: string, client: ModelClient): void {
    this.clients.delete(id);
    this.clients.set(id, client);
  }
}

async function runAndCompare(options: PipelineOptions, steps: readonly Step[], maxClients = CLIENTS_MAX) {
  const pipeline = new Pipeline({ ...options, limits: { maxClients } });
  const model = new Model(maxClients);
  for (const step of steps) {
    model.take(step);
    if ('hello' in step) {
      const { hello: client, first, n } = step;
      await pipeline.send(step.connection, [JSON.stringify({ type: 'hello', n, client, first })]);
    } else if ('close' in step) {
      await pipeline.close(step.connection);
    } else {
      await pipeline.send(
        step.connection,
        step.lines.map(({ text }) => text),
      );
    }
  }
  await pipeline.drain();
  expect(pipeline.errors).toEqual([]);
  expect(pipeline.welcomes).toEqual(model.welcomes);
  expect(pipeline.superseded).toEqual(model.superseded);
  expect(pipeline.answers).toMatchObject(model.answers);
  expect(pipeline.answers).toHaveLength(model.answers.length);
  const { accepted, rejected, inFlight, lines } = pipeline.ledger.totals();
  expect({ accepted, rejected, inFlight, lines }).toEqual({
    accepted: model.accepted.length,
    rejected: model.rejected,
    inFlight: 0,
    lines: model.accepted.length + model.rejected,
  });
  const log = await readLog(pipeline.directory);
  expect(log.flaws).toEqual([]);
  expect(log.text).toBe(model.accepted.map((text) => `${text}\n`).join(''));
  const clients = new Clients(pipeline.memory.tables.clients);
  const inLog = new Map(
    log.frames.flatMap(({ facts, sections }) =>
      decodeClients(facts, sections.clients).map(({ id, lastLine }) => [
        Buffer.from(id).toString(),
        lastLine,
      ]),
    ),
  );
  for (const [id, { line, logged }] of model.clients) {
    const slot = clients.find(Buffer.from(id));
    expect([id, clients.lastLine(slot)]).toEqual([id, line]);
    // Not locked for ever by one that died.
    expect(clients.version(slot)).toBeGreaterThanOrEqual(0);
    if (logged > 0) expect([id, inLog.get(id)]).toEqual([id, logged]);
  }
  return { pipeline, model };
}

const STEPS: readonly FoldStep[] = [
  'Ledger.supersede',
  'MailboxWriter.tryPost',
  'Clients.assign',
  'Clients.restart',
  'Clients.setOwner',
  'Clients.setFolded',
  'Progress.commit',
];

test(`without a death each client is welcomed with its number, superseded and forgotten as the model says (seed ${SEED})`, async () => {
  const { model } = await runAndCompare({ origin: 2 ** 32 - 20_000 }, stepsOf(600, SEED));
  const corners = ['a gap', 'all are connected', 'forgotten', 'known', 'lines of a superseded connection'];
  expect([...model.corners].sort()).toEqual(corners);
});

describe('a fold that dies', () => {
  const steps = stepsOf(120, SEED + 1);

  test.each(STEPS.flatMap((step) => [`before ${step}` as const, `after ${step}` as const]))(
    '%s welcomes each client once, supersedes each connection once, and counts each line once',
    async (at) => {
      // The line is done again after a death, so the next one is at another.
      const fold: FoldFault[] = [
        { at, skip: 1, how: 'throw' },
        { at, skip: 5, how: 'exit' },
      ];
      const { pipeline } = await runAndCompare({ fold }, steps);
      expect(pipeline.deaths('fold')).toEqual([1, 1]);
    },
  );

  test('inside the changes of a line of a numbered client has counted each line once', async () => {
    const model = new Model(CLIENTS_MAX);
    for (const step of steps) model.take(step);
    const events = model.accepted.map((text) => JSON.parse(text).n);
    const fold: FoldFault[] = [5, 15, 25].map((i) => ({ at: 'after', n: events[i]!, how: 'throw' }));
    const { pipeline } = await runAndCompare({ fold }, steps);
    expect(pipeline.deaths('fold')).toEqual([1, 1, 1]);
  });
});

test('a fold that dies when a slot has gone to another client leaves the number of the one before where it was', async () => {
  const event = (n: number) => ({
    n,
    kind: 'event',
    text: `{"type":"sample","n":${n},"name":"m","value":1}`,
  });
  const steps: Step[] = [
    { connection: 1, hello: 'before', first: undefined, n: 0 },
    { connection: 1, lines: [event(1), event(2)] },
    { connection: 1, close: true },
    { connection: 2, hello: 'behind', first: undefined, n: 3 },
    { connection: 2, lines: [event(4)] },
  ];
  const fold: FoldFault[] = [{ at: 'after Clients.assign', n: 3, how: 'throw' }];
  const { pipeline } = await runAndCompare({ fold }, steps, 1);
  expect(pipeline.deaths('fold')).toEqual([1]);
});

test('a hello that kills the fold twice is refused, and no later connection suffers for it', async () => {
  const hello = (n: number, client: string) => JSON.stringify({ type: 'hello', n, client });
  const fold: FoldFault[] = [{ at: 'after Clients.setOwner', n: 0, how: 'throw', times: 2 }];
  const pipeline = new Pipeline({ fold });
  await pipeline.send(1, [hello(0, 'a')]);
  await pipeline.close(1);
  await pipeline.send(1, [hello(1, 'b')]);
  await pipeline.send(2, [hello(2, 'a')]);
  await pipeline.send(1, ['{"type":"sync","n":3,"id":"still"}']);
  await pipeline.send(3, [hello(4, 'b')]);
  await pipeline.drain();
  expect(pipeline.deaths('fold')).toEqual([2]);
  expect(pipeline.answers).toMatchObject([{ id: 'still', connection: 1, seq: 0 }]);
  expect(pipeline.superseded).toEqual([1]);
  expect(pipeline.ledger.totals().rejectedByReason).toEqual({ internal: 1 });
});

test('an archive that dies, and is behind while slots change hands, writes each number under its own id', async () => {
  const archive: FileFault[] = [
    { operation: 'writevSync', call: 2, when: 'half', how: 'throw' },
    { operation: 'writevSync', call: 7, when: 'after', how: 'exit' },
    { operation: 'openSync', call: 2, when: 'after', how: 'throw' },
  ];
  const options = { archive, syncIntervalMs: 60_000, segmentBytes: 2048 };
  const { pipeline } = await runAndCompare(options, stepsOf(600, SEED + 2));
  expect(pipeline.deaths('archive')).toEqual([1, 1, 1]);
});
