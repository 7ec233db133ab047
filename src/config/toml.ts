/** A TOML file into its settings, each with its line. Values are not judged here. */

import { type AST, ParseError, parseTOML } from 'toml-eslint-parser';
import type { Written } from './values.js';

interface TomlSetting {
  /** dotted, `ring.bytes`; a key that has a dot of its own is in quotes */
  readonly key: string;
  readonly written: Written;
  readonly line: number;
}

interface TomlSection {
  readonly name: string;
  readonly line: number;
}

export interface TomlSettings {
  readonly settings: readonly TomlSetting[];
  /** section headers, also those without a key */
  readonly sections: readonly TomlSection[];
}

export interface TomlSyntaxProblem {
  readonly problem: string;
  readonly line: number;
  readonly column: number;
}

/** @returns the settings in the order of the file, or the first place where it is no TOML 1.0 */
export function readToml(source: string): TomlSettings | TomlSyntaxProblem {
  const text = source.startsWith('\ufeff') ? source.slice(1) : source;
  let program: AST.TOMLProgram;
  try {
    program = parseTOML(text, { tomlVersion: '1.0' });
  } catch (error) {
    if (error instanceof ParseError) return syntaxProblem(error, text);
    throw error;
  }
  const settings: TomlSetting[] = [];
  const sections: TomlSection[] = [];
  const lineOf = (node: AST.TOMLNode) => node.loc.start.line;
  const add = (path: readonly string[], node: AST.TOMLKeyValue): void => {
    const keys = [...path, ...keysOf(node.key)];
    const value = node.value;
    if (value.type === 'TOMLInlineTable' && value.body.length > 0) {
      for (const inner of value.body) add(keys, inner);
    } else {
      settings.push({ key: dotted(keys), written: writtenOf(value, text), line: lineOf(node) });
    }
  };
  for (const node of program.body[0].body) {
    if (node.type === 'TOMLKeyValue') {
      add([], node);
    } else {
      const path = keysOf(node.key);
      if (node.kind === 'array') {
        const written: Written = { form: 'other', what: 'a list of sections' };
        settings.push({ key: dotted(path), written, line: lineOf(node) });
      } else {
        sections.push({ name: dotted(path), line: lineOf(node) });
        for (const inner of node.body) add(path, inner);
      }
    }
  }
  return { settings, sections };
}

/**
 * One value as a flag or the environment gives it: what stands in quotes is read as TOML reads it, anything else
 * is taken as it is.
 */
export function readBareValue(text: string): Written {
  const trimmed = text.trim();
  if (!/^(["']).*\1$/s.test(trimmed)) return { form: 'bare', text: trimmed };
  const read = readToml(`value = ${trimmed}\n`);
  const only = 'problem' in read ? undefined : read.settings[0];
  return only?.written ?? { form: 'bare', text: trimmed };
}

function writtenOf(node: AST.TOMLContentNode, source: string): Written {
  if (node.type === 'TOMLArray') return { form: 'other', what: 'a list' };
  if (node.type === 'TOMLInlineTable') return { form: 'other', what: 'a table' };
  switch (node.kind) {
    case 'string':
      return { form: 'string', text: node.value };
    case 'integer':
    case 'float':
      return {
        form: 'number',
        text: source.slice(node.range[0], node.range[1]),
        value: node.value,
        whole: node.kind === 'integer',
      };
    case 'boolean':
      return { form: 'other', what: String(node.value) };
    default:
      return { form: 'other', what: 'a date' };
  }
}

function keysOf(key: AST.TOMLKey): string[] {
  return key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
}

function dotted(keys: readonly string[]): string {
  return keys.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}

/** The parser counts columns from 0, and reports a missing value at the line after it. */
function syntaxProblem(error: ParseError, text: string): TomlSyntaxProblem {
  let line = error.lineNumber;
  let column = error.column + 1;
  const before = text.slice(0, error.index);
  if (error.column === 0 && /=\s*$/.test(before)) {
    const lines = before.trimEnd().split('\n');
    line = lines.length;
    column = lines.at(-1)!.length + 1;
  }
  const written = text.split('\n')[line - 1] ?? '';
  const unquoted = /^\s*[\w.-]+\s*=\s*([^\s"'[{#][^\s#]*)/.exec(written)?.[1];
  const mend = unquoted === undefined ? '' : `; text stands in quotes: "${unquoted}"`;
  return { problem: `${error.message.replace(/^./, (c) => c.toLowerCase())}${mend}`, line, column };
}
