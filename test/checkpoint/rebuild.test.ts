/** The start in process: recovery, checkpoints, and the fold of the log after them. */

import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NODE_FILES } from '../../src/archive/archive-files.js';
import { ArchiveBoard, allocateArchiveBoard } from '../../src/archive/board.js';
import { diskFaults } from '../../src/archive/disk-fault.js';
import { recoverLog, writtenOf } from '../../src/archive/log-recovery.js';
import { segmentName } from '../../src/archive/segment-name.js';
import { listCheckpoints, recoverCheckpoints } from '../../src/checkpoint/checkpoint-files.js';
import type { CheckpointFile } from '../../src/checkpoint/checkpoint-format.js';
import { writeCheckpoint } from '../../src/checkpoint/checkpoint-writer.js';
import { type Rebuilt, rebuildTables } from '../../src/daemon/rebuild.js';
import type { OnHour } from '../../src/fold/hours.js';
import { Replay } from '../../src/fold/replay.js';
import { listRollupFiles, readRollupFile } from '../../src/rollups/rollup-files.js';
import { RollupKeeper } from '../../src/rollups/rollup-keeper.js';
import type { TableName } from '../../src/state/layout.js';
import { type BuiltFrame, LogBuilder, temporaryDirectory } from '../archive/log-fixture.js';
import { randomRecords } from '../fold/random-events.js';
import { differences, Folded } from '../fold/replaying.js';
import { systemError } from '../support/system-error.js';

interface State {
  readonly archive: string;
  readonly checkpoints: string;
}

function emptyState(): State {
  const directory = temporaryDirectory();
  const state = { archive: join(directory, 'archive'), checkpoints: join(directory, 'checkpoint') };
  for (const folder of Object.values(state)) mkdirSync(folder);
  return state;
}

/** Folds the lines of frames as they arrived, but for those that are lost. */
function foldFrames(frames: readonly BuiltFrame[], lost: (line: number) => boolean = () => false): Folded {
  const folded = new Folded();
  const replay = new Replay(folded.tables, 0);
  for (const { facts, text } of frames) {
    for (const [i, line] of text.split('\n').slice(0, -1).entries()) {
      const number = facts.firstLine + i;
      if (lost(number)) continue;
      const raw = Buffer.from(`${line}\n`);
      replay.attach(raw);
      replay.skipTo(number - 1);
      replay.fold(0, raw.length, 1, facts.firstArrivalUs + i * 1000);
    }
  }
  return folded;
}

async function writeDown(folded: Folded, { checkpoints }: State): Promise<CheckpointFile> {
  return writeCheckpoint(folded.memory, { directory: checkpoints, copiedUs: 1, whenDurable: async () => {} });
}

/** What the daemon does before it takes events. @param folded whose tables it fills */
async function start(
  { archive, checkpoints }: State,
  folded = new Folded(),
  onHour?: OnHour,
): Promise<Rebuilt & { folded: Folded; ahead: number[] }> {
  const recovered = recoverLog(archive);
  const ahead = recoverCheckpoints(checkpoints, recovered.nextLine - 1);
  const sources = {
    archiveDirectory: archive,
    checkpointDirectory: checkpoints,
    archiveBoard: allocateArchiveBoard(writtenOf(recovered)),
    ...(onHour && { onHour }),
  };
  const rebuilt = await rebuildTables(folded.tables, sources, recovered.nextLine - 1);
  return { ...rebuilt, folded, ahead: ahead.map(({ line }) => line) };
}

const LINES = Array.from({ length: 40 }, (_, i) => {
  const task = { workflow: `w${i % 5}`, task: `t${i % 7}`, agent: `a${i % 3}`, ts: 1000 + i };
  const kinds = [
    { type: 'task.start', ...task, kind: `k${i % 2}` },
    { type: 'task.end', ...task, status: 'completed', duration: i / 8 },
    { type: 'workflow.start', workflow: task.workflow, name: `name ${i % 4}`, ts: task.ts },
    { type: 'sample', name: 'm', value: i * i, tags: { host: `h${i % 3}` } },
  ];
  return JSON.stringify(kinds[i % 4]);
});

function builtFrames(sizes: readonly number[], firstLine = 1): BuiltFrame[] {
  const builder = new LogBuilder(firstLine);
  let at = firstLine - 1;
  return sizes.map((size) => {
    at += size;
    return builder.frame(LINES.slice(at - size, at));
  });
}

function writeFrames({ archive }: State, frames: readonly BuiltFrame[], tail = Buffer.alloc(0)): string {
  const path = join(archive, segmentName(frames[0]!.facts.firstLine));
  writeFileSync(path, Buffer.concat([...frames.map(({ bytes }) => bytes), tail]));
  return path;
}

