/** The daemon under a service manager: systemd's own starter, and a stand-in that holds the socket over restarts. */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { readFrames } from '../../src/archive/log-reader.js';
import { builtFile, Child, Program } from '../support/children.js';
import { Client } from '../support/client.js';
import { PROGRAM } from '../support/daemon.js';
import { createFolder } from '../support/folder.js';
import { areInSequence, numbersBySender } from '../support/numbered-lines.js';
import { type ServiceManager, serviceManager } from '../support/service-manager.js';

const LINE = '{"type":"sample","name":"m","value":1}';

test('systemd-socket-activate starts the daemon at the first connection, and the first line counts', async () => {
  const folder = createFolder();
  const ingest = join(folder.path, 'ingest.sock');
  const flags = ['--state-dir', join(folder.path, 's'), '--runtime-dir', folder.path];
  const command = [process.execPath, builtFile(PROGRAM), 'run', ...flags];
  const starter = new Program('systemd-socket-activate', ['--listen', ingest, ...command]);
  onTestFinished(async () => {
    await starter.kill();
    folder.remove();
  });
  while (!starter.stderr.includes('Listening on')) await sleep(10);
  const file = join(folder.path, 'lines');
  writeFileSync(file, `${LINE}\n`);
  const sent = await new Child(PROGRAM, ['send', ...flags, '--json', file]).ended;
  expect(sent).toMatchObject({ code: 0 });
  expect(JSON.parse(sent.stdout)).toMatchObject({ accepted: 1, rejected: 0 });
  starter.signal('SIGTERM');
  expect((await starter.ended).code).toBe(0);
  // It is systemd's.
  expect(existsSync(ingest)).toBe(true);
});

test('a datagram each says ready, status, sign of life and stopping, from the main process', async () => {
  const manager = serviceManager({ env: { WATCHDOG_USEC: '400000' } });
  const pid = await manager.startReady();
  const ready = manager.facts.find(({ message }) => message?.includes('READY=1'))!;
  expect(ready.message!.find((line) => line.startsWith('STATUS='))).toMatch(
    /^STATUS=\d+ lines\/s, lag 0 lines 0\.0 s, durable to line 0$/,
  );
  const client = await Client.connect(manager.ingestPath);
  await client.send(LINE);
  await client.sync();
  client.end();
  await manager.until(() => manager.assignments.some((line) => line.endsWith('durable to line 1')));
  const lives = () => manager.assignments.filter((line) => line === 'WATCHDOG=1').length;
  const before = lives();
  await manager.until(() => lives() > before + 2);
  expect(await manager.stop()).toBe(0);
  expect(manager.assignments.filter((line) => line === 'STOPPING=1')).toHaveLength(1);
  expect(manager.assignments.indexOf('STOPPING=1')).toBeGreaterThan(manager.assignments.indexOf('READY=1'));
  expect(new Set(manager.facts.map((fact) => fact.from ?? fact.pid))).toEqual(new Set([pid]));
});

test("what the socket unit decides and the configuration says otherwise is said in the daemon's log", async () => {
  const manager = serviceManager({ settings: { 'ingest.mode': '0600' }, runtimeFolder: 'r' });
  await manager.startReady();
  const warnings = manager.log.split('\n').filter((line) => line.includes('"level":"warn"'));
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toMatch(/systemd's socket is not .*\/r\/ingest\.sock/);
  expect(warnings[1]).toMatch(/"options":\["ingest\.mode"\],"msg":"without effect/);
  expect(await manager.stop()).toBe(0);
});

test('a reload is told from its begin to its end', async () => {
  const manager = serviceManager();
  await manager.startReady();
  manager.signal('HUP');
  await manager.until(() => manager.assignments.filter((line) => line === 'READY=1').length === 2);
  const [begin, time] = manager.facts.find(({ message }) => message?.[0] === 'RELOADING=1')!.message!;
  // As `Type=notify-reload` wants it.
  expect(begin).toBe('RELOADING=1');
  expect(time).toMatch(/^MONOTONIC_USEC=\d+$/);
  expect(manager.assignments.lastIndexOf('READY=1')).toBeGreaterThan(
    manager.assignments.indexOf('RELOADING=1'),
  );
  expect(await manager.stop()).toBe(0);
});

test('notifications reach a socket of the abstract namespace', async () => {
  const manager = serviceManager({ abstract: true });
  await manager.startReady();
  expect(await manager.stop()).toBe(0);
});

test('who connects while no daemon runs waits in the socket, and its lines count at the next start', async () => {
  const manager = serviceManager();
  await manager.startReady();
  expect(await manager.stop()).toBe(0);
  const clients = await Promise.all(Array.from({ length: 100 }, () => Client.connect(manager.ingestPath)));
  const answers = clients.map(async (client) => {
    await client.send(LINE);
    return client.sync();
  });
  await sleep(100);
  await manager.startReady();
  for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ accepted: 1, rejected: 0 });
  for (const client of clients) client.end();
  expect(await manager.stop()).toBe(0);
  expect(await archiveLines(manager)).toEqual(Array.from({ length: 100 }, () => LINE));
});

test('restarts under load lose no line that a write() call had returned for, and count none twice', async () => {
  const manager = serviceManager({ settings: { 'ring.bytes': '1MiB' } });
  await manager.startReady();
  const senders = ['a', 'b', 'c', 'd'].map((name) => {
    const script = builtFile('test/support/reconnecting-sender.js');
    return { name, program: new Program(process.execPath, [script, manager.ingestPath, name]) };
  });
  onTestFinished(async () => {
    await Promise.all(senders.map(({ program }) => program.kill()));
  });
  for (let restart = 0; restart < 3; restart++) {
    await sleep(400);
    expect(await manager.stop()).toBe(0);
    await sleep(100);
    await manager.startReady();
  }
  await sleep(200);
  for (const { program } of senders) program.endInput();
  const counts = await Promise.all(senders.map(async ({ program }) => Number((await program.ended).stdout)));
  expect(await manager.stop()).toBe(0);
  const numbers = numbersBySender(await archiveLines(manager));
  for (const [i, { name }] of senders.entries()) {
    expect(counts[i]).toBeGreaterThan(0);
    expect(numbers.get(name)).toHaveLength(counts[i]!);
    expect(areInSequence(numbers.get(name)!)).toBe(true);
  }
});

async function archiveLines(manager: ServiceManager): Promise<string[]> {
  const lines: string[] = [];
  for await (const item of readFrames(join(manager.stateDir, 'archive'))) {
    if (item.kind !== 'frame') throw new Error(`${item.kind} in ${item.path}: ${item.reason}`);
    lines.push(...item.raw.toString('utf8').split('\n').slice(0, -1));
  }
  return lines;
}
