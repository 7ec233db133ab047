/**
 * Checkpoint files into tables. A file that is damaged is a normal answer, with its reason: there is an older one, and there is
 * the log. One that another tallyd wrote in another form is a failure: to go on without it might cost what only it knows.
 */

import { crc32 } from 'node:zlib';
import { type ArchiveFiles, NODE_FILES } from '../archive/archive-files.js';
import { decompressFrame, freeNativeMemory, LZ4_EXPANSION_MAX, nativeMemoryIsHeld } from '../archive/lz4.js';
import { Failure, failureOfSystemError } from '../model/failure.js';
import { STATE_LAYOUT, STATE_VERSION, type TableName } from '../state/layout.js';
import type { Tables } from '../state/tables.js';
import {
  CHECKPOINT_FORMAT,
  CHECKPOINT_HEAD_BYTES,
  CHUNK_HEAD_BYTES,
  CHUNK_RAW_BYTES,
  type CheckpointFile,
  crcOfChunk,
  type Description,
  decodeCheckpointHead,
} from './checkpoint-format.js';

/** Why a checkpoint cannot be used. */
export interface Unfit {
  readonly kind: 'unfit';
  readonly reason: string;
}

export interface Described {
  readonly kind: 'described';
  readonly description: Description;
}

export interface Loaded {
  readonly kind: 'loaded';
  readonly description: Description;
}

/**
 * What a file says of itself.
 * @throws Failure ERR_CHECKPOINT_FORMAT where it is whole and of a form that this program does not know
 */
export function readDescription(path: string, files: ArchiveFiles = NODE_FILES): Described | Unfit {
  const file = CheckpointFileReader.open(path, files);
  if (file === null) return unfit('it is not there any more');
  try {
    return file.description();
  } finally {
    file.close();
  }
}

/**
 * Fills the tables with the state of a checkpoint file; where it is unfit they are empty afterwards.
 * @throws Failure ERR_CHECKPOINT_FORMAT, and those of the system
 */
export async function loadCheckpoint(
  { path, line }: CheckpointFile,
  tables: Tables,
  files: ArchiveFiles = NODE_FILES,
): Promise<Loaded | Unfit> {
  tables.clear();
  const file = CheckpointFileReader.open(path, files);
  if (file === null) return unfit('it is not there any more');
  try {
    const described = file.description();
    if (described.kind === 'unfit') return described;
    const { description } = described;
    if (description.line !== line) return unfit(`its name says line ${line}, it states ${description.line}`);
    const reason = await fill(tables, file, description);
    if (reason === null) {
      // Those under which it was taken: they are part of it.
      tables.takeLimits();
      return { kind: 'loaded', description };
    }
    tables.clear();
    return unfit(reason);
  } finally {
    file.close();
  }
}

/** @returns null, or why the file is damaged */
async function fill(
  tables: Tables,
  file: CheckpointFileReader,
  description: Description,
): Promise<string | null> {
  for (const { name, bytes } of description.memories) {
    const memory = tables.memory[name as TableName];
    // The numbers of a running daemon's clients are ahead of any checkpoint.
    const isKept = name !== 'clients' || !tables.clients.isLive;
    if (bytes > memory.length) return `it states ${bytes} bytes of ${name}, which has ${memory.length}`;
    for (let at = 0; at < bytes; ) {
      const chunk = file.nextChunk(Math.min(CHUNK_RAW_BYTES, bytes - at));
      if (typeof chunk === 'string') return chunk;
      if (isKept) memory.set(chunk, at);
      at += chunk.length;
      if (nativeMemoryIsHeld()) await freeNativeMemory();
    }
  }
  if (!file.isAtEnd) return 'it goes on after its last chunk';
  const { line } = tables.board;
  return line === description.line ? null : `its state ends at line ${line}, it states ${description.line}`;
}

function unfit(reason: string): Unfit {
  return { kind: 'unfit', reason };
}

class CheckpointFileReader {
  readonly #path: string;
  readonly #files: ArchiveFiles;
  readonly #fd: number;
  readonly #bytes: number;
  readonly #chunkHead = Buffer.allocUnsafe(CHUNK_HEAD_BYTES);
  #data = Buffer.alloc(0);
  #at = 0;

