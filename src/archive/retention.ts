/**
 * Which segments the log can do without, and their removal: the oldest first, by the age of their last line and by the size of
 * all. Never the last one, which is written, and never one that a start may need; so the log has no holes. The daemon
 * does this (daemon/retention.ts), and `tallyd archive prune` does the same beside it: both keep to the same rules, and a
 * segment that the other has removed is as good as removed.
 */

import { failureOfSystemError } from '../model/failure.js';
import { type ArchiveFiles, NODE_FILES, syncDirectory } from './archive-files.js';
import type { FrameHead } from './frame-header.js';
import { openUnlessRemoved } from './log-reader.js';
import { indexPathOf, listSegments, type Segment } from './segment-name.js';

export interface RetentionRules {
  /** Segments whose last line arrived before this are removed, µs; 0: none for their age. */
  readonly keepFromUs: number;
  /** All segments with their indexes; the oldest are removed until they take no more. */
  readonly maxBytes: number;
}

export interface RetentionTask {
  readonly directory: string;
  readonly rules: RetentionRules;
  /** The first line that a start may need: that after the older of two checkpoints. */
  readonly firstLineNeeded: number;
  /** The number of the segment that is written, if that is known; by default the last. */
  readonly activeSegment?: number;
  /** At most so many are removed. */
  readonly countMax?: number;
  /** Only says what would be removed. */
  readonly isTrial?: boolean;
}

export interface RemovedSegment {
  readonly path: string;
  readonly firstLine: number;
  readonly lastLine: number;
  /** With its index. */
  readonly bytes: number;
}

export interface Retained {
  readonly removed: readonly RemovedSegment[];
  /** The rules would remove more, but a start may need it. */
  readonly isHeld: boolean;
  /** What is left before the active segment. */
  readonly closed: { readonly segments: number; readonly bytes: number };
  /** Of the oldest frame that is left, µs; 0: there is none. */
  readonly oldestUs: number;
  /** Of lines before that frame, since line 1. */
  readonly rawBytesBefore: number;
  /** All that is left, with the indexes. */
  readonly bytes: number;
  /** Arrival of the last line of the oldest segment, µs: until when its age cannot matter. +∞ for the active one. */
  readonly oldestEndUs: number;
}

/** Of the last record in the log, µs; 0: nothing of it can be read. @throws Failure */
export function newestArrivalUs(directory: string, files: ArchiveFiles = NODE_FILES): number {
  for (const segment of listSegments(directory, files).reverse()) {
    const us = lastArrivalOf(segment, files);
    if (us !== null) return us;
  }
  return 0;
}

/** Of the first frame that can be read, µs; +∞: there is none. @throws Failure */
export function oldestArrivalUs(directory: string, files: ArchiveFiles = NODE_FILES): number {
  return oldestHeadOf(listSegments(directory, files), files)?.firstArrivalUs ?? Number.POSITIVE_INFINITY;
}

/** For a full disk. @returns whether a segment could be removed @throws Failure */
export function tryRemoveOldest(directory: string, firstLineNeeded: number): boolean {
  const rules = { keepFromUs: 0, maxBytes: 0 };
  return applyRetention({ directory, rules, firstLineNeeded, countMax: 1 }).removed.length > 0;
}

interface Sized extends Segment {
  readonly bytes: number;
  readonly indexBytes: number;
}

/** @throws Failure */
export function applyRetention(task: RetentionTask, files: ArchiveFiles = NODE_FILES): Retained {
  const { directory, rules, firstLineNeeded, countMax = Number.POSITIVE_INFINITY, isTrial = false } = task;
  const segments = listSegments(directory, files).map((segment) => sized(segment, files));
  let bytes = segments.reduce((sum, segment) => sum + segment.bytes + segment.indexBytes, 0);
  const removed: RemovedSegment[] = [];
  let isHeld = false;
  let oldestEndUs = Number.POSITIVE_INFINITY;
  let first = 0;
  for (; first < segments.length - 1 && removed.length < countMax; first++) {
    const segment = segments[first]!;
    const next = segments[first + 1]!;
    oldestEndUs = lastArrivalOf(segment, files) ?? firstHeadOf(next, files)?.firstArrivalUs ?? oldestEndUs;
    if (bytes <= rules.maxBytes && oldestEndUs >= rules.keepFromUs) break;
    // The frame with the line before it may have numbers of clients that no checkpoint has.
    isHeld = next.firstLine >= firstLineNeeded;
    if (isHeld) break;
    if (!isTrial) removeSegment(segment, files);
    const segmentBytes = segment.bytes + segment.indexBytes;
    bytes -= segmentBytes;
    const { path, firstLine } = segment;
    removed.push({ path, firstLine, lastLine: next.firstLine - 1, bytes: segmentBytes });
    oldestEndUs = Number.POSITIVE_INFINITY;
  }
  if (removed.length > 0 && !isTrial) syncNames(directory, files);
  const kept = segments.slice(first);
  const active = task.activeSegment ?? kept.at(-1)?.firstLine ?? 0;
  const closed = kept.filter(({ firstLine }) => firstLine < active);
  const oldest = oldestHeadOf(kept, files);
  return {
    removed,
    isHeld,
    closed: { segments: closed.length, bytes: closed.reduce((sum, segment) => sum + segment.bytes, 0) },
    oldestUs: oldest?.firstArrivalUs ?? 0,
    rawBytesBefore: oldest?.rawBytesBefore ?? 0,
    bytes,
    oldestEndUs,
  };
}

function sized(segment: Segment, files: ArchiveFiles): Sized {
  return {
    ...segment,
    bytes: sizeOf(segment.path, files),
    indexBytes: sizeOf(indexPathOf(segment.path), files),
  };
}

/** 0: it is not there (any more). */
function sizeOf(path: string, files: ArchiveFiles): number {
  try {
    return files.statSync(path).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw failureOfSystemError(error, 'look at', path);
  }
}

/** The index last: one that is left without its segment misleads nobody, and the daemon removes it some time. */
function removeSegment({ path }: Segment, files: ArchiveFiles): void {
  for (const name of [path, indexPathOf(path)]) {
    try {
      files.unlinkSync(name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        throw failureOfSystemError(error, 'remove', name);
    }
  }
}

function syncNames(directory: string, files: ArchiveFiles): void {
  try {
    syncDirectory(directory, files);
  } catch (error) {
    throw failureOfSystemError(error, 'sync the folder', directory);
  }
}

/** µs; null where nothing of it can be read, or it is gone */
function lastArrivalOf(segment: Segment, files: ArchiveFiles): number | null {
  let last: FrameHead | null = null;
  for (const head of headsOf(segment, files)) last = head;
  return last?.lastArrivalUs ?? null;
}

function firstHeadOf(segment: Segment, files: ArchiveFiles): FrameHead | null {
  for (const head of headsOf(segment, files)) return head;
  return null;
}

function oldestHeadOf(segments: readonly Segment[], files: ArchiveFiles): FrameHead | null {
  for (const segment of segments) {
    const head = firstHeadOf(segment, files);
    if (head !== null) return head;
  }
  return null;
}

function* headsOf(segment: Segment, files: ArchiveFiles): Generator<FrameHead> {
  const reader = openUnlessRemoved(segment, null, files, 'damage');
  if (reader === null) return;
  try {
    for (const item of reader.frames()) if (item.kind === 'frame') yield item.head;
  } finally {
    reader.close();
  }
}
