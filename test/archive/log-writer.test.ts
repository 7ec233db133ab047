/**
 * The end of the log, where syncs fail, the thread dies at any call, and the process is killed at any call: held against
 * the lines that were appended.
 */

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ArchiveFiles, NODE_FILES } from '../../src/archive/archive-files.js';
import { ArchiveBoard, allocateArchiveBoard, type Written } from '../../src/archive/board.js';
import { recoverLog } from '../../src/archive/log-recovery.js';
import { LogWriter, type LogWriterMemory } from '../../src/archive/log-writer.js';
import { listSegments, segmentName } from '../../src/archive/segment-name.js';
import { allocateBell } from '../../src/ring/bell.js';
import { systemError } from '../support/system-error.js';
import { type BuiltFrame, eventLines, LogBuilder, readLog, temporaryDirectory } from './log-fixture.js';

const UNSYNCED_BYTES = 1500;
const SEGMENT_BYTES = 1200;
const CHANGES = [
  'openSync',
  'writevSync',
  'ftruncateSync',
  'fdatasyncSync',
  'fsyncSync',
  'unlinkSync',
  'closeSync',
] as const;

const EMPTY_LOG = {
  position: 0,
  line: 0,
  cuts: 0,
  segment: 0,
  segmentBytes: 0,
  segmentSinceUs: 0,
  segments: 0,
  rawBytes: 0,
  compressedBytes: 0,
  lastArrivedUs: 0,
  oldestUs: 0,
};

function emptyMemory(): LogWriterMemory {
  return {
    archiveBoard: allocateArchiveBoard(EMPTY_LOG),
    unsynced: new SharedArrayBuffer(UNSYNCED_BYTES),
    archiveBell: allocateBell(),
    syncBell: allocateBell(),
  };
}

class Death extends Error {}

type Step = { readonly kind: 'append'; readonly lines: number } | { readonly kind: 'sync' | 'fail' };

/** How a call goes wrong: the thread dies before it, in the midst of it or after it, or the system refuses it. */
type Fate = 'before' | 'half' | 'after' | 'refused';

interface Image {
  readonly what: string;
  readonly files: ReadonlyMap<string, Buffer>;
  readonly durableLine: number;
  readonly text: string;
}

/** A log with its writer, and in the place of the threads around it the steps of a test. */
class Trial {
  readonly directory = temporaryDirectory();
  readonly board: ArchiveBoard;
  readonly images: Image[] = [];
  readonly seen = { rewrites: 0, replaced: 0, deaths: 0, refusals: 0, rotations: 0, wraps: 0 };
  readonly #memory: LogWriterMemory;
  readonly #builder = new LogBuilder();
  readonly #fates: ReadonlyMap<number, Fate>;
  #calls = 0;
  #writer: LogWriter;
  #written: Written;
  /** Of all frames, and of those that are written. */
  text = '';

