import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { Io } from '../../src/cli/io.js';
import { TopTerminal } from '../../src/cli/top-terminal.js';

const ENTER = '\x1b[?1049h';
const LEAVE = '\x1b[?1049l';
const SHOW_CURSOR = '\x1b[?25h';

function fakeTerminal() {
  const written: string[] = [];
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (mode: boolean) => modes.push(mode),
  });
  const stdout = Object.assign(new EventEmitter(), {
    isTTY: true,
    columns: 20,
    rows: 3,
    write: (text: string) => written.push(text),
  });
  const signals = new EventEmitter();
  const io = { stdin, stdout, stderr: stdout, env: {}, signals } as unknown as Io;
  const told: string[] = [];
  const terminal = new TopTerminal(io, {
    onKey: (key) => told.push(`key ${key}`),
    onRedraw: () => told.push('redraw'),
    onEnd: (signal) => told.push(signal),
  });
  terminal.open();
  /** What was written since the last look. */
  const take = () => written.splice(0).join('');
  return { terminal, stdin, stdout, signals, modes, told, take };
}

test('a frame writes the lines that changed, and empties what is left of the screen', () => {
  const { terminal, take } = fakeTerminal();
  take();
  terminal.draw(['one', 'two', 'three']);
  const first = take();
  for (const line of ['one', 'two', 'three']) expect(first).toContain(line);
  terminal.draw(['one', 'TWO']);
  const second = take();
  expect(second).toContain('TWO');
  expect(second).not.toMatch(/one|three/);
  expect(second.split('\x1b[K')).toHaveLength(3);
  terminal.draw(['one', 'TWO']);
  expect(take()).toBe('');
});

test('lines below the screen are left out', () => {
  const { terminal, take } = fakeTerminal();
  terminal.draw(['a', 'b', 'c', 'below']);
  expect(take()).not.toContain('below');
});

test('after a resize everything is drawn again', () => {
  const { terminal, stdout, told, take } = fakeTerminal();
  terminal.draw(['one']);
  stdout.emit('resize');
  expect(told).toEqual(['redraw']);
  take();
  terminal.draw(['one']);
  expect(take()).toContain('one');
});

test.each([
  ['a letter', 'G', ['key G']],
  ['arrows', '\x1b[A\x1bOB', ['key up', 'key down']],
  ['page keys', '\x1b[5~\x1b[6~\x1b[H\x1b[F', ['key pageup', 'key pagedown', 'key home', 'key end']],
  ['Enter, Tab and Backspace', '\r\t\x7f', ['key return', 'key tab', 'key backspace']],
  ['Ctrl-C', '\x03', ['key ctrl+c']],
  ['what a person types in other letters', 'é表', ['key é', 'key 表']],
  ['bytes that are no text', '\xff\x80', []],
])('%s is read as keys', (_, typed, keys) => {
  const { stdin, told } = fakeTerminal();
  stdin.emit('data', typed.startsWith('\xff') ? Buffer.from(typed, 'latin1') : Buffer.from(typed));
  expect(told.filter((each) => !each.includes('\ufffd'))).toEqual(keys);
});

test.each([['SIGINT'], ['SIGTERM'], ['SIGHUP']])('%s is told', (signal) => {
  const { signals, told } = fakeTerminal();
  signals.emit(signal);
  expect(told).toEqual([signal]);
});

test.each([['uncaughtException'], ['exit']])(
  'at %s the terminal is given back, before others write to it',
  (event) => {
    const { terminal, signals, modes, take } = fakeTerminal();
    expect(take()).toContain(ENTER);
    let atThatTime = '';
    signals.on(event, () => {
      atThatTime = take();
    });
    signals.emit(event);
    expect(atThatTime).toContain(SHOW_CURSOR + LEAVE);
    expect(modes).toEqual([true, false]);
    terminal.draw(['no more']);
    expect(take()).toBe('');
  },
);

test('SIGCONT opens the screen again, and asks for all of it', () => {
  const { signals, told, modes, take } = fakeTerminal();
  signals.emit('exit');
  take();
  signals.emit('SIGCONT');
  expect(take()).toContain(ENTER);
  expect(modes).toEqual([true, false, true]);
  expect(told).toEqual(['redraw']);
});

test('closed, it leaves no listener behind', () => {
  const { terminal, stdout, signals, take } = fakeTerminal();
  terminal.close();
  terminal.close();
  expect(take().split(LEAVE)).toHaveLength(2);
  expect(signals.eventNames()).toEqual([]);
  expect(stdout.eventNames()).toEqual([]);
});
