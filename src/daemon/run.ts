/** `tallyd run`: joins the stages, starts and supervises them, and ends them in the order of the data's path. */

import { mkdirSync, unlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { ArchiveBoard } from '../archive/board.js';
import { DamageList } from '../archive/damage-list.js';
import { type RecoveredLog, recoverLog, UNREADABLE_SUFFIX, writtenOf } from '../archive/log-recovery.js';
import { RejectsBoard } from '../archive/rejects.js';
import type { Retained, RetentionRules } from '../archive/retention.js';
import { limitsOfLog } from '../archive/segment-limits.js';
import { firstLineOfSegmentName } from '../archive/segment-name.js';
import { UpkeepBoard } from '../archive/upkeep-board.js';
import { listCheckpoints, recoverCheckpoints } from '../checkpoint/checkpoint-files.js';
import type { CheckpointFile } from '../checkpoint/checkpoint-format.js';
import { readDescription } from '../checkpoint/checkpoint-reader.js';
import type { WrittenCheckpoint } from '../checkpoint/checkpoint-writer.js';
import { TableCopies } from '../checkpoint/table-copies.js';
import type { Config } from '../config/config.js';
import { foldersOf } from '../config/folders.js';
import { readVersion } from '../config/version.js';
import type { ControlNews } from '../control/server.js';
import { loadModule } from '../fold/compiled-events.js';
import { IngestServer } from '../ingest/server.js';
import { AgeClock, type AgeTimes } from '../model/age-clock.js';
import { createArrivalClock, createWallClock } from '../model/clock.js';
import { EXIT_BUG, EXIT_DONE, EXIT_IO, Failure, failureOfSystemError } from '../model/failure.js';
import type { ProfileReply } from '../query/profile-requests.js';
import { whyNotReady } from '../query/status.js';
import { Bell } from '../ring/bell.js';
import { Ledger, type Peer } from '../ring/ledger.js';
import { Settings } from '../ring/settings.js';
import {
  STAGE_ARCHIVE,
  STAGE_CONTROL,
  STAGE_DONE,
  STAGE_FOLD,
  STAGE_INGEST,
  STAGE_RUNNING,
  STAGE_SYNC,
  Vitals,
} from '../ring/vitals.js';
import { Board } from '../state/board.js';
import type { StateLimits } from '../state/layout.js';
import { decodeLimits } from '../state/limits.js';
import { Tables } from '../state/tables.js';
import { BACKGROUND } from './archive-pool.js';
import { Checkpoints } from './checkpoints.js';
import { ClockWatch } from './clock-watch.js';
import { type Connections, descriptorLimit, shareDescriptors } from './descriptors.js';
import { DiskWatch } from './disk-watch.js';
import { lockFile, peerOf, shutdownRead } from './libc.js';
import { createLog, type Log, RateLimited } from './log.js';
import { LoopPauses } from './loop-pauses.js';
import { allocateDaemon, type DaemonMemory, settingsOf, stateLimitsOf } from './memory.js';
import { type Outcome, resultOf } from './outcome.js';
import { profileThreads } from './profiler.js';
import type { FoldNews, Rebuilt } from './rebuild.js';
import { RefusalLog } from './refusal-log.js';
import { tellReload, tryReload } from './reload.js';
import { Retention } from './retention.js';
import type { RepairedRollups, RollupTask } from './rollup-repair.js';
import { RollupUpkeep } from './rollup-upkeep.js';
import { type ActivatedSocket, takeActivatedSocket } from './socket-activation.js';
import { freeSocketPath, setSocketAccess } from './socket-path.js';
import { type Stage, Supervisor } from './supervisor.js';
import { Systemd } from './systemd.js';
import { ThreadPool } from './thread-pool.js';
import { Ticker } from './ticker.js';

const STAGE_THREADS = 4;
/** For tasks that end. One writes a checkpoint now and then; between them no thread is kept. */
const POOL_THREADS = 1;
const POOL_IDLE_MS = 10_000;
const VITALS_MS = 1000;
const DRAIN_LOOK_MS = 100;
const DIRECTORY_MODE = 0o750;

/**
 * Resolves with the exit code when the daemon has drained.
 * @param readConfig reads the configuration again, from where it came
 * @throws Failure where it cannot start
 */
export async function runDaemon(config: Config, readConfig: () => Config): Promise<number> {
  const log = createLog({ ...config.log, stderr: process.stderr, env: process.env });
  const systemd = Systemd.of(process.env, process.pid, log);
  const activated = takeActivatedSocket(process.env, process.pid);
  const paths = preparePaths(config, activated);
  const lock = lockFile(join(config.stateDir, 'lock'), `the state directory ${config.stateDir}`);
  if (activated === null) await freeSocketPath(paths.ingest);
  await freeSocketPath(paths.control);
  const recovered = recoverLog(paths.archive, paths.durableMark);
  tellRecovery(recovered, log);
  tellAhead(recoverCheckpoints(paths.checkpoints, recovered.nextLine - 1), recovered, log);
  const daemon = new Daemon(config, paths, { activated, systemd, readConfig }, recovered, log);
  try {
    await daemon.start();
    return await daemon.ended;
  } finally {
    lock.release();
  }
}

interface Paths {
  readonly ingest: string;
  readonly control: string;
  readonly archive: string;
  readonly durableMark: string;
  readonly checkpoints: string;
  readonly profiles: string;
  readonly rejects: string;
  readonly rollups: string;
}

interface Service {
  /** The ingest socket that systemd holds; null: the daemon makes its own. */
  readonly activated: ActivatedSocket | null;
  readonly systemd: Systemd;
  readonly readConfig: () => Config;
}

function preparePaths({ stateDir, runtimeDir }: Config, activated: ActivatedSocket | null): Paths {
  for (const directory of [stateDir, runtimeDir]) {
    try {
      mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    } catch (error) {
      throw failureOfSystemError(error, 'create the folder', directory);
    }
  }
  return {
    ingest: activated?.path ?? join(runtimeDir, 'ingest.sock'),
    control: join(runtimeDir, 'control.sock'),
    archive: join(stateDir, 'archive'),
    durableMark: join(stateDir, 'durable'),
    checkpoints: join(stateDir, 'checkpoint'),
    profiles: join(stateDir, 'profiles'),
    rejects: join(stateDir, 'rejects'),
    rollups: join(stateDir, 'rollups'),
  };
}

function tellRecovery({ nextLine, segmentCount, cuts }: RecoveredLog, log: Log): void {
  for (const cut of cuts) log.warn(cut, `the end of the log was not whole: ${cut.reason}`);
  if (segmentCount > 0) log.info({ segments: segmentCount, lines: nextLine - 1 }, 'found the log');
}

/** @param damage what was found by heads; what the rebuild has read of it, it knows better */
function tellRebuilt(rebuilt: Rebuilt, damage: RecoveredLog['damage'], log: Log): void {
  const { checkpoint, unfit, flaws, lines, refused, durationMs } = rebuilt;
  for (const { path, reason } of unfit) {
    const next = 'an older one is taken, or the whole log is folded';
    log.warn({ path }, `the checkpoint cannot be used: ${reason}; ${next}`);
  }
  const isRead = (one: { path: string; offset: number }) =>
    flaws.some(({ path, offset }) => path === one.path && offset === one.offset);
  for (const { path, offset, bytes, reason } of [...damage.filter((one) => !isRead(one)), ...flaws]) {
    log.warn({ path, offset, bytes }, `the log is damaged: ${reason}; all other frames are read`);
  }
  if (refused > 0) log.warn({ refused }, 'the log has lines that this tallyd refuses; they change nothing');
  if (checkpoint !== null || lines > 0) {
    const from = { checkpointLine: checkpoint?.line ?? 0, lines, durationMs: Math.round(durationMs) };
    log.info(from, 'made the state out of checkpoint and log');
  }
}

/** Nothing is written down before the log has it on the disk, so the log must have lost its end since. */
function tellAhead(ahead: readonly CheckpointFile[], { nextLine }: RecoveredLog, log: Log): void {
  for (const { path, line } of ahead) {
    log.error(
      { path, line, lastLine: nextLine - 1 },
      `the checkpoint is ahead of the log, which has lost its end; it is set aside as ${basename(path)}.ahead`,
    );
  }
}

/** Of the memory that their states lay in. What is wrong with one is told when it is loaded. */
function limitsOfCheckpoints(directory: string): StateLimits[] {
  return listCheckpoints(directory).flatMap(({ path }) => {
    try {
      const described = readDescription(path);
      return described.kind === 'described' ? [described.description.limits] : [];
    } catch (error) {
      if (error instanceof Failure) return [];
      throw error;
    }
  });
}

class Daemon {
  /** The exit code. */
  readonly ended: Promise<number>;
  #config: Config;
  readonly #paths: Paths;
  readonly #service: Service;
  readonly #recovered: RecoveredLog;
  readonly #log: Log;
  readonly #memory: DaemonMemory;
  readonly #vitals: Vitals;
  readonly #ingest: IngestServer;
  readonly #refusals: RefusalLog;
  readonly #ticker: Ticker;
  readonly #disk: DiskWatch;
  readonly #clock: ClockWatch;
  readonly #ages: AgeClock;
  #connections: Connections;
  readonly #supervisor: Supervisor;
  readonly #pool = new ThreadPool(POOL_THREADS, POOL_IDLE_MS);
  readonly #checkpoints: Checkpoints;
  readonly #retention: Retention;
  /** For what may take minutes, and must not keep a checkpoint waiting. */
  readonly #slowPool = new ThreadPool(POOL_THREADS, POOL_IDLE_MS, BACKGROUND);
  readonly #rollups: RollupUpkeep;
  readonly #startedAtMs = Date.now();
  #controlPort: MessagePort | null = null;
  #control: Promise<void> = Promise.resolve();
  #end!: (code: number) => void;
  #stopping = false;

  constructor(config: Config, paths: Paths, service: Service, recovered: RecoveredLog, log: Log) {
    this.#config = config;
    this.#paths = paths;
    this.#service = service;
    this.#recovered = recovered;
    this.#log = log;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const known = [
      ...limitsOfLog(paths.archive).map(decodeLimits),
      ...limitsOfCheckpoints(paths.checkpoints),
    ];
    this.#memory = allocateDaemon(config, writtenOf(recovered), known, loadModule());
    new DamageList(this.#memory.damage).add(damageOf(recovered));
    this.#vitals = new Vitals(this.#memory.vitals);
    this.#refusals = new RefusalLog(log, paths.rejects);
    const refused = new RateLimited({ countMax: 1, intervalMs: 10_000, nowMs: () => performance.now() });
    this.#disk = new DiskWatch(new ArchiveBoard(this.#memory.archiveBoard), paths.archive, log);
    this.#clock = new ClockWatch(log, Date.now(), performance.now());
    this.#ages = new AgeClock(this.#ageTimes());
    this.#connections = shareDescriptors(descriptorLimit(), config.ingest.maxConnections);
    const arrivalClock = createArrivalClock(createWallClock(), recovered.lastArrivalUs);
    this.#ingest = new IngestServer(this.#memory, new Ledger(this.#memory.ledger), {
      maxLineBytes: config.ingest.maxLineBytes,
      maxConnections: this.#connections.ingest,
      now: arrivalClock,
      shutdownRead,
      peerOf,
      admits: (peer) => admits(this.#config.ingest.allowUids, peer),
      onRefused: (reason, peer) => {
        const isUser = reason === 'allow_uids';
        const why = isUser ? `does not name user ${peer?.uid}` : this.#boundOfConnections();
        refused.say(isUser ? `user ${peer?.uid}` : reason, (more) =>
          log.warn({ reason, ...peer }, `refused a connection: ingest.${reason} ${why}${more}`),
        );
      },
    });
    const upkeep = new UpkeepBoard(this.#memory.upkeep);
    this.#ticker = new Ticker(new Tables(this.#memory.tables), {
      tryTick: (kind, payload) => this.#ingest.tryTick(kind, payload),
      isReady: () => this.#vitals.state(STAGE_FOLD) === STAGE_RUNNING,
      holdsHours: () => upkeep.rollupsFail,
      nowMs: () => arrivalClock() / 1000,
    });
    this.#supervisor = new Supervisor(STAGE_THREADS, this.#vitals, log, (stage, error) => {
      log.fatal({ err: error }, `the ${stage} stage dies again and again; giving up`);
      process.exit(EXIT_BUG);
    });
    this.#checkpoints = new Checkpoints(this.#memory, {
      directory: paths.checkpoints,
      intervalMs: config.checkpoint.intervalMs,
      log,
      write: (copiedUs) => this.#writeCheckpoint(copiedUs),
    });
    this.#retention = new Retention(this.#memory, {
      directory: paths.archive,
      limits: () => this.#config.archive,
      apply: (rules, activeSegment) => this.#applyRetention(rules, activeSegment),
      log,
      ageNowMs: () => this.#ages.nowMs(this.#ageTimes()),
    });
    this.#rollups = new RollupUpkeep(this.#memory, {
      directory: paths.rollups,
      archiveDirectory: paths.archive,
      ageMs: () => this.#config.stats.rollupAgeMs,
      ageNowMs: () => this.#ages.nowMs(this.#ageTimes()),
      repair: (task) => this.#repairRollups(task),
      log,
    });
    const rawBytesBefore = recovered.rawBytesEnd - recovered.rawBytes;
    const beginning = { removedSegments: 0, removedBytes: 0, oldestUs: 0, rawBytesBefore };
    upkeep.setBeginning(beginning);
  }

  #ageTimes(): AgeTimes {
    const { lastArrivedUs } = new ArchiveBoard(this.#memory.archiveBoard).written();
    return { wallMs: Date.now(), newestArrivalMs: lastArrivedUs / 1000, fineMs: performance.now() };
  }

  #writeCheckpoint(copiedUs: number): Promise<WrittenCheckpoint> {
    const { copies, archiveBoard } = this.#memory;
    const position = new TableCopies(copies).copiedPosition;
    const data = { copy: copies.copy, copiedUs, position, directory: this.#paths.checkpoints, archiveBoard };
    return this.#pool.run(workerFile('checkpoint'), data) as Promise<WrittenCheckpoint>;
  }

  async #applyRetention(rules: RetentionRules, activeSegment: number): Promise<Retained> {
    const { archive: archiveDirectory, checkpoints: checkpointDirectory } = this.#paths;
    const data = { archiveDirectory, checkpointDirectory, rules, activeSegment };
    return resultOf((await this.#pool.run(workerFile('retention'), data)) as Outcome<Retained>);
  }

  async #repairRollups(task: RollupTask): Promise<RepairedRollups> {
    return resultOf((await this.#slowPool.run(workerFile('rollups'), task)) as Outcome<RepairedRollups>);
  }

  async start(): Promise<void> {
    new Bell(this.#memory.mainBell).listen(() => {
      this.#ingest.wake();
      this.#checkpoints.wake();
    });
    // The first record of the ring: every line is folded under limits that the log knows.
    this.#ticker.start(stateLimitsOf(this.#config));
    const stages = this.#runStages();
    const listening = this.#startControl();
    this.#service.systemd.watch({
      memory: this.#memory,
      notReady: () => whyNotReady(this.#vitals),
      syncIntervalMs: () => this.#config.archive.syncIntervalMs,
    });
    const url = await listening;
    setSocketAccess(this.#paths.control, this.#config.control.mode, null);
    await this.#listen();
    this.#watchMainThread();
    this.#retention.start();
    this.#rollups.start();
    this.#vitals.setState(STAGE_INGEST, STAGE_RUNNING);
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => this.#onSignal(signal, stages));
    }
    process.on('SIGHUP', () => this.#onReload());
    this.#onOtherSignals();
    this.#tellDescriptors();
    const { ingest, control } = this.#paths;
    this.#log.info(
      { ingest, control, ...(url && { url }), state: this.#config.stateDir, pid: process.pid },
      `listening; next, in another shell: ${commandLine(this.#config, 'status')}`,
    );
  }

  async #listen(): Promise<void> {
    const { activated } = this.#service;
    if (activated !== null) {
      await this.#ingest.listen({ fd: activated.fd });
      this.#tellActivated(activated);
    } else {
      await this.#ingest.listen({ path: this.#paths.ingest });
      setSocketAccess(this.#paths.ingest, this.#config.ingest.mode, this.#config.ingest.group);
    }
  }

  /** Path, mode and group are the socket unit's, whatever the configuration says. */
  #tellActivated({ path }: ActivatedSocket): void {
    const { runtimeDir, sources } = this.#config;
    const usual = join(runtimeDir, 'ingest.sock');
    if (path !== usual) {
      this.#log.warn({ path }, `systemd's socket is not ${usual}, where commands and clients look for it`);
    }
    const options = ['ingest.mode', 'ingest.group'].filter((key) => sources[key]!.from !== 'default');
    if (options.length > 0) {
      this.#log.warn({ options }, 'without effect: the socket unit decides the rights of ingest.sock');
    }
  }

  #runStages(): Promise<unknown> {
    const memory = this.#memory;
    const directory = this.#paths.archive;
    const { rejects: rejectsDirectory, checkpoints: checkpointDirectory } = this.#paths;
    const stages: Stage[] = [
      {
        row: STAGE_FOLD,
        name: 'fold',
        file: workerFile('fold'),
        task: (rerun) => this.#foldTask(rerun),
      },
      {
        row: STAGE_ARCHIVE,
        name: 'archive',
        file: workerFile('archive'),
        task: () => ({ data: { memory, directory, rejectsDirectory, checkpointDirectory } }),
      },
      {
        row: STAGE_SYNC,
        name: 'sync',
        file: workerFile('sync'),
        task: () => ({ data: { memory, options: { directory, markPath: this.#paths.durableMark } } }),
      },
    ];
    return Promise.all(stages.map((stage) => this.#supervisor.run(stage)));
  }

  #foldTask(rerun: boolean): { data: unknown; transfer: readonly unknown[] } {
    const { port1, port2 } = new MessageChannel();
    // One that died has taken with it what it could not write.
    if (rerun) {
      new UpkeepBoard(this.#memory.upkeep).setRollupsFail(false);
      this.#rollups.checkAgain();
    }
    port1.on('message', (news: FoldNews) => {
      if (news.kind === 'rollups') {
        this.#tellRollups(news.error);
        return;
      }
      tellRebuilt(news.rebuilt, rerun ? [] : this.#recovered.damage, this.#log);
      this.#checkpoints.begin(news.rebuilt.checkpoint);
    });
    const { archive: archiveDirectory, checkpoints: checkpointDirectory } = this.#paths;
    const rollupDirectory = this.#paths.rollups;
    const folders = { archiveDirectory, checkpointDirectory, rollupDirectory };
    const data = { memory: this.#memory, ...folders, rerun, port: port2 };
    return { data, transfer: [port2] };
  }

  /** @param error null: the disk takes them again */
  #tellRollups(error: Error | null): void {
    new UpkeepBoard(this.#memory.upkeep).setRollupsFail(error !== null);
    if (error === null) {
      this.#log.warn('the disk takes roll-ups again');
      this.#rollups.checkAgain();
    } else {
      this.#log.error({ err: error }, 'a roll-up could not be written; it is tried again');
    }
  }

  /** Resolves when the control thread listens, with its URL if it has one. @throws Failure where it cannot */
  #startControl(): Promise<string | null> {
    return new Promise((resolve, reject) => {
      const task = (rerun: boolean) => {
        const { port1, port2 } = new MessageChannel();
        port1.on('message', (news: ControlNews) => {
          if (news.kind === 'listening') resolve(news.url);
          else if (news.kind === 'failure') reject(new Failure(news.code, news.text));
          else if (news.kind === 'warning') this.#log.warn(news.text);
          else if (news.kind === 'profile') this.#profile(news.seconds, port1);
          else this.#log.error({ err: news.error }, 'a request on the control socket failed');
        });
        this.#controlPort = port1;
        if (rerun) removeIfThere(this.#paths.control);
        const data = {
          memory: this.#memory,
          rerun,
          places: { path: this.#paths.control, address: this.#config.control.listen },
          folders: this.#paths,
          maxConnections: this.#connections.control,
          version: readVersion(),
          startedAtMs: this.#startedAtMs,
          port: port2,
        };
        return { data, transfer: [port2] };
      };
      this.#control = this.#supervisor.run({
        row: STAGE_CONTROL,
        name: 'control',
        file: workerFile('control'),
        task,
      });
    });
  }

  async #profile(seconds: number, port: MessagePort): Promise<void> {
    const stamp = new Date().toISOString().replaceAll(':', '-').slice(0, 19);
    const directory = join(this.#paths.profiles, stamp);
    const { foldBell, archiveBell, syncBell } = this.#memory;
    const bells = [foldBell, archiveBell, syncBell].map((memory) => new Bell(memory));
    const ring = () => {
      for (const bell of bells) bell.ring();
    };
    const parts = { names: () => this.#vitals.threads(), ring };
    this.#log.info({ seconds, directory }, 'profiling all threads');
    const reply: ProfileReply = await profileThreads(directory, seconds, parts).then(
      (threads) => ({ kind: 'profiled', threads }),
      (error: Error) => ({ kind: 'profile-failed', text: error.message }),
    );
    port.postMessage(reply);
  }

  #boundOfConnections(): string {
    const { ingest } = this.#connections;
    return ingest < this.#config.ingest.maxConnections
      ? `is more than ${ingest}, the limit of open files`
      : `is ${ingest}`;
  }

  #tellDescriptors(): void {
    const { maxConnections } = this.#config.ingest;
    if (this.#connections.ingest >= maxConnections) return;
    this.#log.warn(
      `takes ${this.#connections.ingest} connections and not ingest.max_connections, ${maxConnections}: the process may have ${descriptorLimit()} files open; raise LimitNOFILE or ulimit -n`,
    );
  }

  /** The other stages count their own work; main's is what its event loop was busy for. */
  #watchMainThread(): void {
    const activeMs = () => performance.eventLoopUtilization().active;
    const pauses = new LoopPauses(activeMs, (found) => this.#vitals.setIngestPausesMs(found));
    setInterval(() => {
      this.#vitals.setBusyMs(STAGE_INGEST, activeMs());
      pauses.look(performance.now());
      this.#tellRefusals(false);
      this.#disk.look(performance.now());
      this.#clock.look(Date.now(), performance.now());
    }, VITALS_MS).unref();
  }

  #tellRefusals(atEnd: boolean): void {
    const totals = new Ledger(this.#memory.ledger).totals();
    const counts = new RejectsBoard(this.#memory.rejects).counts();
    this.#refusals.look(totals, counts, performance.now(), atEnd);
  }

  #onOtherSignals(): void {
    // By default it would open a debugger.
    process.on('SIGUSR1', () => {});
    process.on('SIGUSR2', () => {
      new UpkeepBoard(this.#memory.upkeep).wishClose();
      this.#log.info('the next line begins a new segment of the archive');
    });
  }

  #onReload(): void {
    const { systemd, readConfig } = this.#service;
    systemd.reloading();
    const reload = tryReload(this.#config, readConfig, this.#log);
    if (reload !== null) {
      this.#config = reload.config;
      new Settings(this.#memory.settings).set(settingsOf(reload.config));
      this.#ticker.changeLimits(stateLimitsOf(reload.config));
      this.#checkpoints.setInterval(reload.config.checkpoint.intervalMs);
      this.#connections = shareDescriptors(descriptorLimit(), reload.config.ingest.maxConnections);
      this.#ingest.setMaxConnections(this.#connections.ingest);
      this.#tellDescriptors();
      this.#log.level = reload.config.log.level;
      tellReload(reload, this.#log);
    }
    systemd.reloaded();
  }

  #onSignal(signal: 'SIGTERM' | 'SIGINT', stages: Promise<unknown>): void {
    if (this.#stopping) {
      if (signal === 'SIGINT') process.exit(130);
      return;
    }
    this.#stopping = true;
    this.#log.info({ signal }, 'draining');
    Promise.race([this.#drain(stages), this.#giveUpOnDisk()]).then(
      (code) => this.#end(code),
      (error) => {
        this.#log.fatal({ err: error }, 'draining failed');
        process.exit(EXIT_BUG);
      },
    );
  }

  /** Along the path of the data: no more in, all of it folded, written, durable, answered. */
  async #drain(stages: Promise<unknown>): Promise<number> {
    this.#service.systemd.stopping();
    this.#vitals.setState(STAGE_INGEST, STAGE_DONE);
    this.#ticker.stop();
    const { activated } = this.#service;
    await this.#ingest.drain(activated === null ? () => removeIfThere(this.#paths.ingest) : null);
    await this.#checkpoints.drain();
    this.#vitals.stop();
    new Bell(this.#memory.foldBell).ring();
    await stages;
    await this.#checkpoints.finish();
    await this.#retention.stop();
    this.#rollups.stop();
    this.#ingest.close();
    this.#controlPort?.postMessage('stop');
    await this.#control;
    removeIfThere(this.#paths.control);
    await this.#supervisor.close();
    await this.#pool.close();
    await this.#slowPool.close();
    this.#tellRefusals(true);
    const { accepted, rejected } = new Ledger(this.#memory.ledger).totals();
    this.#log.info({ accepted, rejected }, 'drained');
    return EXIT_DONE;
  }

  /** Resolves where a drain does not get on, since the disk has refused for too long. */
  #giveUpOnDisk(): Promise<number> {
    const sinceMs = performance.now();
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const nowMs = performance.now();
        this.#disk.look(nowMs);
        if (!this.#disk.hasHeldTooLong(sinceMs, nowMs)) return;
        clearInterval(timer);
        this.#tellLost();
        if (this.#service.activated === null) removeIfThere(this.#paths.ingest);
        removeIfThere(this.#paths.control);
        resolve(EXIT_IO);
      }, DRAIN_LOOK_MS).unref();
    });
  }

  /** None of it was acknowledged; a numbered client sends it again, nobody else can know. */
  #tellLost(): void {
    const { durableLine } = new ArchiveBoard(this.#memory.archiveBoard);
    const accepted = Math.max(0, new Board(this.#memory.tables.board).line - durableLine);
    const { inFlight } = new Ledger(this.#memory.ledger).totals();
    if (accepted + inFlight === 0) {
      this.#log.fatal(
        { durable_seq: durableLine },
        'stopping while the disk refuses; no line is lost by that',
      );
      return;
    }
    this.#log.fatal(
      { durable_seq: durableLine, accepted, in_flight: inFlight },
      `stopping with ${accepted + inFlight} lines that are not on the disk, as it takes none: they were not acknowledged; senders that say hello send them again`,
    );
  }
}

/** What recovery has found by heads; the rebuild finds more, and knows it better. */
function damageOf({ damage, cuts }: RecoveredLog) {
  const stretches = damage.map(({ path, offset, bytes, head }) => {
    const hasLines = head !== null && head.lineCount > 0;
    const firstLine = hasLines ? head.firstLine : null;
    return {
      path,
      offset,
      bytes,
      firstLine,
      lastLine: hasLines ? head.firstLine + head.lineCount - 1 : null,
    };
  });
  const aside = cuts.filter(({ done }) => done === 'aside');
  return [
    ...stretches,
    ...aside.map(({ path, offset, bytes }) => {
      const firstLine = firstLineOfSegmentName(basename(path));
      return { path: path + UNREADABLE_SUFFIX, offset, bytes, firstLine, lastLine: null };
    }),
  ];
}

/** @param allowUids null: all. A peer that nobody knows is none of them */
function admits(allowUids: readonly number[] | null, peer: Peer | null): boolean {
  return allowUids === null || (peer !== null && allowUids.includes(peer.uid));
}

function workerFile(name: string): URL {
  return new URL(`../../workers/${name}.js`, import.meta.url);
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** How to call this program again with a subcommand, so that it finds this daemon. */
function commandLine({ stateDir, runtimeDir }: Config, subcommand: string): string {
  const script = process.argv[1] ?? 'tallyd';
  const program = basename(script) === 'tallyd' ? 'tallyd' : `node ${relative(process.cwd(), script)}`;
  const host = { uid: process.getuid?.() ?? -1, homeDir: homedir() };
  const usual = foldersOf({}, process.env, host);
  const runtimeFlag = usual.runtimeDir === runtimeDir ? '' : ` --runtime-dir ${runtimeDir}`;
  const stateFlag = usual.stateDir === stateDir ? '' : ` --state-dir ${stateDir}`;
  return `${program} ${subcommand}${runtimeFlag}${stateFlag}`;
}
