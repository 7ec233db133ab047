import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { exampleWorkload } from '../../demo/workload.js';
import { Child } from '../support/children.js';

const WITHIN_MS = 30_000;

async function until(holds: () => boolean | Promise<boolean>, demo: Child): Promise<void> {
  const end = performance.now() + WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > end || !demo.isAlive)
      throw new Error(`the demo did not: ${demo.stdout}${demo.stderr}`);
    await sleep(30);
  }
}

// biome-ignore lint/suspicious/noExplicitAny: read as the contract describes it
async function json(url: string): Promise<any> {
  return (await fetch(url)).json();
}

test.each([['SIGINT'], ['SIGTERM']] as const)(
  'the demo shows a page with workflows that run, and at %s ends its daemon and removes its folder',
  async (signal) => {
    const demo = new Child('demo/main.js', ['20']);
    onTestFinished(async () => {
      demo.signal('SIGTERM');
      await demo.ended;
    });
    await until(() => demo.stdout.includes('Ctrl-C ends the demo'), demo);
    const url = /^the page: +(http:\S+)$/m.exec(demo.stdout)![1]!;
    const folder = /--state-dir (\S+)/.exec(demo.stdout)![1]!;
    expect(await (await fetch(url)).text()).toContain('<title>tallyd</title>');
    await until(async () => (await json(`${url}v1/workflows?status=completed`)).workflows.length > 2, demo);
    const { pid, ingest } = await json(`${url}v1/status`);
    expect(ingest).toMatchObject({ rejected: 0, dropped: 0 });
    expect(existsSync(folder)).toBe(true);
    demo.signal(signal);
    expect(await demo.ended).toMatchObject({ code: 0, stderr: '' });
    expect(existsSync(folder)).toBe(false);
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  },
);

test('a speed that is none is refused', async () => {
  const demo = new Child('demo/main.js', ['fast']);
  expect(await demo.ended).toMatchObject({ code: 64, stderr: expect.stringContaining('[SPEED] [PORT]') });
});

test('the example workload is the same for the same seed, in the order of its times, and has failures, phases and children', () => {
  const take = (seed: number) => {
    const events = exampleWorkload(seed);
    return Array.from({ length: 3000 }, () => events.next().value!);
  };
  const timed = take(1);
  expect(take(1)).toEqual(timed);
  expect(take(2)).not.toEqual(timed);
  const times = timed.map(({ at }) => at);
  expect([...times].sort((a, b) => a - b)).toEqual(times);
  const count = (fits: (event: (typeof timed)[number]['event']) => boolean) =>
    timed.filter(({ event }) => fits(event)).length;
  for (const type of [
    'workflow.start',
    'workflow.phase',
    'workflow.end',
    'task.start',
    'task.end',
    'group',
    'sample',
  ]) {
    expect(
      count((event) => event.type === type),
      type,
    ).toBeGreaterThan(5);
  }
  expect(count(({ parent }) => parent !== undefined)).toBeGreaterThan(5);
  expect(count(({ type, status }) => type === 'task.end' && status !== 'completed')).toBeGreaterThan(5);
});
