/**
 * `tallyd replay`: folds the archive anew, and says whether that gives the state that the running daemon has, or the newest
 * checkpoint where none runs.
 */

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LogFlaw } from '../archive/log-reader.js';
import { endOfLog } from '../archive/log-reader.js';
import { listSegments } from '../archive/segment-name.js';
import { listCheckpoints } from '../checkpoint/checkpoint-files.js';
import type { CheckpointFile } from '../checkpoint/checkpoint-format.js';
import { loadCheckpoint, readDescription } from '../checkpoint/checkpoint-reader.js';
import { compareStates, type StateDifference } from '../checkpoint/state-differences.js';
import type { Config } from '../config/config.js';
import { foldLog } from '../daemon/rebuild.js';
import { allocateCompiledTables } from '../fold/compiled-events.js';
import { EXIT_DONE, EXIT_NO, Failure } from '../model/failure.js';
import { counted, escapeControls, escapeControlsInJson, humanCount, humanDuration } from '../model/human.js';
import { allocateTables, type StateLimits } from '../state/layout.js';
import { Tables } from '../state/tables.js';
import { request } from './control-client.js';
import type { Io } from './io.js';
import { TerminalNote } from './terminal-note.js';

const DIFFERENCES_MAX = 20;

interface LineRange {
  readonly from: number;
  readonly to: number;
}

interface Replayed {
  readonly equal: boolean;
  /** What it was compared with. */
  readonly checkpoint: string;
  readonly source: 'daemon' | 'checkpoint';
  /** Lines `from_line` to `to_line` were folded. */
  readonly from_line: number;
  readonly to_line: number;
  readonly lines: number;
  readonly seconds: number;
  /** Lines that the archive does not have. */
  readonly missing: readonly LineRange[];
  /** The first line from which the archive and the kept checkpoints can be checked; null: there is none. */
  readonly first_checkable_line: number | null;
  readonly differences_total: number;
  readonly differences: readonly StateDifference[];
}

/** @returns done where both are equal @throws Failure where there is nothing to compare */
export async function replay(config: Config, options: { json?: boolean }, io: Io): Promise<number> {
  const archive = join(config.stateDir, 'archive');
  if (!existsSync(archive)) {
    throw new Failure(
      'ERR_NOT_FOUND',
      `no archive in ${config.stateDir}; name the state directory with --state-dir`,
    );
  }
  const checkpoints = join(config.stateDir, 'checkpoint');
  const { source, checkpoint } = await whatToCompareWith(config, checkpoints);
  if (checkpoint === null) {
    io.stderr.write('there is no line yet, and nothing to compare\n');
    return EXIT_DONE;
  }
  const replayed = await new Replaying(archive, checkpoints, source, checkpoint, io).run();
  if (options.json) io.stdout.write(`${escapeControlsInJson(JSON.stringify(replayed))}\n`);
  else io.stdout.write(render(replayed));
  return replayed.equal ? EXIT_DONE : EXIT_NO;
}

/** checkpoint null: the daemon has no line yet. */
async function whatToCompareWith(
  config: Config,
  directory: string,
): Promise<{ source: Replayed['source']; checkpoint: CheckpointFile | null }> {
  try {
    const { body } = await request(config, 'POST', '/v1/checkpoint');
    const daemonDirectory = body.path === null ? null : resolve(body.path, '..');
    if (daemonDirectory !== null && daemonDirectory !== resolve(directory)) {
      throw new Failure(
        'ERR_USAGE',
        `the daemon of ${config.runtimeDir} keeps its state in ${resolve(daemonDirectory, '..')}, not in ${config.stateDir}; name both folders of one daemon with --state-dir and --runtime-dir`,
      );
    }
    return { source: 'daemon', checkpoint: body.path === null ? null : { path: body.path, line: body.line } };
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'ERR_NO_DAEMON') throw error;
  }
  const [checkpoint] = listCheckpoints(directory);
  if (checkpoint === undefined) {
    throw new Failure(
      'ERR_NOT_FOUND',
      `no daemon runs, and there is no checkpoint in ${directory} to compare with; start the daemon, and ask again`,
    );
  }
  return { source: 'checkpoint', checkpoint };
}

class Replaying {
  readonly #archive: string;
  readonly #checkpoints: string;
  readonly #source: Replayed['source'];
  readonly #checkpoint: CheckpointFile;
  readonly #io: Io;
  readonly #missing: LineRange[] = [];
  readonly #startedMs = performance.now();
  #lines = 0;

  constructor(
    archive: string,
    checkpoints: string,
    source: Replayed['source'],
    checkpoint: CheckpointFile,
    io: Io,
  ) {
    this.#archive = archive;
    this.#checkpoints = checkpoints;
    this.#source = source;
    this.#checkpoint = checkpoint;
    this.#io = io;
  }

