/** Examples of every command, for its help and the manual page. */

export interface Example {
  readonly command: string;
  /** What it does, where the command does not say it. */
  readonly text: string;
}

const rows: readonly (readonly [
  path: string,
  ...examples: readonly (readonly [command: string, text: string])[],
])[] = [
  [
    'tallyd run',
    ['tallyd run', 'on the defaults'],
    ['tallyd run --set ring.bytes=64MiB --set log.level=debug', 'with other options'],
    ['tallyd run --config tallyd.toml --state-dir ./state --runtime-dir ./run', 'in folders of its own'],
  ],
  [
    'tallyd check',
    ['tallyd check > tallyd.toml', 'a file with every option, to begin with'],
    ['tallyd check --config /etc/tallyd/tallyd.toml', 'all that is wrong with a file'],
    ['tallyd check --json', 'sizes in bytes, durations in seconds, and where each value came from'],
  ],
  [
    'tallyd send',
    ['tallyd send events.ndjson', 'a file, with progress on a terminal'],
    ['./build.sh | tallyd send', 'the lines that a program prints'],
    ['tallyd send events.ndjson --client import-7', 'each line once, however often it is begun anew'],
  ],
  [
    'tallyd status',
    ['tallyd status', 'in one screen'],
    ['tallyd status > /dev/null && echo ready', 'whether it is ready'],
    ['tallyd status --json | jq .lag', 'one number of it'],
  ],
  [
    'tallyd top',
    ['tallyd top', 'live; ? lists its keys'],
    ['tallyd top --interval 5', 'over a slow line'],
    ['tallyd top --json | jq .status.ingest.rate_1s', 'events per second, a number a second'],
  ],
  [
    'tallyd stats',
    ['tallyd stats', 'which metrics there are'],
    ['tallyd stats task_duration_seconds --by kind,status', 'one metric, by two of its labels'],
    ['tallyd stats task_duration_seconds --where agent=loader-1 --by "*"', 'all label sets of one agent'],
    ['tallyd stats task_duration_seconds --window 1h', 'of the last hour'],
  ],
  [
    'tallyd ps',
    ['tallyd ps --status running', 'what runs'],
    ['tallyd ps --project warehouse --status failed --limit 20', 'what failed lately in a project'],
  ],
  [
    'tallyd show',
    ['tallyd show nightly-42', 'its tasks on a line of time'],
    ['tallyd show nightly-42 --run 3 --all', 'every task of an earlier run'],
  ],
  [
    'tallyd profile',
    ['tallyd profile --seconds 30', 'what its threads do for half a minute'],
    ['npx 0x --visualize-cpu-profile fold.cpuprofile', 'one of the files as a flame graph'],
  ],
  [
    'tallyd bench',
    ['tallyd bench', 'what this host can do, in ten seconds, with a private daemon'],
    ['tallyd bench --connections 200 --event-bytes 1024', 'with other clients and longer events'],
    ['tallyd bench --running --rate 50000 --json', 'latencies of the running daemon at a moderate load'],
  ],
  [
    'tallyd report',
    ['tallyd report --project warehouse', 'where the time went, and what would mend it'],
    ['tallyd report --workflow nightly-42 --json', 'of one workflow, for a program'],
  ],
  [
    'tallyd tail',
    ['tallyd tail --type task.end --agent loader-1', 'how the tasks of one agent end, as it happens'],
    ['tallyd tail --json | jq .workflow', 'the lines themselves'],
  ],
  [
    'tallyd archive cat',
    ['tallyd archive cat --workflow nightly-42', 'the lines of one workflow'],
    ['tallyd archive cat --since -2h --type task.end --agent loader-1', 'what an agent has ended of late'],
    ['tallyd archive cat --json | tail -n 1', 'the last line, with its number and its arrival'],
  ],
  ['tallyd archive ls', ['tallyd archive ls', 'what there is, and what it takes']],
  ['tallyd archive verify', ['tallyd archive verify && echo whole', 'every byte of it']],
  [
    'tallyd archive prune',
    ['tallyd archive prune --older-than 30d --dry-run', 'what would go'],
    ['tallyd archive prune --max-bytes 5GiB', 'make room'],
  ],
  ['tallyd replay', ['tallyd replay', 'whether the log gives the state that the daemon has']],
  [
    'tallyd doctor',
    ['tallyd doctor', 'what is wrong on this host, and how to mend it'],
    ['sudo -u tallyd tallyd doctor --config /etc/tallyd/tallyd.toml', 'with the rights of the daemon'],
  ],
  [
    'tallyd completion',
    ['tallyd completion bash > /etc/bash_completion.d/tallyd', 'for all users of bash'],
    ['tallyd completion zsh > ~/.zfunc/_tallyd', 'for zsh, in a folder of its fpath'],
    ['tallyd completion fish > ~/.config/fish/completions/tallyd.fish', 'for fish'],
  ],
];

export const EXAMPLES: ReadonlyMap<string, readonly Example[]> = new Map(
  rows.map(([path, ...examples]) => [path, examples.map(([command, text]) => ({ command, text }))]),
);

/** As they stand under the help of a command; empty where there is none. */
export function examplesText(path: string): string {
  const examples = EXAMPLES.get(path) ?? [];
  if (examples.length === 0) return '';
  const lines = examples.flatMap(({ command, text }) => [`  # ${text}`, `  ${command}`]);
  return `\nExamples:\n${lines.join('\n')}`;
}
