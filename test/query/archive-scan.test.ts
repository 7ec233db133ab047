import { mkdirSync, readFileSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NODE_FILES } from '../../src/archive/archive-files.js';
import { checkFrames, type FrameCheckTask } from '../../src/archive/frame-check.js';
import { checkLog } from '../../src/archive/log-check.js';
import { LogIndex } from '../../src/archive/log-index.js';
import { endOfLog, type LogFlaw, readFrames } from '../../src/archive/log-reader.js';
import { indexPathOf, type Segment } from '../../src/archive/segment-name.js';
import { ALL_LINES, type ArchiveFilter } from '../../src/query/archive-filter.js';
import { type FrameScanner, scanArchive } from '../../src/query/archive-scan.js';
import { scanFrames } from '../../src/query/frame-scan.js';
import { type BuiltFrame, LogBuilder, temporaryDirectory, writeSegment } from '../archive/log-fixture.js';
import { seededRandom } from '../support/seeded-random.js';
import { systemError } from '../support/system-error.js';

const SCANNER_HERE: FrameScanner = { scan: (task) => scanFrames(task), parallel: 1 };

interface Event {
  readonly type: string;
  readonly workflow?: string;
  readonly agent?: string;
}

function lineOf({ type, workflow, agent }: Event, number: number): string {
  const needs = { task: `t-${number}`, status: 'completed', phase: 'p', name: 'n', value: number };
  return JSON.stringify({ type, workflow, agent, ...needs });
}

/** A log of some segments; the lines are 1 ms apart. */
function logOf(segments: readonly (readonly (readonly Event[])[])[]) {
  const directory = join(temporaryDirectory(), 'archive');
  mkdirSync(directory);
  const builder = new LogBuilder();
  const lines: { number: number; arrivalUs: number; event: Event; text: string }[] = [];
  const built: BuiltFrame[][] = [];
  for (const frames of segments) {
    built.push(
      frames.map((events) => {
        const texts = events.map((event, i) => lineOf(event, builder.line + i));
        events.forEach((event, i) => {
          const arrivalUs = builder.arrivalUs + (i + 1) * 1000;
          lines.push({ number: builder.line + i, arrivalUs, event, text: texts[i]! });
        });
        return builder.frame(texts);
      }),
    );
  }
  const paths = built.map((frames) => writeSegment(directory, frames));
  return { directory, lines, built, paths };
}

async function scan(
  directory: string,
  filter: Partial<ArchiveFilter> = {},
  {
    json = false,
    scanner = SCANNER_HERE,
    index,
  }: { json?: boolean; scanner?: FrameScanner; index?: LogIndex } = {},
) {
  let text = '';
  const flaws: LogFlaw[] = [];
  const indexOf = index && ((segment: Segment, bytes: number) => index.atHand(segment, bytes));
  const whole = { ...ALL_LINES, ...filter };
  const options = { filter: whole, json, upTo: endOfLog(directory), scanner, ...(indexOf && { indexOf }) };
  for await (const item of scanArchive(directory, options)) {
    if (item.kind === 'lines') text += Buffer.from(item.bytes).toString();
    else flaws.push(item);
  }
  return { text, flaws };
}

function isWanted({ event, arrivalUs }: { event: Event; arrivalUs: number }, filter: ArchiveFilter): boolean {
  const { types, workflows, agents, sinceUs, untilUs } = filter;
  return (
    arrivalUs >= sinceUs &&
    arrivalUs < untilUs &&
    (types.length === 0 || types.includes(event.type)) &&
    (workflows.length === 0 || workflows.includes(event.workflow ?? '')) &&
    (agents.length === 0 || agents.includes(event.agent ?? ''))
  );
}

const TYPES = ['workflow.start', 'task.start', 'task.end', 'sample', 'deploy', 'deploy.done'];

const events = fc
  .record(
    {
      type: fc.constantFrom(...TYPES),
      workflow: fc.constantFrom('a', 'b', 'c'),
      agent: fc.constantFrom('x', 'y'),
    },
    { requiredKeys: ['type'] },
  )
  .map(({ type, workflow, agent }): Event => {
    if (type === 'sample' || type.startsWith('deploy')) return { type };
    if (type === 'workflow.start') return { type, workflow: workflow ?? 'a' };
    return { type, agent: agent ?? 'x', ...(workflow && { workflow }) };
  });

