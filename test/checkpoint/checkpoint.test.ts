/** A state to disk and back: to the last bit, or not at all. */

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NODE_FILES } from '../../src/archive/archive-files.js';
import {
  checkpointName,
  firstLineNeeded,
  listCheckpoints,
  recoverCheckpoints,
} from '../../src/checkpoint/checkpoint-files.js';
import { CHECKPOINT_HEAD_BYTES } from '../../src/checkpoint/checkpoint-format.js';
import { loadCheckpoint, readDescription } from '../../src/checkpoint/checkpoint-reader.js';
import type { WrittenCheckpoint } from '../../src/checkpoint/checkpoint-writer.js';
import { compareStates } from '../../src/checkpoint/state-differences.js';
import { Replay } from '../../src/fold/replay.js';
import { temporaryDirectory } from '../archive/log-fixture.js';
import { randomRecords } from '../fold/random-events.js';
import { differences, Folded } from '../fold/replaying.js';
import { foldLines, writeDown } from './checkpoint-fixture.js';

function load(checkpoint: WrittenCheckpoint, into: Folded) {
  return loadCheckpoint({ path: checkpoint.path, line: checkpoint.line }, into.tables);
}

test('a state that is written and read is the same to the last bit, and so is what is folded after it', async () => {
  await fc.assert(
    fc.asyncProperty(randomRecords(300), randomRecords(100), async (records, more) => {
      const folded = new Folded().fold({ type: 'note' });
      for (const record of records) folded.fold(...record);
      const written = await writeDown(folded, temporaryDirectory());
      // What it is read into has held another state before.
      const read = foldLines(new Folded(), 50, 1);
      expect(await load(written, read)).toMatchObject({
        kind: 'loaded',
        description: { line: written.line },
      });
      expect(differences(read.memory, folded.memory)).toEqual({});
      const folds = [folded, read].map(({ tables }) => new Replay(tables, written.line));
      for (const [i, record] of more.entries()) {
        const raw = Buffer.from(record.map((event) => `${JSON.stringify(event)}\n`).join(''));
        for (const replay of folds) {
          replay.attach(raw);
          replay.fold(0, raw.length, record.length, 2e15 + i);
        }
      }
      expect(differences(read.memory, folded.memory)).toEqual({});
    }),
    { numRuns: 15 },
  );
});

test('a state of many chunks is written and read', async () => {
  const limits = { maxLiveWorkflows: 60_000, namesBytes: 8 * 1024 * 1024 };
  const folded = new Folded(limits);
  for (let i = 0; i < 40_000; i++) folded.fold({ type: 'workflow.start', workflow: `w${i}`, ts: i });
  const written = await writeDown(folded, temporaryDirectory());
  expect(folded.tables.usedRanges().workflows).toBeGreaterThan(5 * 1024 * 1024);
  const read = new Folded(limits);
  expect(await load(written, read)).toMatchObject({ kind: 'loaded' });
  expect(differences(read.memory, folded.memory)).toEqual({});
});

test('a checkpoint that is cut at any byte, or has any byte changed or added, is unfit, and leaves empty tables', async () => {
  const directory = temporaryDirectory();
  const limits = { maxLiveWorkflows: 4, maxRecentWorkflows: 2, maxTasks: 8, maxSeries: 4 };
  const folded = foldLines(new Folded(limits), 12, 2);
  const written = await writeDown(folded, directory);
  const whole = readFileSync(written.path);
  const read = new Folded(limits);
  const empty = new Folded(limits);
  empty.tables.clear();
  const expectUnfit = async (bytes: Buffer, what: string) => {
    writeFileSync(written.path, bytes);
    expect(await load(written, read), what).toMatchObject({ kind: 'unfit' });
    expect(read.tables.usedRanges(), what).toEqual(empty.tables.usedRanges());
  };
  for (let at = 0; at < whole.length; at++) {
    await expectUnfit(whole.subarray(0, at), `cut at ${at}`);
    const changed = Buffer.from(whole);
    changed[at]! ^= 1 << (at % 8);
    await expectUnfit(changed, `byte ${at}`);
  }
  await expectUnfit(Buffer.concat([whole, Buffer.alloc(1)]), 'one byte more');
  expect(differences(read.memory, empty.memory)).toEqual({});
  writeFileSync(written.path, whole);
  expect(await load(written, read)).toMatchObject({ kind: 'loaded' });
}, 120_000);

