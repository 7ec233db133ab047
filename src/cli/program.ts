/**
 * The command line: what commands there are, what each takes, and what becomes of its failure. A command's own code is
 * loaded when it runs, so that `tallyd --help` waits for none of it.
 */

import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { Argument, Command, CommanderError, Option } from 'commander';
import type { Config, ConfigInput } from '../config/config.js';
import { readVersion } from '../config/version.js';
import { EXIT_BUG, EXIT_DONE, EXIT_USAGE, Failure } from '../model/failure.js';
import { escapeControls } from '../model/human.js';
import { PROFILE_SECONDS_DEFAULT } from '../model/profile.js';
import type { ArchiveCatOptions } from './archive-cat.js';
import type { ArchivePruneOptions } from './archive-prune.js';
import type { BenchOptions } from './bench.js';
import { type CommandNode, commandTreeOf } from './command-tree.js';
import { completionScript, SHELLS } from './completion.js';
import { examplesText } from './examples.js';
import { EXIT_MEANINGS } from './exit-codes.js';
import type { Io } from './io.js';
import type { PsOptions } from './ps.js';
import type { ReportOptions } from './report.js';
import type { ShowOptions } from './show.js';
import type { StatsOptions } from './stats.js';
import type { TailOptions } from './tail.js';

interface CommonOptions {
  readonly config?: string;
  readonly stateDir?: string;
  readonly runtimeDir?: string;
  readonly set?: readonly string[];
}

/** @returns the exit code; whatever is thrown was reported on standard error */
export async function runProgram(args: readonly string[], io: Io): Promise<number> {
  let exitCode: number = EXIT_DONE;
  const program = buildProgram(io, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has said what it has to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE;
    return reportError(error, io);
  }
}

/** `CODE: text` for a failure, the stack for a bug. @returns the exit code */
export function reportError(error: unknown, io: Pick<Io, 'stderr'>): number {
  if (error instanceof Failure) {
    io.stderr.write(`${error.code}: ${escapeLines(error.message)}\n`);
    return error.exitCode;
  }
  const stack = error instanceof Error ? (error.stack ?? String(error)) : String(error);
  const ask = 'This is a bug in tallyd. Please report it, with the lines above and what led to them.';
  io.stderr.write(`ERR_BUG: ${escapeLines(stack)}\n${ask}\n`);
  return EXIT_BUG;
}

/** The commands as data: nothing of them is run. */
export function describeProgram(): CommandNode {
  const silent = new Writable({ write: (_chunk, _encoding, written) => written() });
  const io = {
    stdin: Readable.from([]),
    stdout: silent,
    stderr: silent,
    env: {},
    signals: new EventEmitter(),
  };
  return commandTreeOf(buildProgram(io, () => {}));
}