test('a scan gives the lines that a look at each line gives, with and without indexes, in text and as JSON', async () => {
  const segments = fc.array(fc.array(fc.array(events, { maxLength: 5 }), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 4,
  });
  const some = (values: string[]) => fc.subarray(values, { maxLength: 2 });
  const filters = fc.record({
    types: some([...TYPES, 'none', 'sync']),
    workflows: some(['a', 'b', 'never']),
    agents: some(['x', 'never']),
    since: fc.option(fc.nat(30)),
    length: fc.option(fc.nat(30)),
  });
  let found = 0;
  let indexed = 0;
  await fc.assert(
    fc.asyncProperty(segments, fc.array(filters, { minLength: 3, maxLength: 6 }), async (log, asked) => {
      // A segment has lines, or it is the last.
      const frames = log.map((segment, i) =>
        i === log.length - 1 || segment.some((one) => one.length > 0) ? segment : [[{ type: 'sample' }]],
      );
      const { directory, lines, built } = logOf(frames);
      const index = new LogIndex(directory);
      for (const isIndexed of [false, true]) {
        // Of the last segment all but its last frame.
        const active = built.at(-1)!;
        const offset = active.slice(0, -1).reduce((sum, { bytes }) => sum + bytes.length, 0);
        if (isIndexed) await index.follow({ segment: active[0]!.facts.firstLine, offset });
        for (const { since, length, ...fields } of asked) {
          const sinceUs = since === null ? 0 : (lines[0]?.arrivalUs ?? 0) + since * 1000;
          const untilUs = length === null ? Number.POSITIVE_INFINITY : sinceUs + length * 1000;
          const filter = { ...fields, sinceUs, untilUs };
          const wanted = lines.filter((line) => isWanted(line, filter));
          found += wanted.length;
          indexed += isIndexed ? wanted.length : 0;
          const expected = wanted.map(({ text }) => `${text}\n`).join('');
          expect(await scan(directory, filter)).toEqual({ text: expected, flaws: [] });
          expect(await scan(directory, filter, { index })).toEqual({ text: expected, flaws: [] });
          const json = wanted.map(({ number, arrivalUs, text }) => {
            return `{"line":${number},"arrived":${arrivalUs / 1e6},"event":${text}}\n`;
          });
          expect(await scan(directory, filter, { json: true })).toEqual({ text: json.join(''), flaws: [] });
        }
      }
    }),
    { numRuns: 60 },
  );
  expect(Math.min(found, indexed)).toBeGreaterThan(10);
});

const SAMPLE = { type: 'sample' };
const TWO_SEGMENTS = [
  [[SAMPLE, SAMPLE], [SAMPLE]],
  [[SAMPLE], [{ type: 'task.start', workflow: 'w', agent: 'x' }]],
];

test('a line that an older tallyd took and this one refuses is printed, and belongs to nothing that can be asked for', async () => {
  const directory = temporaryDirectory();
  const builder = new LogBuilder();
  const refused = '{"type":"task.end","workflow":"w","agent":5}';
  writeSegment(directory, [
    builder.frame([refused, lineOf({ type: 'task.end', workflow: 'w', agent: 'x' }, 2)]),
  ]);
  expect((await scan(directory)).text).toContain(refused);
  expect((await scan(directory, { workflows: ['w'] })).text).toBe(
    `${lineOf({ type: 'task.end', workflow: 'w', agent: 'x' }, 2)}\n`,
  );
});

test('with an index only the frames that it leads to are looked at, and damage elsewhere is nobody’s', async () => {
  const { directory, paths, built, lines } = logOf([
    [[{ type: 'workflow.start', workflow: 'a' }], [SAMPLE], [{ type: 'workflow.start', workflow: 'b' }]],
    [[SAMPLE]],
  ]);
  await new LogIndex(directory).follow(endOfLog(directory)!);
  const bytes = readFileSync(paths[0]!);
  bytes[built[0]![0]!.bytes.length + built[0]![1]!.bytes.length - 6]! ^= 1;
  writeFileSync(paths[0]!, bytes);
  const asked: number[] = [];
  const scanner: FrameScanner = {
    ...SCANNER_HERE,
    scan: (task) => {
      // The active segment has no index.
      if (task.path === paths[0]) asked.push(...task.offsets);
      return SCANNER_HERE.scan(task);
    },
  };
  const { text, flaws } = await scan(directory, { workflows: ['b'] }, { scanner });
  expect(text).toBe(`${lines[2]!.text}\n`);
  expect(flaws).toEqual([]);
  expect(asked).toEqual([built[0]![0]!.bytes.length + built[0]![1]!.bytes.length]);
  // Where it is needed it is told.
  expect((await scan(directory, { types: ['sample'] })).flaws).toMatchObject([
    { kind: 'damage', path: paths[0], offset: built[0]![0]!.bytes.length, firstLine: 2, lastLine: 2 },
  ]);
});

