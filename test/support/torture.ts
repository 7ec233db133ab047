/**
 * Crash torture: clients of all kinds send numbered lines at full speed, while the daemon is killed at random moments (at work, in
 * its start and recovery, while it rotates and writes checkpoints, which tiny settings make it do all the time), or drained,
 * or a client is killed or breaks off in the middle of a line. At the end of each episode:
 *
 * - the log has each line that a client owes, once, in its order, and no other;
 * - no acknowledged line was missing at any moment (each client watches over its own);
 * - the aggregates are those of exactly these lines, before and after one more start;
 * - `tallyd replay` finds the whole state to be that of the log, from its first line on.
 *
 * An episode is some rounds on one state directory; a round is one stroke of fate. Everything random follows from the seed, but
 * for what the operating system adds by its scheduling: a failure comes back with its seed often, not always.
 */

import assert from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFrames } from '../../src/archive/log-reader.js';
import { type Settings, TestDaemon } from './daemon.js';
import { ExactMoments, relativeError } from './exact-moments.js';
import { seededRandom } from './seeded-random.js';
import {
  LibraryClient,
  type Owed,
  ProcessClient,
  RudeClient,
  type TortureClient,
} from './torture-clients.js';
import { isTaskEnd, readTortureLine, valueOfLine } from './torture-lines.js';

export interface TortureOptions {
  readonly seed: number;
  readonly rounds: number;
  /** On one state directory; the log grows by some 100,000 lines a round, and each start folds it. */
  readonly roundsPerEpisode: number;
  readonly say: (text: string) => void;
}

/** Strokes of fate, with how often each was dealt. */
export type TortureCounts = Record<Stroke | 'lines', number>;

const STROKES = ['killAtWork', 'killInStart', 'drain', 'killClient', 'breakOff'] as const;
type Stroke = (typeof STROKES)[number];
/** Two of five rounds kill the daemon at work. */
const WEIGHTS: readonly Stroke[] = ['killAtWork', 'killAtWork', ...STROKES.slice(1)];

const WORK_MS_MAX = 250;
/** A start takes longer than this, or not: both happen. */
const START_MS_MAX = 600;
const MOMENT_ERROR_MAX = 1e-12;

export async function torture({
  seed,
  rounds,
  roundsPerEpisode,
  say,
}: TortureOptions): Promise<TortureCounts> {
  const random = seededRandom(seed);
  const counts: TortureCounts = {
    killAtWork: 0,
    killInStart: 0,
    drain: 0,
    killClient: 0,
    breakOff: 0,
    lines: 0,
  };
  for (let round = 0; round < rounds; round += roundsPerEpisode) {
    const episode = new Episode(random, say);
    try {
      await episode.start();
      for (let i = round; i < Math.min(rounds, round + roundsPerEpisode); i++) {
        const stroke = WEIGHTS[Math.floor(random() * WEIGHTS.length)]!;
        counts[stroke]++;
        await episode.suffer(stroke);
      }
      const lines = await episode.judge();
      counts.lines += lines;
      say(
        `seed ${seed}: ${Math.min(rounds, round + roundsPerEpisode)} of ${rounds} rounds, ${lines} lines, each once`,
      );
    } catch (error) {
      throw new Error(`seed ${seed}, rounds ${round} to ${round + roundsPerEpisode}: ${episode.story}`, {
        cause: error,
      });
    } finally {
      await episode.remove();
    }
  }
  return counts;
}

class Episode {
  readonly #random: () => number;
  readonly #settings: Settings;
  readonly #clients: TortureClient[] = [];
  #daemon!: TestDaemon;
  #processes!: ProcessClient[];
  #rude!: RudeClient;
  /** What has happened so far, for whoever has to find out why. */
  readonly #strokes: string[] = [];

