import { join } from 'node:path';
import { expect, test } from 'vitest';
import { optionValue } from '../../src/config/config.js';
import { environmentNameOf, OPTIONS } from '../../src/config/options.js';
import { failureOf, load, loadSet, writeFile } from './scratch.js';

const KiB = 1024;
const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

test('without file, environment and flags every option has its default', () => {
  const { sources, ...config } = load();
  expect(config).toEqual({
    file: null,
    stateDir: '/home/ann/.local/state/tallyd',
    runtimeDir: '/home/ann/.local/state/tallyd/run',
    ingest: {
      mode: 0o660,
      group: null,
      allowUids: null,
      maxLineBytes: 64 * KiB,
      maxConnections: 4096,
      maxClients: 10_000,
      clientMemoryMs: 30 * 86_400_000,
    },
    ring: { bytes: 32 * MiB },
    workers: { decode: 'auto' },
    state: {
      maxLiveWorkflows: 100_000,
      maxRecentWorkflows: 10_000,
      maxTasksPerWorkflow: 10_000,
      maxTasks: 2_000_000,
      namesBytes: 256 * MiB,
      staleAfterMs: 6 * 3_600_000,
    },
    stats: {
      maxSeries: 10_000,
      seriesIdleMs: 30 * 86_400_000,
      windowBytes: 128 * MiB,
      rollupAgeMs: 400 * 86_400_000,
    },
    archive: {
      segmentBytes: 256 * MiB,
      segmentAgeMs: 86_400_000,
      syncIntervalMs: 1000,
      maxAgeMs: 90 * 86_400_000,
      maxBytes: 10 * GiB,
      onFull: 'block',
    },
    checkpoint: { intervalMs: 30_000 },
    control: { mode: 0o660, listen: null },
    log: { level: 'info', format: 'auto' },
  });
  expect(new Set(Object.values(sources).map(({ from }) => from))).toEqual(new Set(['default']));
});

test('flags go over the environment, the environment over the file, the file over the defaults', () => {
  const file = writeFile('[state]\nmax_tasks = 1\nmax_live_workflows = 1\nmax_recent_workflows = 1\n');
  const env = { TALLYD_STATE__MAX_TASKS: '2', TALLYD_STATE__MAX_LIVE_WORKFLOWS: '2' };
  const config = load({ file, env, flags: { set: ['state.max_tasks=3'] } });
  expect(config.state).toMatchObject({
    maxTasks: 3,
    maxLiveWorkflows: 2,
    maxRecentWorkflows: 1,
    maxTasksPerWorkflow: 10_000,
  });
  expect(config.sources).toMatchObject({
    'state.max_tasks': { from: 'flag', flag: '--set' },
    'state.max_live_workflows': { from: 'environment', variable: 'TALLYD_STATE__MAX_LIVE_WORKFLOWS' },
    'state.max_recent_workflows': { from: 'file', file, line: 4 },
    'state.max_tasks_per_workflow': { from: 'default' },
  });
});

test('of one key set twice by flags the last counts', () => {
  expect(loadSet('log.level=warn', 'log.level=error').log.level).toBe('error');
});

test.each(OPTIONS.map((option) => [option.key, option] as const))(
  '%s is set by its variable in the environment, quotes left out',
  (_, option) => {
    const text = String(option.kind === 'enum' ? option.values.at(-1) : option.default);
    const config = load({ env: { [environmentNameOf(option.key)]: text } });
    expect(config.sources[option.key]).toMatchObject({ from: 'environment' });
    expect(optionValue(config, option)).not.toBeUndefined();
  },
);

test('the file is that of --config, else of TALLYD_CONFIG, else the default one if it exists', () => {
  const [byFlag, byVariable, byDefault] = [1, 2, 3].map((n) => writeFile(`[state]\nmax_tasks = ${n}\n`));
  const all = { file: byFlag, env: { TALLYD_CONFIG: byVariable }, defaultFile: byDefault! };
  expect(load(all)).toMatchObject({ file: byFlag, state: { maxTasks: 1 } });
  expect(load({ ...all, file: undefined })).toMatchObject({ file: byVariable, state: { maxTasks: 2 } });
  expect(load({ defaultFile: byDefault! })).toMatchObject({ file: byDefault, state: { maxTasks: 3 } });
  expect(load().file).toBeNull();
});

