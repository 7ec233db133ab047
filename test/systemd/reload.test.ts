/** What a changed configuration means for a running daemon, option by option. */

import { expect, test } from 'vitest';
import { type Config, loadConfig, optionValue } from '../../src/config/config.js';
import { OPTIONS, type Option } from '../../src/config/options.js';
import { reloadConfig, tryReload } from '../../src/daemon/reload.js';
import { Failure } from '../../src/model/failure.js';

function configWith(...set: readonly string[]): Config {
  return loadConfig({ flags: { set, stateDir: '/s', runtimeDir: '/r' }, env: {} });
}

/** A value that is not the default, nor the next test's. */
function otherValue(option: Option): string {
  switch (option.kind) {
    case 'size':
    case 'power-of-two-size':
      // With the limit of a line it has to stay at a quarter of the ring.
      return option.key === 'ring.bytes' ? '64MiB' : option.min;
    case 'duration':
      return option.max;
    case 'integer':
    case 'auto-integer':
      return String(option.min + 1);
    case 'enum':
      return option.values.find((word) => word !== option.default)!;
    case 'mode':
      return '0600';
    case 'string':
      return 'adm';
    case 'user-ids':
      return '0, 1000';
    case 'loopback-address':
      return '127.0.0.1:9187';
  }
}

test.each(
  OPTIONS.map((option) => [option.key, option.reload ? 'is taken' : 'needs a restart', option] as const),
)('a change of %s %s', (key, _, option) => {
  const current = configWith();
  const read = configWith(`${key}=${otherValue(option)}`);
  const { config, taken, needRestart } = reloadConfig(current, read);
  expect(taken.map((change) => change.option.key)).toEqual(option.reload ? [key] : []);
  expect(needRestart.map((change) => change.option.key)).toEqual(option.reload ? [] : [key]);
  const inForce = option.reload ? read : current;
  expect(config).toEqual({ ...current, ...inForce });
  expect(optionValue(config, option)).toEqual(optionValue(inForce, option));
});

test('what needs a restart is named again each time, and what was taken is not', () => {
  const read = configWith('ring.bytes=64MiB', 'archive.sync_interval=2s');
  const first = reloadConfig(configWith(), read);
  const second = reloadConfig(first.config, read);
  expect(second.taken).toEqual([]);
  expect(second.needRestart).toMatchObject([{ before: '"32MiB"', after: '"64MiB"' }]);
  expect(reloadConfig(second.config, configWith())).toMatchObject({
    needRestart: [],
    taken: [{ before: '"2s"' }],
  });
});

test('a configuration that cannot be used changes nothing, and the log has all that is wrong', () => {
  const said: string[] = [];
  const log = { error: (text: string) => said.push(text) };
  const read = () => {
    throw new Failure('ERR_CONFIG_INVALID', '2 problems');
  };
  expect(tryReload(configWith(), read, log as never)).toBe(null);
  expect(said).toEqual([
    'nothing has changed, as the configuration cannot be used: ERR_CONFIG_INVALID: 2 problems',
  ]);
});
