import { expect, test } from 'vitest';
import { OPTION_BY_KEY, OPTIONS } from '../../src/config/options.js';
import { readBareValue, readToml } from '../../src/config/toml.js';
import { defaultOf, readValue, type Value, type Written, writeValue } from '../../src/config/values.js';

/** A value as the file has it. */
function inFile(text: string): Written {
  const read = readToml(`x = ${text}\n`);
  if ('problem' in read) throw new Error(read.problem);
  return read.settings[0]!.written;
}

function read(key: string, written: Written): Value | string {
  const result = readValue(OPTION_BY_KEY.get(key)!, written);
  return 'problem' in result ? `PROBLEM ${result.problem}` : result.value;
}

test.each<[string, string, Value]>([
  ['archive.max_bytes', '"64KiB"', 65536],
  ['archive.max_bytes', '"1.5MiB"', 1572864],
  ['archive.max_bytes', '1_000_000', 1000000],
  ['archive.max_bytes', '0x10000', 65536],
  ['archive.max_bytes', '"8192"', 8192],
  ['archive.max_bytes', '"8192B"', 8192],
  ['ring.bytes', '"1GiB"', 1024 ** 3],
  ['ring.bytes', '1048576', 1048576],
  ['archive.sync_interval', '"250ms"', 250],
  ['archive.sync_interval', '0.5', 500],
  ['archive.sync_interval', '2', 2000],
  ['archive.max_age', '"1.1d"', 95_040_000],
  ['archive.max_age', '"36h"', 129_600_000],
  ['checkpoint.interval', '"2m"', 120_000],
  ['state.max_tasks', '1', 1],
  ['workers.decode', '"auto"', 'auto'],
  ['workers.decode', '16', 16],
  ['log.level', '"debug"', 'debug'],
  ['ingest.mode', '"0600"', 0o600],
  ['ingest.mode', '"660"', 0o660],
  ['ingest.mode', '0o660', 0o660],
  ['ingest.group', '"adm"', 'adm'],
  ['ingest.group', '""', null],
  ['ingest.allow_uids', '""', null],
  ['ingest.allow_uids', '"1000"', [1000]],
  ['ingest.allow_uids', '" 0 ,1000,0, 4294967294"', [0, 1000, 4294967294]],
  ['ingest.allow_uids', '1000', [1000]],
  ['control.listen', '"127.0.0.1:9187"', { host: '127.0.0.1', port: 9187 }],
  ['control.listen', '"127.9.9.9:0"', { host: '127.9.9.9', port: 0 }],
  ['control.listen', '"localhost:80"', { host: 'localhost', port: 80 }],
  ['control.listen', '"[::1]:65535"', { host: '::1', port: 65535 }],
  ['control.listen', '""', null],
])('%s = %s is taken', (key, text, value) => {
  expect(read(key, inFile(text))).toEqual(value);
});

