/**
 * Every option of tallyd, one row each: what may be written, what stands when nothing is, and why. Bounds are wide at the
 * low end, so that a test can fill a table with three rows; at the high end they keep a typing slip from taking the host's memory.
 *
 * The property in `Config` follows from the key: camelCase, and `Ms` behind a duration (`archive.sync_interval` is
 * `config.archive.syncIntervalMs`). Sizes are bytes.
 */

interface OptionHead {
  /** `section.key`, as in the file */
  readonly key: string;
  /** what it sets, and why one would change it; printed above the key */
  readonly comment: string;
  /** a running daemon takes a new value at SIGHUP; any other change needs a restart */
  readonly reload: boolean;
}

/** `default`, `min` and `max` as they are written in the file. */
export type Option = OptionHead &
  (
    | {
        readonly kind: 'size' | 'power-of-two-size';
        readonly default: string;
        readonly min: string;
        readonly max: string;
      }
    | { readonly kind: 'duration'; readonly default: string; readonly min: string; readonly max: string }
    | { readonly kind: 'integer'; readonly default: number; readonly min: number; readonly max: number }
    /** `auto`, or a number of threads */
    | {
        readonly kind: 'auto-integer';
        readonly default: 'auto';
        readonly min: number;
        readonly max: number;
      }
    | { readonly kind: 'enum'; readonly default: string; readonly values: readonly string[] }
    /** file rights, in octal */
    | { readonly kind: 'mode'; readonly default: string }
    /** text of at most 256 characters; empty is none, null in `Config` */
    | { readonly kind: 'string'; readonly default: '' }
    /** user ids with commas between them; empty is all, null in `Config` */
    | { readonly kind: 'user-ids'; readonly default: '' }
    /** `host:port` on the loopback; empty is none, null in `Config` */
    | { readonly kind: 'loopback-address'; readonly default: '' }
  );

const NOW = { reload: true } as const;
const RESTART = { reload: false } as const;