test('an index that was built over damage leads nowhere past it: the damage is told', async () => {
  const { directory, paths, built, lines } = logOf([
    [[{ type: 'workflow.start', workflow: 'a' }], [{ type: 'workflow.start', workflow: 'a' }]],
    [[SAMPLE]],
  ]);
  const bytes = readFileSync(paths[0]!);
  bytes[built[0]![0]!.bytes.length - 6]! ^= 1;
  writeFileSync(paths[0]!, bytes);
  await new LogIndex(directory).follow(endOfLog(directory)!);
  const { text, flaws } = await scan(directory, { workflows: ['a'] });
  expect(text).toBe(`${lines[1]!.text}\n`);
  expect(flaws).toMatchObject([{ kind: 'damage', offset: 0, firstLine: 1, lastLine: 1 }]);
});

test('an index that is damaged is not believed', async () => {
  const { directory, lines, paths } = logOf(TWO_SEGMENTS);
  await new LogIndex(directory).follow(endOfLog(directory)!);
  const indexPath = indexPathOf(paths[0]!);
  const whole = readFileSync(indexPath);
  const expected = lines
    .slice(0, 4)
    .map(({ text }) => `${text}\n`)
    .join('');
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at]! ^= 0xff;
    writeFileSync(indexPath, changed);
    expect(await scan(directory, { types: ['sample'] })).toEqual({ text: expected, flaws: [] });
  }
});

test('frames of other arrivals are not looked at', async () => {
  const { directory, lines } = logOf(TWO_SEGMENTS);
  const asked: number[] = [];
  const scanner: FrameScanner = {
    ...SCANNER_HERE,
    scan: (task) => {
      asked.push(...task.offsets);
      return SCANNER_HERE.scan(task);
    },
  };
  const { text } = await scan(
    directory,
    { sinceUs: lines[3]!.arrivalUs, untilUs: lines[4]!.arrivalUs },
    { scanner },
  );
  expect(text).toBe(`${lines[3]!.text}\n`);
  expect(asked).toEqual([0]);
});

test('a segment that retention removes during a scan costs its own lines, and they are named', async () => {
  const { directory, lines, paths } = logOf([[[SAMPLE]], [[SAMPLE, SAMPLE]], [[SAMPLE]]]);
  // Found by its heads, and gone when its frames are to be read.
  const scanner: FrameScanner = {
    ...SCANNER_HERE,
    scan: (task) => {
      if (task.path === paths[1]) unlinkSync(paths[1]!);
      return SCANNER_HERE.scan(task);
    },
  };
  const { text, flaws } = await scan(directory, {}, { scanner });
  expect(text).toBe(`${lines[0]!.text}\n${lines[3]!.text}\n`);
  expect(flaws).toMatchObject([{ kind: 'removed', path: paths[1], firstLine: 2, lastLine: 3 }]);
});

test('a segment that is gone before a scan comes to it is named with its lines', async () => {
  const { directory, paths } = logOf([[[SAMPLE]], [[SAMPLE, SAMPLE]], [[SAMPLE]]]);
  const items = scanArchive(directory, {
    filter: ALL_LINES,
    json: false,
    upTo: endOfLog(directory),
    scanner: {
      ...SCANNER_HERE,
      parallel: -1,
    },
  });
  expect(await items.next()).toMatchObject({ value: { kind: 'lines' } });
  unlinkSync(paths[1]!);
  const rest: unknown[] = [];
  for await (const item of items) rest.push(item);
  expect(rest).toMatchObject([
    { kind: 'removed', path: paths[1], firstLine: 2, lastLine: 3 },
    { kind: 'lines' },
  ]);
});

