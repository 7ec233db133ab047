/**
 * TypeScript of state and fold into AssemblyScript, which is the same but for what stands here: a few words of one language that
 * the other does not have. By text, line by line, since AssemblyScript's parser does not read them. What it does not know
 * of it refuses, so a word that is missing here stops the build; that both versions do the same is tested
 * (test/threads/compiled-fold.test.ts).
 */

interface Rule {
  readonly what: RegExp;
  readonly into: string | ((match: string, ...groups: string[]) => string);
}

/** What both versions know from model/memory.ts, which WebAssembly has from fold/wasm/memory.ts. */
const MEMORY = [
  'Bytes',
  'ByteView',
  'Doubles',
  'MemoryPart',
  'Words',
  'bytesOf',
  'copyOfWords',
  'demand',
  'doublesOf',
  'highWord',
  'leastWord',
  'loadAtomic',
  'mostWord',
  'ownBytes',
  'ownDoubles',
  'ownWords',
  'partOf',
  'powerBelow',
  'sortDoubles',
  'storeInOrder',
  'toWord',
  'viewOfText',
  'viewOfWords',
  'withHighWord',
  'wordsOf',
];

const RULES: readonly Rule[] = [
  // Types are imported as what they are, and memory by the line that `lower` puts first.
  { what: /import type /g, into: 'import ' },
  { what: /import \{[^}]*\} from '[^']*model\/memory\.js';\n/g, into: '' },
  { what: /import \{([^}]*)\}/g, into: (_, names) => `import {${names!.replace(/\btype (?=\w)/g, '')}}` },
  { what: /export type \w+(<[^=]*>)? =[^;]*;/g, into: '' },
  { what: / implements \w+/g, into: '' },
  { what: / as const;/g, into: ';' },
  // Fields are private by name.
  { what: /(?<![\w'"])#(?=[a-z])/g, into: '_' },
  // An element is there: both compilers are told so, each in its own way.
  { what: /\]!/g, into: ']' },
  { what: /\bNumber\./g, into: 'F64.' },
  { what: /Math\.imul\(/g, into: 'imul(' },
  { what: /Math\.clz32\(/g, into: 'clz<i32>(' },
  // Words with the top bit set are negative.
  {
    what: /\b0x[89a-f][0-9a-f]{3}_?[0-9a-f]{4}\b/g,
    into: (hex) => `(${Number(hex.replace('_', '')) | 0})`,
  },
  // Compiled where it is used only.
  { what: /^(?=(export )?const )/gm, into: '// @ts-ignore\n@lazy ' },
  {
    what: /\n(\s*)const \{ ([^}]*) \} = ([^;]+);/g,
    into: (_, indent, names, from) => `\n${indent}${names!.split(',').map(memberOf(from!)).join(' ')}`,
  },
];

/** `name` or `name: alias` of a destructuring, as a declaration of its own. */
function memberOf(from: string): (name: string) => string {
  return (name) => {
    const [key, alias = key] = name.split(':').map((part) => part.trim());
    return key === '' ? '' : `const ${alias} = ${from}.${key};`;
  };
}

/** @param memory the path of the module's memory, as this file imports it */
export function lower(text: string, memory: string): string {
  const imports = `import { ${MEMORY.join(', ')} } from '${memory}';\n`;
  const imul = text.includes('Math.imul(') ? '\nfunction imul(a: i32, b: i32): i32 { return a * b; }\n' : '';
  return imports + RULES.reduce((out, { what, into }) => out.replace(what, into as string), text) + imul;
}