function buildProgram(io: Io, done: (exitCode: number) => void): Command {
  const program = new Command('tallyd')
    .description(
      'Takes lifecycle events of workflows and agents, one JSON object a line, and keeps exact account of them.',
    )
    .version(`tallyd ${readVersion()}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [COMMAND]', 'print help on a command')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns || 100,
      getErrHelpWidth: () => io.stderr.columns || 100,
      outputError: (text, write) => write(usageError(text)),
    })
    .addHelpText('after', exitCodesText());

  /** A command with the options that all have, and its action behind the configuration. */
  const add = <O>(
    usage: string,
    text: string,
    act: (config: Config, options: O, args: string[], readConfig: () => Config) => Promise<number>,
    parent = program,
  ) =>
    parent
      .command(usage)
      .description(text)
      .option('--config <FILE>', 'configuration file (default: TALLYD_CONFIG, else /etc/tallyd/tallyd.toml)')
      .option('--state-dir <DIR>', 'folder of the archive, the checkpoints and the rejects')
      .option('--runtime-dir <DIR>', 'folder of ingest.sock and control.sock')
      .addOption(
        repeatable('--set <KEY=VALUE>', 'any option of the configuration, as --set ring.bytes=64MiB'),
      )
      .action(async (...given: unknown[]) => {
        const command = given.at(-1) as Command;
        const options = command.opts<CommonOptions & O>();
        const { loadConfig } = await import('../config/config.js');
        const readConfig = () => loadConfig(configInput(options, io));
        done(await act(readConfig(), options, command.args, readConfig));
      });
  const json = ['--json', 'print JSON'] as const;
  const since = ['--since <T>', 'only from this time on: Unix seconds, RFC 3339, or -2h'] as const;
  const until = ['--until <T>', 'only up to this time'] as const;

  add('run', 'run the daemon, in the foreground', async (config, _options, _args, readConfig) => {
    const { run } = await import('./run.js');
    return run(config, readConfig);
  });
  add<{ json?: boolean }>(
    'check',
    'check the configuration, and print the effective one',
    async (config, options) => {
      const { check } = await import('./check.js');
      return check(config, options, io);
    },
  ).option(...json);
  add<{ client?: string; json?: boolean }>(
    'send [FILE]',
    'send a file or standard input of event lines, and wait until they are durable',
    async (config, options, [file]) => {
      const { send } = await import('./send.js');
      return send(config, file, options, io);
    },
  )
    .option(
      '--client <ID>',
      'the name of this input: after any crash the same command goes on behind the lines that the daemon has, each once',
    )
    .option(...json);
  add<{ json?: boolean; connections?: boolean }>(
    'status',
    'how the daemon does; exit 0 only when it is ready',
    async (config, options) => {
      const { status } = await import('./status.js');
      return status(config, options, io);
    },
  )
    .option('--connections', 'also each connection, with its client and its account of lines')
    .option(...json);
  add<{ interval?: string; json?: boolean }>(
    'top',
    'the status, the running workflows and the agents, live',
    async (config, options) => {
      const { top } = await import('./top.js');
      return top(config, options, io);
    },
  )
    .option('--interval <SECONDS>', 'between two looks (default: 1)')
    .option('--json', 'print a line of JSON each time, for programs');
  add<StatsOptions>(
    'stats [METRIC]',
    'aggregates of a metric, or the list of metrics',
    async (config, options, [metric]) => {
      const { stats } = await import('./stats.js');
      return stats(config, metric, options, io);
    },
  )
    .addOption(repeatable('--by <LABELS>', 'group by these labels, comma between them; * for all'))
    .addOption(repeatable('--where <LABEL=VALUE>', 'only samples with this label'))
    .option('--window <W>', 'only samples of the last 1m, 5m, 1h or 1d (default: all)')
    .option(...since)
    .option(...until)
    .option('--limit <N>', 'at most so many groups, those with most samples')
    .option(...json);
  add<PsOptions>('ps', 'the workflows, those last heard of first', async (config, options) => {
    const { ps } = await import('./ps.js');
    return ps(config, options, io);
  })
    .option('--status <S>', 'only those that are running, completed, failed …')
    .option('--phase <P>', 'only those in this phase')
    .option('--agent <A>', 'only those for which this agent works')
    .option('--project <P>', 'only those of this project')
    .option('--parent <WORKFLOW>', 'only the children of this one')
    .option('--limit <N>', 'at most so many (default: all)')
    .option(...json);
  add<ShowOptions>(
    'show <WORKFLOW>',
    'one workflow: its tasks, a timeline, its numbers',
    async (config, options, [workflow]) => {
      const { show } = await import('./show.js');
      return show(config, workflow!, options, io);
    },
  )
    .option('--run <N>', 'this run of the workflow (default: the last)')
    .option('--all', 'every task, also where there are many')
    .option(...json);
  add<{ json?: boolean }>(
    'replay',
    'fold the archive anew, and say whether the result equals the live state; exit 0 only when it does',
    async (config, options) => {
      keepFreedMemory();
      const { replay } = await import('./replay.js');
      return replay(config, options, io);
    },
  ).option(...json);
  add<{ seconds?: string; json?: boolean }>(
    'profile',
    'CPU profiles of every thread of the running daemon, as .cpuprofile files',
    async (config, options) => {
      const { profile } = await import('./profile.js');
      return profile(config, options, io);
    },
  )
    .option('--seconds <N>', `record for so long (default: ${PROFILE_SECONDS_DEFAULT})`)
    .option(...json);
  add<BenchOptions>(
    'bench',
    'how much a daemon takes on this host: a private one that it starts and removes, or the running one',
    async (config, options) => {
      const { bench } = await import('./bench.js');
      return bench(config, options, io);
    },
  )
    .option(
      '--running',
      'load the running daemon; its agents bench00 … and workflows bench… stay in its aggregates and archive',
    )
    .option('--connections <N>', 'over so many (default: 16)')
    .option('--seconds <N>', 'for so long (default: 10); Ctrl-C ends it earlier')
    .option('--event-bytes <N>', 'events of so many bytes (default: 144, the least)')
    .option('--rate <N>', 'so many events a second (default: as fast as it goes)')
    .option(...json);
  add<ReportOptions>('report', 'how well the work went, and what would mend it', async (config, options) => {
    const { report } = await import('./report.js');
    return report(config, options, io);
  })
    .option('--workflow <W>', 'of this workflow (default: of everything)')
    .option('--project <P>', 'of this project')
    .option(...since)
    .option(...until)
    .option(...json);
  add<TailOptions>('tail', 'the events as they come, until Ctrl-C', async (config, options) => {
    const { tail } = await import('./tail.js');
    return tail(config, options, io);
  })
    .addOption(repeatable('--type <T>', 'only events of this type'))
    .addOption(repeatable('--workflow <W>', 'only events of this workflow'))
    .addOption(repeatable('--agent <A>', 'only events of this agent'))
    .option('--json', 'print the lines as they were accepted');
  const archive = program.command('archive').description('the archive, also when no daemon runs');
  add<ArchiveCatOptions>(
    'cat',
    'print accepted lines, in the order of arrival: all, or those that are asked for',
    async (config, options) => {
      keepFreedMemory();
      const { archiveCat } = await import('./archive-cat.js');
      return archiveCat(config, options, io);
    },
    archive,
  )
    .option(...since)
    .option('--until <T>', 'only what arrived before this time')
    .addOption(repeatable('--workflow <W>', 'only events of this workflow'))
    .addOption(repeatable('--agent <A>', 'only events of this agent'))
    .addOption(repeatable('--type <T>', 'only events of this type'))
    .option('--json', 'print {"line":N,"arrived":SECONDS,"event":LINE} for each');
  add<{ json?: boolean }>(
    'ls',
    'the segments, their lines and times, and what they take',
    async (config, options) => {
      const { archiveLs } = await import('./archive-ls.js');
      return archiveLs(config, options, io);
    },
    archive,
  ).option(...json);
  add<{ json?: boolean }>(
    'verify',
    'check every byte, and say where something is damaged; exit 0 only when nothing is',
    async (config, options) => {
      keepFreedMemory();
      const { archiveVerify } = await import('./archive-verify.js');
      return archiveVerify(config, options, io);
    },
    archive,
  ).option(...json);
  add<ArchivePruneOptions>(
    'prune',
    'remove the oldest segments now, by the configuration or by these options; never what a start may need',
    async (config, options) => {
      const { archivePrune } = await import('./archive-prune.js');
      return archivePrune(config, options, io);
    },
    archive,
  )
    .option('--older-than <D>', 'those whose last line is older, as 30d')
    .option('--max-bytes <SIZE>', 'until all that is left takes no more, as 5GiB')
    .option('--dry-run', 'only say what would be removed')
    .option(...json);
  add<{ json?: boolean }>(
    'doctor',
    'what is wrong on this host: sockets, rights, disk, limits, clock, units; and the mend',
    async (config, options) => {
      const { doctor } = await import('./doctor.js');
      return doctor(config, options, io);
    },
  ).option(...json);
  // Without the configuration: a shell that starts must not be told of a mistake in it.
  program
    .command('completion')
    .description('print a script that completes commands and options in your shell')
    .addArgument(new Argument('<SHELL>', 'your shell').choices(SHELLS))
    .action((shell: (typeof SHELLS)[number]) => {
      io.stdout.write(completionScript(shell, commandTreeOf(program)));
    });
  for (const command of [...program.commands, ...archive.commands]) {
    const path = command.parent === program ? `tallyd ${command.name()}` : `tallyd archive ${command.name()}`;
    command.addHelpText('after', examplesText(path));
  }
  return program;
}

/**
 * For a process that ends soon: giving back each frame's memory costs more than to decompress it. Before the code is loaded
 * that does.
 */
function keepFreedMemory(): void {
  process.env.MIMALLOC_PURGE_DELAY ??= '1000';
}

function exitCodesText(): string {
  return `\nExit codes:\n${EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padEnd(3)} ${meaning}`).join('\n')}`;
}

function repeatable(flags: string, text: string): Option {
  return new Option(flags, `${text}; repeatable`).argParser(
    (value: string, earlier: string[] | undefined) => [...(earlier ?? []), value],
  );
}

function configInput(options: CommonOptions, io: Io): ConfigInput {
  const { set = [], stateDir, runtimeDir, config } = options;
  return { flags: { set, stateDir, runtimeDir }, env: io.env, file: config };
}

/** Commander's words in our form. */
function usageError(text: string): string {
  const [what = '', hint = ''] = text
    .trim()
    .replace(/^error: /, '')
    .split('\n');
  return `ERR_USAGE: ${escapeControls(`${what} ${hint}`.trim())}; see tallyd --help\n`;
}

function escapeLines(text: string): string {
  return text.split('\n').map(escapeControls).join('\n');
}