function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 30]! ^= 1;
  writeFileSync(path, bytes);
}

/** A log of 40 lines, with checkpoints at lines 10 and 20. */
async function stateWithCheckpoints(): Promise<{ state: State; frames: BuiltFrame[]; paths: string[] }> {
  const state = emptyState();
  const frames = builtFrames([7, 13, 11, 9]);
  writeFrames(state, frames.slice(0, 3));
  writeFrames(state, frames.slice(3));
  const ten = await writeDown(
    foldFrames(frames, (line) => line > 10),
    state,
  );
  const twenty = await writeDown(
    foldFrames(frames, (line) => line > 20),
    state,
  );
  return { state, frames, paths: [twenty.path, ten.path] };
}

test('a start takes the newest checkpoint, and folds the lines after it', async () => {
  const { state, frames } = await stateWithCheckpoints();
  const started = await start(state);
  expect(started).toMatchObject({ checkpoint: { line: 20 }, unfit: [], flaws: [], lines: 20 });
  expect(differences(started.folded.memory, foldFrames(frames).memory)).toEqual({});
});

test('a damaged checkpoint gives way to the older one, and that to the whole log, and each is named', async () => {
  const { state, frames, paths } = await stateWithCheckpoints();
  for (const [i, { line, lines }] of [
    { line: 10, lines: 30 },
    { line: undefined, lines: 40 },
  ].entries()) {
    damage(paths[i]!);
    const started = await start(state);
    expect(started.checkpoint?.line).toBe(line);
    expect(started.lines).toBe(lines);
    expect(started.unfit.map(({ path }) => path)).toEqual(paths.slice(0, i + 1));
    expect(started.unfit[0]!.reason).toMatch(/does not match its checksum/);
    expect(differences(started.folded.memory, foldFrames(frames).memory)).toEqual({});
  }
});

test('a checkpoint at the last line leaves nothing to fold', async () => {
  const state = emptyState();
  const frames = builtFrames([7, 13]);
  writeFrames(state, frames);
  await writeDown(foldFrames(frames), state);
  const started = await start(state);
  expect(started).toMatchObject({ checkpoint: { line: 20 }, lines: 0 });
  expect(differences(started.folded.memory, foldFrames(frames).memory)).toEqual({});
});

test('a checkpoint ahead of the log is not used, now or when the log has grown past it', async () => {
  const { state, frames } = await stateWithCheckpoints();
  rmSync(state.archive, { recursive: true });
  mkdirSync(state.archive);
  const others = builtFrames([15]);
  writeFrames(state, others);
  const started = await start(state);
  expect(started).toMatchObject({ checkpoint: { line: 10 }, ahead: [20], lines: 5 });
  writeFrames(state, frames);
  expect(await start(state)).toMatchObject({ checkpoint: { line: 10 }, ahead: [], lines: 30 });
});

test('lines that left the log after a checkpoint had counted them stay counted', async () => {
  const { state, frames, paths } = await stateWithCheckpoints();
  rmSync(join(state.archive, segmentName(1)));
  const started = await start(state);
  expect(started).toMatchObject({ checkpoint: { line: 20 }, lines: 9 });
  expect(started.flaws).toEqual([]);
  const kept = foldFrames(frames, (line) => line > 20 && line <= 31);
  expect(differences(started.folded.memory, kept.memory)).toEqual({});
  for (const path of paths) rmSync(path);
  const without = await start(state);
  const last = foldFrames(frames, (line) => line <= 31);
  expect(differences(without.folded.memory, last.memory)).toEqual({});
});

test('whatever the frames and wherever the checkpoint, the state is that of one fold over all lines', async () => {
  await fc.assert(
    fc.asyncProperty(
      randomRecords(120),
      fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 20 }),
      fc.nat(200),
      async (records, sizes, at) => {
        const lines = [{ type: 'note' }, ...records.flat()].map((event) => JSON.stringify(event));
        const builder = new LogBuilder();
        const frames: BuiltFrame[] = [];
        for (let from = 0; from < lines.length; ) {
          const size = sizes[frames.length % sizes.length]!;
          frames.push(builder.frame(lines.slice(from, from + size)));
          from += size;
        }
        const state = emptyState();
        writeFrames(state, frames);
        const checkpointLine = 1 + (at % lines.length);
        await writeDown(
          foldFrames(frames, (line) => line > checkpointLine),
          state,
        );
        const started = await start(state);
        expect(started.checkpoint?.line).toBe(checkpointLine);
        expect(started.lines).toBe(lines.length - checkpointLine);
        expect(differences(started.folded.memory, foldFrames(frames).memory)).toEqual({});
      },
    ),
    { numRuns: 20 },
  );
});

