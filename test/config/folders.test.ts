import { expect, test } from 'vitest';
import { type FolderFlags, foldersOf } from '../../src/config/folders.js';

const ANN = { uid: 1000, homeDir: '/home/ann' };
const ROOT = { uid: 0, homeDir: '/root' };
const XDG = { XDG_STATE_HOME: '/x/state', XDG_RUNTIME_DIR: '/x/run' };
const SYSTEMD = { STATE_DIRECTORY: '/s/state', RUNTIME_DIRECTORY: '/s/run' };

test.each<[string, FolderFlags, Record<string, string>, typeof ANN, string, string]>([
  ['the flags come first', { stateDir: '/a', runtimeDir: '/b' }, { ...SYSTEMD, ...XDG }, ROOT, '/a', '/b'],
  ["then systemd's folders", {}, { ...SYSTEMD, ...XDG }, ROOT, '/s/state', '/s/run'],
  [
    "of several folders of systemd's the first counts",
    {},
    { STATE_DIRECTORY: '/s/1:/s/2', RUNTIME_DIRECTORY: '/r/1:/r/2' },
    ANN,
    '/s/1',
    '/r/1',
  ],
  ["then the session's, also for root", {}, XDG, ROOT, '/x/state/tallyd', '/x/run/tallyd'],
  ["then the system's for root", {}, {}, ROOT, '/var/lib/tallyd', '/run/tallyd'],
  ["else the user's", {}, {}, ANN, '/home/ann/.local/state/tallyd', '/home/ann/.local/state/tallyd/run'],
  [
    'HOME says where home is',
    {},
    { HOME: '/h' },
    ANN,
    '/h/.local/state/tallyd',
    '/h/.local/state/tallyd/run',
  ],
  [
    'each of the two is found on its own',
    { stateDir: '/a' },
    { XDG_STATE_HOME: '/x' },
    ANN,
    '/a',
    '/home/ann/.local/state/tallyd/run',
  ],
  [
    'an empty variable is not set, and a relative one of XDG is invalid',
    {},
    { STATE_DIRECTORY: '', RUNTIME_DIRECTORY: ':', XDG_STATE_HOME: 'rel', XDG_RUNTIME_DIR: '' },
    ROOT,
    '/var/lib/tallyd',
    '/run/tallyd',
  ],
])('%s', (_, flags, env, host, stateDir, runtimeDir) => {
  expect(foldersOf(flags, env, host)).toEqual({ stateDir, runtimeDir });
});

test('a relative flag counts from where the command runs', () => {
  expect(foldersOf({ stateDir: 'here' }, {}, ANN).stateDir).toBe(`${process.cwd()}/here`);
});
