import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NODE_FILES } from '../../src/archive/archive-files.js';
import { encodeTicks } from '../../src/archive/frame-ticks.js';
import {
  KEY_OF_AGENT,
  KEY_OF_PARENT,
  KEY_OF_WORKFLOW,
  KIND_TICKS,
  keyOfName,
} from '../../src/archive/frame-traits.js';
import { GrowingIndex } from '../../src/archive/growing-index.js';
import { readIndexPart } from '../../src/archive/index-builder.js';
import { IndexFile, writeIndex } from '../../src/archive/index-file.js';
import { encodeIndex } from '../../src/archive/index-format.js';
import { LogIndex } from '../../src/archive/log-index.js';
import type { SegmentIndex } from '../../src/archive/segment-index.js';
import { indexPathOf, listSegments } from '../../src/archive/segment-name.js';
import { EVENT_SAMPLE, EVENT_UNKNOWN, EVENT_WORKFLOW_START } from '../../src/model/event.js';
import type { Failure } from '../../src/model/failure.js';
import { systemError } from '../support/system-error.js';
import { type BuiltFrame, LogBuilder, temporaryDirectory, writeSegment } from './log-fixture.js';

interface Line {
  readonly workflow?: string;
  readonly agent?: string;
  readonly parent?: string;
}

function lineText({ workflow, agent, parent }: Line): string {
  if (agent === undefined) {
    return JSON.stringify(
      workflow === undefined
        ? { type: 'sample', name: 's', value: 1, parent }
        : { type: 'workflow.start', workflow, parent },
    );
  }
  return JSON.stringify({ type: 'task.start', task: 't', agent, workflow, parent });
}

/** Frames of lines, and what the index must say of them. */
function segmentOf(frames: readonly (readonly Line[])[], firstLine = 1) {
  const directory = temporaryDirectory();
  const builder = new LogBuilder(firstLine);
  const built = frames.map((lines) => builder.frame(lines.map(lineText)));
  return { directory, path: writeSegment(directory, built), built };
}

async function indexOf(path: string, segment = 1): Promise<GrowingIndex> {
  const index = new GrowingIndex(segment);
  index.append(await readIndexPart({ path, firstLine: segment }));
  return index;
}

function written(path: string, index: GrowingIndex): IndexFile {
  writeIndex(indexPathOf(path), encodeIndex(index));
  const file = IndexFile.open(indexPathOf(path), index.segment, statSync(path).size);
  if (typeof file === 'string') throw new Error(file);
  return file;
}

function linesOf(index: SegmentIndex, key: number): number[] {
  return index.framesOf(key).map(({ firstLine }) => firstLine);
}

test('an index leads from a workflow, an agent and a parent to the frames with their lines, and to no other', async () => {
  const { path } = segmentOf([
    [{ workflow: 'a' }, { workflow: 'b', agent: 'x' }],
    [{ workflow: 'b', parent: 'a' }],
    [],
    [{ agent: 'a' }, { workflow: 'a' }, { workflow: 'a' }],
  ]);
  const growing = await indexOf(path);
  for (const index of [growing, written(path, growing)]) {
    expect(linesOf(index, keyOfName('a', KEY_OF_WORKFLOW))).toEqual([1, 4]);
    expect(linesOf(index, keyOfName('b', KEY_OF_WORKFLOW))).toEqual([1, 3]);
    expect(linesOf(index, keyOfName('a', KEY_OF_AGENT))).toEqual([4]);
    expect(linesOf(index, keyOfName('x', KEY_OF_AGENT))).toEqual([1]);
    expect(linesOf(index, keyOfName('a', KEY_OF_PARENT))).toEqual([3]);
    expect(linesOf(index, keyOfName('never', KEY_OF_WORKFLOW))).toEqual([]);
  }
});

test('an index knows of each frame where it is, its lines, its arrivals and its kinds of lines', async () => {
  const builder = new LogBuilder(7);
  const { arrivalUs } = builder;
  const tick = { lineOffset: 0, kind: 1, number: 1, arrivalUs, payload: new Uint8Array(0) };
  const ticks = encodeTicks(arrivalUs, [tick]);
  const frames = [
    builder.frame(['{"type":"sample","name":"s","value":1}', '{"type":"workflow.start","workflow":"w"}']),
    builder.frame([], { ticks }),
    builder.frame(['{"type":"deploy"}', 'refused by the decoder of today']),
  ];
  const path = writeSegment(temporaryDirectory(), frames);
  const growing = await indexOf(path, 7);
  const kinds = [(1 << EVENT_SAMPLE) | (1 << EVENT_WORKFLOW_START), KIND_TICKS, 1 << EVENT_UNKNOWN];
  let offset = 0;
  const expected = frames.map(({ bytes, facts }, i) => {
    const { firstLine, lineCount, firstArrivalUs, lastArrivalUs } = facts;
    const place = { offset, bytes: bytes.length, firstLine, lineCount, firstArrivalUs, lastArrivalUs };
    offset += bytes.length;
    return { ...place, kinds: kinds[i] };
  });
  expect([...growing.frames()]).toEqual(expected);
  expect([...written(path, growing).frames()]).toEqual(expected);
});

