/**
 * The daemon's own numbers as metrics. Where a share is of interest both its sides are counters (lines and accepted lines, lines in
 * the log and durable ones), so that any window can be asked for.
 */

import { REFUSAL_REASONS } from '../model/refusal.js';
import { STATE_COUNTS, type StateCount } from '../state/board.js';
import type { Exposition, Family, Labels } from './exposition.js';
import type { ProcessUsage } from './process-usage.js';
import type { Status } from './status.js';

export interface OwnNumbers {
  readonly status: Status;
  readonly process: ProcessUsage;
  readonly nodeVersion: string;
  readonly seriesMax: number;
  /** Number of the last line that is folded. */
  readonly lastLine: number;
  readonly busySeconds: readonly { readonly thread: string; readonly seconds: number }[];
}

const COUNT_HELP: Readonly<Record<StateCount, string>> = {
  task_restarts: 'Starts of tasks that were running.',
  task_duplicate_ends: 'Ends of tasks that had ended.',
  workflow_duplicate_ends: 'Ends of workflows that were over.',
  clock_skew: 'Durations that came out below zero, and were taken for zero.',
  workflows_stale: 'Workflows cancelled as stale.',
  workflows_evicted: 'Finished workflows that left memory.',
  tasks_evicted: 'Tasks that left memory.',
  tasks_untracked: 'Tasks that found no room in memory.',
  series_overflowed: 'Samples that the overflow cells took.',
  series_expired: 'Cells that were idle, and made room.',
  workflows_displaced: 'Workflows cancelled as stale for want of room.',
  names_full: 'Strings, lines of groups and intervals for which the names had no room.',
  shares_full: 'Forgotten tasks whose seconds their agent lost for want of room.',
  windows_lost: 'Slots of time for which there was no room in the windows.',
};

type Row = [name: string, type: 'counter' | 'gauge', help: string, value: number | null];

