/** `tallyd status`: health, rates, ring and lag, memory, archive, in one screen. */

import type { Config } from '../config/config.js';
import { EXIT_DONE, EXIT_NO } from '../model/failure.js';
import {
  counted,
  escapeControls,
  escapeControlsInJson,
  humanBytes,
  humanCount,
  humanDuration,
  humanPercent,
  humanRate,
  humanTime,
  NOTHING,
} from '../model/human.js';
import { request } from './control-client.js';
import { type Colors, colorsOf, type Io, widthOf } from './io.js';
import { type Column, renderFacts, renderTable, wrapList } from './table.js';

/** @returns done only where the daemon is ready */
export async function status(
  config: Config,
  options: { json?: boolean; connections?: boolean },
  io: Io,
): Promise<number> {
  const path = options.connections ? '/v1/status?connections=1' : '/v1/status';
  const { text, body } = await request(config, 'GET', path);
  if (options.json) {
    io.stdout.write(`${escapeControlsInJson(text.trimEnd())}\n`);
  } else {
    const style = {
      width: widthOf(io.stdout),
      cut: io.stdout.isTTY === true,
      colors: colorsOf(io.stdout, io.env),
    };
    io.stdout.write(renderStatus(body, style.colors, style.width));
    if (options.connections) {
      io.stdout.write(
        `\n${renderTable(CONNECTION_COLUMNS, (body.connections ?? []).map(connectionRow), style)}`,
      );
    }
  }
  return body.ready === true ? EXIT_DONE : EXIT_NO;
}

const CONNECTION_COLUMNS: readonly Column[] = [
  { title: 'id', align: 'right' },
  { title: 'client', align: 'left', cut: true },
  { title: 'uid', align: 'right', leaves: 6 },
  { title: 'pid', align: 'right', leaves: 7 },
  { title: 'state', align: 'left', leaves: 3 },
  { title: 'since', align: 'left', leaves: 1 },
  { title: 'lines', align: 'right' },
  { title: 'accepted', align: 'right' },
  { title: 'rejected', align: 'right' },
  { title: 'dropped', align: 'right', leaves: 2 },
  { title: 'in flight', align: 'right' },
  { title: 'bytes', align: 'right', leaves: 5 },
  { title: 'unread', align: 'right', leaves: 4 },
];

/** @param reply of `GET /v1/status`; a field that an older daemon does not have shows as `-` */
// biome-ignore lint/suspicious/noExplicitAny: read as the contract describes it
function renderStatus(reply: any, colors: Colors, width: number): string {
  const { ingest = {}, ring = {}, lag = {}, state = {}, archive = {}, memory = {} } = reply;
  const ready = reply.ready === true ? colors.green('ready') : colors.red('not ready');
  const version = escapeControls(String(reply.version ?? '?'));
  const list = (items: readonly string[]) => wrapList(items.map(escapeControls), width - 14);
  const degraded: unknown[] = reply.degraded ?? [];
  const facts: [string, string][] = [
    ['tallyd', `${version}   ${ready}   pid ${reply.pid ?? NOTHING}   up ${humanDuration(reply.uptime)}`],
  ];
  if (degraded.length > 0) facts.push(['degraded', colors.yellow(list(degraded.map(String)))]);
  facts.push(
    ['', ''],
    ['ingest', `${counted(ingest.connections, 'connection')}   ${humanRate(ingest.rate_1s)} lines/s`],
    ...refusedFacts(ingest, list),
    ['  lines', `${humanCount(ingest.lines)}   ${humanBytes(ingest.bytes)}`],
    ['  accepted', humanCount(ingest.accepted)],
    ['  rejected', rejectedText(ingest, list)],
    ['  dropped', humanCount(ingest.dropped)],
    ['  in flight', humanCount(ingest.in_flight)],
    ...pauseFacts(ingest.pauses_ms),
    ['ring', ringText(ring)],
    ['lag', `${counted(lag.events, 'event')}   ${humanDuration(lag.seconds)}`],
    [
      'state',
      `${counted(state.workflows_live, 'live workflow')}   ${humanCount(state.workflows_recent)} recent`,
    ],
    ['', `${counted(state.tasks_running, 'running task')}   ${humanCount(state.series)} series`],
  );
  const counts = nonZero(state.counts);
  if (counts.length > 0) facts.push(['  counts', list(counts)]);
  facts.push(
    [
      'archive',
      `durable to line ${humanCount(archive.durable_seq)}   last sync ${syncText(archive.last_sync_ms)}`,
    ],
    ['', archiveText(archive)],
    ...damageFacts(archive.damage ?? []),
    ['checkpoint', checkpointText(reply.checkpoint)],
    ['memory', `${humanBytes(memory.rss_bytes)} resident   ${humanBytes(memory.state_bytes)} state`],
    ['threads', list((reply.threads ?? []).map(threadText))],
  );
  return renderFacts(facts, colors);
}

