/** Checkpoints of the real daemon: when they are written, what a start makes of them, and what replay says of it all. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { listSegments } from '../../src/archive/segment-name.js';
import { SegmentReader } from '../../src/archive/segment-reader.js';
import { listCheckpoints } from '../../src/checkpoint/checkpoint-files.js';
import { type TestDaemon, testDaemon } from '../support/daemon.js';
import { executionLines, stateOf } from '../support/executions.js';

const OFTEN = { 'checkpoint.interval': '100ms' };
const NEVER = { 'checkpoint.interval': '1d' };

function checkpointLines({ stateDir }: TestDaemon): number[] {
  return listCheckpoints(join(stateDir, 'checkpoint')).map(({ line }) => line);
}

function checkpointPath({ stateDir }: TestDaemon, index: number): string {
  return listCheckpoints(join(stateDir, 'checkpoint'))[index]!.path;
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  writeFileSync(path, bytes);
}

/** What the last start says it began with, and folded. */
async function started(daemon: TestDaemon): Promise<{ checkpointLine: number; lines: number }> {
  const lineOf = () => /^.*made the state.*$/m.exec(daemon.stderr)?.[0];
  // What it answers may be here before what it has written.
  await daemon.statusWhere(() => lineOf() !== undefined);
  return JSON.parse(lineOf()!);
}

async function replay(daemon: TestDaemon) {
  const { code, stdout, stderr } = await daemon.command('replay', '--json');
  return { code, stderr, ...(JSON.parse(stdout || '{}') as Record<string, unknown>) };
}

test('checkpoints are written while lines come, and not otherwise, and the status says so', async () => {
  const daemon = await testDaemon(OFTEN);
  expect((await daemon.status()).checkpoint).toBeNull();
  await daemon.send(...executionLines(500, 1));
  const { checkpoint } = await daemon.statusWhere((status) => status.checkpoint?.line === 500);
  expect(checkpoint).toMatchObject({ line: 500, first_line_needed: 1 });
  for (const field of ['written_at', 'bytes', 'pause_ms', 'duration_ms']) {
    expect(checkpoint[field], field).toBeGreaterThan(0);
  }
  await daemon.send(...executionLines(500, 2));
  const second = await daemon.statusWhere((status) => status.checkpoint?.line === 1000);
  expect(second.checkpoint.first_line_needed).toBe(501);
  await daemon.send(...executionLines(1, 3));
  await daemon.statusWhere((status) => status.checkpoint?.line === 1001);
  expect(checkpointLines(daemon)).toEqual([1001, 1000]);
  const before = (await daemon.status()).checkpoint;
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect((await daemon.status()).checkpoint).toEqual(before);
});

test('after a kill the state is made of the last checkpoint and the lines after it, to the last bit', async () => {
  const daemon = await testDaemon({ ...OFTEN, 'archive.segment_bytes': '64KiB' });
  await daemon.send(...executionLines(3000, 4));
  await daemon.statusWhere((status) => status.checkpoint?.line === 3000);
  await daemon.kill();
  await daemon.restart(NEVER);
  await daemon.send(...executionLines(1000, 5));
  const before = await stateOf(daemon);
  await daemon.kill();
  await daemon.restart(NEVER);
  expect(await started(daemon)).toMatchObject({ checkpointLine: 3000, lines: 1000 });
  expect(await stateOf(daemon)).toEqual(before);
  expect((await daemon.status()).checkpoint).toMatchObject({ line: 3000, pause_ms: null });
  expect(await replay(daemon)).toMatchObject({ code: 0, equal: true, source: 'daemon', lines: 4000 });
});

test('a drain writes the state down, so the next start folds nothing', async () => {
  const daemon = await testDaemon(NEVER);
  await daemon.send(...executionLines(2000, 6));
  const before = await stateOf(daemon);
  expect(await daemon.stop()).toBe(0);
  expect(checkpointLines(daemon)).toEqual([2000]);
  expect(await replay(daemon)).toMatchObject({ code: 0, equal: true, source: 'checkpoint', lines: 2000 });
  await daemon.restart(NEVER);
  expect(await started(daemon)).toMatchObject({ checkpointLine: 2000, lines: 0 });
  expect(await stateOf(daemon)).toEqual(before);
  expect(await daemon.stop()).toBe(0);
  expect(daemon.complaints).toEqual([]);
});

test('damaged checkpoints give way to older ones and to the whole log, and each is said', async () => {
  const daemon = await testDaemon(NEVER);
  await daemon.send(...executionLines(1000, 7));
  await daemon.stop();
  await daemon.restart(NEVER);
  await daemon.send(...executionLines(1000, 8));
  const before = await stateOf(daemon);
  await daemon.stop();
  expect(checkpointLines(daemon)).toEqual([2000, 1000]);
  for (const [i, checkpointLine] of [1000, 0].entries()) {
    flipByte(checkpointPath(daemon, i), -100);
    await daemon.restart(NEVER);
    expect(await started(daemon)).toMatchObject({ checkpointLine, lines: 2000 - checkpointLine });
    expect(daemon.complaints).toHaveLength(i + 1);
    expect(daemon.complaints.join()).toContain(checkpointPath(daemon, i));
    expect(await stateOf(daemon)).toEqual(before);
    await daemon.kill();
  }
});

