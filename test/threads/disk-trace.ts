/**
 * What threads do to the disk, each call with its place in one order over all of them: and out of that, what a power cut at
 * any moment may leave (as ALICE has it, Pillai et al. 2014, for a file system that promises no more than POSIX).
 *
 *   bytes of a file   are there for sure once an fdatasync has ended that began after they were written; until then each
 *                     write is there, or not, or its first part is, or zeros are in its place; a sector that was there
 *                     and is written over is the old one or the new one; what an fdatasync was for that failed, none
 *                     after it makes sure
 *   names             created, renamed or removed, are there for sure once an fsync of their folder has ended that began
 *                     after it; until then the first so many of the changes of a folder are, in their order
 */

import { constants, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { type ArchiveFiles, NODE_FILES } from '../../src/archive/archive-files.js';
import { systemError } from '../support/system-error.js';

const SECTOR_BYTES = 512;

export interface RecordingTarget {
  /** Counts calls, over all threads. */
  readonly clock: SharedArrayBuffer;
  /** Where each thread leaves its calls. */
  readonly directory: string;
}

interface Call {
  /** Of the clock: before it, and after. */
  readonly begin: number;
  readonly end: number;
  readonly operation:
    | 'create'
    | 'write'
    | 'truncate'
    | 'sync'
    | 'failed sync'
    | 'rename'
    | 'remove'
    | 'sync folder';
  readonly path: string;
  /** write: the bytes; rename: the new path */
  readonly bytes?: Uint8Array;
  readonly to?: string;
  /** write: where; truncate: the length that is left */
  readonly offset?: number;
}

export function createRecording(directory: string): RecordingTarget {
  mkdirSync(directory, { recursive: true });
  return { clock: new SharedArrayBuffer(4), directory };
}

/** The next moment of the order. */
export function tick({ clock }: RecordingTarget): number {
  return Atomics.add(new Int32Array(clock), 0, 1);
}

/**
 * The file system, with notes of what changes it. `save` leaves them for `readTrace`.
 * @param failingSyncs which fdatasyncs of segments fail, from 0
 */
export function recordingFiles(
  target: RecordingTarget,
  failingSyncs: readonly number[] = [],
): { files: ArchiveFiles; save(name: string): void } {
  let syncs = 0;
  const calls: Call[] = [];
  const paths = new Map<number, string>();
  const note = <T>(call: Omit<Call, 'begin' | 'end'>, act: () => T): T => {
    const begin = tick(target);
    const result = act();
    calls.push({ ...call, begin, end: tick(target) });
    return result;
  };
  const files = {
    ...NODE_FILES,
    openSync(path: string, flags: string | number, mode?: number): number {
      const creates = typeof flags === 'number' && (flags & constants.O_CREAT) !== 0;
      const open = () => NODE_FILES.openSync(path, flags, mode);
      const fd = creates ? note({ operation: 'create', path }, open) : open();
      paths.set(fd, path);
      return fd;
    },
    writevSync(fd: number, parts: readonly Uint8Array[], offset: number): number {
      const bytes = Buffer.concat(parts);
      const path = paths.get(fd)!;
      return note({ operation: 'write', path, bytes, offset }, () =>
        NODE_FILES.writevSync(fd, parts, offset),
      );
    },
    ftruncateSync(fd: number, offset: number): void {
      note({ operation: 'truncate', path: paths.get(fd)!, offset }, () =>
        NODE_FILES.ftruncateSync(fd, offset),
      );
    },
    fdatasyncSync(fd: number): void {
      if (paths.get(fd)!.endsWith('.lz4') && failingSyncs.includes(syncs++)) {
        note({ operation: 'failed sync', path: paths.get(fd)! }, () => {});
        throw systemError('EIO', 'as ordered');
      }
      note({ operation: 'sync', path: paths.get(fd)! }, () => NODE_FILES.fdatasyncSync(fd));
    },
    fsyncSync(fd: number): void {
      note({ operation: 'sync folder', path: paths.get(fd)! }, () => NODE_FILES.fsyncSync(fd));
    },
    renameSync(path: string, to: string): void {
      note({ operation: 'rename', path, to }, () => NODE_FILES.renameSync(path, to));
    },
    unlinkSync(path: string): void {
      note({ operation: 'remove', path }, () => NODE_FILES.unlinkSync(path));
    },
  } as ArchiveFiles;
  return { files, save: (name) => writeFileSync(join(target.directory, name), serialize(calls)) };
}

/** The calls of all threads, in the order in which they began. */
export function readTrace({ directory }: RecordingTarget): Call[] {
  const calls = readdirSync(directory).flatMap(
    (name) => deserialize(readFileSync(join(directory, name))) as Call[],
  );
  return calls.sort((a, b) => a.begin - b.begin);
}

interface Inode {
  readonly writes: Call[];
  readonly syncs: Call[];
  readonly failedSyncs: Call[];
}

/**
 * Writes into `target` what may be left of the folder `source` after a power cut at a moment.
 * @param random below its argument; decides what of the unsure is there
 */
export function writeImage(
  trace: readonly Call[],
  moment: number,
  source: string,
  target: string,
  random: (below: number) => number,
): void {
  const begun = trace.filter(({ begin }) => begin <= moment);
  const inodeOf = inodesOf(begun);
  for (const [path, inode] of namesAfter(begun, moment, inodeOf, random)) {
    const place = join(target, relative(source, path));
    mkdirSync(dirname(place), { recursive: true });
    writeFileSync(place, bytesAfter(inode, moment, random));
  }
}

/** Which file each call is about: names come and go, and are given again. */
function inodesOf(calls: readonly Call[]): Map<Call, Inode> {
  const names = new Map<string, Inode>();
  const inodes = new Map<Call, Inode>();
  for (const call of calls) {
    const { operation, path, to } = call;
    if (operation === 'sync folder') continue;
    if (operation === 'create' && !names.has(path))
      names.set(path, { writes: [], syncs: [], failedSyncs: [] });
    const inode = names.get(path)!;
    inodes.set(call, inode);
    if (operation === 'write' || operation === 'truncate') inode.writes.push(call);
    else if (operation === 'sync') inode.syncs.push(call);
    else if (operation === 'failed sync') inode.failedSyncs.push(call);
    else if (operation !== 'create') names.delete(path);
    if (operation === 'rename') names.set(to!, inode);
  }
  return inodes;
}

/** A change of names counts if it is durable, or among the first so many that are not. */
function namesAfter(
  calls: readonly Call[],
  moment: number,
  inodes: Map<Call, Inode>,
  random: (below: number) => number,
): Map<string, Inode> {
  const names = new Map<string, Inode>();
  const changes = calls.filter(({ operation }) => ['create', 'rename', 'remove'].includes(operation));
  for (const folder of new Set(changes.map(({ path }) => dirname(path)))) {
    const own = changes.filter(({ path }) => dirname(path) === folder);
    const syncs = calls.filter(
      ({ operation, path, end }) => operation === 'sync folder' && path === folder && end <= moment,
    );
    const sure = own.filter(({ end }) => syncs.some(({ begin }) => end <= begin)).length;
    for (const call of own.slice(0, sure + random(own.length - sure + 1))) {
      const inode = inodes.get(call)!;
      if (call.operation === 'create') names.set(call.path, inode);
      else names.delete(call.path);
      if (call.operation === 'rename') names.set(call.to!, inode);
    }
  }
  return names;
}

function bytesAfter(
  { writes, syncs, failedSyncs }: Inode,
  moment: number,
  random: (below: number) => number,
): Buffer {
  let bytes = Buffer.alloc(0);
  for (const { operation, offset = 0, bytes: written = new Uint8Array(0), begin, end } of writes) {
    const isSure = syncs.some(
      (sync) =>
        sync.end <= moment &&
        end <= sync.begin &&
        !failedSyncs.some((failed) => begin < failed.end && failed.begin < sync.begin),
    );
    const fates = ['there', 'gone', 'part', 'zeros'] as const;
    // A sector that is written over is the old one or the new one.
    const isSector =
      operation === 'write' && written.length <= SECTOR_BYTES && offset + written.length <= bytes.length;
    const fate = isSure ? 'there' : fates[random(isSector ? 2 : 4)]!;
    if (fate === 'gone') continue;
    if (operation === 'truncate') {
      bytes = bytes.subarray(0, offset);
      continue;
    }
    const length = fate === 'part' ? random(written.length) : written.length;
    const grown = Buffer.alloc(Math.max(bytes.length, offset + length));
    grown.set(bytes);
    if (fate === 'zeros') grown.fill(0, offset, offset + length);
    else grown.set(written.subarray(0, length), offset);
    bytes = grown;
  }
  return bytes;
}

/** For messages. */
export function describeCall({ operation, path, begin }: Call): string {
  return `${begin} ${operation} ${basename(path)}`;
}
