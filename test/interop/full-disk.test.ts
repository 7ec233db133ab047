/** A real file system that is full: a small tmpfs under the state directory. Needs root, or sudo, for the mount. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Child } from '../support/children.js';
import { PROGRAM, TestDaemon } from '../support/daemon.js';
import { seededRandom } from '../support/seeded-random.js';

const MIB = 1024 * 1024;
const SETTINGS = { 'archive.segment_bytes': '1MiB', 'ring.bytes': '1MiB' };

function asRoot(command: string, ...args: string[]): void {
  const isRoot = process.getuid?.() === 0;
  execFileSync(isRoot ? command : 'sudo', isRoot ? args : ['-n', command, ...args]);
}

/** A daemon on a disk of 16 MiB, of which a file takes all but some. @param roomBytes that it leaves */
async function daemonOnSmallDisk(roomBytes: number): Promise<{ daemon: TestDaemon; ballast: string }> {
  let ballast = '';
  const prepare = (stateDir: string) => {
    mkdirSync(stateDir);
    asRoot('mount', '-t', 'tmpfs', '-o', `size=16m,mode=0777`, 'tallyd-test', stateDir);
    ballast = join(stateDir, 'ballast');
    writeFileSync(ballast, Buffer.alloc(16 * MIB - roomBytes));
  };
  const daemon = await TestDaemon.start(SETTINGS, { prepare });
  onTestFinished(async () => {
    await daemon.kill();
    asRoot('umount', daemon.stateDir);
    await daemon.remove();
  });
  return { daemon, ballast };
}

/** Lines that hardly compress. */
function noise(count: number, seed: number): string[] {
  const random = seededRandom(seed);
  const word = () => random().toString(36).slice(2);
  return Array.from({ length: count }, (_, n) => {
    const text = Array.from({ length: 40 }, word).join('');
    return JSON.stringify({ type: 'sample', name: 'm', value: n, note: text });
  });
}

const isFull = ({ degraded }: { degraded: string[] }) =>
  degraded.some((reason) => reason.startsWith('disk_full: '));

test('a full disk holds the senders, and with room they go on within a second; each line is there once', async () => {
  const { daemon, ballast } = await daemonOnSmallDisk(3 * MIB);
  const lines = noise(20_000, 1);
  const client = await daemon.connect();
  let isAnswered = false;
  const synced = client.write(`${lines.join('\n')}\n`).then(async () => {
    const answer = await client.sync();
    isAnswered = true;
    return { answer, atMs: performance.now() };
  });
  synced.catch(() => {}); // where the test fails before it
  const held = await daemon.statusWhere(isFull, 30_000);
  expect(held.degraded).toEqual([expect.stringMatching(/^disk_full: /)]);
  expect((await daemon.groups('m'))[0].count).toBeGreaterThan(0);
  await sleep(1500);
  expect(isAnswered).toBe(false);
  const { durable_seq } = (await daemon.status()).archive;
  rmSync(ballast);
  const freeMs = performance.now();
  await daemon.statusWhere(({ archive }) => archive.durable_seq > durable_seq);
  expect(performance.now() - freeMs).toBeLessThan(1000);
  expect((await synced).answer).toMatchObject({ accepted: lines.length, rejected: 0 });
  expect((await daemon.status()).degraded).toEqual([]);
  expect(await daemon.archiveLines()).toEqual(lines);
});

test('killed and started again on a full disk, it takes the rest of a numbered stream when there is room, each line once', async () => {
  const { daemon, ballast } = await daemonOnSmallDisk(3 * MIB);
  const lines = noise(20_000, 2);
  const file = join(daemon.runtimeDir, 'lines');
  writeFileSync(file, `${lines.join('\n')}\n`);
  const args = ['send', file, '--client', 'c', '--json', '--runtime-dir', daemon.runtimeDir];
  const sending = new Child(PROGRAM, args);
  onTestFinished(() => sending.kill());
  await daemon.statusWhere(isFull, 30_000);
  await daemon.kill();
  expect(statfsSync(daemon.stateDir).bavail * statfsSync(daemon.stateDir).bsize).toBeLessThan(MIB);
  await daemon.restart(SETTINGS);
  await daemon.statusWhere(isFull, 30_000);
  rmSync(ballast);
  const { code, stderr } = await sending.ended;
  expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  expect(await daemon.archiveLines()).toEqual(lines);
  expect((await daemon.groups('m'))[0]).toMatchObject({ count: lines.length });
  expect(await daemon.stop()).toBe(0);
});