test('a checkpoint of another format ends the start with 74, and nothing is overwritten', async () => {
  const daemon = await testDaemon(NEVER);
  await daemon.send({ type: 'note' });
  await daemon.stop();
  const path = checkpointPath(daemon, 0);
  const bytes = readFileSync(path);
  bytes.writeUInt32LE(7, 12);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 24)), 24);
  writeFileSync(path, bytes);
  const second = await daemon.spawn().ended;
  expect(second.code).toBe(74);
  expect(second.stderr).toContain('ERR_CHECKPOINT_FORMAT');
  expect(second.stderr).toContain(path);
  expect(readFileSync(path)).toEqual(bytes);
  expect(readdirSync(join(daemon.stateDir, 'checkpoint'))).toHaveLength(1);
});

test('a start under other limits goes on from the checkpoint, whose limits came with it, and a replay agrees', async () => {
  const daemon = await testDaemon(NEVER);
  await daemon.send(...executionLines(500, 9));
  await daemon.stop();
  await daemon.restart({ ...NEVER, 'state.max_tasks_per_workflow': 20 });
  expect(await started(daemon)).toMatchObject({ checkpointLine: 500, lines: 0 });
  expect(daemon.complaints).toEqual([]);
  await daemon.send(...executionLines(600, 9));
  const { state } = await daemon.status();
  await daemon.kill();
  await daemon.restart({ ...NEVER, 'state.max_tasks_per_workflow': 30000 });
  expect((await daemon.status()).state).toEqual(state);
  expect(await replay(daemon)).toMatchObject({ code: 0, equal: true });
});

test('a checkpoint ahead of the log is set aside and said, and its lines do not come back', async () => {
  const daemon = await testDaemon(NEVER);
  await daemon.send(...executionLines(300, 10));
  await daemon.stop();
  rmSync(daemon.archiveDir, { recursive: true });
  await daemon.restart(NEVER);
  expect(daemon.complaints.join()).toMatch(/ahead of the log/);
  expect((await daemon.status()).state).toMatchObject({ workflows_live: 0, series: 0 });
  await daemon.send(...executionLines(400, 11));
  expect(await replay(daemon)).toMatchObject({ code: 0, equal: true, to_line: 400 });
});

test('a checkpoint folder that cannot be written to is said, costs no line, and is used when it can be again', async () => {
  const daemon = await testDaemon(OFTEN);
  const folder = join(daemon.stateDir, 'checkpoint');
  // Rights do not stop root, so the folder is a file for a while.
  rmSync(folder, { recursive: true });
  writeFileSync(folder, '');
  await daemon.send(...executionLines(100, 12));
  const { degraded } = await daemon.statusWhere((status) => status.degraded.length > 0);
  expect(degraded).toEqual([expect.stringMatching(/^checkpoint_failed: /)]);
  expect(daemon.complaints).toHaveLength(1);
  expect((await daemon.get('/v1/checkpoint', 'POST')).status).toBe(503);
  expect(await daemon.send({ type: 'note' })).toMatchObject({ accepted: 1 });
  rmSync(folder);
  mkdirSync(folder);
  const mended = await daemon.statusWhere((status) => status.checkpoint?.line === 101);
  expect(mended.degraded).toEqual([]);
  expect(await daemon.stop()).toBe(0);
});

/** Flips a byte within the data of the n-th frame of the log. */
function damageFrame(
  daemon: TestDaemon,
  n: number,
): { segment: string; first_line: number; last_line: number } {
  for (const { path } of listSegments(daemon.archiveDir)) {
    const reader = SegmentReader.open(path);
    const frames = [...reader.frames()];
    reader.close();
    const frame = frames[n]!;
    if (frame.kind !== 'frame') throw new Error(frame.reason);
    flipByte(path, frame.nextOffset - 20);
    const { firstLine, lineCount } = frame.head;
    return { segment: path.split('/').at(-1)!, first_line: firstLine, last_line: firstLine + lineCount - 1 };
  }
  throw new Error('the log is empty');
}

test('a frame that is damaged in the middle is named in log and status, and all others are read', async () => {
  const daemon = await testDaemon(NEVER);
  for (let i = 0; i < 4; i++) await daemon.send(...executionLines(50, 20 + i));
  await daemon.kill();
  const damage = damageFrame(daemon, 1);
  await daemon.restart(NEVER);
  const { archive, degraded } = await daemon.status();
  expect(archive.damage).toMatchObject([damage]);
  expect(archive.durable_seq).toBe(200);
  expect(degraded).toEqual([expect.stringMatching(/^archive_damaged: /)]);
  expect(daemon.complaints.join()).toContain(`lines ${damage.first_line} to ${damage.last_line} are lost`);
  const text = (await daemon.command('status')).stdout;
  expect(text).toContain(damage.segment);
  expect(text).toContain(`lines ${damage.first_line} to ${damage.last_line}`);
  // The daemon has missed these lines too, so both are equal.
  const { first_line: from, last_line: to } = damage;
  expect(await replay(daemon)).toMatchObject({ code: 0, equal: true, missing: [{ from, to }] });
});