// biome-ignore-start lint/suspicious/noExplicitAny: parts of the reply
function rejectedText(ingest: any, list: (items: readonly string[]) => string): string {
  const reasons = nonZero(ingest.rejected_by_reason);
  return reasons.length === 0
    ? humanCount(ingest.rejected)
    : `${humanCount(ingest.rejected)}\n${list(reasons)}`;
}

/** Only where some were. */
function refusedFacts(ingest: any, list: (items: readonly string[]) => string): [string, string][] {
  const reasons = nonZero(ingest.connections_refused);
  return reasons.length === 0 ? [] : [['  refused', list(reasons)]];
}

function ringText(ring: any): string {
  const share = humanPercent(ring.used_bytes / ring.capacity_bytes);
  const used = `${humanBytes(ring.used_bytes)} of ${humanBytes(ring.capacity_bytes)} (${share})`;
  return `${used}   ${counted(ring.stalls, 'stall')}`;
}

function archiveText(archive: any): string {
  const ratio = archive.bytes_raw / archive.bytes_compressed;
  const times = Number.isFinite(ratio) && ratio > 0 ? ` (ratio ${ratio.toFixed(1)})` : '';
  const oldest = archive.oldest_ts == null ? '' : `   since ${humanTime(archive.oldest_ts)}`;
  return `${counted(archive.segments, 'segment')}   ${humanBytes(archive.bytes_compressed)}${times}${oldest}`;
}

const DAMAGE_SHOWN = 5;

function damageFacts(damage: any[]): [string, string][] {
  const shown = damage.slice(0, DAMAGE_SHOWN).map(({ segment, offset, bytes, first_line, last_line }) => {
    const to = last_line == null ? 'on' : `to ${humanCount(last_line)}`;
    const lines = first_line == null ? '' : `, lines ${humanCount(first_line)} ${to}`;
    return `${escapeControls(String(segment))}, byte ${humanCount(offset)}: ${humanBytes(bytes)}${lines}`;
  });
  if (damage.length > DAMAGE_SHOWN) shown.push(`… and ${humanCount(damage.length - DAMAGE_SHOWN)} more`);
  return shown.map((text, i) => [i === 0 ? '  damaged' : '', text]);
}

function checkpointText(checkpoint: any): string {
  if (checkpoint == null) return NOTHING;
  const pause = checkpoint.pause_ms == null ? '' : `   pause ${humanDuration(checkpoint.pause_ms / 1000)}`;
  const at = humanTime(checkpoint.written_at);
  return `to line ${humanCount(checkpoint.line)}   ${humanBytes(checkpoint.bytes)}   ${at}${pause}`;
}

function connectionRow(one: any): string[] {
  return [
    String(one.id ?? NOTHING),
    one.client ?? NOTHING,
    String(one.uid ?? NOTHING),
    String(one.pid ?? NOTHING),
    one.state ?? NOTHING,
    one.since == null ? NOTHING : humanTime(one.since),
    humanCount(one.lines),
    humanCount(one.accepted),
    humanCount(one.rejected),
    humanCount(one.dropped),
    humanCount(one.in_flight),
    humanBytes(one.bytes),
    humanBytes(one.unread_bytes),
  ];
}

function syncText(ms: number | null | undefined): string {
  return ms == null ? NOTHING : humanDuration(ms / 1000);
}

function threadText(thread: any): string {
  const restarts = thread.restarts > 0 ? ` (${counted(thread.restarts, 'restart')})` : '';
  return `${thread.name} ${humanPercent(thread.utilization)}${restarts}`;
}

/** How long the thread that reads all connections was away from them at a time. */
function pauseFacts(pauses: any): [string, string][] {
  if (pauses == null) return [];
  const seconds = (ms: number) => humanDuration(ms / 1000);
  return [['  pauses', `p99.9 ${seconds(pauses.p99_9)}   longest ${seconds(pauses.max)}`]];
}
// biome-ignore-end lint/suspicious/noExplicitAny: parts of the reply

function nonZero(counts: Record<string, number> | null | undefined): string[] {
  return Object.entries(counts ?? {})
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name} ${humanCount(value)}`);
}