  constructor(random: () => number, say: (text: string) => void) {
    this.#random = random;
    this.#settings = {
      'ring.bytes': this.#pick('1MiB', '4MiB'),
      'ingest.max_line_bytes': '1KiB',
      'archive.sync_interval': this.#pick('2ms', '20ms', '1s'),
      'archive.segment_bytes': this.#pick('4KiB', '64KiB', '1MiB'),
      'checkpoint.interval': this.#pick('100ms', '300ms'),
      'log.level': 'warn',
    };
    say(`settings: ${JSON.stringify(this.#settings)}`);
  }

  get story(): string {
    return `${JSON.stringify(this.#settings)}: ${this.#strokes.join(', ')}`;
  }

  async start(): Promise<void> {
    this.#daemon = await TestDaemon.start(this.#settings);
    const path = this.#daemon.ingestPath;
    this.#processes = [new ProcessClient(path, 'process-1'), new ProcessClient(path, 'process-2')];
    this.#rude = new RudeClient(path, 'rude', seededRandom(this.#random() * 2 ** 32));
    this.#clients.push(
      ...this.#processes,
      this.#rude,
      new LibraryClient(path, 'library-block', 'block'),
      new LibraryClient(path, 'library-drop', 'drop-oldest'),
    );
  }

  async suffer(stroke: Stroke): Promise<void> {
    const workMs = this.#random() * WORK_MS_MAX;
    await sleep(workMs);
    this.#strokes.push(`${stroke} after ${workMs.toFixed(1)} ms`);
    this.#assertHealth();
    if (stroke === 'breakOff') return this.#rude.breakOff();
    if (stroke === 'killClient') return this.#pick(...this.#processes).killAndStart();
    if (stroke === 'drain') assert.equal(await this.#daemon.stop(), 0, 'a drain ends in order');
    else await this.#daemon.kill();
    if (stroke === 'killInStart') {
      for (let times = 1 + Math.floor(this.#random() * 3); times > 0; times--) {
        const starting = this.#daemon.spawn(this.#settings);
        const startMs = this.#random() * START_MS_MAX;
        await sleep(startMs);
        this.#strokes.push(`again in its start after ${startMs.toFixed(1)} ms`);
        assert(starting.isAlive, `the start ended by itself: ${starting.stderr}`);
        await starting.kill();
      }
    }
    await this.#daemon.restart(this.#settings);
  }

  /** @returns how many lines the log has */
  async judge(): Promise<number> {
    this.#assertHealth();
    const owed = new Map<string, Owed>();
    await Promise.all(this.#clients.map(async (client) => owed.set(client.name, await client.end())));
    const daemon = this.#daemon;
    const status = await daemon.statusWhere(({ ingest }) => ingest.in_flight === 0);
    const { lines, accepted, rejected } = status.ingest;
    assert.equal(accepted + rejected, lines, 'the ledger closes');
    const found = await this.#readLog();
    for (const [name, { last, lines }] of owed) {
      const { numbers = 0, highest = 0 } = found.get(name) ?? {};
      assert.equal(numbers, lines, `the log has what ${name} sent, once each`);
      assert(highest <= last, `the log has nothing that ${name} did not send`);
    }
    assert.deepEqual([...found.keys()].sort(), [...owed.keys()].sort());
    await this.#assertAggregates(found);
    await daemon.kill();
    await daemon.restart(this.#settings);
    await this.#assertAggregates(found);
    const { durable_seq } = status.archive;
    await this.#assertReplay(durable_seq);
    this.#assertHealth();
    return durable_seq;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.remove()));
    await this.#daemon?.remove();
  }

  #pick<T>(...choices: readonly T[]): T {
    return choices[Math.floor(this.#random() * choices.length)]!;
  }

  #assertHealth(): void {
    const bad = this.#daemon.stderr.split('\n').filter((line) => /"level":"(error|fatal)"/.test(line));
    assert.deepEqual(bad, [], 'the daemon has no reason to complain');
  }

  /** @throws where a line is no client's, or stands twice or out of its order */
  async #readLog(): Promise<Map<string, Found>> {
    const found = new Map<string, Found>();
    let carry = '';
    for await (const item of readFrames(this.#daemon.archiveDir)) {
      if (item.kind !== 'frame') throw new Error(`${item.kind} in ${item.path}: ${item.reason}`);
      const lines = (carry + item.raw.toString('utf8')).split('\n');
      carry = lines.pop()!;
      for (const line of lines) {
        const { client, n } = readTortureLine(line);
        let of = found.get(client);
        if (of === undefined) {
          of = new Found();
          found.set(client, of);
        }
        assert(n > of.highest, `line ${n} of ${client} stands behind line ${of.highest}`);
        of.take(n);
      }
    }
    assert.equal(carry, '');
    return found;
  }

  async #assertReplay(lines: number): Promise<void> {
    const { code, stdout, stderr } = await this.#daemon.command('replay', '--json');
    assert.equal(code, 0, `replay: ${stdout}${stderr}`);
    const { equal, source, from_line, to_line, missing } = JSON.parse(stdout);
    const expected = { equal: true, source: 'daemon', from_line: 1, to_line: lines, missing: [] };
    assert.deepEqual({ equal, source, from_line, to_line, missing }, expected);
  }

  async #assertAggregates(found: ReadonlyMap<string, Found>): Promise<void> {
    const { counts } = (await this.#daemon.status()).state;
    assert.equal(counts.task_restarts, 0);
    assert.equal(counts.task_duplicate_ends, 0);
    const samples = await this.#daemon.groups('load', 'client');
    const durations = await this.#daemon.groups('task_duration_seconds', 'agent');
    assert.equal(samples.length, found.size);
    assert.equal(durations.length, found.size);
    for (const group of samples) assertExact(group, found.get(group.labels.client)!.samples);
    for (const group of durations) assertExact(group, found.get(group.labels.agent)!.durations);
  }
}

/** What the log has of a client. */
class Found {
  numbers = 0;
  highest = 0;
  readonly samples = new Expected();
  readonly durations = new Expected();

  take(n: number): void {
    this.numbers++;
    this.highest = n;
    if (isTaskEnd(n)) this.durations.take(valueOfLine(n));
    else if (n % 10 !== 7) this.samples.take(valueOfLine(n));
  }
}

class Expected {
  readonly moments = new ExactMoments();
  sum = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;

  take(value: number): void {
    this.moments.add(value);
    this.sum += value;
    this.min = Math.min(this.min, value);
    this.max = Math.max(this.max, value);
  }
}

interface Group {
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly variance: number;
}

function assertExact(group: Group, expected: Expected): void {
  const { labels, count, sum, min, max, mean, variance } = group;
  const text = JSON.stringify(labels);
  assert.equal(count, expected.moments.count, `count of ${text}`);
  assert.equal(min, expected.min, `min of ${text}`);
  assert.equal(max, expected.max, `max of ${text}`);
  assert(Math.abs(sum / expected.sum - 1) < MOMENT_ERROR_MAX, `sum of ${text}`);
  assert(Math.abs(relativeError(mean, expected.moments.mean)) < MOMENT_ERROR_MAX, `mean of ${text}`);
  assert(
    Math.abs(relativeError(variance, expected.moments.variance)) < MOMENT_ERROR_MAX,
    `variance of ${text}`,
  );
}
