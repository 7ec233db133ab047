import { expect, test } from 'vitest';
import { Pulse } from '../../src/daemon/pulse.js';

const stage = (position: number, hasWork = true) => ({
  name: 'fold',
  hasWork,
  position: String(position),
  stillMsMax: 100,
});

test('a stage that gets on is not stuck, however long it has work', () => {
  const pulse = new Pulse();
  for (let i = 0; i < 50; i++) expect(pulse.beat([stage(i)], i * 90)).toEqual([]);
});

test('a stage without work may stand still for ever', () => {
  const pulse = new Pulse();
  for (let i = 0; i < 50; i++) expect(pulse.beat([stage(7, false)], i * 1000)).toEqual([]);
});

test('a stage that stands still with work before it is stuck after its time, until it moves', () => {
  const pulse = new Pulse();
  expect(pulse.beat([stage(7)], 1000)).toEqual([]);
  expect(pulse.beat([stage(7)], 1100)).toEqual([]);
  expect(pulse.beat([stage(7)], 1101)).toEqual([{ name: 'fold', stillMs: 101 }]);
  expect(pulse.beat([stage(7)], 5000)).toEqual([{ name: 'fold', stillMs: 4000 }]);
  expect(pulse.beat([stage(8)], 5001)).toEqual([]);
  expect(pulse.beat([stage(8)], 5101)).toEqual([]);
});

test('the time that a stage may stand still begins when its work is seen, however long ago the last look was', () => {
  const pulse = new Pulse();
  expect(pulse.beat([stage(7, false)], 0)).toEqual([]);
  expect(pulse.beat([stage(7)], 10_000)).toEqual([]);
  expect(pulse.beat([stage(7)], 10_100)).toEqual([]);
  expect(pulse.beat([stage(7)], 10_101)).toEqual([{ name: 'fold', stillMs: 101 }]);
});

test('each stage has a time of its own', () => {
  const pulse = new Pulse();
  const stages = [stage(1), { ...stage(1), name: 'archive', stillMsMax: 1000 }];
  pulse.beat(stages, 0);
  expect(pulse.beat(stages, 500).map(({ name }) => name)).toEqual(['fold']);
  expect(pulse.beat(stages, 1500).map(({ name }) => name)).toEqual(['fold', 'archive']);
});