test('a file that somebody named has to exist, and to be a file', () => {
  const missing = join('/nowhere', 'tallyd.toml');
  const failure = failureOf(() => load({ file: missing }));
  expect(failure).toMatchObject({ code: 'ERR_CONFIG_INVALID', exitCode: 78 });
  expect(failure.message).toContain(`${missing} (--config) does not exist`);
  expect(failureOf(() => load({ env: { TALLYD_CONFIG: missing } })).message).toContain('(TALLYD_CONFIG)');
  expect(failureOf(() => load({ file: '/tmp' })).message).toContain('is a folder');
});

test('tables may be written inline and with dotted keys', () => {
  const file = writeFile('ring = { bytes = "2MiB" }\nstate.max_tasks = 7\n[archive]\n"max_age" = "1d"\n');
  expect(load({ file })).toMatchObject({
    ring: { bytes: 2 * MiB },
    state: { maxTasks: 7 },
    archive: { maxAgeMs: 86_400_000 },
  });
});

test('all problems of a file come at once, in the order of its lines, each with its key, line and mend', () => {
  const file = writeFile(
    [
      '# a comment',
      '[ring]',
      'bytes = 100000',
      'byts = 1',
      '[state]',
      'stale_after = "2 Days"',
      'max_tasks = 0',
      '[ingest]',
      'mode = 660',
      'max_line_bytes = true',
      '[archiv]',
      '[logs]',
      'level = "info"',
    ].join('\n'),
  );
  const failure = failureOf(() => load({ file }));
  expect(failure).toMatchObject({ code: 'ERR_CONFIG_INVALID', exitCode: 78 });
  expect(failure.message.split('\n').map((line) => line.trimEnd().replace(/ {2,}/g, '  '))).toEqual([
    `8 problems in ${file}`,
    '  ring.bytes  must be a power of two from 1 MiB to 1 GiB, is 100000 (nearest: 1048576)  line 3',
    '  ring.byts  is no option; did you mean ring.bytes?  line 4',
    '  state.stale_after  must be a duration (a number with ms, s, m, h or d), is "2 Days" (nearest: "2d")  line 6',
    '  state.max_tasks  must be a whole number from 1 to 20000000, is 0 (nearest: 1)  line 7',
    '  ingest.mode  must be file rights in octal from "0000" to "0777", is 660 (nearest: "0660")  line 9',
    '  ingest.max_line_bytes  must be a size (a number with B, KiB, MiB or GiB), is true  line 10',
    '  [archiv]  is no section; did you mean [archive]?  line 11',
    '  logs.level  is no option; did you mean log.level?  line 13',
  ]);
});

test('the columns of the list of problems are aligned as in the house style', () => {
  const file = writeFile('\n\n[ring]\nbytes = 100000\nbyts = 1\n');
  expect(failureOf(() => load({ file })).message).toBe(
    [
      `2 problems in ${file}`,
      '  ring.bytes    must be a power of two from 1 MiB to 1 GiB, is 100000 (nearest: 1048576)     line 4',
      '  ring.byts     is no option; did you mean ring.bytes?                                       line 5',
    ].join('\n'),
  );
});

