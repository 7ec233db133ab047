/** What systemd is told, over the daemon's own shared memory, in which the test plays the stages. */

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ArchiveBoard } from '../../src/archive/board.js';
import { loadConfig } from '../../src/config/config.js';
import { allocateDaemon } from '../../src/daemon/memory.js';
import { NotifySocket, takeNotifySocket, takeWatchdogMs } from '../../src/daemon/notify.js';
import { takeActivatedSocket } from '../../src/daemon/socket-activation.js';
import { Systemd } from '../../src/daemon/systemd.js';
import { CURSOR_ARCHIVED, CURSOR_FOLDED, CURSOR_PUBLISHED } from '../../src/ring/layout.js';

const EMPTY_LOG = {
  position: 0,
  line: 0,
  cuts: 0,
  segment: 0,
  segmentBytes: 0,
  segmentSinceUs: 0,
  segments: 0,
  rawBytes: 0,
  compressedBytes: 0,
  lastArrivedUs: 0,
  oldestUs: 0,
};

/** A daemon that systemd watches, and whose stages are the test's to move. */
function watched(watchdogMs: number, syncIntervalMs = 0) {
  const memory = allocateDaemon(loadConfig({ flags: {}, env: {} }), EMPTY_LOG);
  const cursors = new Int32Array(memory.ring.cursors);
  const told: string[] = [];
  const stuck: unknown[] = [];
  const send = (bytes: Uint8Array) => {
    told.push(...Buffer.from(bytes).toString().split('\n'));
    return null;
  };
  const log = { error: (facts: unknown) => void stuck.push(facts) };
  const systemd = new Systemd(new NotifySocket({ send }, () => {}), watchdogMs, log as never);
  const state = { notReady: null as string | null };
  systemd.watch({ memory, notReady: () => state.notReady, syncIntervalMs: () => syncIntervalMs });
  const lives = () => told.filter((line) => line === 'WATCHDOG=1').length;
  return { memory, cursors, told, stuck, state, systemd, lives };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!holds() && performance.now() < deadline) await sleep(5);
  expect(holds()).toBe(true);
}

test('it is ready only when questions are answered, and until then the start may take longer', async () => {
  const { state, told } = watched(40);
  state.notReady = 'recovering';
  await until(() => told.includes('STATUS=recovering') && told.includes('EXTEND_TIMEOUT_USEC=30000000'));
  expect(told).not.toContain('READY=1');
  state.notReady = null;
  await until(() => told.includes('READY=1'));
});

test.each([
  ['fold', CURSOR_PUBLISHED, CURSOR_FOLDED],
  ['archive', CURSOR_FOLDED, CURSOR_ARCHIVED],
])(
  'signs of life end when the %s stage is stuck, and come again when it moves',
  async (name, before, own) => {
    const { cursors, stuck, lives } = watched(40);
    await until(() => lives() > 3);
    cursors[CURSOR_PUBLISHED] = 100;
    cursors[before] = 100;
    await until(() => stuck.length > 0);
    expect(stuck).toMatchObject([{ stage: name }]);
    const last = lives();
    await sleep(100);
    expect(lives()).toBe(last);
    cursors[own] = 50;
    await until(() => lives() > last);
    cursors[own] = 100;
  },
);

test('signs of life end when the disk does not answer', async () => {
  const { memory, cursors, stuck } = watched(40);
  for (const cursor of [CURSOR_PUBLISHED, CURSOR_FOLDED, CURSOR_ARCHIVED]) cursors[cursor] = 100;
  new ArchiveBoard(memory.archiveBoard).wantSync(100);
  await until(() => stuck.length > 0);
  expect(stuck).toMatchObject([{ stage: 'sync' }]);
});

test('a disk that refuses is waited for, and is no stage that is stuck, as long as it is asked again', async () => {
  const { memory, cursors, stuck, lives } = watched(40);
  const board = new ArchiveBoard(memory.archiveBoard);
  cursors[CURSOR_PUBLISHED] = 200;
  for (const cursor of [CURSOR_FOLDED, CURSOR_ARCHIVED]) cursors[cursor] = 100;
  cursors[CURSOR_ARCHIVED] = 50;
  board.wantSync(50);
  board.hold(28);
  const asking = setInterval(() => board.hold(28), 5);
  await until(() => lives() > 10);
  clearInterval(asking);
  expect(stuck).toEqual([]);
  await until(() => stuck.length > 0);
  expect(stuck).toMatchObject([{ stage: 'archive' }]);
});

