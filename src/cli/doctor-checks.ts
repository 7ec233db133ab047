/** What `tallyd doctor` looks at. Each check says what it found, and where that is wrong, the mend. */

import { join } from 'node:path';
import type { Config } from '../config/config.js';
import { modeText } from '../config/values.js';
import { FILES_BESIDE_CONNECTIONS } from '../daemon/descriptors.js';
import { LISTEN_BACKLOG } from '../ingest/server.js';
import { humanBytes, humanDuration } from '../model/human.js';
import type { Host } from './host.js';

export interface Finding {
  readonly about:
    | 'configuration'
    | 'node'
    | 'sockets'
    | 'daemon'
    | 'folders'
    | 'disk'
    | 'limits'
    | 'memory'
    | 'clock'
    | 'units';
  readonly verdict: 'ok' | 'warning' | 'problem' | 'skipped';
  readonly text: string;
  readonly mend?: string;
}

/** What the daemon says of itself, or why it does not. */
// biome-ignore lint/suspicious/noExplicitAny: read as the contract describes it
export type Status = { readonly reply: any } | { readonly failure: string };

export interface Patient {
  readonly config: Config;
  readonly host: Host;
  readonly status: Status;
  /** of this command */
  readonly version: string;
  /** What the daemon's tables and buffers can take at their limits; null: they cannot even be asked for. */
  readonly memoryMaxBytes: number | null;
}

const MIB = 1024 * 1024;
const FREE_BYTES_MIN = 64 * MIB;
const NODE_MIN = [20, 19] as const;
const CLOCK_BACK_MS_MAX = 60_000;
const RESTARTS_MAX = 3;
/** Before the first line of this program was written. */
const EPOCH_MS = Date.UTC(2024, 0, 1);

/** statfs(2): where files do not outlive the machine, and where fdatasync and locks may not hold what they promise. */
const FLEETING: ReadonlyMap<number, string> = new Map([
  [0x0102_1994, 'tmpfs'],
  [0x8584_58f6, 'ramfs'],
]);
const REMOTE: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff53_4d42, 'CIFS'],
  [0xfe53_4d42, 'SMB'],
  [0x6573_5546, 'FUSE'],
]);

export function examine(patient: Patient): Finding[] {
  return [
    ...checkConfiguration(patient),
    checkNode(patient),
    ...checkSockets(patient),
    ...checkDaemon(patient),
    ...checkFolders(patient),
    ...checkDisk(patient),
    ...checkLimits(patient),
    checkMemory(patient),
    ...checkClock(patient),
    ...checkUnits(patient),
  ];
}

function checkConfiguration({ config, host }: Patient): Finding[] {
  const about = 'configuration';
  if (config.file === null)
    return [{ about, verdict: 'ok', text: 'no file: the defaults, and what is set beside them' }];
  const file = host.file(config.file);
  if (file !== null && (file.mode & 0o022) !== 0 && !file.isFolder) {
    const text = `${config.file} can be changed by others (mode ${modeText(file.mode)})`;
    return [{ about, verdict: 'warning', text, mend: `chmod go-w ${config.file}` }];
  }
  return [{ about, verdict: 'ok', text: config.file }];
}

function checkNode({ host: { nodeVersion } }: Patient): Finding {
  const [major = 0, minor = 0] = nodeVersion.slice(1).split('.').map(Number);
  const isNew = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  if (isNew) return { about: 'node', verdict: 'ok', text: nodeVersion };
  const text = `${nodeVersion}, needed is ${NODE_MIN.join('.')} or later`;
  return { about: 'node', verdict: 'problem', text, mend: 'install a later Node' };
}

function checkSockets({ config, host }: Patient): Finding[] {
  return ['ingest.sock', 'control.sock'].map((name) => checkSocket(join(config.runtimeDir, name), host));
}

