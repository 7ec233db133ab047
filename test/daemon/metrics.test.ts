/** `GET /metrics` of the real daemon: valid in both formats, and the same numbers as in the status. */

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { STATE_COUNTS } from '../../src/state/board.js';
import { readExposition, readHistograms } from '../query/exposition-reader.js';
import { testDaemon } from '../support/daemon.js';

const END = { type: 'task.end', task: 't', agent: 'a', kind: 'k', status: 'completed' };

test('the metrics are valid, and say what the status says', async () => {
  const daemon = await testDaemon();
  await daemon.send(
    { ...END, duration: 1.5 },
    { ...END, task: 'u', duration: 3 },
    'no event',
    '{"type":"x"}',
  );
  const { headers, text } = await daemon.get('/metrics');
  expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  const families = readExposition(text);
  const status = await daemon.status();
  const value = (name: string) => families.get(name)?.samples[0]?.value;
  expect(value('tallyd_ready')).toBe(1);
  expect(value('tallyd_ingest_lines_total')).toBe(status.ingest.lines);
  expect(value('tallyd_ingest_accepted_lines_total')).toBe(3);
  expect(value('tallyd_ingest_read_bytes_total')).toBe(status.ingest.bytes);
  expect(value('tallyd_log_lines_total')).toBe(3);
  expect(value('tallyd_log_durable_lines_total')).toBe(3);
  expect(value('tallyd_series')).toBe(status.state.series);
  expect(value('process_start_time_seconds')).toBe(status.started_at);
  for (const name of STATE_COUNTS)
    expect(value(`tallyd_state_${name}_total`)).toBe(status.state.counts[name]);
  expect(value('tallyd_rejects_written_lines_total')).toBe(1);
  const rejected = families.get('tallyd_ingest_rejected_lines_total')!.samples;
  // A reason that has not been met yet is there too, so that its first one is an increase.
  expect(rejected.length).toBeGreaterThan(5);
  expect(rejected.reduce((sum, one) => sum + one.value, 0)).toBe(1);
  const build = families.get('tallyd_build_info')!.samples[0]!;
  expect(build.labels).toMatchObject({ version: status.version, protocol: '1', format: '1' });
  const durations = readHistograms(
    'tallyd_task_duration_seconds',
    families.get('tallyd_task_duration_seconds')!,
  );
  expect(durations).toMatchObject([
    { labels: { agent: 'a', kind: 'k', status: 'completed' }, count: 2, sum: 4.5 },
  ]);
});

test('a checkpoint is there from the first one on', async () => {
  const daemon = await testDaemon({ 'checkpoint.interval': '100ms' });
  const value = async (name: string) =>
    readExposition((await daemon.get('/metrics')).text).get(name)?.samples[0]?.value;
  expect(await value('tallyd_checkpoint_line')).toBe(undefined);
  await daemon.send({ ...END, duration: 1 });
  const { checkpoint } = await daemon.statusWhere((status) => status.checkpoint !== null);
  expect(await value('tallyd_checkpoint_line')).toBe(1);
  expect(await value('tallyd_checkpoint_timestamp_seconds')).toBe(checkpoint.written_at);
});

test('the process is measured as a whole: CPU, memory, open files and threads', async () => {
  const daemon = await testDaemon();
  const value = async (name: string) =>
    readExposition((await daemon.get('/metrics')).text).get(name)!.samples[0]!.value;
  const filesBefore = await value('process_open_fds');
  const clients = await Promise.all(Array.from({ length: 20 }, () => daemon.connect()));
  await daemon.statusWhere((status) => status.ingest.connections === 20);
  expect(await value('process_open_fds')).toBeGreaterThanOrEqual(filesBefore + 20);
  for (const client of clients) client.end();
  expect(await value('process_threads')).toBe(readdirSync(`/proc/${daemon.pid}/task`).length);
  const limits = readFileSync(`/proc/${daemon.pid}/limits`, 'latin1');
  expect(await value('process_max_fds')).toBe(Number(/^Max open files +(\d+)/m.exec(limits)![1]));
  expect(await value('process_resident_memory_bytes')).toBeGreaterThan(20e6);
  const cpuBefore = await value('process_cpu_seconds_total');
  await daemon.send(...Array.from({ length: 20_000 }, () => END));
  expect(await value('process_cpu_seconds_total')).toBeGreaterThan(cpuBefore);
});

test('whoever asks for OpenMetrics gets it, and a HEAD has the head alone', async () => {
  const daemon = await testDaemon();
  const open = await daemon.get('/metrics', 'GET', { accept: 'application/openmetrics-text; version=1.0.0' });
  expect(open.headers['content-type']).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
  expect(open.text.endsWith('\n# EOF\n')).toBe(true);
  const families = readExposition(open.text);
  expect(families.get('tallyd_ingest_lines')).toMatchObject({ type: 'counter' });
  expect(families.get('tallyd_build')).toMatchObject({ type: 'info' });
  const head = await daemon.get('/metrics', 'HEAD');
  expect(head).toMatchObject({ status: 200, text: '' });
  expect(Number(head.headers['content-length'])).toBeGreaterThan(1000);
});

test('no id of a workflow or of a task is a label', async () => {
  const daemon = await testDaemon();
  await daemon.send(
    { type: 'workflow.start', workflow: 'secret-w', name: 'n', project: 'p' },
    { type: 'task.start', workflow: 'secret-w', task: 'secret-t', agent: 'a' },
    { type: 'task.end', workflow: 'secret-w', task: 'secret-t', agent: 'a', status: 'failed', duration: 1 },
    { type: 'workflow.end', workflow: 'secret-w', status: 'failed' },
  );
  const { text } = await daemon.get('/metrics');
  expect(text).toContain('tallyd_workflow_duration_seconds_count{name="n",project="p",status="failed"} 1');
  expect(text).not.toContain('secret');
});
