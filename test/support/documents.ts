/** The code of a Markdown document, as somebody who follows it would type it. */

export interface Command {
  readonly line: string;
  /** what the document says that it prints */
  readonly output: readonly string[];
}

export interface CodeBlock {
  readonly language: string;
  readonly text: string;
}

export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    language: language!,
    text: text!,
  }));
}

/** The commands of a `console` block: behind `$ `, with what belongs to a here-document, and then what they print. */
export function commandsOf({ text }: CodeBlock): Command[] {
  const lines = text.replace(/\n$/, '').split('\n');
  const commands: { line: string; output: string[] }[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (!line.startsWith('$ ')) {
      commands.at(-1)!.output.push(line);
      continue;
    }
    const end = /<<'?(\w+)'?/.exec(line)?.[1];
    const last = end === undefined ? i : lines.indexOf(end, i);
    commands.push({
      line: lines
        .slice(i, last + 1)
        .join('\n')
        .slice(2),
      output: [],
    });
    i = last;
  }
  return commands;
}

/** What a line of a document stands for: any number in the place of a number, any gap in the place of a gap. */
function patternOf(line: string): RegExp {
  const words = line.trimEnd().split(/(\d+(?:\.\d+)?(?:\s?(?:ns|µs|ms|s|[KMGT]iB|B)\b)?|\s+|─+|█+|▄+)/);
  const patterns = words.map((word, i) => {
    if (i % 2 === 0) return word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    if (/^\s/.test(word)) return '\\s+';
    if (/^[─█▄]/.test(word)) return `${word[0]}+`;
    return '\\d+(?:\\.\\d+)?(?:\\s?(?:ns|µs|ms|s|[KMGT]iB|B)\\b)?';
  });
  return new RegExp(`^${patterns.join('')}\\s*$`);
}

/** @throws Error with the first line that did not come, in its order, among what was printed */
export function requireLines(expected: readonly string[], printed: readonly string[]): void {
  let at = 0;
  for (const line of expected) {
    const pattern = patternOf(line);
    while (at < printed.length && !pattern.test(printed[at]!)) at++;
    if (at === printed.length)
      throw new Error(`no line as\n${line}\nin what was printed:\n${printed.join('\n')}`);
    at++;
  }
}
