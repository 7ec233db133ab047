/** `tallyd doctor`: each thing that can be wrong on a host, and the mend that is said for it. */

import { expect, test } from 'vitest';
import { examine, type Finding, type Patient } from '../../src/cli/doctor-checks.js';
import type { FileFacts, Host } from '../../src/cli/host.js';
import { loadConfig } from '../../src/config/config.js';

const GIB = 1024 ** 3;
const NOW_MS = Date.UTC(2026, 10, 24);
const SOCKET: FileFacts = { isSocket: true, isFolder: false, mode: 0o660, uid: 999, gid: 998 };
const FOLDER: FileFacts = { isSocket: false, isFolder: true, mode: 0o750, uid: 999, gid: 998 };
const FILE: FileFacts = { isSocket: false, isFolder: false, mode: 0o644, uid: 0, gid: 0 };

const FILES: Readonly<Record<string, FileFacts>> = {
  '/etc/tallyd.toml': FILE,
  '/r/ingest.sock': SOCKET,
  '/r/control.sock': SOCKET,
  '/s': FOLDER,
  '/': FOLDER,
  '/run/systemd/system': FOLDER,
};

const LISTENING = (path: string) => `0000000000000000: 00000002 00000000 00010000 0001 01 4242 ${path}`;

const TEXTS: Readonly<Record<string, string>> = {
  '/etc/passwd':
    'root:x:0:0::/root:/bin/sh\ntallyd:x:999:998::/:/bin/false\nann:x:1000:1000::/home/ann:/bin/sh\n',
  '/etc/group': 'root:x:0:\ntallyd:x:998:\n',
  '/proc/net/unix': `Num RefCount Protocol Flags Type St Inode Path\n${LISTENING('/r/ingest.sock')}\n${LISTENING('/r/control.sock')}\n`,
  '/proc/7/limits': 'Max open files            65536                65536                files\n',
  '/proc/7/status': 'Name: node\nUid:\t999\t999\t999\t999\n',
  '/proc/sys/net/core/somaxconn': '4096\n',
  '/proc/meminfo': 'MemTotal:        8000000 kB\n',
};

const UNITS = (service: string, socket = 'UnitFileState=enabled') =>
  `Id=tallyd.service\nLoadState=loaded\n${service}\n\nId=tallyd.socket\nLoadState=loaded\nActiveState=active\n${socket}\n`;

interface Wrong {
  readonly host?: Partial<Host>;
  readonly files?: Readonly<Record<string, FileFacts | null>>;
  readonly texts?: Readonly<Record<string, string>>;
  readonly units?: string | null;
  readonly reply?: object;
  readonly failure?: string;
  readonly memoryMaxBytes?: number | null;
}

/** A host on which all is well but what is said. */
function findingsOf({
  host,
  files = {},
  texts = {},
  units,
  reply,
  failure,
  memoryMaxBytes = GIB,
}: Wrong): Finding[] {
  const facts = { ...FILES, ...files };
  const says = { ...TEXTS, ...texts };
  const output =
    units === undefined ? UNITS('ActiveState=active\nUnitFileState=enabled\nNRestarts=0') : units;
  const healthy: Host = {
    uid: 1000,
    nodeVersion: 'v20.20.2',
    nowMs: () => NOW_MS,
    file: (path) => facts[path] ?? null,
    canWrite: () => true,
    text: (path) => says[path] ?? null,
    disk: () => ({ type: 0xef53, freeBytes: 100 * GIB }),
    files: () => [{ bytes: GIB, changedMs: NOW_MS - 1000 }],
    isClockSynchronized: () => true,
    output: () => output,
  };
  const flags = { stateDir: '/s', runtimeDir: '/r' };
  const config = { ...loadConfig({ flags, env: {} }), file: '/etc/tallyd.toml' };
  const status: Patient['status'] =
    failure === undefined
      ? { reply: { pid: 7, version: '1.0.0', ready: true, degraded: [], uptime: 60, ...reply } }
      : { failure };
  return examine({ config, host: { ...healthy, ...host }, status, version: '1.0.0', memoryMaxBytes });
}