test('whichever block of a segment the disk cannot read: a scan gives all other frames, a check names it, and a state is not built on it', async () => {
  const directory = join(temporaryDirectory(), 'archive');
  mkdirSync(directory);
  const random = seededRandom(3);
  const noise = () => Array.from({ length: 500 }, () => random().toString(36).slice(2)).join('');
  const builder = new LogBuilder();
  const frames = Array.from({ length: 6 }, () => builder.frame([lineOf({ type: noise() }, 1)]));
  const path = writeSegment(directory, frames);
  const { size } = statSync(path);
  const ends = frames.map((_, i) => frames.slice(0, i + 1).reduce((sum, { bytes }) => sum + bytes.length, 0));
  expect(size / 4096).toBeGreaterThan(6);
  for (let block = 0; block < size; block += 4096) {
    const readSync = ((fd: number, target: Buffer, at: number, length: number, position: number) => {
      if (position < block + 4096 && position + length > block) throw systemError('EIO', 'bad block');
      return NODE_FILES.readSync(fd, target, at, length, position);
    }) as typeof NODE_FILES.readSync;
    const files = { ...NODE_FILES, readSync };
    const isHit = (i: number) => (ends[i - 1] ?? 0) < block + 4096 && ends[i]! > block;
    const whole = frames.filter((_, i) => !isHit(i));
    const scanner: FrameScanner = { parallel: 1, scan: (task) => scanFrames(task, files) };
    let text = '';
    const flaws: LogFlaw[] = [];
    const options = { filter: ALL_LINES, json: false, upTo: null, scanner, files };
    for await (const item of scanArchive(directory, options)) {
      if (item.kind === 'lines') text += Buffer.from(item.bytes).toString();
      else flaws.push(item);
    }
    expect(text).toBe(whole.map((frame) => frame.text).join(''));
    const checker = { parallel: 1, check: (task: FrameCheckTask) => checkFrames(task, files) };
    const named: unknown[] = [];
    const check = { upTo: null, checker, clientMemoryUs: 1, maxClients: 1, files };
    for await (const item of checkLog(directory, check)) if (item.kind !== 'checked') named.push(item);
    const reason = expect.stringContaining(`the disk cannot read it at byte ${block} (EIO)`);
    const damage = { kind: 'damage', path, reason };
    expect(flaws.length).toBeGreaterThan(0);
    expect(flaws).toEqual(flaws.map(() => expect.objectContaining(damage)));
    expect(named).toEqual(flaws);
    const folding = async () => {
      for await (const item of readFrames(directory, { files })) expect(item.kind).toBe('frame');
    };
    await expect(folding()).rejects.toMatchObject({ code: 'ERR_IO' });
  }
});

test('a scan begins no more than a few lots ahead of its reader, and none when that stops', async () => {
  const { directory } = logOf(Array.from({ length: 12 }, () => [[SAMPLE]]));
  let begun = 0;
  const scanner: FrameScanner = {
    parallel: 2,
    scan: (task) => {
      begun++;
      return SCANNER_HERE.scan(task);
    },
  };
  const items = scanArchive(directory, { filter: ALL_LINES, json: false, upTo: null, scanner });
  await items.next();
  expect(begun).toBe(4);
  await items.return(undefined);
  expect(begun).toBe(4);
});

test('a scan that finds nothing ends soon after nobody wants it any more', async () => {
  const { directory } = logOf(Array.from({ length: 12 }, () => [[SAMPLE]]));
  const filter = { ...ALL_LINES, types: ['never'] };
  let begun = 0;
  const scanner: FrameScanner = {
    parallel: 1,
    scan: (task) => {
      begun++;
      return SCANNER_HERE.scan(task);
    },
  };
  const isCancelled = () => begun === 5;
  const options = { filter, json: false, upTo: null, scanner, isCancelled };
  for await (const item of scanArchive(directory, options)) expect(item).toBeUndefined();
  expect(begun).toBe(5);
});

test('what was read before a frame of another format is given, and then the failure', async () => {
  const { directory, lines, paths, built } = logOf(TWO_SEGMENTS);
  // A section that this program does not know, in the second frame.
  const frame = Buffer.from(built[0]![1]!.bytes);
  frame.writeUInt16LE(9, 80);
  frame.writeUInt32LE(crc32(frame.subarray(80, built[0]![1]!.header.length)), 28);
  frame.writeUInt32LE(crc32(frame.subarray(28, 80), crc32(frame.subarray(0, 24))), 24);
  writeFileSync(paths[0]!, Buffer.concat([built[0]![0]!.bytes, frame]));
  let text = '';
  const read = async () => {
    const options = { filter: ALL_LINES, json: false, upTo: null, scanner: SCANNER_HERE };
    for await (const item of scanArchive(directory, options)) {
      if (item.kind === 'lines') text += Buffer.from(item.bytes).toString();
    }
  };
  await expect(read()).rejects.toMatchObject({ code: 'ERR_ARCHIVE_FORMAT' });
  expect(text).toBe(`${lines[0]!.text}\n${lines[1]!.text}\n`);
});

test('a last frame that is not finished is told as that', async () => {
  const { directory, paths, built } = logOf(TWO_SEGMENTS);
  truncateSync(paths[1]!, statSync(paths[1]!).size - 1);
  const { flaws } = await scan(directory);
  expect(flaws).toMatchObject([{ kind: 'unfinished', offset: built[1]![0]!.bytes.length }]);
});