/** Without a connect: where systemd holds the socket, that would start the daemon. */
function checkSocket(path: string, host: Host): Finding {
  const about = 'sockets';
  const file = host.file(path);
  const start =
    'start the daemon: systemctl start tallyd.service, or tallyd run; or name its folder with --runtime-dir';
  if (file === null) return { about, verdict: 'problem', text: `${path} is not there`, mend: start };
  if (!file.isSocket) {
    return {
      about,
      verdict: 'problem',
      text: `${path} is no socket`,
      mend: 'move it away, and start the daemon',
    };
  }
  const rights = `mode ${modeText(file.mode)}, user ${userName(file.uid, host)}, group ${groupName(file.gid, host)}`;
  if (!host.canWrite(path)) {
    const text = `${path} is not for user ${userName(host.uid, host)} (${rights})`;
    const mend = `usermod --append --groups ${groupName(file.gid, host)} ${userName(host.uid, host)}, and log in again`;
    return { about, verdict: 'problem', text, mend };
  }
  if (!isListening(path, host)) {
    return { about, verdict: 'problem', text: `nobody listens on ${path}: a daemon died`, mend: start };
  }
  if ((file.mode & 0o002) !== 0) {
    const mend = 'set ingest.mode and control.mode to 0660, or SocketMode= in the socket unit';
    return { about, verdict: 'warning', text: `${path} is for everybody on this host (${rights})`, mend };
  }
  return { about, verdict: 'ok', text: `${path} (${rights})` };
}

/** proc_pid_net(5): the fourth column has the flag __SO_ACCEPTCON, the last one the path. */
function isListening(path: string, host: Host): boolean {
  const rows = (host.text('/proc/net/unix') ?? '').split('\n').map((line) => line.trim().split(/ +/));
  return rows.some(
    (row) => row.slice(7).join(' ') === path && (Number.parseInt(row[3]!, 16) & 0x10000) !== 0,
  );
}

function checkDaemon({ status, version }: Patient): Finding[] {
  const about = 'daemon';
  if ('failure' in status) {
    const [text = '', ...mends] = status.failure.split('; ');
    const mend = mends.join('; ') || 'see its log: journalctl --unit tallyd';
    return [{ about, verdict: 'problem', text, mend }];
  }
  const { reply } = status;
  const findings: Finding[] = [];
  if (reply.ready !== true) {
    const mend = 'wait until it has rebuilt its state; its log says how it gets on';
    findings.push({ about, verdict: 'problem', text: `pid ${reply.pid} is not ready`, mend });
  }
  if (reply.version !== version) {
    const text = `version ${reply.version} runs, this command is ${version}`;
    findings.push({
      about,
      verdict: 'warning',
      text,
      mend: 'systemctl restart tallyd.service; no line is lost by it',
    });
  }
  for (const reason of reply.degraded ?? []) {
    findings.push({
      about,
      verdict: 'warning',
      text: `degraded: ${reason}`,
      mend: 'docs/runbook.md has what each reason means',
    });
  }
  if (findings.length > 0) return findings;
  return [{ about, verdict: 'ok', text: `version ${version}, ready, up ${humanDuration(reply.uptime)}` }];
}

function checkFolders(patient: Patient): Finding[] {
  const { config, host } = patient;
  const about = 'folders';
  const file = host.file(config.stateDir);
  if (file === null)
    return [{ about, verdict: 'skipped', text: `${config.stateDir} is not there yet: the daemon makes it` }];
  if (!file.isFolder) {
    return [
      {
        about,
        verdict: 'problem',
        text: `${config.stateDir} is no folder`,
        mend: 'name another with --state-dir',
      },
    ];
  }
  const daemonUid = uidOfDaemon(patient);
  const owner = userName(file.uid, host);
  if (daemonUid !== null && daemonUid !== 0 && daemonUid !== file.uid) {
    const user = userName(daemonUid, host);
    const text = `${config.stateDir} is ${owner}'s, the daemon runs as ${user}`;
    return [{ about, verdict: 'problem', text, mend: `chown --recursive ${user} ${config.stateDir}` }];
  }
  if (daemonUid === null && host.uid === file.uid && !host.canWrite(config.stateDir)) {
    const text = `${config.stateDir} cannot be written by its owner (mode ${modeText(file.mode)})`;
    return [{ about, verdict: 'problem', text, mend: `chmod u+rwx ${config.stateDir}` }];
  }
  if ((file.mode & 0o002) !== 0) {
    const text = `${config.stateDir} can be written by everybody on this host`;
    return [{ about, verdict: 'problem', text, mend: `chmod o-w ${config.stateDir}` }];
  }
  return [{ about, verdict: 'ok', text: `${config.stateDir} (mode ${modeText(file.mode)}, user ${owner})` }];
}