test('lines that are damaged after a checkpoint has counted them stay counted, and replay names the first line that it can check', async () => {
  const daemon = await testDaemon(NEVER);
  for (let i = 0; i < 3; i++) await daemon.send(...executionLines(50, 30 + i));
  await daemon.stop();
  const { first_line: from, last_line: to } = damageFrame(daemon, 1);
  await daemon.restart(NEVER);
  expect((await daemon.status()).archive.damage).toEqual([]);
  await daemon.send(...executionLines(50, 34));
  const checked = await replay(daemon);
  expect(checked).toMatchObject({ code: 0, equal: true, missing: [{ from, to }], first_checkable_line: 151 });
  expect(checked).toMatchObject({ from_line: 151, to_line: 200 });
  // Without the checkpoint behind the damage there is nothing to begin with.
  await daemon.stop();
  rmSync(checkpointPath(daemon, 1));
  expect(await replay(daemon)).toMatchObject({ code: 1, equal: false, first_checkable_line: null });
  expect((await daemon.command('replay')).stdout).toMatch(/no line can be checked/);
});

test('replay says where the state differs from the log, in names and values, and exits 1', async () => {
  const daemon = await testDaemon(NEVER);
  const task = { workflow: 'w', task: 't', agent: 'a', ts: 1_700_000_000 };
  await daemon.send({ type: 'task.start', ...task }, { type: 'sample', name: 'm', value: 7, tags: {} });
  await daemon.stop();
  const [segment] = listSegments(daemon.archiveDir);
  // Another log under the same state: as if a line had been folded otherwise.
  const other = await testDaemon(NEVER);
  await other.send({ type: 'task.start', ...task }, { type: 'sample', name: 'm', value: 8, tags: {} });
  await other.stop();
  writeFileSync(segment!.path, readFileSync(listSegments(other.archiveDir)[0]!.path));
  const { code, stdout } = await daemon.command('replay');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^differs from the newest checkpoint/);
  expect(stdout).toContain('cell m{}: sum 8, 7');
  expect(await replay(daemon)).toMatchObject({ code: 1, equal: false, source: 'checkpoint' });
});

test('replay beside a daemon under load compares at one line, and both go on', async () => {
  const daemon = await testDaemon({ ...OFTEN, 'archive.segment_bytes': '256KiB' });
  const client = await daemon.connect();
  let sending = true;
  const load = (async () => {
    for (let seed = 40; sending; seed++) {
      await client.send(...executionLines(2000, seed));
      await client.sync();
    }
  })();
  for (let i = 0; i < 3; i++) expect(await replay(daemon)).toMatchObject({ code: 0, equal: true });
  sending = false;
  await load;
  expect(daemon.complaints).toEqual([]);
});

test('replay without an archive, a checkpoint or a line says what is missing', async () => {
  const daemon = await testDaemon(NEVER);
  expect(await daemon.command('replay')).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/no line yet/),
  });
  await daemon.send({ type: 'note' });
  await daemon.kill();
  const none = await daemon.command('replay');
  expect(none).toMatchObject({ code: 1, stderr: expect.stringMatching(/ERR_NOT_FOUND.*no checkpoint/) });
  rmSync(daemon.archiveDir, { recursive: true });
  expect(await daemon.command('replay')).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/no archive/),
  });
  expect(existsSync(daemon.archiveDir)).toBe(false);
});

test('a numbered client goes on from a checkpoint where it was, with refused lines behind its last accepted one', async () => {
  const daemon = await testDaemon(NEVER);
  const hello = async (client: string) => {
    const connection = await daemon.connect();
    await connection.send({ type: 'hello', client });
    return { connection, welcome: await connection.reply(({ type }) => type === 'welcome') };
  };
  const { connection } = await hello('c');
  await connection.send({ type: 'note' }, 'no json', { type: 'note' });
  expect(await connection.sync()).toMatchObject({ seq: 3 });
  expect((await daemon.get('/v1/checkpoint', 'POST')).body.line).toBe(2);
  // Behind the line of the checkpoint there are refused lines only, and a client that never had another.
  await connection.send('no json', 'no json');
  expect(await connection.sync()).toMatchObject({ seq: 5 });
  const other = await hello('only refused');
  await other.connection.send('no json');
  expect(await other.connection.sync()).toMatchObject({ seq: 1 });
  await daemon.kill();
  await daemon.restart(NEVER);
  expect(await started(daemon)).toMatchObject({ checkpointLine: 2, lines: 0 });
  expect((await hello('c')).welcome).toMatchObject({ seq: 5, known: true });
  expect((await hello('only refused')).welcome).toMatchObject({ seq: 1, known: true });
  expect(await replay(daemon)).toMatchObject({ code: 0, equal: true });
});
