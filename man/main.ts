/** Writes the manual pages into the folder that is given: a step of `npm run build`. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeProgram } from '../src/cli/program.js';
import { readVersion } from '../src/config/version.js';
import { manualPages } from './pages.js';

const ROOT = new URL('../../', import.meta.url);
const folder = process.argv[2]!;
// https://reproducible-builds.org/specs/source-date-epoch/
const builtMs = Number(process.env.SOURCE_DATE_EPOCH || Date.now() / 1000) * 1000;

const pages = manualPages({
  commands: describeProgram(),
  version: readVersion(),
  date: new Date(builtMs).toISOString().slice(0, 10),
  protocol: readFileSync(new URL('src/ingest/README.md', ROOT), 'utf8'),
  archive: readFileSync(new URL('src/archive/README.md', ROOT), 'utf8'),
});
mkdirSync(folder, { recursive: true });
for (const { file, text } of pages) writeFileSync(join(folder, file), text);