function checkDisk({ config, host }: Patient): Finding[] {
  const about = 'disk';
  const folder = nearestFolder(config.stateDir, host);
  const { type, freeBytes } = host.disk(folder);
  const findings: Finding[] = [];
  const fleeting = FLEETING.get(type >>> 0);
  if (fleeting !== undefined) {
    const text = `${folder} is on ${fleeting}: a reboot takes the log with it`;
    findings.push({
      about,
      verdict: 'warning',
      text,
      mend: 'put the state directory on a disk (--state-dir, StateDirectory=)',
    });
  }
  const remote = REMOTE.get(type >>> 0);
  if (remote !== undefined) {
    const text = `${folder} is on ${remote}: "on the disk" may not be true there, and locks may not hold`;
    findings.push({
      about,
      verdict: 'warning',
      text,
      mend: 'put the state directory on a disk of this host',
    });
  }
  const archiveBytes = host
    .files(join(config.stateDir, 'archive'))
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const growthBytes = Math.max(0, config.archive.maxBytes - archiveBytes);
  const room = `${humanBytes(freeBytes)} free`;
  if (freeBytes < FREE_BYTES_MIN) {
    findings.push({
      about,
      verdict: 'problem',
      text: `${room} on ${folder}`,
      mend: 'make room: the daemon cannot go on without',
    });
  } else if (freeBytes < growthBytes) {
    const text = `${room} on ${folder}, and the log may grow by ${humanBytes(growthBytes)}`;
    findings.push({ about, verdict: 'warning', text, mend: 'lower archive.max_bytes, or make room' });
  }
  if (findings.length > 0) return findings;
  return [{ about, verdict: 'ok', text: `${room}; the log may grow by ${humanBytes(growthBytes)}` }];
}

function checkLimits(patient: Patient): Finding[] {
  const { config, host, status } = patient;
  const about = 'limits';
  const findings: Finding[] = [];
  const pid = 'reply' in status ? status.reply.pid : 'self';
  const files = numberIn(host.text(`/proc/${pid}/limits`), /^Max open files\s+(\d+)/m);
  const needed = config.ingest.maxConnections + FILES_BESIDE_CONNECTIONS;
  if (files !== null && files < needed) {
    const text = `${files} open files, ingest.max_connections may need ${needed}`;
    findings.push({
      about,
      verdict: 'warning',
      text,
      mend: `LimitNOFILE=${needed} in the service, or ulimit -n ${needed}`,
    });
  }
  const backlog = numberIn(host.text('/proc/sys/net/core/somaxconn'), /^(\d+)/);
  if (backlog !== null && backlog < LISTEN_BACKLOG) {
    const text = `net.core.somaxconn is ${backlog}: of a burst of more connects some are refused`;
    findings.push({
      about,
      verdict: 'warning',
      text,
      mend: `sysctl -w net.core.somaxconn=${LISTEN_BACKLOG}`,
    });
  }
  if (findings.length > 0) return findings;
  return [
    {
      about,
      verdict: 'ok',
      text: `${files ?? 'unknown many'} open files, a backlog of ${backlog ?? 'unknown'}`,
    },
  ];
}

function checkMemory({ host, memoryMaxBytes }: Patient): Finding {
  const about = 'memory';
  const mend = 'lower state.*, stats.* and ring.bytes (docs/sizing.md)';
  if (memoryMaxBytes === null) {
    const text = 'the memory for the limits of the configuration cannot be reserved';
    return { about, verdict: 'problem', text, mend: `${mend}, or set vm.overcommit_memory to 0` };
  }
  const kib = numberIn(host.text('/proc/meminfo'), /^MemTotal:\s+(\d+) kB/m);
  const limit = numberIn(host.text('/sys/fs/cgroup/memory.max'), /^(\d+)/);
  const there = Math.min(
    kib === null ? Number.POSITIVE_INFINITY : kib * 1024,
    limit ?? Number.POSITIVE_INFINITY,
  );
  const full = `${humanBytes(memoryMaxBytes)} when every table is full`;
  const text = Number.isFinite(there) ? `${full}; there are ${humanBytes(there)}` : full;
  return memoryMaxBytes > there ? { about, verdict: 'warning', text, mend } : { about, verdict: 'ok', text };
}