  constructor(fates: ReadonlyMap<number, Fate>) {
    this.#fates = fates;
    this.#memory = emptyMemory();
    this.board = new ArchiveBoard(this.#memory.archiveBoard);
    this.#written = this.board.written();
    this.#writer = this.#newWriter();
    this.#survive(() => this.#writer.open());
  }

  step(step: Step): void {
    if (step.kind === 'append') this.#append(this.#builder.frame(eventLines(step.lines, this.#builder.line)));
    else if (step.kind === 'sync') this.#sync();
    else this.#failSync();
  }

  #append(frame: BuiltFrame): void {
    // What the writer would wait for, no other thread would do here.
    const { segmentBytes, frameBytes } = this.#written;
    const unsynced = frameBytes - this.board.durable().frameBytes;
    if (segmentBytes >= SEGMENT_BYTES || unsynced + frame.bytes.length > UNSYNCED_BYTES) this.#sync();
    const { segment } = this.#written;
    this.text += frame.text;
    this.#survive(() => {
      const { facts, header, data } = frame;
      this.#writer.prepare(facts.firstArrivalUs, false);
      this.#writer.append(facts.firstArrivalUs, header, data);
      this.#written.line += facts.lineCount;
      this.#written.rawBytes += facts.rawBytes;
      this.#written.position += 8;
      this.board.setWritten(this.#written);
    });
    if (segment > 0 && this.#written.segment !== segment) this.seen.rotations++;
    const from = this.#written.frameBytes - frame.bytes.length;
    if (Math.floor(from / UNSYNCED_BYTES) < Math.floor(this.#written.frameBytes / UNSYNCED_BYTES))
      this.seen.wraps++;
  }

  #sync(): void {
    this.board.setDurable(this.board.written(), 1);
  }

  /** What was not durable is gone, though the file is as long as before. */
  #failSync(): void {
    const { segment, segmentBytes, frameBytes } = this.board.written();
    const unsynced = frameBytes - this.board.durable().frameBytes;
    if (unsynced > 0) {
      const path = join(this.directory, segmentName(segment));
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0, segmentBytes - unsynced));
    }
    this.board.countSyncFailure();
    this.#survive(() => this.#writer.mend());
    expect(this.board.written()).toMatchObject({ rewrites: this.board.syncFailures, segment, segmentBytes });
    if (unsynced > 0) this.seen.rewrites++;
    if (unsynced > 0 && unsynced === segmentBytes) this.seen.replaced++;
  }

  /** Another thread takes over from one that died, and does what it was at. */
  #survive(act: () => void): void {
    for (let isOpen = true; ; ) {
      try {
        if (!isOpen) this.#writer.open();
        isOpen = true;
        act();
        return;
      } catch (error) {
        if (!(error instanceof Death || (error as Error).cause instanceof Death)) throw error;
        this.seen.deaths++;
        isOpen = false;
        this.#written = this.board.written();
        this.#writer = this.#newWriter();
      }
    }
  }

  #newWriter(): LogWriter {
    const options = { directory: this.directory, segmentBytes: SEGMENT_BYTES, segmentAgeMs: 1e9 };
    return new LogWriter(this.#memory, options, this.#written, {
      files: this.#files(),
      makeRoom: () => false,
    });
  }

  #files(): ArchiveFiles {
    let isDead = false;
    const die = (name: string): never => {
      isDead = true;
      throw new Death(name);
    };
    const files = { ...NODE_FILES } as unknown as Record<string, (...args: never[]) => unknown>;
    for (const name of CHANGES) {
      const call = NODE_FILES[name] as (...args: never[]) => unknown;
      files[name] = (...args: never[]) => {
        // Who is dead does nothing any more, not even what it would do when something is thrown.
        if (isDead) return die(name);
        const fate = this.#fates.get(this.#calls++);
        this.#takeImage(`before ${name}`);
        if (fate === 'refused' && name !== 'closeSync') {
          this.seen.refusals++;
          throw systemError('EIO', name);
        }
        if (fate === 'before') return die(name);
        if (fate === 'half' && name === 'writevSync') {
          const [fd, parts, position] = args as unknown as [number, Uint8Array[], number];
          NODE_FILES.writevSync(fd, [parts[0]!.subarray(0, 50)], position);
          return die(name);
        }
        const result = call(...args);
        if (fate === 'after' || fate === 'half') return die(name);
        return result;
      };
    }
    return files as unknown as ArchiveFiles;
  }

  #takeImage(what: string): void {
    const names = readdirSync(this.directory);
    const files = new Map(names.map((name) => [name, readFileSync(join(this.directory, name))]));
    this.images.push({ what, files, durableLine: this.board.durableLine, text: this.text });
  }
}

/** What a start finds where the process was killed then. */
async function startOn({ what, files, durableLine, text }: Image, directory: string): Promise<void> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes);
  const { nextLine } = recoverLog(directory);
  const log = await readLog(directory);
  expect(log.flaws, what).toEqual([]);
  expect(text.startsWith(log.text), what).toBe(true);
  expect(log.text.split('\n').length, what).toBe(nextLine);
  expect(nextLine - 1, what).toBeGreaterThanOrEqual(durableLine);
}

