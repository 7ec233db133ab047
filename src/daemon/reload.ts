/** What a configuration that is read again changes: options that a running daemon takes, and those that need a restart. */

import { isDeepStrictEqual } from 'node:util';
import { type Config, optionValue } from '../config/config.js';
import { OPTIONS, type Option, propertyOf, sectionOf } from '../config/options.js';
import { writeValue } from '../config/values.js';
import { Failure } from '../model/failure.js';
import type { Log } from './log.js';

export interface OptionChange {
  readonly option: Option;
  /** As they stand in the file. */
  readonly before: string;
  readonly after: string;
}

export interface Reload {
  /** What is in force from now on: the new values where the daemon takes them, the old ones elsewhere. */
  readonly config: Config;
  readonly taken: readonly OptionChange[];
  readonly needRestart: readonly OptionChange[];
}

/** @returns null where the configuration is wrong: nothing changes, and the log says why */
export function tryReload(current: Config, read: () => Config, log: Log): Reload | null {
  try {
    return reloadConfig(current, read());
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const why = `${error.code}: ${error.message}`;
    log.error(`nothing has changed, as the configuration cannot be used: ${why}`);
    return null;
  }
}

export function tellReload({ config, taken, needRestart }: Reload, log: Log): void {
  const changed = taken.map(changeText);
  log.info(
    { file: config.file, changed },
    changed.length > 0 ? 'took the configuration' : 'nothing has changed',
  );
  if (needRestart.length > 0) {
    log.warn({ changed: needRestart.map(changeText) }, 'these need a restart, and have not changed');
  }
}

function changeText({ option, before, after }: OptionChange): string {
  return `${option.key}: ${before} to ${after}`;
}

export function reloadConfig(current: Config, read: Config): Reload {
  const sections: Record<string, Record<string, unknown>> = {};
  const sources: Record<string, unknown> = {};
  const taken: OptionChange[] = [];
  const needRestart: OptionChange[] = [];
  for (const option of OPTIONS) {
    const { key, reload } = option;
    const from = reload ? read : current;
    const section = sectionOf(key);
    sections[section] = { ...sections[section], [propertyOf(option)]: optionValue(from, option) };
    sources[key] = from.sources[key];
    const [before, after] = [optionValue(current, option), optionValue(read, option)];
    if (isDeepStrictEqual(before, after)) continue;
    const change = { option, before: writeValue(option, before), after: writeValue(option, after) };
    (reload ? taken : needRestart).push(change);
  }
  const config = { ...current, file: read.file, sources, ...sections } as unknown as Config;
  return { config, taken, needRestart };
}
