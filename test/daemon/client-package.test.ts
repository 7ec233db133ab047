/** The client as another package sees it: by the name of this one, out of `dist`, in a process of its own. */

import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { fakeDaemon } from '../support/fake-daemon.js';
import { createFolder } from '../support/folder.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const README = readFileSync(join(ROOT, 'src/client/README.md'), 'utf8');
const EXAMPLE = /```js\n(.*?)```/s.exec(README)![1]!;

interface Outcome {
  readonly code: number;
  readonly output: string;
}

/** A folder in which `tallyd` is installed. */
function packageFolder(): string {
  const folder = createFolder();
  onTestFinished(() => folder.remove());
  mkdirSync(join(folder.path, 'node_modules'));
  symlinkSync(ROOT, join(folder.path, 'node_modules/tallyd'));
  symlinkSync(join(ROOT, 'node_modules/@types'), join(folder.path, 'node_modules/@types'));
  writeFileSync(join(folder.path, 'package.json'), '{"type":"module"}');
  return folder.path;
}

function run(file: string, ...args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, [file, ...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), output: stdout + stderr });
    });
  });
}

/** Runs a module that sees `path` and `tallyd`, the client of a daemon there. */
function runProgram(path: string, text: string): Promise<Outcome> {
  const file = join(packageFolder(), 'program.js');
  const head = `import { connect } from 'tallyd';\nconst path = ${JSON.stringify(path)};\n`;
  writeFileSync(file, `${head}const tallyd = connect({ path, client: 'c' });\n${text}`);
  return run(file);
}

test('the example of the README sends what it shows', async () => {
  const daemon = await fakeDaemon();
  const file = join(packageFolder(), 'example.js');
  expect(EXAMPLE).toContain("'/run/tallyd/ingest.sock'");
  writeFileSync(file, EXAMPLE.replace('/run/tallyd/ingest.sock', daemon.path));
  expect(await run(file)).toEqual({ code: 0, output: '' });
  const lines = daemon.linesOf('nightly@build-3').map((line) => JSON.parse(line));
  expect(lines.map(({ type }) => type)).toEqual(['workflow.start', 'task.start', 'task.end', 'deploy']);
});

test('the types of the package fit a strict program, and tell a wrong event', async () => {
  const folder = packageFolder();
  const options = {
    module: 'nodenext',
    target: 'es2023',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: ['node'],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options }));
  writeFileSync(
    join(folder, 'program.ts'),
    `import { type Client, connect, type Event, Failure } from 'tallyd';
const client: Client = connect({ path: '/x', whenFull: 'drop-oldest' });
const event: Event = { type: 'group', tasks: ['a', 'b'], duration: 1 };
const taken: boolean = client.trySend(event);
const { seq }: { seq: number } = await client.ready({ signal: AbortSignal.timeout(1) });
client.on('failed', (failure) => failure instanceof Failure && failure.code === 'ERR_TAKEN');
client.on('durable', (number) => number + seq + Number(taken));
// @ts-expect-error no such status
client.send({ type: 'task.end', task: 't', agent: 'a', status: 'done' });
// @ts-expect-error no agent
client.send({ type: 'task.start', task: 't' });
// @ts-expect-error no such event
client.on('error', () => {});
`,
  );
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  expect(await run(tsc, '-p', folder)).toEqual({ code: 0, output: '' });
});

test('a client does not keep a program alive, connected or not', async () => {
  const daemon = await fakeDaemon();
  const text = "await tallyd.ready(); tallyd.trySend('{}'); tallyd.on('lost', () => console.log('lost'));";
  expect(await runProgram(daemon.path, text)).toEqual({ code: 0, output: '' });
  expect(await runProgram('/nowhere/ingest.sock', "tallyd.trySend('{}');")).toEqual({ code: 0, output: '' });
});

test('a program that waits for the daemon lives until it comes', async () => {
  const daemon = await fakeDaemon();
  await daemon.die();
  const text = `
    const left = ['first'];
    tallyd.once('lost', () => console.log(left.pop()));
    tallyd.trySend('{}');
    await tallyd.flush();
    console.log(await tallyd.close());
  `;
  const ended = runProgram(daemon.path, text);
  setTimeout(() => daemon.start(), 500);
  expect(await ended).toEqual({ code: 0, output: 'first\n0\n' });
  expect(daemon.linesOf('c')).toEqual(['{}']);
});

test('a program that closes its client ends in time, though the daemon reads nothing', async () => {
  const daemon = await fakeDaemon();
  const text = `
    await tallyd.ready();
    console.log('ready');
    const line = 'x'.repeat(1000);
    while (tallyd.trySend(line));
    await new Promise((resolve) => setTimeout(resolve, 200));
    console.log(await tallyd.close({ timeoutMs: 50 }) > 1000);
  `;
  daemon.isDeafAfterHello = true;
  expect(await runProgram(daemon.path, text)).toEqual({ code: 0, output: 'ready\ntrue\n' });
});