test('an index of any segment agrees with a look at every line, in memory and out of its file', async () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'ü', 'w'.repeat(256));
  const line = fc.record({ workflow: name, agent: name, parent: name }, { requiredKeys: [] });
  let framesMax = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(line, { maxLength: 6 }), { minLength: 1, maxLength: 200, size: 'max' }),
      async (frames) => {
        framesMax = Math.max(framesMax, frames.length);
        const { path, built } = segmentOf(frames);
        const growing = await indexOf(path);
        const file = written(path, growing);
        expect([...file.frames()]).toEqual([...growing.frames()]);
        for (const [field, salt] of [
          ['workflow', KEY_OF_WORKFLOW],
          ['agent', KEY_OF_AGENT],
          ['parent', KEY_OF_PARENT],
        ] as const) {
          for (const value of new Set(frames.flat().map((one) => one[field] ?? 'nobody'))) {
            const having = built.filter((_, i) => frames[i]!.some((one) => one[field] === value));
            const expected = having.map(({ facts }) => facts.firstLine);
            expect(linesOf(growing, keyOfName(value, salt))).toEqual(expected);
            expect(linesOf(file, keyOfName(value, salt))).toEqual(expected);
          }
        }
      },
    ),
    { numRuns: 30 },
  );
  // More than one block of frames.
  expect(framesMax).toBeGreaterThan(64);
});

test('keys in many blocks are found, the first and the last of each block too', async () => {
  const frames = Array.from({ length: 40 }, (_, i) =>
    Array.from({ length: 250 }, (_, j) => ({ workflow: `w-${i * 200 + j}` })),
  );
  const { path } = segmentOf(frames);
  const growing = await indexOf(path);
  const file = written(path, growing);
  expect(statSync(file.path).size).toBeGreaterThan(5 * 4096);
  for (let i = 0; i < 40 * 200; i++) {
    const key = keyOfName(`w-${i}`, KEY_OF_WORKFLOW);
    const found = linesOf(file, key);
    expect(found).toEqual(linesOf(growing, key));
    expect(found.length).toBeGreaterThan(0);
  }
});

test('an index that grows with its segment ends as one that is built at the end', async () => {
  const frames = Array.from({ length: 9 }, (_, i) => [{ workflow: `w-${i}`, agent: 'x' }]);
  const { path, built } = segmentOf(frames);
  const growing = new GrowingIndex(1);
  let end = 0;
  for (const { bytes } of built) {
    end += bytes.length;
    growing.append(await readIndexPart({ path, firstLine: 1 }, growing.end, end));
    expect(growing.bytes).toBe(end);
  }
  expect(encodeIndex(growing).equals(encodeIndex(await indexOf(path)))).toBe(true);
});

test('an index leaves out what cannot be read, and frames that repeat lines', async () => {
  const { path, built } = segmentOf([[{ workflow: 'a' }], [{ workflow: 'b' }], [{ workflow: 'c' }]]);
  const bytes = readFileSync(path);
  bytes[built[0]!.bytes.length - 6]! ^= 1;
  writeFileSync(path, Buffer.concat([bytes, built[2]!.bytes]));
  const index = await indexOf(path);
  expect([...index.frames()].map(({ firstLine }) => firstLine)).toEqual([2, 3]);
  expect(index.bytes).toBe(statSync(path).size);
  expect(index.leftOut).toBe(2);
  expect(written(path, index).leftOut).toBe(2);
});