export function writeOwnMetrics(numbers: OwnNumbers, to: Exposition): void {
  const { status } = numbers;
  const { ingest, ring, lag, state, archive, rejects, checkpoint } = status;
  const build = {
    version: status.version,
    protocol: String(status.protocol),
    format: String(status.format),
    node: numbers.nodeVersion,
  };
  labelled(to, 'build', 'info', 'What runs here.', [[build, 1]]);
  // The word before the colon names the reason; the text after it has figures.
  const reasons = status.degraded.map((reason): [Labels, number] => [
    { reason: reason.replace(/:.*/s, '') },
    1,
  ]);
  labelled(to, 'degraded', 'gauge', 'One for each reason why the daemon does less than it should.', reasons);
  rows(to, [
    ['ready', 'gauge', 'Whether events are taken and questions answered.', Number(status.ready)],
    ['ingest_connections', 'gauge', 'Open connections to the ingest socket.', ingest.connections],
    ['ingest_connections_taken', 'counter', 'Connections taken.', ingest.connections_taken],
    ['ingest_read_bytes', 'counter', 'Bytes read from clients.', ingest.bytes],
    ['ingest_lines', 'counter', 'Lines read, less empty and control lines.', ingest.lines],
    ['ingest_accepted_lines', 'counter', 'Lines accepted.', ingest.accepted],
    ['ingest_dropped_lines', 'counter', 'Lines dropped.', ingest.dropped],
    ['ingest_in_flight_lines', 'gauge', 'Lines read and not folded yet.', ingest.in_flight],
  ]);
  labelled(
    to,
    'ingest_connections_refused',
    'counter',
    'Connections refused.',
    Object.entries(ingest.connections_refused).map(([reason, count]): [Labels, number] => [
      { reason },
      count,
    ]),
  );
  const rejected: Readonly<Record<string, number>> = ingest.rejected_by_reason;
  labelled(
    to,
    'ingest_rejected_lines',
    'counter',
    'Lines refused.',
    REFUSAL_REASONS.map((reason): [Labels, number] => [{ reason }, rejected[reason] ?? 0]),
  );
  rows(to, [
    ['ring_capacity_bytes', 'gauge', 'Room between the socket and the fold.', ring.capacity_bytes],
    ['ring_used_bytes', 'gauge', 'Bytes in it that are not written to the log yet.', ring.used_bytes],
    ['ring_stalls', 'counter', 'Times that reading stopped since it was full.', ring.stalls],
    ['lag_seconds', 'gauge', 'Age of the last line folded, while others wait.', lag.seconds],
  ]);
  labelled(to, 'workflows', 'gauge', 'Workflows in memory.', [
    [{ state: 'live' }, state.workflows_live],
    [{ state: 'recent' }, state.workflows_recent],
  ]);
  rows(to, [
    ['tasks_running', 'gauge', 'Tasks that run.', state.tasks_running],
    ['series', 'gauge', 'Label sets with aggregates of their own.', state.series],
    ['series_limit', 'gauge', 'How many of them there may be (stats.max_series).', numbers.seriesMax],
    [
      'state_bytes',
      'gauge',
      'Memory in use by workflows, tasks, cells and names.',
      status.memory.state_bytes,
    ],
    ...STATE_COUNTS.map((name): Row => [`state_${name}`, 'counter', COUNT_HELP[name], state.counts[name]]),
    ['log_lines', 'counter', 'Lines accepted, ever.', numbers.lastLine],
    ['log_durable_lines', 'counter', 'Lines on the disk, ever.', archive.durable_seq],
    ['rejects_written_lines', 'counter', 'Refused lines kept in rejects/.', rejects.written],
    ['rejects_skipped_lines', 'counter', 'Refused lines that a flood left no room for.', rejects.skipped],
    ['rejects_failed_lines', 'counter', 'Refused lines that the disk did not take.', rejects.failed],
    [
      'checkpoint_timestamp_seconds',
      'gauge',
      'When the last checkpoint was made, Unix time.',
      checkpoint?.written_at ?? null,
    ],
    ['checkpoint_line', 'gauge', 'The last line that is in it.', checkpoint?.line ?? null],
    ['checkpoint_bytes', 'gauge', 'Its size.', checkpoint?.bytes ?? null],
    ['archive_segments', 'gauge', 'Files of the log.', archive.segments],
    ['archive_raw_bytes', 'gauge', 'Bytes of the lines in the log.', archive.bytes_raw],
    ['archive_compressed_bytes', 'gauge', 'Bytes that they take on the disk.', archive.bytes_compressed],
    [
      'archive_oldest_timestamp_seconds',
      'gauge',
      'Arrival of the oldest line in the log.',
      archive.oldest_ts,
    ],
    [
      'archive_last_sync_seconds',
      'gauge',
      'How long the last fdatasync took.',
      archive.last_sync_ms === null ? null : archive.last_sync_ms / 1000,
    ],
  ]);
  labelled(
    to,
    'thread_busy_seconds',
    'counter',
    'Time that a thread has worked, not slept.',
    numbers.busySeconds.map(({ thread, seconds }): [Labels, number] => [{ thread }, seconds]),
  );
  labelled(
    to,
    'thread_restarts',
    'counter',
    'Times that a thread died and was run again.',
    status.threads.map(({ name, restarts }): [Labels, number] => [{ thread: name }, restarts]),
  );
  writeProcess(numbers, to);
}

function writeProcess({ process, status }: OwnNumbers, to: Exposition): void {
  const families: Row[] = [
    ['cpu_seconds', 'counter', 'CPU time of all threads, user and system.', process.cpuSeconds],
    ['resident_memory_bytes', 'gauge', 'Memory in use.', process.residentBytes],
    [
      'virtual_memory_bytes',
      'gauge',
      'Memory asked for; tables ask for all that they may need.',
      process.virtualBytes,
    ],
    ['open_fds', 'gauge', 'Open file descriptors.', process.openFiles],
    ['max_fds', 'gauge', 'How many there may be.', process.openFilesMax],
    ['threads', 'gauge', 'Threads of the system.', process.threads],
    ['start_time_seconds', 'gauge', 'When the daemon started, Unix time.', status.started_at],
  ];
  for (const [name, type, help, value] of families)
    to.single({ name: `process_${name}`, type, help }, value!);
}

function rows(to: Exposition, families: readonly Row[]): void {
  for (const [name, type, help, value] of families) {
    if (value !== null) to.single({ name: `tallyd_${name}`, type, help }, value);
  }
}

function labelled(
  to: Exposition,
  name: string,
  type: Family['type'],
  help: string,
  samples: readonly (readonly [Labels, number])[],
): void {
  const family = { name: `tallyd_${name}`, type, help };
  to.begin(family);
  for (const [labels, value] of samples) to.sample(family, labels, value);
}
