/**
 * The configuration: flags over environment over file over defaults, checked as a whole. A wrong one is one failure that
 * lists every problem, so that nobody mends and restarts in a loop.
 */

import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { Failure, failureOfSystemError } from '../model/failure.js';
import { type FolderHost, foldersOf, RUNTIME_DIR_BYTES_MAX } from './folders.js';
import { nearestKey, nearestOf } from './nearest.js';
import {
  environmentNameOf,
  OPTION_BY_KEY,
  OPTIONS,
  type Option,
  propertyOf,
  SECTIONS,
  sectionOf,
} from './options.js';
import { failureOfProblems, type Problem, type Source } from './problems.js';
import { formatSize, formatSizeInText } from './sizes.js';
import { readBareValue, readToml } from './toml.js';
import {
  defaultOf,
  type LoopbackAddress,
  readValue,
  type Value,
  type Written,
  writtenText,
} from './values.js';

/** Plain data: it crosses to a worker by structured clone. Sizes are bytes. */
export interface Config {
  /** the file that was read, or null */
  readonly file: string | null;
  /** where each value came from, by key */
  readonly sources: Readonly<Record<string, Source>>;
  readonly stateDir: string;
  readonly runtimeDir: string;
  readonly ingest: {
    readonly mode: number;
    readonly group: string | null;
    /** null: all */
    readonly allowUids: readonly number[] | null;
    readonly maxLineBytes: number;
    readonly maxConnections: number;
    readonly maxClients: number;
    readonly clientMemoryMs: number;
  };
  readonly ring: { readonly bytes: number };
  readonly workers: { readonly decode: number | 'auto' };
  readonly state: {
    readonly maxLiveWorkflows: number;
    readonly maxRecentWorkflows: number;
    readonly maxTasksPerWorkflow: number;
    readonly maxTasks: number;
    readonly namesBytes: number;
    readonly staleAfterMs: number;
  };
  readonly stats: {
    readonly maxSeries: number;
    readonly seriesIdleMs: number;
    readonly windowBytes: number;
    readonly rollupAgeMs: number;
  };
  readonly archive: {
    readonly segmentBytes: number;
    readonly segmentAgeMs: number;
    readonly syncIntervalMs: number;
    readonly maxAgeMs: number;
    readonly maxBytes: number;
    readonly onFull: 'block' | 'prune';
  };
  readonly checkpoint: { readonly intervalMs: number };
  readonly control: { readonly mode: number; readonly listen: LoopbackAddress | null };
  readonly log: {
    readonly level: 'error' | 'warn' | 'info' | 'debug';
    readonly format: 'auto' | 'json' | 'pretty';
  };
}

export interface ConfigFlags {
  /** `KEY=VALUE` each; of one key the last counts */
  readonly set?: readonly string[];
  readonly stateDir?: string | undefined;
  readonly runtimeDir?: string | undefined;
}

export interface ConfigInput {
  readonly flags: ConfigFlags;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** of `--config`; it must exist, as must that of TALLYD_CONFIG */
  readonly file?: string | undefined;
  /** read where neither names one, if it exists */
  readonly defaultFile?: string;
  readonly host?: FolderHost;
}

const DEFAULT_FILE = '/etc/tallyd/tallyd.toml';

/** `value` is undefined where it is wrong by itself: that is reported when it is met. */
interface Setting {
  readonly value: Value | undefined;
  readonly written: Written;
  readonly source: Source;
}

/**
 * Also a wrong value that another source overrides is a problem: it would come to light on the day the override goes.
 *
 * @throws Failure ERR_CONFIG_INVALID with all problems; ERR_DENIED or ERR_IO where the file exists and cannot be read;
 * ERR_USAGE for a `set` without `=`
 */
export function loadConfig(input: ConfigInput): Config {
  const settings = new Map<string, Setting>();
  const problems: Problem[] = [];
  for (const option of OPTIONS) take(option, defaultOf(option), { from: 'default' }, settings, problems);
  const file = readConfigFile(input);
  if (file !== null) takeFile(file.path, file.text, settings, problems);
  takeEnvironment(input.env, settings, problems);
  takeFlags(input.flags.set ?? [], settings, problems);

  const sections: Record<string, Record<string, Value | undefined>> = {};
  for (const section of SECTIONS) sections[section] = {};
  const sources: Record<string, Source> = {};
  for (const option of OPTIONS) {
    const { value, source } = settings.get(option.key)!;
    sections[sectionOf(option.key)]![propertyOf(option)] = value;
    sources[option.key] = source;
  }
  const host = input.host ?? { uid: process.getuid?.() ?? -1, homeDir: homedir() };
  const folders = foldersOf(input.flags, input.env, host);
  checkTogether(settings, folders.runtimeDir, problems);
  if (problems.length > 0) throw failureOfProblems(inOrder(problems));
  return { file: file?.path ?? null, sources, ...folders, ...sections } as unknown as Config;
}

/** The value of an option in a loaded configuration. */
export function optionValue(config: Config, option: Option): Value {
  const section = config[sectionOf(option.key) as keyof Config] as unknown as Record<string, Value>;
  return section[propertyOf(option)]!;
}

