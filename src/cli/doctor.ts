/** `tallyd doctor`: what is wrong on this host, and the mend. */

import type { Config } from '../config/config.js';
import { readVersion } from '../config/version.js';
import { sharedBytesMax } from '../daemon/memory.js';
import { EXIT_DONE, EXIT_NO, Failure } from '../model/failure.js';
import { escapeControls } from '../model/human.js';
import { request } from './control-client.js';
import { examine, type Finding, type Status } from './doctor-checks.js';
import { type Host, REAL_HOST } from './host.js';
import { type Colors, colorsOf, type Io } from './io.js';

/** @returns done where nothing has to be mended; warnings are none */
export async function doctor(
  config: Config,
  options: { json?: boolean },
  io: Io,
  host: Host = REAL_HOST,
): Promise<number> {
  const findings = examine({
    config,
    host,
    status: await askStatus(config),
    version: readVersion(),
    memoryMaxBytes: memoryMax(config),
  });
  if (options.json) io.stdout.write(`${JSON.stringify({ findings }, null, 2)}\n`);
  else io.stdout.write(render(findings, colorsOf(io.stdout, io.env)));
  return findings.some(({ verdict }) => verdict === 'problem') ? EXIT_NO : EXIT_DONE;
}

async function askStatus(config: Config): Promise<Status> {
  try {
    return { reply: (await request(config, 'GET', '/v1/status')).body };
  } catch (error) {
    if (error instanceof Failure) return { failure: error.message };
    throw error;
  }
}

function memoryMax(config: Config): number | null {
  try {
    return sharedBytesMax(config);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function render(findings: readonly Finding[], colors: Colors): string {
  const marks = {
    ok: colors.green('ok      '),
    warning: colors.yellow('warning '),
    problem: colors.red('problem '),
    skipped: colors.dim('skipped '),
  };
  const lines = findings.flatMap(({ about, verdict, text, mend }) => {
    const line = `${marks[verdict]} ${about.padEnd(13)}  ${escapeControls(text)}`;
    return mend === undefined ? [line] : [line, `${' '.repeat(24)}→ ${escapeControls(mend)}`];
  });
  const count = (verdict: Finding['verdict']) => findings.filter((one) => one.verdict === verdict).length;
  const [problems, warnings] = [count('problem'), count('warning')];
  const sum =
    problems + warnings === 0
      ? 'nothing to mend'
      : `${problems} ${problems === 1 ? 'problem' : 'problems'}, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`;
  return `${lines.join('\n')}\n\n${sum}\n`;
}