test('a damaged frame costs its own lines, which are named, and the others count', async () => {
  const { state, frames, paths } = await stateWithCheckpoints();
  for (const path of paths) rmSync(path);
  const path = join(state.archive, segmentName(1));
  const bytes = readFileSync(path);
  const offset = frames[0]!.bytes.length;
  // Once within its data, once within its head.
  for (const at of [offset + frames[1]!.header.length + 20, offset + 30]) {
    bytes[at]! ^= 1;
    writeFileSync(path, bytes);
    const started = await start(state);
    const stretch = { path, offset, bytes: frames[1]!.bytes.length, firstLine: 8, lastLine: 20 };
    expect(started.flaws).toMatchObject([{ kind: 'damage', ...stretch }]);
    expect(started.lines).toBe(27);
    const kept = foldFrames(frames, (line) => line >= 8 && line <= 20);
    expect(differences(started.folded.memory, kept.memory)).toEqual({});
  }
});

/** The used bytes of both alone: where the bytes of an archive have their turns, this is done a thousand times. */
function expectSame({ tables }: Folded, expected: Folded, what: string): void {
  const ranges = expected.tables.usedRanges();
  expect(tables.usedRanges(), what).toEqual(ranges);
  for (const [name, bytes] of Object.entries(ranges) as [TableName, number][]) {
    if (name.endsWith('Index')) continue; // these tell how often tables were cleared
    const [a, b] = [tables.memory, expected.memory].map((memory) =>
      Buffer.from(memory[name].subarray(0, bytes)),
    );
    expect(a!.equals(b!), `${what}: ${name}`).toBe(true);
  }
}

/** Three frames, small, since every byte of them has its turn. */
const SMALL = builtFrames([2, 3, 2]);
const SMALL_BYTES = Buffer.concat(SMALL.map(({ bytes }) => bytes));
const ENDS = SMALL.map((_, i) => SMALL.slice(0, i + 1).reduce((sum, { bytes }) => sum + bytes.length, 0));

test.each([
  ['without a checkpoint', 0],
  ['with one at line 3, in the middle of a frame', 3],
])(
  '%s, an archive that is cut at any byte starts, with every line before the cut',
  async (_, checkpointLine) => {
    const state = emptyState();
    const path = join(state.archive, segmentName(1));
    const written =
      checkpointLine > 0
        ? await writeDown(
            foldFrames(SMALL, (line) => line > checkpointLine),
            state,
          )
        : null;
    const checkpoint = written && readFileSync(written.path);
    const folded = new Folded();
    const expected = [0, 1, 2, 3].map((count) => foldFrames(SMALL.slice(0, count)));
    for (let length = 0; length <= SMALL_BYTES.length; length++) {
      writeFileSync(path, SMALL_BYTES.subarray(0, length));
      for (const name of readdirSync(state.checkpoints)) rmSync(join(state.checkpoints, name));
      if (written !== null) writeFileSync(written.path, checkpoint!);
      const whole = SMALL.filter((_, i) => ENDS[i]! <= length);
      const lastLine = whole.reduce((sum, { facts }) => sum + facts.lineCount, 0);
      const started = await start(state, folded);
      const isUsed = written !== null && checkpointLine <= lastLine;
      expect(started.checkpoint?.line, `cut at ${length}`).toBe(isUsed ? checkpointLine : undefined);
      expect(started.ahead).toEqual(written === null || isUsed ? [] : [checkpointLine]);
      expect(started.folded.tables.board.line).toBe(lastLine);
      expectSame(folded, expected[whole.length]!, `cut at ${length}`);
    }
  },
);

test('an archive with any byte changed starts, with every line of the other frames', async () => {
  const state = emptyState();
  const path = join(state.archive, segmentName(1));
  const folded = new Folded();
  const expected = SMALL.map((hit) => foldFrames(SMALL.filter((frame) => frame !== hit)));
  for (let at = 0; at < SMALL_BYTES.length; at++) {
    for (const name of readdirSync(state.archive)) rmSync(join(state.archive, name));
    const changed = Buffer.from(SMALL_BYTES);
    changed[at]! ^= 1 << (at % 8);
    writeFileSync(path, changed);
    const hit = ENDS.findIndex((end) => at < end);
    const started = await start(state, folded);
    expectSame(folded, expected[hit]!, `byte ${at}`);
    if (hit < SMALL.length - 1) {
      const { firstLine, lineCount } = SMALL[hit]!.facts;
      const lines = { firstLine, lastLine: firstLine + lineCount - 1 };
      expect(started.flaws).toMatchObject([{ kind: 'damage', path, ...lines }]);
    }
    expect(listCheckpoints(state.checkpoints)).toEqual([]);
  }
});

