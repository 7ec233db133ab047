import { fstatSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createLog, type LogSettings, RateLimited } from '../../src/daemon/log.js';

function logged(settings: Partial<LogSettings>, facts: { isTTY?: boolean; fd?: number } = {}) {
  const texts: string[] = [];
  const stderr = { ...facts, write: (text: string) => texts.push(text) };
  return { log: createLog({ level: 'info', format: 'auto', env: {}, stderr, ...settings }), texts };
}

/** What systemd would set if descriptor 2 were the journal's. */
function journalOf(fd: number): string {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return `${dev}:${ino}`;
}

test('elsewhere than on a terminal a line is JSON with level, time and message, and written at once', () => {
  const { log, texts } = logged({});
  log.info({ lines: 3 }, 'ready');
  log.debug('not said at this level');
  expect(texts).toHaveLength(1);
  expect(JSON.parse(texts[0]!)).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    lines: 3,
    msg: 'ready',
  });
});

test('on a terminal a line is for people, in colour unless NO_COLOR is set', () => {
  const coloured = logged({}, { isTTY: true });
  coloured.log.warn({ reason: 'x' }, 'careful');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour starts with one
  expect(coloured.texts.join('')).toMatch(/\x1b\[\d+mWARN.*careful.*\n$/);
  const plain = logged({ env: { NO_COLOR: '1' } }, { isTTY: true });
  plain.log.warn({ reason: 'x' }, 'careful');
  expect(plain.texts.join('')).toMatch(/^\[[\d: .-]+\] WARN: careful \{"reason":"x"\}\n$/);
});

test('a format that is asked for is kept to, wherever it goes', () => {
  const json = logged({ format: 'json' }, { isTTY: true });
  json.log.info('a');
  expect(JSON.parse(json.texts[0]!)).toMatchObject({ msg: 'a' });
  const pretty = logged({ format: 'pretty' });
  pretty.log.info('a');
  expect(pretty.texts[0]).toMatch(/INFO: a\n$/);
});

test('what is logged cannot draw on the terminal', () => {
  const { log, texts } = logged({ format: 'pretty' });
  log.info({ id: '\x1b[2J\r\\u001b' }, 'of \x1b[31m\x9b\\ it');
  const text = texts.join('');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  expect(text).toContain('of \\u001b[31m\\u009b\\ it');
});

test('for the journal each line has its priority, and no time', () => {
  const env = { JOURNAL_STREAM: journalOf(2) };
  const { log, texts } = logged({ env, level: 'debug' }, { fd: 2 });
  log.error('a');
  log.warn('b');
  log.info('c');
  log.debug('d');
  expect(texts.map((text) => text.slice(0, 3))).toEqual(['<3>', '<4>', '<6>', '<7>']);
  expect(JSON.parse(texts[2]!.slice(3))).toEqual({ level: 'info', msg: 'c' });
});

test('for the journal every line of a stack has its priority', () => {
  const { log, texts } = logged({ env: { JOURNAL_STREAM: journalOf(2) }, format: 'pretty' }, { fd: 2 });
  log.error(new Error('no'));
  const lines = texts.join('').trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) expect(line).toMatch(/^<3>/);
});

test("a stream that is not the journal's, though the variable was inherited, gets no priorities", () => {
  for (const JOURNAL_STREAM of ['1:2', '', 'x']) {
    const { log, texts } = logged({ env: { JOURNAL_STREAM } }, { fd: 2 });
    log.info('a');
    expect(texts[0]).toMatch(/^\{/);
  }
});

test('of one key so many messages are said in an interval, and then how many were not', () => {
  let now = 0;
  const limited = new RateLimited({ countMax: 2, intervalMs: 1000, nowMs: () => now });
  const said: string[] = [];
  const say = (key: string) => limited.say(key, (more) => said.push(`${key}${more}`));
  for (let i = 0; i < 1236; i++) say('a');
  say('b');
  expect(said).toEqual(['a', 'a', 'b']);
  now = 1000;
  say('a');
  say('a');
  say('a');
  expect(said.slice(3)).toEqual(['a (and 1234 more)', 'a']);
});

test('what was held back is told by the timer where no message follows', () => {
  let now = 0;
  const limited = new RateLimited({ countMax: 1, intervalMs: 1000, nowMs: () => now });
  const told: string[] = [];
  const flush = (atEnd?: boolean) => limited.flush((key, more) => told.push(`${key}${more}`), atEnd);
  for (let i = 0; i < 5; i++) limited.say('a', () => {});
  limited.say('quiet', () => {});
  flush();
  expect(told).toEqual([]);
  now = 1000;
  flush();
  flush();
  expect(told).toEqual(['a (and 4 more)']);
  limited.say('a', () => {});
  limited.say('a', () => {});
  flush(true);
  expect(told).toEqual(['a (and 4 more)', 'a (and 1 more)']);
});

test('keys beyond the bound share one', () => {
  const limited = new RateLimited({ countMax: 1, intervalMs: 1000, nowMs: () => 0, keysMax: 2 });
  const said: string[] = [];
  for (const key of ['a', 'b', 'c', 'd', 'a']) limited.say(key, () => said.push(key));
  expect(said).toEqual(['a', 'b', 'c']);
});