function checkClock({ config, host }: Patient): Finding[] {
  const about = 'clock';
  const nowMs = host.nowMs();
  if (nowMs < EPOCH_MS) {
    const text = `it is ${new Date(nowMs).toISOString()}, which cannot be`;
    return [{ about, verdict: 'problem', text, mend: 'set the clock before anything is written down by it' }];
  }
  const findings: Finding[] = [];
  const newestMs = Math.max(
    0,
    ...host.files(join(config.stateDir, 'archive')).map(({ changedMs }) => changedMs),
  );
  if (newestMs > nowMs + CLOCK_BACK_MS_MAX) {
    const text = `the log was written ${humanDuration((newestMs - nowMs) / 1000)} from now: the clock went back`;
    findings.push({
      about,
      verdict: 'warning',
      text,
      mend: 'arrivals are ahead of the clock until then; see that it is kept right',
    });
  }
  if (host.isClockSynchronized() === false) {
    const mend = 'timedatectl set-ntp true, or run chrony';
    findings.push({ about, verdict: 'warning', text: 'nothing keeps the clock right', mend });
  }
  return findings.length > 0 ? findings : [{ about, verdict: 'ok', text: 'kept right' }];
}

function checkUnits({ host }: Patient): Finding[] {
  const about = 'units';
  if (host.file('/run/systemd/system') === null)
    return [{ about, verdict: 'skipped', text: 'no systemd runs here' }];
  const properties = 'Id,LoadState,ActiveState,UnitFileState,Result,NRestarts,MemoryDenyWriteExecute';
  const shown = host.output('systemctl', [
    'show',
    'tallyd.service',
    'tallyd.socket',
    `--property=${properties}`,
  ]);
  if (shown === null) return [{ about, verdict: 'skipped', text: 'systemctl does not answer' }];
  const units = shown.trim().split(/\n\n+/).map(propertiesOf);
  if (units.every(({ LoadState }) => LoadState === 'not-found')) {
    return [{ about, verdict: 'skipped', text: 'not installed as a service (systemd/README.md)' }];
  }
  const findings: Finding[] = [];
  for (const unit of units) {
    const {
      Id,
      LoadState,
      ActiveState,
      UnitFileState,
      Result,
      NRestarts = '0',
      MemoryDenyWriteExecute,
    } = unit;
    if (LoadState === 'not-found') {
      const mend = 'install it (systemd/README.md): it holds the clients over restarts';
      findings.push({ about, verdict: 'warning', text: `${Id} is not there`, mend });
      continue;
    }
    if (MemoryDenyWriteExecute === 'yes') {
      const text = `${Id} has MemoryDenyWriteExecute=yes, of which Node dies`;
      findings.push({ about, verdict: 'problem', text, mend: 'take it out, and systemctl daemon-reload' });
    }
    if (ActiveState === 'failed') {
      const mend = `journalctl --unit ${Id}, then systemctl reset-failed and start it`;
      findings.push({ about, verdict: 'problem', text: `${Id} has failed: ${Result}`, mend });
    }
    if (UnitFileState === 'disabled') {
      findings.push({
        about,
        verdict: 'warning',
        text: `${Id} does not start at boot`,
        mend: `systemctl enable ${Id}`,
      });
    }
    if (Number(NRestarts) > RESTARTS_MAX) {
      const text = `${Id} was started again ${NRestarts} times`;
      findings.push({ about, verdict: 'warning', text, mend: `journalctl --unit ${Id} says why it ended` });
    }
  }
  return findings.length > 0 ? findings : [{ about, verdict: 'ok', text: 'tallyd.service, tallyd.socket' }];
}

function propertiesOf(block: string): Record<string, string> {
  return Object.fromEntries(
    block.split('\n').map((line) => {
      const equals = line.indexOf('=');
      return [line.slice(0, equals), line.slice(equals + 1)];
    }),
  );
}

function uidOfDaemon({ host, status }: Patient): number | null {
  if ('failure' in status) return null;
  return numberIn(host.text(`/proc/${status.reply.pid}/status`), /^Uid:\s+\d+\s+(\d+)/m);
}

function nearestFolder(path: string, host: Host): string {
  let folder = path;
  while (host.file(folder) === null && folder !== '/') folder = join(folder, '..');
  return folder;
}

function userName(uid: number, host: Host): string {
  return nameIn(host.text('/etc/passwd'), uid);
}

function groupName(gid: number, host: Host): string {
  return nameIn(host.text('/etc/group'), gid);
}

function nameIn(table: string | null, id: number): string {
  const line = (table ?? '').split('\n').find((entry) => entry.split(':')[2] === String(id));
  return line?.split(':')[0] ?? String(id);
}

function numberIn(text: string | null, pattern: RegExp): number | null {
  const found = pattern.exec(text ?? '')?.[1];
  return found === undefined ? null : Number(found);
}
