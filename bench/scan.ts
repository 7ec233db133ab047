/**
 * `tallyd archive cat` over a log on disk, as a process of its own with its start, into a pipe that this process reads: all
 * lines, those of one type, and those of one workflow.
 *
 * Baselines: `naive-scan.ts`, which one would write first; for a workflow the same command without an index. Where the `lz4`
 * tool is there also that, over the same files: it checks no more than its own checksums, and runs on one core.
 */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LogIndex } from '../src/archive/log-index.js';
import { endOfLog } from '../src/archive/log-reader.js';
import { indexPathOf, listSegments } from '../src/archive/segment-name.js';
import {
  LINE_BYTES,
  Load,
  type LoadFacts,
  loadFacts,
  TASKS_PER_BATCH,
  WORKFLOWS_PER_BATCH,
  workflowId,
} from '../src/load/load.js';
import { type Bench, type Comparison, check, type Figures, type Variant } from './harness.js';
import { writeLog } from './log-files.js';

export const scanBench: Bench = {
  name: 'scan',
  goals: ['1 GiB of lines is printed at 500 MiB/s or more with two cores'],
  nonGoals: ['a cold page cache', 'damage', 'the start of Node, which is in every figure'],
  warmUps: 1,
  comparisons: ({ small }) => comparisons(small ? 0.01 : 1),
  judge: (results) => {
    const rate = results[0]!.variants[0]!.figures[RATE]!.median;
    return [{ goal: '500 MiB/s', value: `${rate.toFixed(0)} MiB/s`, holds: rate >= 500 }];
  },
};

const RATE = 'MiB/s';
/** 1 GiB of lines, in segments of a quarter of it. */
const BATCHES = 16_400;
const SEGMENTS = 4;
const DEPTH = 200;
const MEBIBYTE = 2 ** 20;
const PROGRAM = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const NAIVE = fileURLToPath(new URL('./naive-scan.js', import.meta.url));
const TYPE = 'workflow.end';

function* comparisons(scale: number): Generator<Comparison> {
  const state = mkdtempSync(join(tmpdir(), 'tallyd-scan-'));
  try {
    yield* scans(new ScannedLog(state, Math.max(2 * DEPTH, Math.ceil(BATCHES * scale))));
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

function* scans(log: ScannedLog): Generator<Comparison> {
  const { lines, workflows } = log.facts;
  const cat = (...options: string[]) => [PROGRAM, 'archive', 'cat', '--state-dir', log.state, ...options];
  const printed = (name: string, program: string, args: () => string[], linesWanted: number): Variant => ({
    name,
    pass: async () => {
      await log.write();
      const seconds = await log.timed(program, args(), linesWanted * LINE_BYTES);
      return { [RATE]: (lines * LINE_BYTES) / MEBIBYTE / seconds };
    },
  });
  const { execPath } = process;
  const baseline =
    (...types: string[]) =>
    () => [NAIVE, log.directory, ...types];
  const files = () => ['-dcm', ...listSegments(log.directory).map(({ path }) => path)];
  yield {
    name: `all of ${lines} lines of ${LINE_BYTES} bytes`,
    variants: [
      printed('archive cat', execPath, () => cat(), lines),
      ...(hasLz4() ? [printed('lz4 -dcm', 'lz4', files, lines)] : []),
      { ...printed('one thread', execPath, baseline(), lines), isBaseline: true },
    ],
  };
  yield {
    name: `the lines of one type of ${lines}, each of which is decoded`,
    variants: [
      printed('archive cat --type', execPath, () => cat('--type', TYPE), workflows),
      { ...printed('one thread, JSON.parse', execPath, baseline(TYPE), workflows), isBaseline: true },
    ],
  };
  yield {
    name: `the lines of one workflow of ${workflows}`,
    variants: [
      { name: 'with an index', pass: () => log.findWorkflow(cat, true) },
      { name: 'without', isBaseline: true, pass: () => log.findWorkflow(cat, false) },
    ],
  };
}

class ScannedLog {
  readonly state: string;
  readonly facts: LoadFacts;
  readonly #batches: number;
  #written: Promise<void> | null = null;

  constructor(state: string, batches: number) {
    this.state = state;
    this.#batches = batches;
    this.facts = loadFacts(batches, DEPTH);
  }

  get directory(): string {
    return join(this.state, 'archive');
  }

  /** Made by the first pass: what a bench yields cannot wait. */
  write(): Promise<void> {
    this.#written ??= this.#write();
    return this.#written;
  }

  /** @returns the seconds from the start of the program to the end of its output, which must have so many bytes */
  timed(program: string, args: readonly string[], bytes: number): Promise<number> {
    const startedMs = performance.now();
    // What lz4.ts has set in this process is for daemons.
    const { MIMALLOC_PURGE_DELAY: _, ...env } = process.env;
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let read = 0;
    child.stdout.on('data', (part: Buffer) => {
      read += part.length;
    });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        const seconds = (performance.now() - startedMs) / 1000;
        try {
          check(`exit code of ${program}`, code, 0);
          check(`bytes of ${program}`, read, bytes);
          resolve(seconds);
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  async findWorkflow(cat: (...options: string[]) => string[], isIndexed: boolean): Promise<Figures> {
    await this.write();
    const closed = listSegments(this.directory).slice(0, -1);
    if (isIndexed) await new LogIndex(this.directory).follow(endOfLog(this.directory)!);
    else for (const { path } of closed) rmSync(indexPathOf(path), { force: true });
    // One of the first, so that its lines are in a closed segment.
    const args = cat('--workflow', workflowId(1, 7));
    const lines = (2 * (TASKS_PER_BATCH + WORKFLOWS_PER_BATCH)) / WORKFLOWS_PER_BATCH;
    return { ms: 1000 * (await this.timed(process.execPath, args, lines * LINE_BYTES)) };
  }

  async #write(): Promise<void> {
    const rawBytes = this.facts.lines * LINE_BYTES;
    // And a small one behind them, which is active: closed ones have indexes.
    const lines = await writeLog(this.directory, loadChunks(this.#batches), (0.99 * rawBytes) / SEGMENTS);
    check('lines written', lines, this.facts.lines);
  }
}

/** The load of the pipeline. */
function* loadChunks(batches: number): Generator<Buffer> {
  const load = new Load();
  for (let serial = 0; serial < batches + DEPTH; serial++) {
    const kind = serial < DEPTH ? 'starts' : serial < batches ? 'mixed' : 'ends';
    yield Buffer.from(load.batch(kind, serial, serial - DEPTH));
  }
}

function hasLz4(): boolean {
  return spawnSync('lz4', ['--version']).status === 0;
}
