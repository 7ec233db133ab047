/** The effective configuration as a file that says the same: every option, what it is for, and where its value came from. */

import { type Config, optionValue } from './config.js';
import { OPTIONS, sectionOf } from './options.js';
import { sourceText } from './problems.js';
import { defaultOf, rangeText, readValue, type Value, writeValue } from './values.js';

const WIDTH = 100;

/** @returns valid TOML; read again it gives the same values */
export function renderConfig(config: Config): string {
  const lines = [
    '# tallyd.toml: every option with its value. What is left out has its default.',
    '# Sizes take B, KiB, MiB, GiB; durations ms, s, m, h, d. "reload": a running daemon takes it at SIGHUP.',
    `# State directory:   ${commentText(config.stateDir)}`,
    `# Runtime directory: ${commentText(config.runtimeDir)}`,
  ];
  let section = '';
  for (const option of OPTIONS) {
    if (sectionOf(option.key) !== section) {
      section = sectionOf(option.key);
      lines.push('', `[${section}]`);
    } else {
      lines.push('');
    }
    const source = config.sources[option.key]!;
    const standard = writeValue(option, (readValue(option, defaultOf(option)) as { value: Value }).value);
    const facts = [`Default ${standard}`, rangeText(option)];
    if (option.reload) facts.push('reload');
    lines.push(...comment(option.comment), ...comment(`${facts.join('; ')}.`));
    if (source.from !== 'default') lines.push(`# Set by ${commentText(sourceText(source))}.`);
    const name = option.key.slice(section.length + 1);
    lines.push(`${name} = ${writeValue(option, optionValue(config, option))}`);
  }
  return `${lines.join('\n')}\n`;
}

function comment(text: string): string[] {
  const lines: string[] = [];
  let line = '#';
  for (const word of commentText(text).split(' ')) {
    if (line.length + 1 + word.length > WIDTH && line !== '#') {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  lines.push(line);
  return lines;
}

/** A path may hold anything but NUL; a comment may not hold control characters. */
function commentText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
}