test('an archive that waits for a sync is not stuck, the sync is', async () => {
  const { memory, cursors, stuck } = watched(40);
  const board = new ArchiveBoard(memory.archiveBoard);
  for (const cursor of [CURSOR_PUBLISHED, CURSOR_FOLDED]) cursors[cursor] = 200;
  cursors[CURSOR_ARCHIVED] = 100;
  board.setWaitsForSync(true);
  board.wantSync(100);
  await until(() => stuck.length > 0);
  expect(stuck).toMatchObject([{ stage: 'sync' }]);
});

test('lines that wait for their sync interval are no reason to worry', async () => {
  const { cursors, stuck, lives } = watched(40, 1_000_000);
  cursors[CURSOR_PUBLISHED] = 100;
  cursors[CURSOR_FOLDED] = 100;
  await until(() => lives() > 10);
  expect(stuck).toEqual([]);
});

test('a drain is told, and may take long while it moves', async () => {
  const { told, systemd } = watched(40);
  await until(() => told.includes('READY=1'));
  systemd.stopping();
  expect(told.slice(-2)).toEqual(['STOPPING=1', 'STATUS=draining']);
  const from = told.length;
  await until(() => told.slice(from).includes('EXTEND_TIMEOUT_USEC=30000000'));
  expect(told.slice(from).join()).not.toMatch(/READY|STATUS/);
});

test('what finds no room is told with the next, in its order, and is bounded', () => {
  const told: string[] = [];
  let error: string | null = 'EAGAIN';
  const errors: string[] = [];
  const send = (bytes: Uint8Array) => {
    if (error === null) told.push(Buffer.from(bytes).toString());
    return error;
  };
  const socket = new NotifySocket({ send }, (text) => errors.push(text));
  socket.send('READY=1', 'STATUS=a');
  error = null;
  socket.send('WATCHDOG=1');
  socket.send('STOPPING=1');
  expect(told).toEqual(['READY=1\nSTATUS=a\nWATCHDOG=1', 'STOPPING=1']);
  error = 'ECONNREFUSED';
  for (let i = 0; i < 1000; i++) socket.send(`STATUS=${i}`);
  error = null;
  socket.send('READY=1');
  expect(told[2]!.split('\n')).toHaveLength(50);
  expect(told[2]!.endsWith('STATUS=999\nREADY=1')).toBe(true);
  expect(errors).toHaveLength(1001);
});

test('variables that systemd meant for another process are no sockets and no watchdog of this one', () => {
  const env = {
    LISTEN_PID: '1',
    LISTEN_FDS: '1',
    LISTEN_FDNAMES: 'x',
    WATCHDOG_PID: '1',
    WATCHDOG_USEC: '9',
  };
  expect(takeActivatedSocket(env, 2)).toBe(null);
  expect(takeWatchdogMs(env, 2)).toBe(null);
  // Nor of a process that this one starts.
  expect(env).toEqual({});
});

test('the watchdog is that of this process, or of whoever has the variable', () => {
  expect(takeWatchdogMs({ WATCHDOG_PID: '2', WATCHDOG_USEC: '60000000' }, 2)).toBe(60_000);
  expect(takeWatchdogMs({ WATCHDOG_USEC: '60000000' }, 2)).toBe(60_000);
  expect(takeWatchdogMs({ WATCHDOG_USEC: 'soon' }, 2)).toBe(null);
  expect(takeWatchdogMs({}, 2)).toBe(null);
});

test.each([
  [
    'several sockets',
    { LISTEN_FDS: '2', LISTEN_FDNAMES: 'ingest:control' },
    /passes 2 sockets \(ingest, control\)/,
  ],
  ['something that does not listen', { LISTEN_FDS: '1' }, /no Unix stream socket that listens/],
])('%s of systemd are a wrong configuration', (_, env, text) => {
  expect(() => takeActivatedSocket({ LISTEN_PID: '2', ...env }, 2)).toThrow(text);
});

test('a socket that can be no address of systemd is said, and does no harm', () => {
  const errors: string[] = [];
  const env = { NOTIFY_SOCKET: 'vsock:2:1234' };
  expect(takeNotifySocket(env, (error) => errors.push(error))).toBe(null);
  expect(errors).toEqual(['NOTIFY_SOCKET is "vsock:2:1234", neither a path nor an abstract name']);
  expect(env).toEqual({});
});