test('a start from any checkpoint, or from none, writes the roll-ups of the hours after it as they were', async () => {
  const state = emptyState();
  const builder = new LogBuilder();
  const frames = [7, 13, 11, 9].map((size, i, sizes) => {
    builder.arrivalUs += 3600e6;
    const at = sizes.slice(0, i).reduce((sum, n) => sum + n, 0);
    return builder.frame(LINES.slice(at, at + size));
  });
  writeFrames(state, frames);
  const twenty = await writeDown(
    foldFrames(frames, (line) => line > 20),
    state,
  );
  const directory = temporaryDirectory();
  const contents = () => readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]);
  const onFailure = (error: unknown) => {
    throw error;
  };
  const rolledUp = async () => {
    const { onHour } = new RollupKeeper({ directory, onFailure });
    return start(state, new Folded(), onHour);
  };
  rmSync(twenty.path);
  expect(await rolledUp()).toMatchObject({ checkpoint: null, lines: 40 });
  const whole = contents();
  const hours = (from: number) =>
    listRollupFiles(directory, NODE_FILES)
      .flatMap(({ path }) => readRollupFile(path, NODE_FILES))
      .slice(from);
  const all = hours(0);
  expect(all).toHaveLength(3);
  await writeDown(
    foldFrames(frames, (line) => line > 20),
    state,
  );
  expect(await rolledUp()).toMatchObject({ checkpoint: { line: 20 }, lines: 20 });
  expect(contents()).toEqual(whole);
  rmSync(directory, { recursive: true });
  await rolledUp();
  expect(hours(0)).toEqual(all.slice(1));
});

test('a rebuild under which the end of the log is cut and written again begins once more', async () => {
  const state = emptyState();
  const frames = builtFrames([7, 13, 11, 9]);
  const path = writeFrames(state, frames);
  const archiveBoard = allocateArchiveBoard(writtenOf(recoverLog(state.archive)));
  const board = new ArchiveBoard(archiveBoard);
  let opened = 0;
  // A sync fails, and the archive stage is in the midst of its answer when the segment is opened.
  const openSync = ((name: string, ...rest: [string]) => {
    if (name === path && opened++ === 0) {
      board.countSyncFailure();
      truncateSync(path, frames[0]!.bytes.length + frames[1]!.bytes.length);
      setTimeout(() => {
        writeFrames(state, frames);
        board.setWritten({ ...board.written(), rewrites: 1 });
      }, 20);
    }
    return NODE_FILES.openSync(name, ...rest);
  }) as typeof NODE_FILES.openSync;
  const folded = new Folded();
  const sources = { archiveDirectory: state.archive, checkpointDirectory: state.checkpoints, archiveBoard };
  const files = { ...NODE_FILES, openSync };
  const rebuilt = await rebuildTables(folded.tables, { ...sources, files }, 40);
  expect(rebuilt).toMatchObject({ flaws: [], lines: 40 });
  expect(opened).toBeGreaterThan(1);
  expect(differences(folded.memory, foldFrames(frames).memory)).toEqual({});
});

test('a rebuild that the disk does not let read goes on when it does, and says so meanwhile', async () => {
  const state = emptyState();
  const frames = builtFrames([7, 13, 11, 9]);
  writeFrames(state, frames);
  const archiveBoard = allocateArchiveBoard(writtenOf(recoverLog(state.archive)));
  const board = new ArchiveBoard(archiveBoard);
  const seen: string[][] = [];
  let reads = 0;
  const readSync = ((...args: Parameters<typeof NODE_FILES.readSync>) => {
    reads++;
    seen.push(diskFaults(board));
    if (reads === 3 || reads === 4) throw systemError('EIO', 'bad block');
    return NODE_FILES.readSync(...args);
  }) as typeof NODE_FILES.readSync;
  const folded = new Folded();
  const sources = { archiveDirectory: state.archive, checkpointDirectory: state.checkpoints, archiveBoard };
  const files = { ...NODE_FILES, readSync };
  const rebuilt = await rebuildTables(folded.tables, { ...sources, files }, 40);
  expect(rebuilt).toMatchObject({ flaws: [], lines: 40 });
  expect(reads).toBeGreaterThan(4);
  expect(seen.flat()).toContainEqual(expect.stringMatching(/^archive_read_failed: .*\(EIO\)/));
  expect(diskFaults(board)).toEqual([]);
  expect(differences(folded.memory, foldFrames(frames).memory)).toEqual({});
});
