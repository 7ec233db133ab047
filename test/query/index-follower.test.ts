import { expect, onTestFinished, test } from 'vitest';
import type { LogIndex } from '../../src/archive/log-index.js';
import type { LogPosition } from '../../src/archive/log-reader.js';
import { Failure } from '../../src/model/failure.js';
import { IndexFollower } from '../../src/query/index-follower.js';

const MIB = 1024 * 1024;

function following(follow: (position: LogPosition) => Promise<boolean> = async () => true) {
  const followed: LogPosition[] = [];
  const state = { position: { segment: 1, offset: 0 }, isReady: true, stalls: 0 };
  const warnings: string[] = [];
  const bugs: unknown[] = [];
  const index = {
    follow: (position: LogPosition) => {
      followed.push(position);
      return follow(position);
    },
  };
  const follower = new IndexFollower(index as LogIndex, {
    isReady: () => state.isReady,
    stalls: () => state.stalls,
    position: () => state.position,
    onWarning: (text) => warnings.push(text),
    onBug: (error) => bugs.push(error),
  });
  onTestFinished(() => follower.stop());
  const look = async () => {
    follower.look();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { followed, state, warnings, bugs, look };
}

test('the log is followed from its beginning, by lots, and to the end of each segment', async () => {
  const { followed, state, look } = following();
  for (const position of [
    { segment: 1, offset: 10 },
    { segment: 1, offset: 10 + MIB - 1 },
    { segment: 1, offset: 10 + MIB },
    { segment: 9, offset: 5 },
    { segment: 9, offset: 6 },
  ]) {
    state.position = position;
    await look();
  }
  expect(followed).toEqual([
    { segment: 1, offset: 10 },
    { segment: 1, offset: 10 + MIB },
    { segment: 9, offset: 5 },
  ]);
});

test('a start, and an ingestion that stands still for want of room, come first; but a load that lasts is indexed', async () => {
  const { followed, state, look } = following();
  state.isReady = false;
  await look();
  expect(followed).toEqual([]);
  state.isReady = true;
  let looks = 0;
  for (; followed.length === 0; looks++) {
    state.stalls++;
    await look();
  }
  expect(looks).toBe(16);
  state.position = { segment: 1, offset: MIB };
  await look();
  expect(followed).toHaveLength(2);
});

test('what cannot be indexed is told once, and tried again', async () => {
  let text = 'a disk that fails';
  const { followed, state, warnings, bugs, look } = following(async () => {
    throw new Failure('ERR_IO', text);
  });
  for (const offset of [0, MIB, 2 * MIB]) {
    state.position = { segment: 1, offset };
    await look();
  }
  text = 'another';
  state.position = { segment: 2, offset: 0 };
  await look();
  expect(followed).toHaveLength(4);
  expect(warnings).toEqual([
    'the archive is not indexed: a disk that fails',
    'the archive is not indexed: another',
  ]);
  expect(bugs).toEqual([]);
});
