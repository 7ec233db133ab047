/** A real Prometheus reads the metrics: promtool's lint, and a server that scrapes the daemon and is asked. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { Program } from '../support/children.js';
import { type TestDaemon, testDaemon } from '../support/daemon.js';
import { createFolder } from '../support/folder.js';

const DEADLINE_MS = 90_000;

async function sendEvents(daemon: TestDaemon): Promise<void> {
  const ends = [0.5, 1, 2, 30].flatMap((duration, i) =>
    ['completed', 'failed'].map((status) => ({
      type: 'task.end',
      workflow: 'w',
      task: `${status}-${i}`,
      agent: 'loader "1"',
      kind: 'load',
      status,
      duration,
      tokens: 100,
    })),
  );
  await daemon.send(
    { type: 'workflow.start', workflow: 'w', name: 'nightly', project: 'warehouse' },
    ...ends,
    { type: 'workflow.end', workflow: 'w', status: 'completed' },
    { type: 'sample', name: 'rows.loaded', value: 1000, tags: { 'table.name': 'orders' } },
    { type: 'sample', name: 'rows_loaded', value: -2.5, tags: { table_name: 'orders' } },
    'refused',
  );
}

test('promtool finds nothing to mend in the metrics', async () => {
  const daemon = await testDaemon();
  await sendEvents(daemon);
  const { text } = await daemon.get('/metrics');
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text });
  expect({ status, said: String(stdout) + String(stderr) }).toEqual({ status: 0, said: '' });
});

test('Prometheus scrapes the daemon, and its queries give what went in', async () => {
  const folder = createFolder();
  onTestFinished(() => folder.remove());
  const [listen, web] = await Promise.all([freePort(), freePort()]);
  const daemon = await testDaemon({ 'control.listen': `127.0.0.1:${listen}` });
  await sendEvents(daemon);
  const config = join(folder.path, 'prometheus.yml');
  const target = `static_configs: [{ targets: ["127.0.0.1:${listen}"] }]`;
  writeFileSync(
    config,
    `global: { scrape_interval: 500ms, scrape_timeout: 500ms }\nscrape_configs:\n  - job_name: tallyd\n    ${target}\n`,
  );
  const data = join(folder.path, 'data');
  mkdirSync(data);
  const flags = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${data}`,
    `--web.listen-address=127.0.0.1:${web}`,
  ];
  const prometheus = new Program('prometheus', flags);
  onTestFinished(() => prometheus.kill());

  const query = async (expression: string): Promise<number[]> => {
    const url = `http://127.0.0.1:${web}/api/v1/query?query=${encodeURIComponent(expression)}`;
    const { data } = await getJson(url);
    return data.result.map(({ value }: { value: [number, string] }) => Number(value[1]));
  };
  const until = performance.now() + DEADLINE_MS;
  let up: number[] = [];
  while (up[0] !== 1 && performance.now() < until) {
    up = await query('up{job="tallyd"}').catch(() => []);
    await sleep(100);
  }
  expect(up).toEqual([1]);

  expect(await query('sum(tallyd_task_duration_seconds_count)')).toEqual([8]);
  expect(await query('sum by (agent) (tallyd_task_duration_seconds_sum{agent="loader \\"1\\""})')).toEqual([
    67,
  ]);
  expect(await query('tallyd_task_duration_seconds_bucket{status="failed",le="1.0"}')).toEqual([2]);
  const [median] = await query('histogram_quantile(0.5, sum by (le) (tallyd_task_duration_seconds_bucket))');
  expect(median).toBeGreaterThanOrEqual(0.5);
  expect(median).toBeLessThanOrEqual(2);
  expect(await query('tallyd_sample_rows_loaded_sum{sample="rows.loaded",table_name="orders"}')).toEqual([
    1000,
  ]);
  expect(await query('tallyd_sample_rows_loaded_sum{sample=""}')).toEqual([-2.5]);
  expect(await query('tallyd_ingest_lines_total - tallyd_ingest_accepted_lines_total')).toEqual([1]);
  expect(await query('sum(tallyd_ingest_rejected_lines_total)')).toEqual([1]);
  expect(await query('count(tallyd_build_info{version!=""})')).toEqual([1]);
  // Prometheus asks for OpenMetrics, and knows the unit from there.
  const meta = await getJson(
    `http://127.0.0.1:${web}/api/v1/targets/metadata?metric=tallyd_task_duration_seconds`,
  );
  expect(meta.data).toMatchObject([{ type: 'histogram', unit: 'seconds' }]);
});

// biome-ignore lint/suspicious/noExplicitAny: read as Prometheus describes it
async function getJson(url: string): Promise<any> {
  return (await fetch(url)).json();
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
