/** The page in a real Chromium, on a real daemon: with the real executions, with nothing, with much, and with the daemon gone. */

import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Browser, type ViewOptions } from '../support/browser.js';
import { TestDaemon } from '../support/daemon.js';
import { readExecutions } from '../support/real-executions.js';

const LISTEN = { 'control.listen': '127.0.0.1:0' };
const EXECUTIONS = 69;
const VIEWS = ['', 'workflows', 'agents', 'history', 'live'];

/** A daemon, and the address of its page. */
class Site {
  readonly daemon: TestDaemon;
  readonly #url: string;

  private constructor(daemon: TestDaemon) {
    this.daemon = daemon;
    this.#url = /"url":"(http[^"]*)"/.exec(daemon.stderr)![1]!;
  }

  static async start(...lines: readonly (string | object)[]): Promise<Site> {
    const daemon = await TestDaemon.start(LISTEN);
    if (lines.length > 0) await daemon.send(...lines);
    return new Site(daemon);
  }

  urlOf(view: string): string {
    return `${this.#url}#/${view}`;
  }

  /** On its port of before. */
  async restart(): Promise<void> {
    await this.daemon.restart({ 'control.listen': new URL(this.#url).host });
  }

  end(): Promise<void> {
    return this.daemon.remove();
  }
}

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function siteWith(...lines: readonly (string | object)[]): Promise<Site> {
  const site = await Site.start(...lines);
  ends.push(() => site.end());
  return site;
}

/** A browser that complains of nothing by the end of the test. */
async function browse(options?: ViewOptions): Promise<Browser> {
  const browser = await Browser.start(options);
  ends.push(async () => {
    await browser.close();
    expect(browser.complaints).toEqual([]);
  });
  return browser;
}

function rowsOf(page: Page, table: string): Promise<string[]> {
  return page.getByRole('table', { name: table, exact: true }).locator('tbody tr').allInnerTexts();
}

describe('with the real executions', () => {
  let site: Site;
  beforeAll(async () => {
    site = await Site.start();
    const client = await site.daemon.connect();
    await client.write(readExecutions());
    await client.sync();
  }, 120_000);
  afterAll(() => site.end());

  test('every view shows them, asks nobody but the daemon, and breaks no rule of its policy', async () => {
    const browser = await browse();
    const page = await browser.open(site.urlOf(''));
    await page.getByText('92,846 since the start').waitFor();

    await page.getByRole('link', { name: 'Workflows', exact: true }).click();
    await page.getByRole('status').getByText(String(EXECUTIONS), { exact: true }).waitFor();
    expect(await rowsOf(page, 'Workflows')).toHaveLength(EXECUTIONS);

    await page.getByRole('link', { name: 'blast-chameleon-small-001' }).click();
    await page.getByRole('heading', { name: 'blast-chameleon-small-001' }).waitFor();
    const tasks = (await site.daemon.workflow('blast-chameleon-small-001')).body.tasks_total;
    await page.getByRole('application', { name: `Timeline of ${tasks} tasks` }).waitFor();
    expect(await rowsOf(page, 'Tasks')).toHaveLength(Math.min(tasks, 100));

    await page.getByRole('link', { name: 'Agents', exact: true }).click();
    await page.getByRole('table', { name: 'Agents' }).waitFor();
    const agents = await site.daemon.groups('task_duration_seconds', 'agent');
    const shown = await rowsOf(page, 'Agents');
    expect(shown).toHaveLength(agents.length);
    expect(shown[0]).toContain(agents[0].labels.agent);
    expect(shown[0]).toContain(agents[0].count.toLocaleString('en-US'));

    await page.getByRole('link', { name: agents[0].labels.agent, exact: true }).click();
    await page.getByRole('img', { name: /^Durations from .* most often/ }).waitFor();
    await page.getByRole('table', { name: 'By kind and outcome' }).waitFor();

    await page.getByRole('link', { name: 'History', exact: true }).click();
    const [all] = await site.daemon.groups('task_duration_seconds', '');
    await expect
      .poll(() => rowsOf(page, 'Groups').then(([row]) => row))
      .toContain(all.count.toLocaleString('en-US'));

    await page.getByRole('link', { name: 'Live' }).click();
    await page.getByText(/^receiving/).waitFor();
    await site.daemon.send({ type: 'sample', name: 'rows', value: 3, tags: { table: 'orders' } });
    await page.getByRole('cell', { name: 'sample' }).waitFor();
    await site.daemon.send({ type: 'deploy.begun', host: 'web-1' });
    await page.getByRole('cell', { name: 'deploy.begun' }).waitFor();
  });

  test('workflows are filtered by the daemon and searched by what was typed, and the address says both', async () => {
    const page = await (await browse()).open(site.urlOf('workflows'));
    await page.getByRole('textbox', { name: 'project' }).fill('makeflow');
    await page.getByRole('searchbox').fill('BLAST');
    await expect
      .poll(async () => new Set((await rowsOf(page, 'Workflows')).map((row) => row.includes('blast'))))
      .toEqual(new Set([true]));
    expect(new URL(page.url()).hash).toBe('#/workflows?project=makeflow&q=BLAST');
    await page.reload();
    await expect.poll(() => rowsOf(page, 'Workflows').then((rows) => rows.length)).toBeGreaterThan(0);
    expect(await page.getByRole('searchbox').inputValue()).toBe('BLAST');
    await page.getByRole('radio', { name: 'running' }).check({ force: true });
    await page.getByText('No workflow in memory is like that.').waitFor();
  });

  test('a task is chosen by keys, said, shown, and named by the address', async () => {
    const page = await (await browse()).open(site.urlOf('workflow/blast-chameleon-small-001'));
    const timeline = page.getByRole('application');
    await timeline.focus();
    await page.keyboard.press('End');
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    const said = page.locator('[aria-live=polite]');
    await expect.poll(() => said.textContent()).toMatch(/^\S+, agent \S+, completed, \S+$/);
    const [task = ''] = (await said.textContent())!.split(',');
    await page.getByRole('region', { name: task }).getByText('completed').waitFor();
    expect(decodeURIComponent(new URL(page.url()).hash)).toContain(`task=${task}`);
    await page.reload();
    await page.getByRole('region', { name: task }).waitFor();
    await timeline.focus();
    await page.keyboard.press('Escape');
    await page.getByRole('region', { name: task }).waitFor({ state: 'detached' });
  });

  test('from the top of the page Tab goes over the skip button, the views and into the content', async () => {
    const page = await (await browse()).open(site.urlOf('workflows'));
    await page.getByRole('table').waitFor();
    const focused: string[] = [];
    for (let i = 0; i < 9; i++) {
      await page.keyboard.press('Tab');
      focused.push(
        await page.evaluate(
          'document.activeElement.textContent || document.activeElement.getAttribute("aria-label")',
        ),
      );
    }
    expect(focused).toEqual([
      'Skip to content',
      'tallyd',
      'Overview',
      'Workflows',
      'Agents',
      'History',
      'Live',
      expect.stringMatching(/^Colours: as the system/),
      'Search id, name, project',
    ]);
    await page.keyboard.press('Shift+Tab');
    await page.getByRole('button', { name: 'Skip to content' }).press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
  });

  test.each([['light'], ['dark']] as const)('no view breaks a rule of axe in %s', async (shade) => {
    const browser = await browse({ shade, isOpenToTests: true });
    const page = await browser.open(site.urlOf(''));
    const found: string[] = [];
    for (const view of [...VIEWS, 'workflow/blast-chameleon-small-001', 'agent/worker-1.novalocal']) {
      await page.goto(site.urlOf(view));
      await page.locator('main').getByRole('heading').first().waitFor();
      await page.waitForLoadState('networkidle').catch(() => {});
      await page.evaluate(axe.source);
      const violations = (await page.evaluate(
        "axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))",
      )) as string[];
      found.push(...violations.map((violation) => `${view}: ${violation}`));
    }
    expect(found).toEqual([]);
  });

  test.each([[360], [800], [1920]])('no view is wider than a window of %d pixels', async (width) => {
    const page = await (await browse({ width })).open(site.urlOf(''));
    for (const view of [...VIEWS, 'workflow/blast-chameleon-small-001', 'agent/worker-1.novalocal']) {
      await page.goto(site.urlOf(view));
      await page.locator('main').getByRole('heading').first().waitFor();
      expect(
        await page.evaluate('document.documentElement.scrollWidth - innerWidth'),
        view,
      ).toBeLessThanOrEqual(0);
    }
  });

  test('the colours follow the system until somebody chooses, and the choice stays', async () => {
    const page = await (await browse({ shade: 'dark' })).open(site.urlOf(''));
    const shade = () => page.evaluate('document.documentElement.dataset.shade');
    expect(await shade()).toBe('dark');
    await page.getByRole('button', { name: /^Colours: as the system/ }).click();
    expect(await shade()).toBe('light');
    await page.reload();
    expect(await shade()).toBe('light');
    await page.getByRole('button', { name: /^Colours: light/ }).click();
    await page.emulateMedia({ colorScheme: 'light' });
    expect(await shade()).toBe('dark');
  });
});

test('with nothing running every view says so, and how to begin', async () => {
  const site = await siteWith();
  const page = await (await browse()).open(site.urlOf(''));
  await page.getByText('tallyd send').waitFor();
  await page.getByText('No failed task is in memory.').waitFor();
  await page.goto(site.urlOf('workflows'));
  await page.getByText('No workflow is in memory yet.').waitFor();
  await page.goto(site.urlOf('agents'));
  await page.getByText('No task has ended yet.').waitFor();
  await page.goto(site.urlOf('workflow/nobody'));
  await page.getByText('No such workflow').waitFor();
  await page.goto(site.urlOf('no-such-view'));
  await page.getByRole('heading', { name: 'No such view' }).waitFor();
});

test('a workflow that runs grows before the eyes', async () => {
  const site = await siteWith({ type: 'workflow.start', workflow: 'w' });
  const page = await (await browse()).open(site.urlOf('workflow/w'));
  await page.getByText('No task of this workflow is known yet.').waitFor();
  await site.daemon.send({ type: 'task.start', workflow: 'w', task: 'one', agent: 'a' });
  await page.getByRole('cell', { name: 'running' }).waitFor();
  await site.daemon.send({
    type: 'task.end',
    workflow: 'w',
    task: 'one',
    agent: 'a',
    status: 'failed',
    error: 'no disk',
  });
  await page.getByRole('cell', { name: 'failed' }).waitFor();
  await page.getByText('no disk').waitFor();
});

test('history asks for whole hours, and shows their sum, their course, and the first lines of the archive', async () => {
  const site = await siteWith({ type: 'task.end', task: 't', agent: 'a', status: 'completed', duration: 2 });
  const page = await (await browse()).open(site.urlOf(''));
  const asked: URLSearchParams[] = [];
  const group = {
    count: 12,
    sum: 24,
    mean: 2,
    variance: 1,
    stddev: 1,
    min: 1,
    max: 4,
    p50: 2,
    p90: 3,
    p95: 3.5,
    p99: 4,
    rate: 1,
  };
  await page.route(/\/v1\/stats\?.*since=/, (route) => {
    const query = new URL(route.request().url()).searchParams;
    asked.push(query);
    const labels = query.get('by') === 'agent' ? { agent: 'loader-1' } : {};
    return route.fulfill({
      json: { metric: 'task_duration_seconds', window: 'all', by: [], groups: [{ labels, ...group }] },
    });
  });
  const lines = Array.from({ length: 300 }, (_, i) =>
    JSON.stringify({ type: 'sample', name: 'x', value: i }),
  );
  await page.route(/\/v1\/archive\?/, (route) =>
    route.fulfill({ contentType: 'application/x-ndjson', body: `${lines.join('\n')}\n` }),
  );
  await page.goto(site.urlOf('history?by=agent'));
  await page.getByRole('table', { name: 'Groups' }).getByText('loader-1').waitFor();
  await expect.poll(() => asked.length).toBe(1 + 24);
  for (const query of asked) {
    expect(Number(query.get('since')) % 3600).toBe(0);
    expect(Number(query.get('until')) % 3600).toBe(0);
  }
  await page.getByRole('radio', { name: '7d' }).check({ force: true });
  await expect.poll(() => asked.length).toBe(1 + 24 + 1 + 56);
  await page.getByRole('button', { name: /^Show the first/ }).click();
  await expect
    .poll(() =>
      page
        .locator('pre')
        .textContent()
        .then((text) => text?.split('\n')),
    )
    .toEqual(lines.slice(0, 200));
});

test('what the daemon does not answer yet is said in its words', async () => {
  const site = await siteWith();
  const page = await (await browse()).open(site.urlOf(''));
  const problem = {
    type: 'about:blank',
    title: 'Not built yet',
    status: 501,
    detail: 'since is not built yet',
  };
  await page.route(/since=/, (route) =>
    route.fulfill({ status: 501, contentType: 'application/problem+json', json: problem }),
  );
  await page.goto(site.urlOf('history'));
  await page.getByText('since is not built yet').waitFor();
});

test('a family is a tree, on the page of the parent and in the list', async () => {
  const start = (workflow: string, parent?: string) => ({
    type: 'workflow.start',
    workflow,
    ...(parent && { parent }),
  });
  const site = await siteWith(
    start('root'),
    start('child', 'root'),
    start('grandchild', 'child'),
    start('other'),
  );
  const page = await (await browse()).open(site.urlOf('workflow/root'));
  await page.getByRole('button', { name: 'Workflows that child has started' }).click();
  await page.getByRole('link', { name: 'grandchild' }).click();
  await page
    .getByRole('region', { name: 'Family' })
    .getByRole('link', { name: 'child', exact: true })
    .waitFor();
  await page.goto(site.urlOf('workflows?tree=1'));
  const ids = () => page.locator('tbody .id').allInnerTexts();
  await expect.poll(ids).toHaveLength(4);
  const shown = await ids();
  expect(shown.slice(shown.indexOf('root'), shown.indexOf('root') + 3)).toEqual([
    'root',
    'child',
    'grandchild',
  ]);
});

test('a thousand workflows are listed, and sorted by any column', async () => {
  const lines = Array.from({ length: 1000 }, (_, i) => [
    { type: 'workflow.start', workflow: `w-${i}`, ts: 1_700_000_000 + i },
    {
      type: 'workflow.end',
      workflow: `w-${i}`,
      status: i % 7 === 0 ? 'failed' : 'completed',
      ts: 1_700_000_000 + i + (i % 100),
    },
  ]).flat();
  const site = await siteWith(...lines);
  const page = await (await browse()).open(site.urlOf('workflows'));
  await expect.poll(() => rowsOf(page, 'Workflows').then((rows) => rows.length)).toBe(1000);
  expect((await rowsOf(page, 'Workflows'))[0]).toContain('w-999');
  await page.getByRole('button', { name: 'Started' }).click();
  await expect.poll(() => rowsOf(page, 'Workflows').then(([row]) => row)).toContain('w-0');
  expect(await page.getByRole('columnheader', { name: 'Started' }).getAttribute('aria-sort')).toBe(
    'ascending',
  );
  await page.getByRole('radio', { name: 'failed' }).check({ force: true });
  await expect.poll(() => rowsOf(page, 'Workflows').then((rows) => rows.length)).toBe(143);
});

const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  '"><script>alert(2)</script>',
  "');alert(3);//",
  'javascript:alert(4)',
  '../../etc/passwd',
  '%2e%2e%2f?#&=',
  '\u202egnirts desrever',
  'a'.repeat(256),
  '表\u0000名',
  '{{constructor}}',
];

test('names and texts that would be markup, script or paths are shown as they are, in every view', async () => {
  const lines = HOSTILE.flatMap((text, i) => {
    const error = `${text} ${text.repeat(i === 7 ? 1 : 20)}`;
    return [
      { type: 'workflow.start', workflow: text, name: text, project: text, phase: text, request: error },
      { type: 'task.start', workflow: text, task: text, agent: text, kind: text, description: error },
      {
        type: 'task.end',
        workflow: text,
        task: text,
        agent: text,
        status: 'failed',
        error,
        output: { [text]: text },
      },
      { type: 'sample', name: text, value: 1, tags: { [text]: text } },
    ];
  });
  const site = await siteWith(...lines);
  const browser = await browse();
  const page = await browser.open(site.urlOf(''));
  const intruders =
    'document.querySelectorAll("script:not([src]), img, iframe, object, embed, form, [onerror], base").length';
  for (const view of VIEWS) {
    await page.goto(site.urlOf(view));
    await page.locator('main').getByRole('heading').first().waitFor();
    await page.waitForTimeout(300);
    expect(await page.evaluate(intruders), view).toBe(0);
  }
  await page.goto(site.urlOf('workflows'));
  for (const text of HOSTILE) {
    await page.goto(site.urlOf('workflows'));
    await page.getByRole('link', { name: text, exact: true }).click();
    await expect.poll(() => page.locator('h1').textContent()).toBe(text);
    await page.getByRole('table', { name: 'Tasks' }).getByRole('link').first().click();
    await page.getByRole('region', { name: text }).getByText('failed').first().waitFor();
    expect(await page.evaluate(intruders), text).toBe(0);
    await page.getByRole('region', { name: text }).getByRole('link').first().click();
    await expect.poll(() => page.locator('h1').textContent()).toBe(text);
  }
  expect(new URL(page.url()).pathname).toBe('/');
});

test('ten thousand tasks in one timeline are zoomed, moved and scrolled without standing still', async () => {
  const lines = [{ type: 'workflow.start', workflow: 'huge', ts: 1_700_000_000 } as object];
  for (let i = 0; i < 10_000; i++) {
    const start = 1_700_000_000 + (i % 40) + 12 * Math.floor(i / 40);
    const same = { workflow: 'huge', task: `task-${i}`, agent: `worker-${i % 40}` };
    lines.push({ type: 'task.start', ...same, ts: start });
    lines.push({
      type: 'task.end',
      ...same,
      status: i % 97 === 0 ? 'failed' : 'completed',
      ts: start + 3 + (i % 14),
    });
  }
  const site = await siteWith(...lines, {
    type: 'workflow.end',
    workflow: 'huge',
    status: 'completed',
    ts: 1_700_003_100,
  });
  const page = await (await browse()).open(site.urlOf('workflow/huge'));
  const timeline = page.getByRole('application', { name: 'Timeline of 10000 tasks' });
  await timeline.waitFor();
  await page.evaluate(`
    globalThis.frames_ = [];
    let last = performance.now();
    (function tick(now) { frames_.push(now - last); last = now; requestAnimationFrame(tick); })(last);
  `);
  const { x, y, width } = (await timeline.boundingBox())!;
  await page.mouse.move(x + width / 2, y + 100);
  await page.keyboard.down('Control');
  for (let i = 0; i < 30; i++) await page.mouse.wheel(0, i < 20 ? -60 : 40);
  await page.keyboard.up('Control');
  await page.mouse.down();
  for (let i = 0; i < 30; i++) await page.mouse.move(x + width / 2 - 8 * i, y + 100);
  await page.mouse.up();
  await page.getByRole('radio', { name: 'each task' }).check({ force: true });
  for (let i = 0; i < 30; i++) await page.mouse.wheel(0, 400);
  const frames = (await page.evaluate('frames_')) as number[];
  frames.sort((a, b) => a - b);
  // At 60 a second a frame is 17 ms. Others share these cores, so half of the frames may be late, and none may stand still.
  expect(frames.length).toBeGreaterThan(30);
  expect(frames[Math.floor(frames.length / 2)]).toBeLessThan(50);
  expect(frames.at(-1)).toBeLessThan(2000);
  await timeline.focus();
  await page.keyboard.press('End');
  await expect.poll(() => page.locator('[aria-live=polite]').textContent()).toContain('task-9999');
});

test('a daemon that goes away is said to be gone, what was known stays, and it is there again when it is', async () => {
  const site = await siteWith({ type: 'workflow.start', workflow: 'w' });
  const page = await (await browse()).open(site.urlOf('workflows'));
  await page.getByRole('link', { name: 'w', exact: true }).waitFor();
  await site.daemon.stop();
  const alert = page.getByRole('alert');
  await alert.getByText('The daemon does not answer').waitFor();
  expect(await rowsOf(page, 'Workflows')).toHaveLength(1);
  await site.restart();
  // The page tries by itself, too: where it was first, there is nothing to click any more.
  const click = alert.getByRole('button', { name: 'Try now' }).click({ timeout: 3000 });
  await Promise.all([click.catch(() => {}), alert.waitFor({ state: 'detached' })]);
  await site.daemon.send({ type: 'workflow.start', workflow: 'later' });
  await page.getByRole('link', { name: 'later', exact: true }).waitFor();
});