function readConfigFile(input: ConfigInput): { path: string; text: string } | null {
  const named = input.file || input.env.TALLYD_CONFIG || undefined;
  const path = named ?? input.defaultFile ?? DEFAULT_FILE;
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EISDIR') {
      throw failureOfSystemError(error, 'read the configuration', path);
    }
    if (named === undefined && code !== 'EISDIR') return null;
    const what = code === 'EISDIR' ? 'is a folder' : 'does not exist';
    const by = input.file ? '--config' : named === undefined ? 'the default' : 'TALLYD_CONFIG';
    throw new Failure(
      'ERR_CONFIG_INVALID',
      `the configuration file ${path} (${by}) ${what}; name one that does, or none: every option has a default`,
      { cause: error },
    );
  }
}

function takeFile(file: string, text: string, settings: Map<string, Setting>, problems: Problem[]): void {
  const read = readToml(text);
  if ('problem' in read) {
    const source: Source = { from: 'file', file, line: read.line };
    problems.push({ subject: 'TOML', text: `${read.problem}, column ${read.column}`, source });
    return;
  }
  for (const { name, line } of read.sections) {
    const alone = !read.settings.some(({ key }) => key.startsWith(`${name}.`));
    if (!alone || SECTIONS.includes(name)) continue;
    const text = `is no section; did you mean [${nearestOf(name, SECTIONS)}]?`;
    problems.push({ subject: `[${name}]`, text, source: { from: 'file', file, line } });
  }
  for (const { key, written, line } of read.settings) {
    const source: Source = { from: 'file', file, line };
    if (SECTIONS.includes(key)) {
      // An empty inline table says nothing, and is no harm.
      if (written.form === 'other' && written.what === 'a table') continue;
      const text = `must be one section ([${key}]), is ${writtenText(written)}`;
      problems.push({ subject: key, text, source });
    } else {
      takeKey(key, written, source, settings, problems);
    }
  }
}

function takeEnvironment(env: ConfigInput['env'], settings: Map<string, Setting>, problems: Problem[]): void {
  const keyByName = new Map(OPTIONS.map(({ key }) => [environmentNameOf(key), key]));
  for (const variable of Object.keys(env).sort()) {
    const text = env[variable];
    if (text === undefined || !/^TALLYD_.*__/.test(variable)) continue;
    const source: Source = { from: 'environment', variable };
    const key = keyByName.get(variable);
    if (key === undefined) {
      const meant = variable.slice('TALLYD_'.length).replace('__', '.').toLowerCase();
      const nearest = nearestKey(meant, [...OPTION_BY_KEY.keys()])!;
      const text = `is no option; did you mean ${environmentNameOf(nearest)}?`;
      problems.push({ subject: variable, text, source });
    } else {
      take(OPTION_BY_KEY.get(key)!, readBareValue(text), source, settings, problems);
    }
  }
}

function takeFlags(flags: readonly string[], settings: Map<string, Setting>, problems: Problem[]): void {
  for (const flag of flags) {
    const equals = flag.indexOf('=');
    if (equals < 1) {
      throw new Failure(
        'ERR_USAGE',
        `--set takes KEY=VALUE, is ${JSON.stringify(flag)}; as in --set ring.bytes=64MiB`,
      );
    }
    const key = flag.slice(0, equals).trim();
    const written = readBareValue(flag.slice(equals + 1));
    takeKey(key, written, { from: 'flag', flag: '--set' }, settings, problems);
  }
}

function takeKey(
  key: string,
  written: Written,
  source: Source,
  settings: Map<string, Setting>,
  problems: Problem[],
): void {
  const option = OPTION_BY_KEY.get(key);
  if (option !== undefined) {
    take(option, written, source, settings, problems);
  } else {
    const nearest = nearestKey(key, [...OPTION_BY_KEY.keys()]);
    problems.push({ subject: key, text: `is no option; did you mean ${nearest}?`, source });
  }
}

function take(
  option: Option,
  written: Written,
  source: Source,
  settings: Map<string, Setting>,
  problems: Problem[],
): void {
  const read = readValue(option, written);
  if ('problem' in read) problems.push({ subject: option.key, text: read.problem, source });
  settings.set(option.key, { value: 'problem' in read ? undefined : read.value, written, source });
}

/** What one option alone cannot say. */
function checkTogether(settings: Map<string, Setting>, runtimeDir: string, problems: Problem[]): void {
  const line = settings.get('ingest.max_line_bytes')!;
  const ring = settings.get('ring.bytes')!.value;
  if (typeof ring === 'number' && typeof line.value === 'number' && line.value > ring / 4) {
    const most = ring / 4;
    const nearest = line.written.form === 'number' ? most : `"${formatSize(most)}"`;
    const bound = `at most a quarter of ring.bytes (${formatSizeInText(most)})`;
    const text = `must be ${bound}, is ${writtenText(line.written)} (nearest: ${nearest})`;
    problems.push({ subject: 'ingest.max_line_bytes', text, source: line.source });
  }
  const bytes = Buffer.byteLength(runtimeDir);
  if (bytes > RUNTIME_DIR_BYTES_MAX) {
    const bound = `at most ${RUNTIME_DIR_BYTES_MAX} bytes long, for the sockets in it`;
    const text = `must be ${bound}, is ${bytes}: ${runtimeDir}; choose a shorter one with --runtime-dir`;
    problems.push({ subject: 'runtime directory', text, source: { from: 'default' } });
  }
}

/** By line; then the environment and the flags. */
function inOrder(problems: readonly Problem[]): Problem[] {
  const rank = ({ source }: Problem) => (source.from === 'file' ? source.line : Number.MAX_SAFE_INTEGER);
  return [...problems].sort((a, b) => rank(a) - rank(b));
}