  private constructor(path: string, fd: number, bytes: number, files: ArchiveFiles) {
    this.#path = path;
    this.#fd = fd;
    this.#bytes = bytes;
    this.#files = files;
  }

  /** null: it is not there. */
  static open(path: string, files: ArchiveFiles): CheckpointFileReader | null {
    try {
      const fd = files.openSync(path, 'r');
      return new CheckpointFileReader(path, fd, files.fstatSync(fd).size, files);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw failureOfSystemError(error, 'open checkpoint', path);
    }
  }

  close(): void {
    this.#files.closeSync(this.#fd);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes;
  }

  description(): Described | Unfit {
    const bytes = Buffer.allocUnsafe(CHECKPOINT_HEAD_BYTES);
    const head = decodeCheckpointHead(bytes.subarray(0, this.#read(bytes)));
    if (head.kind === 'flaw') return unfit(head.reason);
    if (head.kind === 'format') {
      throw this.#otherForm(`is of format ${head.format}, and this tallyd knows format ${CHECKPOINT_FORMAT}`);
    }
    const text = Buffer.allocUnsafe(head.descriptionBytes);
    if (this.#read(text) < text.length) return unfit('it ends within its description');
    if (crc32(text) !== head.descriptionCrc) return unfit('its description does not match its checksum');
    const description = JSON.parse(text.toString('utf8')) as Description;
    const form = formOf(description.state_version, description.layout);
    const known = formOf(STATE_VERSION, STATE_LAYOUT);
    if (form !== known) {
      throw this.#otherForm(`holds a state of ${form}, and this tallyd knows ${known}`);
    }
    return { kind: 'described', description };
  }

  /** The bytes of the next chunk, of which there must be so many; or why the file is damaged. */
  nextChunk(rawBytes: number): Buffer | string {
    const offset = this.#at;
    const head = this.#chunkHead;
    if (this.#read(head) < head.length) return `it ends within the chunk at byte ${offset}`;
    const dataBytes = head.readUInt32LE(4);
    // No LZ4 frame of so many bytes is much larger than they are.
    if (
      head.readUInt32LE(0) !== rawBytes ||
      dataBytes > rawBytes + 1024 ||
      dataBytes * LZ4_EXPANSION_MAX < rawBytes
    ) {
      return `the chunk at byte ${offset} states ${head.readUInt32LE(0)} bytes in ${dataBytes}, and should have ${rawBytes}`;
    }
    if (dataBytes > this.#data.length) this.#data = Buffer.allocUnsafe(dataBytes);
    const data = this.#data.subarray(0, dataBytes);
    if (this.#read(data) < data.length) return `it ends within the chunk at byte ${offset}`;
    if (crcOfChunk(head, data) !== head.readUInt32LE(8)) {
      return `the chunk at byte ${offset} does not match its checksum`;
    }
    try {
      return decompressFrame(data, rawBytes);
    } catch (error) {
      if (error instanceof Failure) return `the chunk at byte ${offset}: ${error.message}`;
      throw error;
    }
  }

  #otherForm(what: string): Failure {
    return new Failure(
      'ERR_CHECKPOINT_FORMAT',
      `checkpoint ${this.#path} ${what}; use the tallyd that wrote it, or move the checkpoints away, and the state is made again out of all lines that the log still has`,
    );
  }

  #read(target: Buffer): number {
    let count = 0;
    try {
      while (count < target.length) {
        const read = this.#files.readSync(this.#fd, target, count, target.length - count, this.#at + count);
        if (read === 0) break;
        count += read;
      }
    } catch (error) {
      throw failureOfSystemError(error, 'read checkpoint', this.#path);
    }
    this.#at += count;
    return count;
  }
}

function formOf(version: number, layout: Readonly<Record<string, number>>): string {
  const sizes = Object.entries(layout).map(([name, bytes]) => `${name} ${bytes}`);
  return `version ${version} (${sizes.join(', ')})`;
}