test.each([0x01, 0x80, 0xff])(
  'with any byte of its file changed by %d an index is refused, or answers as before',
  async (mask) => {
    const names = ['a', 'b', 'c', 'd'];
    const { path } = segmentOf(names.map((workflow) => [{ workflow }, { workflow: 'all' }]));
    const whole = encodeIndex(await indexOf(path));
    const indexPath = indexPathOf(path);
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at]! ^= mask;
      writeFileSync(indexPath, changed);
      const file = IndexFile.open(indexPath, 1, statSync(path).size);
      if (typeof file === 'string') continue;
      // The head and the directory are right, so the change is in a block, and whatever needs that block says so.
      const ask = () => [...names, 'all'].map((name) => linesOf(file, keyOfName(name, KEY_OF_WORKFLOW)));
      expect(ask, `byte ${at}`).toThrow(/does not match its checksum/);
    }
  },
);

test.each([
  ['missing', (path: string) => unlinkSync(path), /not there/],
  ['cut short', (path: string) => truncateSync(path, statSync(path).size - 1), /bytes, its head says/],
  ['empty', (path: string) => truncateSync(path, 0), /no head/],
])('an index file that is %s is refused with a reason', async (_, spoil, reason) => {
  const { path } = segmentOf([[{ workflow: 'a' }]]);
  const indexPath = indexPathOf(path);
  writeIndex(indexPath, encodeIndex(await indexOf(path)));
  spoil(indexPath);
  expect(IndexFile.open(indexPath, 1, statSync(path).size)).toMatch(reason);
});

test('an index of another segment, or of another size of its segment, is refused', async () => {
  const { path } = segmentOf([[{ workflow: 'a' }]]);
  const indexPath = indexPathOf(path);
  writeIndex(indexPath, encodeIndex(await indexOf(path)));
  const { size } = statSync(path);
  expect(IndexFile.open(indexPath, 2, size)).toMatch(/of another segment/);
  expect(IndexFile.open(indexPath, 1, size + 1)).toMatch(/of a segment of/);
  expect(IndexFile.open(indexPath, 1, size)).toBeInstanceOf(IndexFile);
});

/** Three segments of which the last is active, with `w-<segment>` and `all` in each of their frames. */
function threeSegments() {
  const directory = temporaryDirectory();
  const builder = new LogBuilder();
  const frames = [0, 1, 2].map((segment) =>
    [0, 1].map(() => builder.frame([{ workflow: `w-${segment}` }, { workflow: 'all' }].map(lineText))),
  );
  const paths = frames.map((segment) => writeSegment(directory, segment));
  return { directory, builder, frames, paths, upTo: () => endOf(directory) };
}

function endOf(directory: string) {
  const last = listSegments(directory).at(-1)!;
  return { segment: last.firstLine, offset: statSync(last.path).size };
}

function placesOf(frames: readonly BuiltFrame[][], path: (segment: number) => string, only?: number) {
  return frames.flatMap((segment, i) =>
    i === (only ?? i) ? segment.map(({ facts }) => [path(i), facts.firstLine]) : [],
  );
}

test('a workflow is found in closed segments and in the active one, in the order of the log', async () => {
  const { directory, builder, frames, paths, upTo } = threeSegments();
  const index = new LogIndex(directory);
  const ask = async (workflow: string, position = upTo()) =>
    (await index.framesOfWorkflow(workflow, position)).map(({ path, firstLine }) => [path, firstLine]);
  expect(await ask('all')).toEqual(placesOf(frames, (i) => paths[i]!));
  for (const only of [0, 1, 2]) {
    expect(await ask(`w-${only}`)).toEqual(placesOf(frames, (i) => paths[i]!, only));
  }
  expect(await ask('never')).toEqual([]);
  // The active segment grows, and then is closed.
  const before = upTo();
  frames[2]!.push(builder.frame([{ workflow: 'all' }].map(lineText)));
  writeSegment(directory, frames[2]!);
  expect(await ask('all')).toEqual(placesOf(frames, (i) => paths[i]!));
  expect(await ask('all', before)).toEqual(placesOf(frames, (i) => paths[i]!).slice(0, -1));
  expect(existsSync(indexPathOf(paths[2]!))).toBe(false);
  frames.push([builder.frame([{ workflow: 'all' }].map(lineText))]);
  paths.push(writeSegment(directory, frames[3]!));
  expect(await ask('all')).toEqual(placesOf(frames, (i) => paths[i]!));
  expect(paths.map((path) => existsSync(indexPathOf(path)))).toEqual([true, true, true, false]);
});

test('children are found by the name of their parent', async () => {
  const { path, directory } = segmentOf([[{ workflow: 'p' }], [{ workflow: 'c', parent: 'p' }]]);
  const index = new LogIndex(directory);
  const upTo = { segment: 1, offset: statSync(path).size };
  expect((await index.framesOfChildren('p', upTo)).map(({ firstLine }) => firstLine)).toEqual([2]);
  expect((await index.framesOfChildren('c', upTo)).map(({ firstLine }) => firstLine)).toEqual([]);
});