test('problems of several sources come together, each with the place where it stands', () => {
  const file = writeFile('[ring]\nbytes = "1 MB"\n');
  const env = { TALLYD_INGEST__MAX_LINE_BITES: '1', TALLYD_LOG__LEVEL: 'loud', TALLYD_SERVICE_HOST: 'x' };
  const { message } = failureOf(() => load({ file, env, flags: { set: ['max_tasks=1'] } }));
  const lines = message.split('\n');
  expect(lines[0]).toBe('4 problems in the configuration');
  expect(lines[1]).toMatch(new RegExp(`ring.bytes .* \\(nearest: "1MiB"\\) +${file} line 2$`));
  expect(lines[2]).toMatch(
    /TALLYD_INGEST__MAX_LINE_BITES +is no option; did you mean TALLYD_INGEST__MAX_LINE_BYTES\?/,
  );
  expect(lines[3]).toMatch(/log\.level +must be .* is "loud".* TALLYD_LOG__LEVEL$/);
  expect(lines[4]).toMatch(/max_tasks +is no option; did you mean state\.max_tasks\? +--set$/);
});

test('a wrong value is a problem also where another source overrides it', () => {
  const file = writeFile('[log]\nlevel = "loud"\n');
  expect(failureOf(() => load({ file, flags: { set: ['log.level=info'] } })).message).toContain('line 2');
});

test.each([
  ['a value without quotes', '[ring]\nbytes = 32MiB\n', 'line 2', 'column 11', '"32MiB"'],
  ['a value left out', '[ring]\nbytes =\n', 'line 2', 'column 8', ''],
  ['a value left out before another key', '[ring]\nbytes = \n[log]\n', 'line 2', 'column 8', ''],
  ['a key that stands twice', '[ring]\nbytes = 1\nbytes = 2\n', 'line 3', 'column 1', 'multiple times'],
  ['a header without end', '[log]\n[ring\n', 'line 3', 'column 1', ''],
])('%s is reported with line and column', (_, text, line, column, hint) => {
  const failure = failureOf(() => load({ file: writeFile(text) }));
  expect(failure.exitCode).toBe(78);
  expect(failure.message).toMatch(/^1 problem in /);
  for (const part of [line, column, hint]) expect(failure.message).toContain(part);
});

test.each([
  ['a value in place of a section', 'ring = 5\n', 'must be one section ([ring]), is 5'],
  ['a list of sections', '[[ring]]\nbytes = 1\n', 'must be one section ([ring]), is a list of sections'],
  ['a list', '[ring]\nbytes = [1]\n', 'is a list'],
  ['a date', '[ring]\nbytes = 2024-01-01\n', 'is a date'],
  [
    'a key below an option',
    '[ring.bytes]\nx = 1\n',
    'ring.bytes.x    is no option; did you mean ring.bytes?',
  ],
  ['a key with a dot in quotes', '"ring.bytes" = 1\n', 'is no option; did you mean ring.bytes?'],
  ['a prototype', '__proto__ = 1\n', '__proto__    is no option'],
])('%s is refused by its name', (_, text, problem) => {
  expect(failureOf(() => load({ file: writeFile(text) })).message).toContain(problem);
});

test('a line may be at most a quarter of the ring', () => {
  const config = loadSet('ring.bytes=1MiB', 'ingest.max_line_bytes=256KiB');
  expect(config.ingest.maxLineBytes).toBe(256 * KiB);
  const { message } = failureOf(() => loadSet('ring.bytes=1MiB', 'ingest.max_line_bytes=257KiB'));
  expect(message).toMatch(
    /ingest.max_line_bytes +must be at most a quarter of ring.bytes \(256 KiB\), is "257KiB" \(nearest: "256KiB"\)/,
  );
});

test('a runtime directory that is too long for the path of a socket is refused', () => {
  const most = `/${'r'.repeat(93)}`;
  expect(load({ flags: { runtimeDir: most } }).runtimeDir).toBe(most);
  const { message } = failureOf(() => load({ flags: { runtimeDir: `${most}r` } }));
  expect(message).toContain('must be at most 94 bytes long, for the sockets in it, is 95');
});

test.each(['ring.bytes', '=1', ''])('--set %j is wrong usage', (flag) => {
  expect(failureOf(() => loadSet(flag))).toMatchObject({ code: 'ERR_USAGE', exitCode: 64 });
});

test('the configuration is plain data that crosses to a worker', () => {
  const config = loadSet('control.listen=[::1]:9187');
  expect(structuredClone(config)).toEqual(config);
});
