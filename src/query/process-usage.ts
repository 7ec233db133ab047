/** What this process uses of the machine, under the names that Prometheus' own libraries have for it. */

import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessUsage {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly virtualBytes: number;
  readonly openFiles: number;
  readonly openFilesMax: number;
  readonly threads: number;
}

/** Of all threads, whichever one asks. NaN where /proc does not say it. */
export function readProcessUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  const status = readText('/proc/self/status');
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    virtualBytes: numberIn(status, /^VmSize:\s+(\d+) kB/m) * 1024,
    // Less the one that reads the list.
    openFiles: readdirSync('/proc/self/fd').length - 1,
    openFilesMax: numberIn(readText('/proc/self/limits'), /^Max open files\s+(\d+)/m),
    threads: numberIn(status, /^Threads:\s+(\d+)/m),
  };
}

function readText(path: string): string {
  return readFileSync(path, 'latin1');
}

function numberIn(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? Number.NaN);
}