export const OPTIONS: readonly Option[] = [
  {
    key: 'ingest.mode',
    kind: 'mode',
    default: '0660',
    comment: 'Rights of ingest.sock, in octal: who may send events.',
    ...RESTART,
  },
  {
    key: 'ingest.group',
    kind: 'string',
    default: '',
    comment:
      'Group (name or number) that owns ingest.sock, so that its members may send. Empty: the group of the daemon.',
    ...RESTART,
  },
  {
    key: 'ingest.allow_uids',
    kind: 'user-ids',
    default: '',
    comment:
      'User ids that may send events, as "0, 1000"; connections of others are refused, root too where it is not named. Empty: whoever may open ingest.sock.',
    ...NOW,
  },
  {
    key: 'ingest.max_line_bytes',
    kind: 'size',
    default: '64KiB',
    min: '64B',
    max: '256MiB',
    comment:
      'Longest line taken; a longer one is refused. At most a quarter of ring.bytes, and held once per connection.',
    ...RESTART,
  },
  {
    key: 'ingest.max_connections',
    kind: 'integer',
    default: 4096,
    min: 1,
    max: 65536,
    comment: 'Connections to ingest.sock at one time. Each costs a file descriptor.',
    ...NOW,
  },
  {
    key: 'ingest.max_clients',
    kind: 'integer',
    default: 10000,
    min: 1,
    max: 1000000,
    comment: 'Client ids (hello) that are remembered with their line numbers.',
    ...RESTART,
  },
  {
    key: 'ingest.client_memory',
    kind: 'duration',
    default: '30d',
    min: '1s',
    max: '3650d',
    comment: 'How long a silent client id is remembered; one that comes back later starts from line 1.',
    ...NOW,
  },
  {
    key: 'ring.bytes',
    kind: 'power-of-two-size',
    default: '32MiB',
    min: '1MiB',
    max: '1GiB',
    comment:
      'Memory between the socket and the fold: how long a burst or a slow disk may last before senders have to wait.',
    ...RESTART,
  },
  {
    key: 'workers.decode',
    kind: 'auto-integer',
    default: 'auto',
    min: 1,
    max: 16,
    comment: 'Threads that decode lines. 1 decodes in the fold itself; auto looks at the number of cores.',
    ...RESTART,
  },
  {
    key: 'state.max_live_workflows',
    kind: 'integer',
    default: 100000,
    min: 1,
    max: 10000000,
    comment: 'Workflows that are not over; beyond it the least recently touched one is cancelled as stale.',
    ...RESTART,
  },
  {
    key: 'state.max_recent_workflows',
    kind: 'integer',
    default: 10000,
    min: 1,
    max: 10000000,
    comment:
      'Finished workflows kept in memory; those least recently touched by events leave first, and are then read from the archive.',
    ...RESTART,
  },
  {
    key: 'state.max_tasks_per_workflow',
    kind: 'integer',
    default: 10000,
    min: 1,
    max: 20000000,
    comment:
      'Tasks kept of one workflow: the oldest ended ones leave first, running ones are never forgotten.',
    ...RESTART,
  },
  {
    key: 'state.max_tasks',
    kind: 'integer',
    default: 2000000,
    min: 1,
    max: 20000000,
    comment: 'Tasks kept of all workflows together, and of those that belong to none.',
    ...RESTART,
  },
  {
    key: 'state.names_bytes',
    kind: 'size',
    default: '256MiB',
    min: '1MiB',
    max: '2GiB',
    comment:
      'Memory for the bytes of ids and names, each kept once. The default holds 2000000 task ids of about 100 bytes.',
    ...RESTART,
  },
  {
    key: 'state.stale_after',
    kind: 'duration',
    default: '6h',
    min: '100ms',
    max: '3650d',
    comment:
      'A workflow without an event for so long is cancelled as stale; its real end, if it comes, replaces that.',
    ...NOW,
  },
  {
    key: 'stats.max_series',
    kind: 'integer',
    default: 10000,
    min: 1,
    max: 1000000,
    comment:
      'Label sets with aggregates of their own; beyond it one cell per metric, overflow="true", takes the rest.',
    ...RESTART,
  },
  {
    key: 'stats.series_idle',
    kind: 'duration',
    default: '30d',
    min: '1s',
    max: '3650d',
    comment: 'A label set without a sample for so long makes room when room is needed.',
    ...NOW,
  },
  {
    key: 'stats.window_bytes',
    kind: 'size',
    default: '128MiB',
    min: '64KiB',
    max: '2GiB',
    comment: 'Memory for the aggregates of the last minute, 5 minutes, hour and day.',
    ...RESTART,
  },
  {
    key: 'stats.rollup_age',
    kind: 'duration',
    default: '400d',
    min: '1h',
    max: '36500d',
    comment: 'How long the hourly roll-ups are kept that answer --since and --until. They outlive the lines.',
    ...NOW,
  },
  {
    key: 'archive.segment_bytes',
    kind: 'size',
    default: '256MiB',
    min: '4KiB',
    max: '1024GiB',
    comment: 'A segment of the archive is closed at this compressed size. Retention removes whole segments.',
    ...NOW,
  },
  {
    key: 'archive.segment_age',
    kind: 'duration',
    default: '1d',
    min: '100ms',
    max: '3650d',
    comment: 'A segment is closed at this age, whatever its size.',
    ...NOW,
  },
  {
    key: 'archive.sync_interval',
    kind: 'duration',
    default: '1s',
    min: '1ms',
    max: '1h',
    comment:
      'Lines reach the disk (fdatasync) at least this often: what a power cut may take from clients that never ask for sync.',
    ...NOW,
  },
  {
    key: 'archive.max_age',
    kind: 'duration',
    default: '90d',
    min: '1s',
    max: '36500d',
    comment: 'Segments whose last line is older are removed.',
    ...NOW,
  },
  {
    key: 'archive.max_bytes',
    kind: 'size',
    default: '10GiB',
    min: '4KiB',
    max: '1048576GiB',
    comment: 'Size of the archive on disk; the oldest segments are removed to stay under it.',
    ...NOW,
  },
  {
    key: 'archive.on_full',
    kind: 'enum',
    default: 'block',
    values: ['block', 'prune'],
    comment:
      'When the disk is full: block makes senders wait until there is room, prune removes the oldest segments before their time.',
    ...NOW,
  },
  {
    key: 'checkpoint.interval',
    kind: 'duration',
    default: '30s',
    min: '100ms',
    max: '1d',
    comment: 'How often the state is written down. A start after a crash folds what came since.',
    ...NOW,
  },
  {
    key: 'control.mode',
    kind: 'mode',
    default: '0660',
    comment: 'Rights of control.sock, in octal: who may ask.',
    ...RESTART,
  },
  {
    key: 'control.listen',
    kind: 'loopback-address',
    default: '',
    comment:
      'The control routes also on TCP, as "127.0.0.1:9187", for Prometheus and browsers; the loopback only. Empty: no TCP.',
    ...RESTART,
  },
  {
    key: 'log.level',
    kind: 'enum',
    default: 'info',
    values: ['error', 'warn', 'info', 'debug'],
    comment: 'The least urgent messages that are logged.',
    ...NOW,
  },
  {
    key: 'log.format',
    kind: 'enum',
    default: 'auto',
    values: ['auto', 'json', 'pretty'],
    comment: 'auto: readable on a terminal, JSON lines elsewhere.',
    ...RESTART,
  },
];

export const OPTION_BY_KEY: ReadonlyMap<string, Option> = new Map(
  OPTIONS.map((option) => [option.key, option]),
);

export const SECTIONS: readonly string[] = [...new Set(OPTIONS.map((option) => sectionOf(option.key)))];

export function sectionOf(key: string): string {
  return key.slice(0, key.indexOf('.'));
}

/** `ingest.max_line_bytes` as `TALLYD_INGEST__MAX_LINE_BYTES` */
export function environmentNameOf(key: string): string {
  return `TALLYD_${key.replace('.', '__').toUpperCase()}`;
}

/** The name within its section of `Config`. */
export function propertyOf(option: Option): string {
  const name = option.key.slice(option.key.indexOf('.') + 1);
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return option.kind === 'duration' ? `${camel}Ms` : camel;
}
