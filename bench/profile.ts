/** CPU profiles of a process's threads (`node --cpu-prof` writes one a thread), as the functions that cost most by themselves. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** Waiting is no work. The profiler gives the time in `Atomics.wait` to the function that calls it. */
const WAITING = /^(\(idle\)|wait|sleep src\/ring\/bell\.js:\d+)$/;
const FUNCTIONS_SHOWN = 14;

/** A text of some lines a thread: busy seconds, and the share of its busy time that each function took by itself. */
export function renderProfiles(directory: string): string {
  const files = readdirSync(directory).filter((name) => name.endsWith('.cpuprofile'));
  return files
    .map((name) => renderProfile(name, JSON.parse(readFileSync(join(directory, name), 'utf8'))))
    .join('\n');
}

function renderProfile(name: string, { nodes, samples, timeDeltas }: Profile): string {
  const nameById = new Map(nodes.map(({ id, callFrame }) => [id, functionText(callFrame)]));
  const microsByFunction = new Map<string, number>();
  let busyMicros = 0;
  for (const [i, sample] of samples.entries()) {
    const what = nameById.get(sample)!;
    if (WAITING.test(what)) continue;
    const micros = timeDeltas[i]!;
    busyMicros += micros;
    microsByFunction.set(what, (microsByFunction.get(what) ?? 0) + micros);
  }
  const sorted = [...microsByFunction].sort(([, a], [, b]) => b - a).slice(0, FUNCTIONS_SHOWN);
  const lines = sorted.map(
    ([what, micros]) => `  ${((100 * micros) / busyMicros).toFixed(1).padStart(5)} %  ${what}`,
  );
  return [`${name}: busy ${(busyMicros / 1e6).toFixed(2)} s`, ...lines, ''].join('\n');
}

function functionText({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  const file = url.slice(url.lastIndexOf('/dist/') + 1).replace(/^dist\//, '');
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name} ${file}:${lineNumber + 1}`;
}