test('a file under the name of another line is unfit', async () => {
  const directory = temporaryDirectory();
  const { path, line } = await writeDown(foldLines(new Folded(), 10, 3), directory);
  const read = await loadCheckpoint({ path, line: line + 1 }, new Folded().tables);
  expect(read).toEqual({ kind: 'unfit', reason: `its name says line ${line + 1}, it states ${line}` });
});

test('a checkpoint that is gone is unfit', async () => {
  const path = join(temporaryDirectory(), checkpointName(3));
  expect(await loadCheckpoint({ path, line: 3 }, new Folded().tables)).toMatchObject({ kind: 'unfit' });
});

test('the limits in force come with the state, and the memory may be larger than they need', async () => {
  const folded = foldLines(new Folded({ maxTasksPerWorkflow: 99, maxTasks: 500 }), 10, 4);
  const written = await writeDown(folded, temporaryDirectory());
  const read = new Folded({ maxTasksPerWorkflow: 7, maxTasks: 5000 });
  expect(await load(written, read)).toMatchObject({ kind: 'loaded' });
  const { maxTasksPerWorkflow, maxTasks } = read.tables.limits;
  expect({ maxTasksPerWorkflow, maxTasks }).toEqual({ maxTasksPerWorkflow: 99, maxTasks: 500 });
  expect(compareStates(read.tables, folded.tables, 9).differences).toEqual([]);
});

test('a state that the memory is too small for is unfit', async () => {
  const written = await writeDown(foldLines(new Folded(), 200, 4), temporaryDirectory());
  const read = await load(written, new Folded({ maxTasks: 2 }));
  expect(read).toMatchObject({ kind: 'unfit', reason: expect.stringMatching(/bytes of tasks, which has/) });
});

/** Changes the description, and makes the checksums right again. */
function rewrite(path: string, change: (description: Record<string, unknown>) => void, format = 1): void {
  const whole = readFileSync(path);
  const end = CHECKPOINT_HEAD_BYTES + whole.readUInt32LE(16);
  const description = JSON.parse(whole.subarray(CHECKPOINT_HEAD_BYTES, end).toString());
  change(description);
  const text = Buffer.from(JSON.stringify(description));
  const head = Buffer.from(whole.subarray(0, CHECKPOINT_HEAD_BYTES));
  head.writeUInt32LE(format, 12);
  head.writeUInt32LE(text.length, 16);
  head.writeUInt32LE(crc32(text), 20);
  head.writeUInt32LE(crc32(head.subarray(0, 24)), 24);
  writeFileSync(path, Buffer.concat([head, text, whole.subarray(end)]));
}

test.each([
  ['format', (_: object) => {}, 2, /is of format 2, and this tallyd knows format 1/],
  [
    'version of the state',
    (description: Record<string, unknown>) => Object.assign(description, { state_version: 999 }),
    1,
    /holds a state of version 999 .* and this tallyd knows version/,
  ],
  [
    'size of a slot',
    (description: Record<string, unknown>) => Object.assign(description.layout as object, { tasks: 8 }),
    1,
    /tasks 8/,
  ],
  [
    'set of tables',
    (description: Record<string, unknown>) => Object.assign(description.layout as object, { more: 8 }),
    1,
    /, more 8\)/,
  ],
])('another %s is a failure that names the file and says what to do', async (_, change, format, message) => {
  const directory = temporaryDirectory();
  const { path, line } = await writeDown(foldLines(new Folded(), 10, 5), directory);
  rewrite(path, change, format);
  const before = readFileSync(path);
  const failure = expect.objectContaining({
    code: 'ERR_CHECKPOINT_FORMAT',
    exitCode: 74,
    message: expect.stringMatching(message),
  });
  expect(() => readDescription(path)).toThrow(failure);
  expect(() => recoverCheckpoints(directory, line)).toThrow(failure);
  await expect(loadCheckpoint({ path, line }, new Folded().tables)).rejects.toThrow(failure);
  await expect(loadCheckpoint({ path, line }, new Folded().tables)).rejects.toThrow(path);
  expect(readFileSync(path)).toEqual(before);
});