  /**
   * All lines of the archive first: where some are missing the daemon may have missed them too. Where that differs, the
   * lines after a kept checkpoint behind the last missing one, if there is any.
   */
  async run(): Promise<Replayed> {
    const limits = this.#limits();
    // Read at once: the daemon that keeps the last two removes this one some time.
    const state = await load(this.#checkpoint, limits);
    const older = await this.#loadOlder(limits);
    const tables = new Tables(allocateCompiledTables(limits));
    const toLine = this.#checkpoint.line;
    const firstLine = Math.min(listSegments(this.#archive)[0]?.firstLine ?? 1, toLine + 1);
    if (firstLine > 1) this.#missing.push({ from: 1, to: firstLine - 1 });
    const toTick = state.board.ticks;
    await this.#fold(tables, 1, toLine, toTick);
    this.#missEnd(tables, state);
    const lastMissing = this.#missing.at(-1)?.to ?? 0;
    const whole = compareStates(tables, state, DIFFERENCES_MAX);
    if (whole.count === 0 || lastMissing === 0) return this.#replayed(firstLine, firstLine, whole);
    if (older === null || older.board.line < lastMissing) return this.#replayed(firstLine, null, whole);
    const from = older.board.line + 1;
    await this.#fold(older, from, toLine, toTick);
    return this.#replayed(from, from, compareStates(older, state, DIFFERENCES_MAX));
  }

  /** As the daemon does at its start: numbers of lines that the end of the log has lost are not given twice. */
  #missEnd(tables: Tables, state: Tables): void {
    const toLine = this.#checkpoint.line;
    const { line } = tables.board;
    if (line >= toLine) return;
    if ((this.#missing.at(-1)?.to ?? 0) < toLine) this.#missing.push({ from: line + 1, to: toLine });
    tables.board.setLine(toLine, state.board.arrivedUs);
  }

  #limits(): StateLimits {
    const described = readDescription(this.#checkpoint.path);
    if (described.kind === 'described') return described.description.limits;
    throw damaged(this.#checkpoint, described.reason);
  }

  /** The oldest kept checkpoint before the one to compare with: from it on lines can be checked whose predecessors are gone. */
  async #loadOlder(limits: StateLimits): Promise<Tables | null> {
    const older = listCheckpoints(this.#checkpoints)
      .filter(({ line }) => line < this.#checkpoint.line)
      .at(-1);
    if (older === undefined) return null;
    const tables = new Tables(allocateCompiledTables(limits));
    const { kind } = await loadCheckpoint(older, tables);
    return kind === 'loaded' ? tables : null;
  }

  async #fold(tables: Tables, fromLine: number, toLine: number, toTick: number): Promise<void> {
    const progress = new TerminalNote(this.#io);
    const { lines } = await foldLog(tables, this.#archive, {
      fromLine,
      toLine,
      toTick,
      // A frame that ends with the last line may tell of refused lines after it, which the state need not have seen.
      clientsToLine: toLine - 1,
      upTo: endOfLog(this.#archive),
      onFlaw: (flaw) => this.#meet(flaw, toLine),
      onProgress: (line) =>
        progress.update(() => `folded to line ${humanCount(line)} of ${humanCount(toLine)}`),
    });
    progress.clear();
    this.#lines += lines;
  }

  #meet({ kind, path, offset, bytes, reason, firstLine, lastLine }: LogFlaw, toLine: number): void {
    if (kind === 'unfinished' || (firstLine !== null && firstLine > toLine)) return;
    const range = { from: firstLine ?? 0, to: Math.min(lastLine ?? toLine, toLine) };
    if (this.#missing.some(({ from, to }) => from === range.from && to === range.to)) return;
    this.#io.stderr.write(
      `tallyd: damage in ${escapeControls(path)} at byte ${offset} (${bytes} bytes): ${escapeControls(reason)}\n`,
    );
    if (firstLine !== null) this.#missing.push(range);
  }

  #replayed(
    from: number,
    firstCheckable: number | null,
    { count, differences }: ReturnType<typeof compareStates>,
  ): Replayed {
    return {
      equal: count === 0,
      checkpoint: this.#checkpoint.path,
      source: this.#source,
      from_line: from,
      to_line: this.#checkpoint.line,
      lines: this.#lines,
      seconds: (performance.now() - this.#startedMs) / 1000,
      missing: this.#missing,
      first_checkable_line: firstCheckable,
      differences_total: count,
      differences,
    };
  }
}

async function load(checkpoint: CheckpointFile, limits: StateLimits): Promise<Tables> {
  const tables = new Tables(allocateTables(limits));
  const result = await loadCheckpoint(checkpoint, tables);
  if (result.kind === 'loaded') return tables;
  throw damaged(checkpoint, result.reason);
}

function damaged({ path }: CheckpointFile, reason: string): Failure {
  return new Failure(
    'ERR_DAMAGE',
    `checkpoint ${path} cannot be used: ${reason}; with a running daemon a new one is made and compared`,
  );
}

function render(replayed: Replayed): string {
  const { equal, source, from_line, to_line, lines, seconds, missing, differences_total, differences } =
    replayed;
  const other = source === 'daemon' ? 'the running daemon' : 'the newest checkpoint';
  const rate = humanCount(Math.round(lines / seconds));
  const folded = `folded lines ${humanCount(from_line)} to ${humanCount(to_line)} in ${humanDuration(seconds)} (${rate} lines/s)`;
  const text = [`${equal ? `equal to ${other}` : `differs from ${other}`}: ${folded}`];
  for (const { from, to } of missing) {
    text.push(`lines ${humanCount(from)} to ${humanCount(to)} are not in the archive`);
  }
  if (missing.length > 0) {
    const first = replayed.first_checkable_line;
    text.push(
      first === null
        ? 'no line can be checked: no kept checkpoint lies behind the missing lines and before the state'
        : `the first line that can be checked is ${humanCount(first)}`,
    );
  }
  if (differences_total > 0)
    text.push(`${counted(differences_total, 'difference')} (archive, then ${source}):`);
  for (const { what, field, left, right } of differences) {
    const values = `${JSON.stringify(left)}, ${JSON.stringify(right)}`;
    text.push(escapeControls(`  ${what}: ${field === null ? values : `${field} ${values}`}`));
  }
  if (differences.length < differences_total) {
    text.push(`  … and ${humanCount(differences_total - differences.length)} more`);
  }
  return `${text.join('\n')}\n`;
}
