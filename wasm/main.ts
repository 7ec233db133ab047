/**
 * Compiles the fold to WebAssembly, into the file that is given: a step of `npm run build`. Its source is that of the JavaScript
 * version but for two files, which fold/wasm/ has in their place.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { lower } from './lowering.js';

const SOURCE = fileURLToPath(new URL('../../src/', import.meta.url));
const ENTRY = 'fold/wasm/module.ts';
const IN_PLACE: Readonly<Record<string, string>> = {
  'model/memory.ts': 'fold/wasm/memory.ts',
  'state/tables.ts': 'fold/wasm/tables.ts',
};

const OPTIONS = [
  '-O3',
  // The indexes are those of the JavaScript version, where tests have seen them.
  '--noAssert',
  ...['--use', 'abort='],
  // Objects are made at the beginning only, so nothing has to be freed.
  ...['--runtime', 'stub'],
  ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--enable', 'threads,bulk-memory'],
];

const output = process.argv[2]!;
const result = await asc.main([ENTRY, '--baseDir', SOURCE, '--outFile', output, ...OPTIONS], {
  readFile: readSource,
  writeFile: (path, data) => writeFileSync(join(SOURCE, relative(SOURCE, path)), data),
  listFiles: () => [],
});
process.stderr.write(result.stderr.toString());
if (result.error) process.exit(1);

/** AssemblyScript asks for `x.js.ts` where a file imports `x.js`. */
function readSource(name: string): string | null {
  const path = name.replace(/\.js\.ts$/, '.ts');
  const from = IN_PLACE[path] ?? path;
  const file = join(SOURCE, from);
  if (!path.endsWith('.ts') || !existsSync(file)) return null;
  if (path === 'model/memory.ts') return readFileSync(file, 'utf8');
  const memory = relative(dirname(path), 'model/memory.js');
  // What takes another one's place imports as if it stood there.
  const text = readFileSync(file, 'utf8').replaceAll(
    /(?<=from ')\.[^']*/g,
    (to) => `./${relative(dirname(path), join(dirname(from), to))}`,
  );
  return lower(text, memory.startsWith('.') ? memory : `./${memory}`);
}
