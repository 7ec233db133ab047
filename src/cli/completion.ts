/** `tallyd completion SHELL`: a script that completes commands, options and their values, made of the commands themselves. */

import { allCommands, type CommandNode, type OptionNode, type ValueKind } from './command-tree.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, tree: CommandNode): string {
  return SCRIPTS[shell](tree);
}

const SCRIPTS: Readonly<Record<Shell, (tree: CommandNode) => string>> = { bash, zsh, fish };

/**
 * The words before the one to complete give the command; bash and zsh walk them in the same way. A value may hang on its option
 * by `=`, which bash takes for a word of its own.
 */
function bash(tree: CommandNode): string {
  return `# bash completion of tallyd, made by \`tallyd completion bash\`
_tallyd() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} path=tallyd word i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$path $word" in
${subcommandPatterns(tree, 'path')}
    esac
  done
  # In \`--set KEY=VALUE\` the words are KEY, = and VALUE.
  [[ $current == = ]] && return
  case $before in
${valueCases(tree, bashValues)}
  esac
  local words= options=
  case $path in
${wordCases(tree, (words, options) => `words=${words} options=${options}`, shellWords)}
  esac
  [[ $current == -* ]] && words=$options
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  # Of an argument that is a file.
  [[ $current != -* ]] && case $path in
${fileArgumentPaths(tree)}) COMPREPLY+=($(compgen -f -- "$current")) ;;
  esac
}
complete -F _tallyd tallyd
`;
}

function bashValues(kind: ValueKind): string {
  if (kind === 'file') return 'COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames; return';
  if (kind === 'folder') return 'COMPREPLY=($(compgen -d -- "$current")); compopt -o filenames; return';
  if (kind === 'any') return 'return';
  const space = kind.some((word) => word.endsWith('=')) ? 'compopt -o nospace; ' : '';
  return `COMPREPLY=($(compgen -W ${shellQuote(kind.join(' '))} -- "$current")); ${space}return`;
}

function zsh(tree: CommandNode): string {
  return `#compdef tallyd
# zsh completion of tallyd, made by \`tallyd completion zsh\`
_tallyd() {
  local current=\${words[CURRENT]} before=\${words[CURRENT-1]} path_=tallyd word i
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    case "$path_ $word" in
${subcommandPatterns(tree, 'path_')}
    esac
  done
  case $before in
${valueCases(tree, zshValues)}
  esac
  local -a names texts options optionTexts
  case $path_ in
${wordCases(tree, (words, options) => `${words} ${options}`, zshArrays)}
  esac
  if [[ $current == -* ]]; then
    compadd -l -d optionTexts -a options
  else
    compadd -l -d texts -a names
  fi
  [[ $current != -* ]] && case $path_ in
${fileArgumentPaths(tree)}) _files ;;
  esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _tallyd "$@"; else compdef _tallyd tallyd; fi
`;
}

function zshValues(kind: ValueKind): string {
  if (kind === 'file') return '_files; return';
  if (kind === 'folder') return '_files -/; return';
  if (kind === 'any') return 'return';
  const suffix = kind.some((word) => word.endsWith('=')) ? "-S '' " : '';
  return `compadd ${suffix}-- ${kind.map(shellQuote).join(' ')}; return`;
}

