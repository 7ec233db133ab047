import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Config } from '../../src/config/config.js';
import { OPTIONS, type Option } from '../../src/config/options.js';
import { renderConfig } from '../../src/config/render.js';
import { tryParseSize } from '../../src/config/sizes.js';
import { tryParseDuration } from '../../src/model/durations.js';
import { load, loadSet, writeFile } from './scratch.js';

/** What is set, without where it was. */
function values({ sources: _, file: __, ...rest }: Config): unknown {
  return rest;
}

/** Anything that an option takes, as a flag has it. */
function settings(option: Option): fc.Arbitrary<string> {
  switch (option.kind) {
    case 'size':
      // Lines stay below a quarter of the smallest ring.
      return fc
        .integer({ min: tryParseSize(option.min)!, max: Math.min(tryParseSize(option.max)!, 2 ** 50) })
        .map((bytes) => String(option.key === 'ingest.max_line_bytes' ? Math.min(bytes, 2 ** 18) : bytes));
    case 'power-of-two-size':
      return fc.integer({ min: 20, max: 30 }).map((bits) => String(2 ** bits));
    case 'duration':
      return fc
        .integer({ min: tryParseDuration(option.min)!, max: tryParseDuration(option.max)! })
        .map((ms) => `${ms}ms`);
    case 'integer':
      return fc.integer({ min: option.min, max: option.max }).map(String);
    case 'auto-integer':
      return fc.oneof(fc.constant('auto'), fc.integer({ min: option.min, max: option.max }).map(String));
    case 'enum':
      return fc.constantFrom(...option.values);
    case 'mode':
      return fc.integer({ min: 0, max: 0o777 }).map((mode) => mode.toString(8).padStart(4, '0'));
    case 'string':
      return fc.string({ maxLength: 50, unit: 'binary' }).filter((text) => !text.includes('\0'));
    case 'user-ids':
      return fc
        .uniqueArray(fc.integer({ min: 0, max: 0xffff_fffe }), { maxLength: 5 })
        .map((ids) => ids.join(','));
    case 'loopback-address':
      return fc.constantFrom('', '127.0.0.1:9187', '[::1]:1', 'localhost:65535');
  }
}

test('what is rendered reads as the same configuration, whatever is set', () => {
  const flags = fc.tuple(...OPTIONS.map((option) => settings(option).map((text) => `${option.key}=${text}`)));
  fc.assert(
    fc.property(flags, (set) => {
      const config = loadSet(...set);
      const again = load({ file: writeFile(renderConfig(config)) });
      expect(values(again)).toEqual(values(config));
      expect(new Set(Object.values(again.sources).map(({ from }) => from))).toEqual(new Set(['file']));
    }),
    { numRuns: 50 },
  );
});

test('above every key stand what it is for, its default, its bounds, and who set it', () => {
  const text = renderConfig(load({ env: { TALLYD_RING__BYTES: '64MiB' } }));
  expect(text).toContain(
    '# Default "32MiB"; a power of two, "1MiB" to "1GiB".\n# Set by TALLYD_RING__BYTES.\nbytes = "64MiB"\n',
  );
  const lines = text.split('\n');
  for (const { key } of OPTIONS) {
    const name = key.slice(key.indexOf('.') + 1);
    expect(lines.some((line, i) => line.startsWith(`${name} = `) && lines[i - 1]!.startsWith('# '))).toBe(
      true,
    );
  }
});

test('a folder with a line end in its name stays in its comment', () => {
  const config = load({ flags: { stateDir: '/a\nring.bytes = 1' } });
  expect(renderConfig(config)).toContain('# State directory:   /a?ring.bytes = 1\n');
});
