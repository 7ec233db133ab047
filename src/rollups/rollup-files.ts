/**
 * The files of the roll-ups' folder, one for each day (UTC): `YYYY-MM-DD.rollups.lz4`, sections of its hours in their order. A file is
 * written whole under another name and renamed, so a reader finds the old one or the new one. An hour that is written again
 * takes its own place, so it counts once.
 *
 * Hours that were lost and made anew stand in `YYYY-MM-DD.rebuilt.rollups.lz4`: another thread writes those while the fold writes
 * the others, and two writers of one file would undo each other. What is in both counts as the fold has written it.
 */

import { join } from 'node:path';
import { type ArchiveFiles, syncDirectory } from '../archive/archive-files.js';
import { decodeSections, type Section } from './rollup-format.js';

const FILE_NAME = /^(\d{4}-\d{2}-\d{2})(\.rebuilt)?\.rollups\.lz4$/;
const UNFINISHED_SUFFIX = '.tmp';
const DIRECTORY_MODE = 0o750;
const FILE_MODE = 0o640;
const DAY_HOURS = 24;
const DAY_MS = 86_400_000;

export interface RollupFile {
  readonly path: string;
  /** The first hour of its day. */
  readonly firstHour: number;
  readonly isRebuilt: boolean;
}

/** In the order of time, those of one day with the rebuilt one first. A folder that is not there has none. */
export function listRollupFiles(directory: string, files: ArchiveFiles): RollupFile[] {
  let names: string[];
  try {
    names = files.readdirSync(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  const found = names.flatMap((name) => {
    const match = FILE_NAME.exec(name);
    const dayMs = Date.parse(match?.[1] ?? '');
    if (Number.isNaN(dayMs)) return [];
    const firstHour = (dayMs / DAY_MS) * DAY_HOURS;
    return [{ path: join(directory, name), firstHour, isRebuilt: match![2] !== undefined }];
  });
  return found.sort((a, b) => a.firstHour - b.firstHour || Number(b.isRebuilt) - Number(a.isRebuilt));
}

/** Of hours that are there: which one was before. */
export type BeforeByHour = ReadonlyMap<number, number>;

/** All hours whose bytes are right. Throws what the system throws. */
export function readHours(directory: string, files: ArchiveFiles): BeforeByHour {
  const hours = new Map<number, number>();
  for (const { path } of listRollupFiles(directory, files)) {
    for (const { hour, before } of readWhatCanBeRead(path, files)) hours.set(hour, before);
  }
  return hours;
}

/**
 * The last hour before each of these, and this last one, that is not there though something arrived in it. What was before a
 * missing one is known when that is there again.
 */
export function missingHours(hours: BeforeByHour, last: number): number[] {
  const expected = new Set([last]);
  for (const [hour, before] of hours) if (hour <= last) expected.add(before);
  expected.delete(0);
  return [...expected].filter((hour) => !hours.has(hour)).sort((a, b) => a - b);
}

/** The same; none where the disk cannot read it, as of one that is damaged. For who only looks. */
export function readWhatCanBeRead(path: string, files: ArchiveFiles): Section[] {
  try {
    return readRollupFile(path, files);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EIO') return [];
    throw error;
  }
}

/** Its whole sections; none where it is not there any more. */
export function readRollupFile(path: string, files: ArchiveFiles): Section[] {
  let fd: number;
  try {
    fd = files.openSync(path, 'r');
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  try {
    const bytes = Buffer.allocUnsafe(files.fstatSync(fd).size);
    let at = 0;
    for (let read = -1; read !== 0 && at < bytes.length; at += read) {
      read = files.readSync(fd, bytes, at, bytes.length - at, at);
    }
    return decodeSections(bytes.subarray(0, at));
  } finally {
    files.closeSync(fd);
  }
}

/**
 * Makes it durable in the file of its day. An hour that is there with the same bytes is left. Hours between it and the one before
 * are of lines that the log has lost (with a power cut), and are removed. Throws what the system throws.
 */
export function writeSection(directory: string, section: Section, files: ArchiveFiles): void {
  const { hour, before, bytes } = section;
  const firstHour = firstHourOf(hour);
  const isLost = (other: Section) => before > 0 && other.hour > before && other.hour < hour;
  const path = pathOf(directory, firstHour, false);
  for (const file of listRollupFiles(directory, files)) {
    if (file.firstHour + DAY_HOURS <= before || file.firstHour > firstHour || file.path === path) continue;
    const known = readRollupFile(file.path, files);
    if (known.some(isLost))
      replace(
        directory,
        file.path,
        known.filter((one) => !isLost(one)),
        files,
      );
  }
  const known = readRollupFile(path, files);
  if (known.some((one) => one.hour === hour && one.bytes.equals(bytes)) && !known.some(isLost)) return;
  const sections = known.filter((one) => one.hour !== hour && !isLost(one));
  sections.push(section);
  sections.sort((a, b) => a.hour - b.hour);
  files.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  replace(directory, path, sections, files);
}

/** Hours that were lost into the files beside those of the fold. Throws what the system throws. */
export function writeRebuilt(directory: string, sections: readonly Section[], files: ArchiveFiles): void {
  const days = new Set(sections.map(({ hour }) => firstHourOf(hour)));
  for (const firstHour of days) {
    const hours = sections.filter(({ hour }) => firstHourOf(hour) === firstHour);
    const path = pathOf(directory, firstHour, true);
    const known = readRollupFile(path, files).filter((one) => !hours.some(({ hour }) => hour === one.hour));
    const all = [...known, ...hours].sort((a, b) => a.hour - b.hour);
    files.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    replace(directory, path, all, files);
  }
}

/** Of its day. */
function firstHourOf(hour: number): number {
  return Math.floor(hour / DAY_HOURS) * DAY_HOURS;
}

function pathOf(directory: string, firstHour: number, isRebuilt: boolean): string {
  const day = new Date((firstHour / DAY_HOURS) * DAY_MS).toISOString().slice(0, 10);
  return join(directory, `${day}${isRebuilt ? '.rebuilt' : ''}.rollups.lz4`);
}

function replace(directory: string, path: string, sections: readonly Section[], files: ArchiveFiles): void {
  const unfinished = path + UNFINISHED_SUFFIX;
  const fd = files.openSync(unfinished, 'w', FILE_MODE);
  try {
    writeWhole(fd, Buffer.concat(sections.map(({ bytes }) => bytes)), files);
    files.fdatasyncSync(fd);
  } finally {
    files.closeSync(fd);
  }
  files.renameSync(unfinished, path);
  syncDirectory(directory, files);
}

/** Removes the days that end before this hour. Throws what the system throws. */
export function pruneRollups(directory: string, beforeHour: number, files: ArchiveFiles): void {
  for (const { path, firstHour } of listRollupFiles(directory, files)) {
    if (firstHour + DAY_HOURS <= beforeHour) files.unlinkSync(path);
  }
}

function writeWhole(fd: number, bytes: Buffer, files: ArchiveFiles): void {
  for (let at = 0; at < bytes.length; ) at += files.writevSync(fd, [bytes.subarray(at)]);
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