test('an index that is removed, damaged or stale while the log is asked is built again, and read again', async () => {
  const { directory, frames, paths, upTo } = threeSegments();
  const index = new LogIndex(directory);
  const expected = placesOf(frames, (i) => paths[i]!);
  const ask = async () =>
    (await index.framesOfWorkflow('all', upTo())).map(({ path, firstLine }) => [path, firstLine]);
  expect(await ask()).toEqual(expected);
  const indexPath = indexPathOf(paths[1]!);
  const whole = readFileSync(indexPath);
  const damaged = Buffer.from(whole);
  damaged[damaged.length - 1]! ^= 1;
  for (const spoil of [
    () => unlinkSync(indexPath),
    () => writeFileSync(indexPath, damaged),
    () => writeFileSync(indexPath, whole.subarray(0, 40)),
  ]) {
    spoil();
    expect(await ask()).toEqual(expected);
    // One that has read its directory needs no more than one block.
    await new LogIndex(directory).framesOfWorkflow('all', upTo());
    expect(readFileSync(indexPath).equals(whole)).toBe(true);
  }
});

test('following indexes every closed segment, also anew, and removes the index of a segment that is gone', async () => {
  const { directory, paths, upTo } = threeSegments();
  const index = new LogIndex(directory);
  await index.follow(upTo());
  expect(paths.map((path) => existsSync(indexPathOf(path)))).toEqual([true, true, false]);
  unlinkSync(paths[0]!);
  writeFileSync(`${indexPathOf(paths[0]!)}.tmp`, '');
  unlinkSync(indexPathOf(paths[1]!));
  await index.follow(upTo());
  expect(readdirSync(directory).sort()).toEqual(
    [paths[1]!, indexPathOf(paths[1]!), paths[2]!].map((path) => path.slice(directory.length + 1)).sort(),
  );
});

test('a segment that retention removes meanwhile has no frames, and the others are found', async () => {
  const { directory, frames, paths, upTo } = threeSegments();
  const position = upTo();
  const index = new LogIndex(directory, {
    files: {
      ...NODE_FILES,
      readdirSync: ((path: string) => {
        const names = readdirSync(path);
        if (existsSync(paths[0]!)) unlinkSync(paths[0]!);
        return names;
      }) as typeof readdirSync,
    },
  });
  const found = await index.framesOfWorkflow('all', position);
  expect(found.map(({ path, firstLine }) => [path, firstLine])).toEqual(
    placesOf(frames, (i) => paths[i]!).slice(2),
  );
});

test('where index files cannot be written the log is found all the same, and they are written when they can be', async () => {
  const { directory, frames, paths, upTo } = threeSegments();
  let isFull = true;
  const writevSync: typeof NODE_FILES.writevSync = (...args) => {
    if (isFull) throw systemError('ENOSPC', 'full');
    return NODE_FILES.writevSync(...args);
  };
  const told: (string | null)[] = [];
  const onWritten = (failure: Failure | null) => told.push(failure?.code ?? null);
  const index = new LogIndex(directory, { files: { ...NODE_FILES, writevSync }, onWritten });
  const found = await index.framesOfWorkflow('all', upTo());
  expect(found.map(({ path, firstLine }) => [path, firstLine])).toEqual(placesOf(frames, (i) => paths[i]!));
  expect(paths.some((path) => existsSync(indexPathOf(path)))).toBe(false);
  expect(await index.follow(upTo())).toBe(false);
  expect(new Set(told)).toEqual(new Set(['ERR_IO']));
  isFull = false;
  expect(await index.follow(upTo())).toBe(true);
  expect(told.slice(-2)).toEqual([null, null]);
  expect(paths.map((path) => existsSync(indexPathOf(path)))).toEqual([true, true, false]);
});

test('an index that the system does not let anybody read costs nothing but time', async () => {
  const { directory, frames, paths, upTo } = threeSegments();
  for (const path of paths.slice(0, 2)) mkdirSync(indexPathOf(path));
  expect(IndexFile.open(indexPathOf(paths[0]!), 1, 1)).toBe('it cannot be read (EISDIR)');
  const found = await new LogIndex(directory).framesOfWorkflow('all', upTo());
  expect(found.map(({ path, firstLine }) => [path, firstLine])).toEqual(placesOf(frames, (i) => paths[i]!));
});