const badOnes = (wrong: Wrong) =>
  findingsOf(wrong).filter(({ verdict }) => verdict !== 'ok' && verdict !== 'skipped');

test('on a host where all is well it has nothing to mend, and names what it has looked at', () => {
  const findings = findingsOf({});
  expect(findings.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
  expect([...new Set(findings.map(({ about }) => about))]).toEqual([
    'configuration',
    'node',
    'sockets',
    'daemon',
    'folders',
    'disk',
    'limits',
    'memory',
    'clock',
    'units',
  ]);
});

test.each<[string, Wrong, Finding['verdict'], RegExp, RegExp]>([
  [
    'a configuration that others can change',
    { files: { '/etc/tallyd.toml': { ...FILE, mode: 0o666 } } },
    'warning',
    /can be changed by others \(mode 0666\)/,
    /chmod go-w/,
  ],
  [
    'an old Node',
    { host: { nodeVersion: 'v20.18.3' } },
    'problem',
    /v20\.18\.3, needed is 20\.19/,
    /later Node/,
  ],
  [
    'no socket',
    { files: { '/r/ingest.sock': null } },
    'problem',
    /ingest\.sock is not there/,
    /systemctl start/,
  ],
  [
    'a file in the place of a socket',
    { files: { '/r/control.sock': FILE } },
    'problem',
    /control\.sock is no socket/,
    /move it away/,
  ],
  [
    'a socket that nobody listens on',
    { texts: { '/proc/net/unix': LISTENING('/r/control.sock') } },
    'problem',
    /nobody listens on \/r\/ingest\.sock/,
    /start the daemon/,
  ],
  [
    'a connected socket of the same path, which does not listen',
    {
      texts: {
        '/proc/net/unix': `${LISTENING('/r/control.sock')}\n${LISTENING('/r/ingest.sock').replace('00010000', '00000000')}`,
      },
    },
    'problem',
    /nobody listens on \/r\/ingest\.sock/,
    /start/,
  ],
  [
    'sockets for everybody',
    { files: { '/r/ingest.sock': { ...SOCKET, mode: 0o666 } } },
    'warning',
    /for everybody on this host/,
    /0660/,
  ],
  [
    'a daemon that does not answer',
    { failure: 'no daemon answers' },
    'problem',
    /no daemon answers/,
    /journalctl/,
  ],
  ['a daemon that is not ready', { reply: { ready: false } }, 'problem', /pid 7 is not ready/, /wait/],
  [
    'another version',
    { reply: { version: '0.9.0' } },
    'warning',
    /version 0\.9\.0 runs, this command is 1\.0\.0/,
    /restart/,
  ],
  [
    'a reason to be degraded',
    { reply: { degraded: ['series_overflow: raise it'] } },
    'warning',
    /degraded: series_overflow/,
    /runbook/,
  ],
  [
    'a state directory of another user',
    { files: { '/s': { ...FOLDER, uid: 0 } } },
    'problem',
    /\/s is root's, the daemon runs as tallyd/,
    /chown --recursive tallyd \/s/,
  ],
  [
    'a state directory that is a file',
    { files: { '/s': FILE } },
    'problem',
    /\/s is no folder/,
    /--state-dir/,
  ],
  [
    'a state directory for everybody',
    { files: { '/s': { ...FOLDER, mode: 0o777 } } },
    'problem',
    /written by everybody/,
    /chmod o-w/,
  ],
  [
    'a state directory in memory',
    { host: { disk: () => ({ type: 0x01021994, freeBytes: 100 * GIB }) } },
    'warning',
    /on tmpfs: a reboot/,
    /on a disk/,
  ],
  [
    'a state directory on the network',
    { host: { disk: () => ({ type: -11317950, freeBytes: 100 * GIB }) } },
    'warning',
    /on CIFS/,
    /of this host/,
  ],
  [
    'a disk that the log will fill',
    { host: { disk: () => ({ type: 0xef53, freeBytes: 5 * GIB }) } },
    'warning',
    /5 GiB free on \/s, and the log may grow by 9 GiB/,
    /archive\.max_bytes/,
  ],
  [
    'a full disk',
    { host: { disk: () => ({ type: 0xef53, freeBytes: 1024 ** 2 }) } },
    'problem',
    /1 MiB free/,
    /make room/,
  ],
  [
    'too few open files',
    {
      texts: {
        '/proc/7/limits': 'Max open files            1024                 4096                 files\n',
      },
    },
    'warning',
    /1024 open files, ingest\.max_connections may need 4196/,
    /LimitNOFILE=4196/,
  ],
  [
    'a short backlog',
    { texts: { '/proc/sys/net/core/somaxconn': '128\n' } },
    'warning',
    /somaxconn is 128/,
    /sysctl/,
  ],
  [
    'too little memory',
    { memoryMaxBytes: 9 * GIB },
    'warning',
    /9 GiB when every table is full; there are 7\.6\d* GiB/,
    /lower/,
  ],
  [
    'a limit on memory',
    { texts: { '/sys/fs/cgroup/memory.max': '536870912\n' } },
    'warning',
    /there are 512 MiB/,
    /lower/,
  ],
  ['memory that cannot be reserved', { memoryMaxBytes: null }, 'problem', /cannot be reserved/, /overcommit/],
  [
    'a clock that is not kept right',
    { host: { isClockSynchronized: () => false } },
    'warning',
    /nothing keeps the clock right/,
    /chrony/,
  ],
  [
    'a clock that went back',
    { host: { files: () => [{ bytes: 1, changedMs: NOW_MS + 7200_000 }] } },
    'warning',
    /written 2h00m from now: the clock went back/,
    /arrivals/,
  ],
  ['a clock that was never set', { host: { nowMs: () => 0 } }, 'problem', /1970.*cannot be/, /set the clock/],
  [
    'a unit that failed',
    { units: UNITS('ActiveState=failed\nResult=exit-code\nUnitFileState=enabled') },
    'problem',
    /tallyd\.service has failed: exit-code/,
    /journalctl/,
  ],
  [
    'a unit that does not start at boot',
    { units: UNITS('ActiveState=active\nUnitFileState=disabled') },
    'warning',
    /does not start at boot/,
    /systemctl enable/,
  ],
  [
    'a unit that starts again and again',
    { units: UNITS('ActiveState=active\nNRestarts=17') },
    'warning',
    /started again 17 times/,
    /why it ended/,
  ],
  [
    'a directive of which Node dies',
    { units: UNITS('ActiveState=active\nMemoryDenyWriteExecute=yes') },
    'problem',
    /MemoryDenyWriteExecute=yes/,
    /take it out/,
  ],
  [
    'a service without its socket',
    {
      units:
        'Id=tallyd.service\nLoadState=loaded\nActiveState=active\n\nId=tallyd.socket\nLoadState=not-found\n',
    },
    'warning',
    /tallyd\.socket is not there/,
    /over restarts/,
  ],
])('it finds %s', (_, wrong, verdict, text, mend) => {
  const found = badOnes(wrong);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({
    verdict,
    text: expect.stringMatching(text),
    mend: expect.stringMatching(mend),
  });
});

test('who may not connect is told of which group he has to become a member', () => {
  const found = badOnes({ host: { canWrite: (path) => path !== '/r/ingest.sock' } });
  expect(found).toEqual([
    {
      about: 'sockets',
      verdict: 'problem',
      text: '/r/ingest.sock is not for user ann (mode 0660, user tallyd, group tallyd)',
      mend: 'usermod --append --groups tallyd ann, and log in again',
    },
  ]);
});

test('what cannot be looked at is skipped, and is nothing to mend', () => {
  const skipped = (wrong: Wrong) => findingsOf(wrong).filter(({ verdict }) => verdict === 'skipped');
  expect(skipped({ files: { '/run/systemd/system': null } })).toMatchObject([
    { text: 'no systemd runs here' },
  ]);
  expect(skipped({ units: null })).toMatchObject([{ text: 'systemctl does not answer' }]);
  const none = 'Id=tallyd.service\nLoadState=not-found\n\nId=tallyd.socket\nLoadState=not-found\n';
  expect(skipped({ units: none })).toMatchObject([
    { text: expect.stringMatching(/not installed as a service/) },
  ]);
  expect(skipped({ files: { '/s': null } })).toMatchObject([{ about: 'folders' }]);
});