function fish(tree: CommandNode): string {
  const lines = [
    '# fish completion of tallyd, made by `tallyd completion fish`',
    '',
    '# Whether the words so far name exactly this command.',
    'function __tallyd_at',
    '  set -l words tallyd',
    '  for word in (commandline -opc)[2..-1]',
    '    switch "$words $word"',
    ...allCommands(tree)
      .slice(1)
      .map(({ path }) => `      case '${path}'\n        set words '${path}'`),
    '    end',
    '  end',
    '  test "$words" = "$argv"',
    'end',
    '',
    'complete -c tallyd -f',
  ];
  for (const command of allCommands(tree)) {
    const at = `complete -c tallyd -n ${shellQuote(`__tallyd_at ${command.path}`)}`;
    for (const { name, description } of command.commands) {
      lines.push(`${at} -a ${name} -d ${shellQuote(description)}`);
    }
    for (const option of command.options) lines.push(`${at} ${fishOption(option)}`);
    for (const { value } of command.arguments) {
      if (value === 'file') lines.push(`${at} -F`);
      else if (typeof value !== 'string') lines.push(`${at} -a ${shellQuote(value.join(' '))}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function fishOption({ long, short, placeholder, description, value }: OptionNode): string {
  const names = `${short === null ? '' : `-s ${short.slice(1)} `}-l ${long.slice(2)} -d ${shellQuote(description)}`;
  if (placeholder === null) return names;
  if (value === 'file') return `${names} -r -F`;
  if (value === 'folder') return `${names} -x -a '(__fish_complete_directories)'`;
  return value === 'any' ? `${names} -x` : `${names} -x -a ${shellQuote(value.join(' '))}`;
}

/** `"tallyd archive") path="tallyd archive" ;;` for each command but the first. */
function subcommandPatterns(tree: CommandNode, variable: string): string {
  const lines = allCommands(tree)
    .slice(1)
    .map(({ path }) => `"${path}") ${variable}="${path}" ;;`);
  return indented(lines, 6);
}

/** What may stand behind each option that takes a value; it means the same in all commands. */
function valueCases(tree: CommandNode, act: (kind: ValueKind) => string): string {
  const optionsByAction = new Map<string, Set<string>>();
  for (const { long, placeholder, value } of allCommands(tree).flatMap(({ options }) => options)) {
    if (placeholder === null) continue;
    const action = act(value);
    optionsByAction.set(action, (optionsByAction.get(action) ?? new Set()).add(long));
  }
  const cases = [...optionsByAction].map(([action, options]) => `${[...options].join('|')}) ${action} ;;`);
  return indented(cases, 4);
}

/** For each command: the commands below it and the words of its arguments, and its options. */
function wordCases(
  tree: CommandNode,
  act: (words: string, options: string) => string,
  write: (candidates: readonly Candidate[], kind: 'words' | 'options') => string,
): string {
  const lines = allCommands(tree).map((command) => {
    const words = write(wordsOf(command), 'words');
    return `"${command.path}") ${act(words, write(optionsOf(command), 'options'))} ;;`;
  });
  return indented(lines, 4);
}

type Candidate = readonly [word: string, text: string];

function wordsOf({ commands, arguments: given }: CommandNode): Candidate[] {
  const words = given.flatMap(({ value }) => (typeof value === 'string' ? [] : value));
  return [
    ...commands.map(({ name, description }): Candidate => [name, description]),
    ...words.map((word): Candidate => [word, word]),
  ];
}

function optionsOf({ options }: CommandNode): Candidate[] {
  return options.flatMap(({ long, short, description }) => {
    const names = short === null ? [long] : [long, short];
    return names.map((name): Candidate => [name, description]);
  });
}

function shellWords(candidates: readonly Candidate[]): string {
  return shellQuote(candidates.map(([word]) => word).join(' '));
}

function zshArrays(candidates: readonly Candidate[], kind: 'words' | 'options'): string {
  const [names, texts] = kind === 'words' ? ['names', 'texts'] : ['options', 'optionTexts'];
  const words = candidates.map(([word]) => shellQuote(word));
  const lines = candidates.map(([word, text]) =>
    shellQuote(word === text ? word : `${word.padEnd(14)} ${text}`),
  );
  return `${names}=(${words.join(' ')}) ${texts}=(${lines.join(' ')})`;
}

function fileArgumentPaths(tree: CommandNode): string {
  const withFile = allCommands(tree).filter((command) =>
    command.arguments.some(({ value }) => value === 'file'),
  );
  return `    ${withFile.map(({ path }) => `"${path}"`).join('|')}`;
}

function indented(lines: readonly string[], spaces: number): string {
  return lines.map((line) => ' '.repeat(spaces) + line).join('\n');
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