test('whatever fails, dies or is killed, each line is in the log once, but for some at its end of which nobody was told', async () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('append' as const), lines: fc.nat(4) }) },
      { weight: 2, arbitrary: fc.constant<Step>({ kind: 'sync' }) },
      { weight: 2, arbitrary: fc.constant<Step>({ kind: 'fail' }) },
    ),
    { minLength: 4, maxLength: 24 },
  );
  const fate = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<Fate>('before', 'half', 'after') },
    { weight: 1, arbitrary: fc.constant<Fate>('refused') },
  );
  const fates = fc.uniqueArray(fc.tuple(fc.nat(80), fate), { selector: ([call]) => call, maxLength: 6 });
  const seen: Record<string, number> = {};
  const image = join(temporaryDirectory(), 'image');
  await fc.assert(
    fc.asyncProperty(steps, fates, async (steps, fates) => {
      const trial = new Trial(new Map(fates));
      for (const step of steps) trial.step(step);
      const { text, flaws } = await readLog(trial.directory);
      expect(flaws).toEqual([]);
      expect(text).toBe(trial.text);
      expect(trial.board.written().segments).toBe(listSegments(trial.directory).length);
      expect(trial.board.holdsFor).toBe(0);
      for (const one of trial.images.filter((_, i) => i % 3 === steps.length % 3)) await startOn(one, image);
      for (const [what, count] of Object.entries(trial.seen)) seen[what] = (seen[what] ?? 0) + count;
    }),
    { numRuns: 80 },
  );
  for (const what of ['rewrites', 'replaced', 'deaths', 'refusals', 'rotations', 'wraps']) {
    expect(seen[what], what).toBeGreaterThan(0);
  }
});

describe('a disk that refuses', () => {
  const frame = new LogBuilder().frame(eventLines(3));

  /** Appends the frame on a disk of which the first calls of one kind fail. */
  function appendOn(errors: Error[], operation: 'writevSync' | 'openSync', makeRoom: () => boolean) {
    const memory = emptyMemory();
    const board = new ArchiveBoard(memory.archiveBoard);
    const directory = temporaryDirectory();
    const call = NODE_FILES[operation] as (...args: unknown[]) => never;
    const files = {
      ...NODE_FILES,
      [operation]: (...args: unknown[]) => {
        const error = errors.shift();
        if (error !== undefined) throw error;
        return call(...args);
      },
    };
    const options = { directory, segmentBytes: SEGMENT_BYTES, segmentAgeMs: 1e9 };
    const writer = new LogWriter(memory, options, board.written(), { files, makeRoom });
    try {
      writer.open();
      expect(writer.prepare(frame.facts.firstArrivalUs, false)).toBe(true);
      writer.append(frame.facts.firstArrivalUs, frame.header, frame.data);
    } finally {
      writer.close();
    }
    return { board, bytes: readFileSync(join(directory, segmentName(1))) };
  }

  test('since it is full is tried again at once when room was made', () => {
    let asked = 0;
    const errors = [systemError('ENOSPC', 'write'), systemError('EDQUOT', 'write')];
    const { board, bytes } = appendOn(errors, 'writevSync', () => ++asked > 0);
    expect([asked, board.refusals, board.holdsFor]).toEqual([2, 2, 0]);
    expect(bytes).toEqual(frame.bytes);
  });

  test('for another reason is not helped by room, and one that cannot make any is no reason to end', () => {
    let asked = 0;
    const makeRoom = () => {
      asked++;
      throw systemError('EIO', 'unlink');
    };
    const errors = [systemError('EIO', 'open'), systemError('ENOSPC', 'open'), systemError('EROFS', 'open')];
    const { board, bytes } = appendOn(errors, 'openSync', makeRoom);
    expect([asked, board.refusals, board.holdsFor]).toEqual([1, 3, 0]);
    expect(bytes).toEqual(frame.bytes);
  });

  test.each([
    ['a wrong argument', Object.assign(new Error('EINVAL'), { code: 'EINVAL', errno: -22 })],
    ['a closed descriptor', Object.assign(new Error('EBADF'), { code: 'EBADF', errno: -9 })],
    ['an error that is none of the system', new TypeError('x is not a function')],
    [
      'a segment that somebody else has created',
      Object.assign(new Error('EEXIST'), { code: 'EEXIST', errno: -17 }),
    ],
  ])('because of %s is not waited for: it is a bug, or no wait mends it', (_, error) => {
    expect(() => appendOn([error], 'openSync', () => false)).toThrow();
  });
});