test('the last two checkpoints are kept, and the first line needed is that after the older one', async () => {
  const directory = temporaryDirectory();
  expect(firstLineNeeded(directory)).toBe(1);
  const folded = new Folded();
  for (const needed of [1, 11, 21, 31]) {
    await writeDown(foldLines(folded, 10, needed), directory);
    expect(firstLineNeeded(directory)).toBe(needed);
  }
  expect(listCheckpoints(directory).map(({ line }) => line)).toEqual([40, 30]);
  expect(firstLineNeeded(join(directory, 'none'))).toBe(1);
});

test('a checkpoint gets its name only when it is durable itself, and the log up to its line', async () => {
  const directory = temporaryDirectory();
  const calls: string[] = [];
  const note = <Name extends 'fdatasyncSync' | 'fsyncSync' | 'renameSync'>(name: Name) => {
    const call = NODE_FILES[name] as (...args: unknown[]) => void;
    return (...args: unknown[]) => {
      calls.push(name);
      call(...args);
    };
  };
  const files = {
    ...NODE_FILES,
    fdatasyncSync: note('fdatasyncSync'),
    fsyncSync: note('fsyncSync'),
    renameSync: note('renameSync'),
  } as typeof NODE_FILES;
  let asked = 0;
  const whenDurable = async (line: number) => {
    asked = line;
    calls.push('durable');
  };
  const { line, path, bytes } = await writeDown(foldLines(new Folded(), 20, 6), directory, {
    files,
    whenDurable,
  });
  expect(asked).toBe(line);
  expect(calls).toEqual(['fdatasyncSync', 'durable', 'renameSync', 'fsyncSync']);
  expect(statSync(path).size).toBe(bytes);
});

test.each(['writevSync', 'fdatasyncSync', 'renameSync', 'fsyncSync'] as const)(
  'where the disk refuses by %s it is said, nothing half is left, and the checkpoint before stays',
  async (operation) => {
    const directory = temporaryDirectory();
    const folded = new Folded();
    const before = await writeDown(foldLines(folded, 10, 7), directory);
    const files = {
      ...NODE_FILES,
      [operation]: (): never => {
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: operation });
      },
    };
    const failed = writeDown(foldLines(folded, 10, 8), directory, { files });
    const name = checkpointName(20);
    await expect(failed).rejects.toMatchObject({ code: 'ERR_IO', message: expect.stringContaining(name) });
    const left = readdirSync(directory).filter((one) => one !== name);
    expect(left).toEqual([checkpointName(10)]);
    expect(await load(before, new Folded())).toMatchObject({ kind: 'loaded' });
  },
);

test('a write that the system takes in parts is written whole', async () => {
  const directory = temporaryDirectory();
  const files = {
    ...NODE_FILES,
    writevSync: (fd: number, parts: readonly Uint8Array[], position: number) =>
      NODE_FILES.writevSync(fd, [parts[0]!.subarray(0, 1000)], position),
  } as typeof NODE_FILES;
  const folded = foldLines(new Folded(), 100, 9);
  const read = new Folded();
  expect(await load(await writeDown(folded, directory, { files }), read)).toMatchObject({ kind: 'loaded' });
  expect(differences(read.memory, folded.memory)).toEqual({});
});

test('the start removes what a write has left unfinished, sets aside what is ahead of the log, and is then at peace', async () => {
  const directory = join(temporaryDirectory(), 'state', 'checkpoint');
  expect(recoverCheckpoints(directory, 0)).toEqual([]);
  const folded = new Folded();
  const [first, second] = [
    await writeDown(foldLines(folded, 10, 1), directory),
    await writeDown(foldLines(folded, 10, 2), directory),
  ];
  writeFileSync(`${join(directory, checkpointName(30))}.tmp`, 'half');
  expect(recoverCheckpoints(directory, 19)).toEqual([{ path: second.path, line: 20 }]);
  expect(readdirSync(directory).sort()).toEqual([checkpointName(10), `${checkpointName(20)}.ahead`]);
  expect(recoverCheckpoints(directory, 19)).toEqual([]);
  expect(listCheckpoints(directory)).toEqual([{ path: first.path, line: 10 }]);
});
