/**
 * The commands of the program as data, for whoever shows them in another form: help, shell completion, the manual page. Taken from
 * commander's own objects, so there is no second list of them.
 */

import { OPTIONS } from '../config/options.js';
import { TYPE_NAMES } from '../decode/type-rules.js';
import { EVENT_SAMPLE, EVENT_WORKFLOW_START } from '../model/event.js';
import { STATUS_CANCELLED, STATUS_NAMES } from '../model/status.js';
import { EXAMPLES, type Example } from './examples.js';

export interface CommandNode {
  /** `tallyd archive cat` */
  readonly path: string;
  readonly name: string;
  readonly description: string;
  /** `[METRIC]`, `<WORKFLOW>` */
  readonly arguments: readonly ArgumentNode[];
  readonly options: readonly OptionNode[];
  readonly examples: readonly Example[];
  readonly commands: readonly CommandNode[];
}

export interface ArgumentNode {
  readonly name: string;
  readonly required: boolean;
  readonly value: ValueKind;
}

export interface OptionNode {
  readonly long: string;
  readonly short: string | null;
  /** `<FILE>` of `--config <FILE>`; null: it takes none */
  readonly placeholder: string | null;
  readonly description: string;
  readonly value: ValueKind;
}

/** What may stand there: files, folders, one of some words, or anything. */
export type ValueKind = 'file' | 'folder' | 'any' | readonly string[];

/** What is read of commander's commands. */
export interface CommandLike {
  name(): string;
  description(): string;
  readonly registeredArguments: readonly {
    name(): string;
    readonly required: boolean;
    readonly argChoices?: readonly string[] | undefined;
  }[];
  readonly commands: readonly CommandLike[];
  readonly options: readonly OptionLike[];
  createHelp(): { visibleOptions(command: never): OptionLike[] };
}

interface OptionLike {
  readonly long?: string | undefined;
  readonly short?: string | undefined;
  readonly flags: string;
  readonly description: string;
}

/** Of an option, which means the same in all commands. */
const OPTION_VALUES: ReadonlyMap<string, ValueKind> = new Map<string, ValueKind>([
  ['--config', 'file'],
  ['--state-dir', 'folder'],
  ['--runtime-dir', 'folder'],
  ['--set', OPTIONS.map(({ key }) => `${key}=`)],
  ['--window', ['all', '1m', '5m', '1h', '1d']],
  ['--type', TYPE_NAMES.slice(EVENT_WORKFLOW_START, EVENT_SAMPLE + 1)],
  ['--status', STATUS_NAMES.slice(1, STATUS_CANCELLED + 1)],
]);

const FILE_ARGUMENTS: readonly string[] = ['FILE'];

export function commandTreeOf(command: CommandLike, parent = ''): CommandNode {
  const path = `${parent} ${command.name()}`.trim();
  return {
    path,
    name: command.name(),
    description: command.description(),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      required: argument.required,
      value: argument.argChoices ?? (FILE_ARGUMENTS.includes(argument.name()) ? 'file' : 'any'),
    })),
    options: command
      .createHelp()
      .visibleOptions(command as never)
      .map(optionNode),
    examples: EXAMPLES.get(path) ?? [],
    commands: command.commands.map((one) => commandTreeOf(one, path)),
  };
}

function optionNode({ long = '', short, flags, description }: OptionLike): OptionNode {
  const placeholder = /[<[][^>\]]+[>\]]$/.exec(flags)?.[0] ?? null;
  return {
    long,
    short: short ?? null,
    placeholder,
    description,
    value: OPTION_VALUES.get(long) ?? 'any',
  };
}

/** All commands of a tree, itself first. */
export function allCommands(tree: CommandNode): CommandNode[] {
  return [tree, ...tree.commands.flatMap(allCommands)];
}
