/**
 * `npm run bench -- NAME… [--small] [--json]`: runs benches, prints what they measured, and keeps it in `bench/results/`.
 * Exit code 1 where a result was wrong or a goal was missed, 64 for a name that is none.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LINE_BYTES, LINE_BYTES_MAX } from '../src/load/load.js';
import { type Bench, CheckFailure, type Options, PASSES, runBench } from './harness.js';
import { describeMachine, machineText } from './machine.js';
import { pipelineBench } from './pipeline.js';
import { renderProfiles } from './profile.js';
import { queriesBench } from './queries.js';
import { recoveryBench } from './recovery.js';
import { scanBench } from './scan.js';
import { loadBench, spikeBench } from './scenarios/bursts.js';
import { enduranceBench } from './scenarios/endurance.js';
import { ioBench } from './scenarios/io.js';
import { memoryBench } from './scenarios/memory.js';
import { sizingBench } from './scenarios/sizing.js';
import { stormBench } from './scenarios/storm.js';
import { decodeBench } from './stages/decode.js';
import { foldBench } from './stages/fold.js';
import { lz4Bench } from './stages/lz4.js';
import { ringBench } from './stages/ring.js';
import { socketBench } from './stages/socket.js';
import { syncBench } from './sync.js';

const BENCHES: readonly Bench[] = [
  socketBench,
  ringBench,
  decodeBench,
  foldBench,
  lz4Bench,
  recoveryBench,
  syncBench,
  scanBench,
  queriesBench,
  pipelineBench,
  loadBench,
  spikeBench,
  enduranceBench,
  memoryBench,
  ioBench,
  stormBench,
  sizingBench,
];
const SMALL_PASSES = 3;
const EXIT_WRONG = 1;
const EXIT_USAGE = 64;
/** From dist/bench. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const USAGE = `npm run bench -- NAME… [options]
  NAME             ${BENCHES.map(({ name }) => name).join(', ')}, or all
  --small          a tiny size, to see that it works; figures mean nothing, and are not kept
  --json           the result as JSON instead of text
  --passes N       instead of ${PASSES}
  --seconds N      the pipeline, endurance, io and storm: sends for so long a pass
  --connections N  the pipeline: over so many connections; may be repeated
  --event-bytes N  the pipeline: lines of so many bytes, from 136; may be repeated
  --profile DIR    the pipeline: CPU profiles of the daemon's threads into this folder, and what they say;
                   the figures of such a run are lower, and are not kept
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      small: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      passes: { type: 'string' },
      seconds: { type: 'string' },
      connections: { type: 'string', multiple: true },
      'event-bytes': { type: 'string', multiple: true },
      profile: { type: 'string' },
    },
  });
  const chosen = BENCHES.filter(({ name }) => positionals.includes('all') || positionals.includes(name));
  const unknown = positionals.filter(
    (name) => name !== 'all' && !BENCHES.some((bench) => bench.name === name),
  );
  if (chosen.length === 0 || unknown.length > 0) {
    process.stderr.write(unknown.length > 0 ? `no bench is called ${unknown.join(', ')}\n${USAGE}` : USAGE);
    return EXIT_USAGE;
  }
  const eventBytes = values['event-bytes']?.map((text) => numberOf(text)!) ?? null;
  if (eventBytes?.some((size) => size < LINE_BYTES || size > LINE_BYTES_MAX)) {
    process.stderr.write(`--event-bytes takes ${LINE_BYTES} to ${LINE_BYTES_MAX}\n`);
    return EXIT_USAGE;
  }
  const options: Options = {
    small: values.small,
    passes: numberOf(values.passes) ?? (values.small ? SMALL_PASSES : PASSES),
    seconds: numberOf(values.seconds),
    connections: values.connections?.map((text) => numberOf(text)!) ?? null,
    eventBytes,
    profileDirectory: values.profile ?? null,
  };
  let exitCode = 0;
  for (const bench of chosen) {
    if (!(await run(bench, options, values.json))) exitCode = EXIT_WRONG;
  }
  return exitCode;
}

/** @returns false where a result was wrong or a goal was missed */
async function run(bench: Bench, options: Options, json: boolean): Promise<boolean> {
  const say = (text: string) => {
    if (!json) process.stdout.write(`${text}\n`);
  };
  const machine = describeMachine(ROOT);
  say(`${bench.name} · ${machineText(machine)}`);
  try {
    const result = await runBench(bench, options, say);
    const text = `${JSON.stringify({ bench: bench.name, small: options.small, machine, ...result }, null, 1)}\n`;
    if (json) process.stdout.write(text);
    if (!options.small && options.profileDirectory === null) keep(bench.name, text);
    if (bench === pipelineBench && options.profileDirectory !== null)
      say(renderProfiles(options.profileDirectory));
    return result.verdicts.every(({ holds }) => holds);
  } catch (error) {
    if (!(error instanceof CheckFailure)) throw error;
    process.stderr.write(`bench ${bench.name}: wrong result: ${error.message}\n`);
    return false;
  }
}

function keep(name: string, text: string): void {
  const path = join(ROOT, 'bench', 'results', `${name}.json`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

function numberOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  process.stderr.write(`${JSON.stringify(text)} is no whole number from 1\n`);
  process.exit(EXIT_USAGE);
}

process.exitCode = await main();