test.each<[string, string, string]>([
  [
    'ingest.allow_uids',
    '"root"',
    'must be user ids with commas between them, as "0, 1000", or empty, is "root"',
  ],
  ['ingest.allow_uids', '"1,,2"', 'is "1,,2"'],
  ['ingest.allow_uids', '-1', 'is -1'],
  ['ingest.allow_uids', '4294967295', 'is 4294967295'],
  ['ingest.allow_uids', '[0]', 'is a list'],
  [
    'archive.max_bytes',
    '"64KB"',
    'must be a size (a number with B, KiB, MiB or GiB), is "64KB" (nearest: "64KiB")',
  ],
  ['archive.max_bytes', '"64 MiB"', '(nearest: "64MiB")'],
  ['archive.max_bytes', '"1g"', '(nearest: "1GiB")'],
  ['archive.max_bytes', '"lots"', 'is "lots"'],
  ['archive.max_bytes', '""', 'is empty'],
  ['archive.max_bytes', '-1', 'is -1'],
  ['archive.max_bytes', '1.5', 'is 1.5'],
  ['archive.max_bytes', 'inf', 'is inf'],
  ['archive.max_bytes', '99999999999999999999', 'must be a size'],
  ['archive.max_bytes', '"1B"', 'must be a size from 4 KiB to 1048576 GiB, is "1B" (nearest: "4KiB")'],
  ['ring.bytes', '"3MiB"', 'must be a power of two from 1 MiB to 1 GiB, is "3MiB" (nearest: "2MiB")'],
  ['ring.bytes', '"2GiB"', '(nearest: "1GiB")'],
  ['ring.bytes', '0', '(nearest: 1048576)'],
  ['archive.sync_interval', '"1 sec"', '(nearest: "1s")'],
  ['archive.sync_interval', '"2h"', 'must be a duration from 1 ms to 1 h, is "2h" (nearest: "1h")'],
  ['archive.sync_interval', '-1', 'must be a duration (a number with ms, s, m, h or d), is -1'],
  ['archive.sync_interval', '"0.5ms"', 'must be a duration'],
  ['archive.sync_interval', 'false', 'is false'],
  ['state.max_tasks', '"many"', 'must be a whole number from 1 to 20000000, is "many"'],
  ['state.max_tasks', '"100"', 'is "100" (nearest: 100)'],
  ['state.max_tasks', '1.5', 'is 1.5 (nearest: 2)'],
  ['state.max_tasks', 'nan', 'is nan'],
  ['workers.decode', '17', 'must be "auto" or a whole number from 1 to 16, is 17 (nearest: 16)'],
  ['workers.decode', '"Auto"', 'is "Auto"'],
  ['log.level', '"wran"', 'must be "error", "warn", "info" or "debug", is "wran" (nearest: "warn")'],
  ['log.level', '3', 'is 3'],
  ['ingest.mode', '"0999"', 'must be file rights in octal from "0000" to "0777", is "0999"'],
  ['ingest.mode', '432', 'is 432 (nearest: "0432")'],
  ['ingest.mode', '0o1777', 'is 0o1777'],
  ['ingest.mode', '"4755"', 'is "4755"'],
  ['ingest.group', '7', 'must be text in quotes, is 7'],
  [
    'control.listen',
    '"0.0.0.0:9187"',
    'must be HOST:PORT on the loopback ("127.0.0.1:9187"), or empty, is "0.0.0.0:9187" (nearest: "127.0.0.1:9187")',
  ],
  ['control.listen', '"127.0.0.256:1"', 'is "127.0.0.256:1"'],
  ['control.listen', '"127.evil.example:1"', 'is "127.evil.example:1"'],
  ['control.listen', '"[127.0.0.1]:1"', 'is "[127.0.0.1]:1"'],
  ['control.listen', '":9187"', '(nearest: "127.0.0.1:9187")'],
  ['control.listen', '"127.0.0.1"', 'is "127.0.0.1"'],
  ['control.listen', '"127.0.0.1:65536"', 'is "127.0.0.1:65536"'],
])('%s = %s is refused', (key, text, problem) => {
  expect(read(key, inFile(text))).toContain('PROBLEM');
  expect(read(key, inFile(text))).toContain(problem);
});

test.each<[string, string, Value]>([
  ['ring.bytes', '64MiB', 64 * 1024 ** 2],
  ['ring.bytes', '"64MiB"', 64 * 1024 ** 2],
  ['ring.bytes', "'64MiB'", 64 * 1024 ** 2],
  ['ring.bytes', ' 1048576 ', 1048576],
  ['archive.sync_interval', '0.25', 250],
  ['state.max_tasks', '1_000', 1000],
  ['ingest.mode', '660', 0o660],
  ['ingest.mode', '0660', 0o660],
  ['ingest.group', '123', '123'],
  ['ingest.group', '"', '"'],
  ['ingest.group', '', null],
  ['workers.decode', 'auto', 'auto'],
  ['workers.decode', '2', 2],
  ['control.listen', '[::1]:1', { host: '::1', port: 1 }],
])('%s takes %j from a flag, where quotes may be left out', (key, text, value) => {
  expect(read(key, readBareValue(text))).toEqual(value);
});

test.each(OPTIONS.map((option) => [option.key, option] as const))(
  'the default and the bounds of %s are values that it takes, and are written as they were read',
  (_, option) => {
    const texts: Written[] = [defaultOf(option)];
    if ('min' in option) {
      for (const bound of [option.min, option.max]) {
        texts.push(inFile(typeof bound === 'number' ? String(bound) : JSON.stringify(bound)));
      }
    }
    if ('values' in option) texts.push(...option.values.map((text) => inFile(JSON.stringify(text))));
    for (const written of texts) {
      const result = readValue(option, written);
      if ('problem' in result) throw new Error(result.problem);
      const again = readValue(option, inFile(writeValue(option, result.value)));
      expect(again).toEqual(result);
    }
  },
);

test('a value that would draw on the terminal is quoted in its problem', () => {
  expect(read('log.level', { form: 'bare', text: '\x1b[2J\x9b' })).toContain('"\\u001b[2J\\u009b"');
});
