/** `tallyd check`: the effective configuration, as a file with comments or as JSON. A wrong one never gets here. */

import { type Config, optionValue } from '../config/config.js';
import { OPTIONS, sectionOf } from '../config/options.js';
import { sourceText } from '../config/problems.js';
import { renderConfig } from '../config/render.js';
import { addressText, type LoopbackAddress, modeText } from '../config/values.js';
import { EXIT_DONE } from '../model/failure.js';
import type { Io } from './io.js';

export async function check(config: Config, options: { json?: boolean }, io: Io): Promise<number> {
  io.stdout.write(options.json ? `${JSON.stringify(configJson(config), null, 2)}\n` : renderConfig(config));
  return EXIT_DONE;
}

/** Sizes in bytes, durations in seconds, modes in octal, null for none. */
function configJson(config: Config): Record<string, unknown> {
  const sections: Record<string, Record<string, unknown>> = {};
  const sources: Record<string, string> = {};
  for (const option of OPTIONS) {
    let value: unknown = optionValue(config, option);
    if (option.kind === 'duration') value = (value as number) / 1000;
    else if (option.kind === 'mode') value = modeText(value as number);
    else if (option.kind === 'loopback-address' && value !== null)
      value = addressText(value as LoopbackAddress);
    const section = sectionOf(option.key);
    sections[section] = { ...sections[section], [option.key.slice(section.length + 1)]: value };
    sources[option.key] = sourceText(config.sources[option.key]!);
  }
  const { file, stateDir, runtimeDir } = config;
  return { file, state_dir: stateDir, runtime_dir: runtimeDir, ...sections, sources };
}
