/** What a bench has found, for a person, and how far it is. */

import { percentileOf } from '../load/percentiles.js';
import { humanBytes, humanCount, humanDuration, humanRate, shorten } from '../model/human.js';
import type { Colors } from './io.js';
import { renderFacts } from './table.js';

export interface Latency {
  readonly count: number;
  /** null: nothing was measured */
  readonly p50: number | null;
  readonly p99: number | null;
}

export interface BenchResult {
  readonly private: boolean;
  readonly interrupted: boolean;
  readonly connections: number;
  readonly event_bytes: number;
  /** Until everything was durable. */
  readonly seconds: number;
  readonly sent: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly events_per_second: number;
  readonly daemon_cpu_seconds_per_million: number;
  readonly daemon_rss_bytes_max: number;
  readonly sync_seconds: Latency;
  readonly visible_seconds: Latency;
  readonly query_seconds: Latency;
  /** Counts and sums that are not what was sent; empty: all are right. */
  readonly wrong: readonly string[];
}

const BAR_COLUMNS = 24;

export function latencyOf(seconds: readonly number[]): Latency {
  if (seconds.length === 0) return { count: 0, p50: null, p99: null };
  return { count: seconds.length, p50: percentileOf(seconds, 50), p99: percentileOf(seconds, 99) };
}

export function benchText(result: BenchResult, colors: Colors): string {
  const where = result.private ? 'a private daemon on the defaults, gone now' : 'the running daemon';
  const latency = ({ count, p50, p99 }: Latency) =>
    `p50 ${humanDuration(p50)}, p99 ${humanDuration(p99)}  (${humanCount(count)} times)`;
  const connections = `${result.connections} connection${result.connections === 1 ? '' : 's'}`;
  const facts: [string, string][] = [
    ['daemon', where],
    ['load', `${connections}, events of ${result.event_bytes} bytes, sender on this host`],
    ['time', `${result.seconds.toFixed(1)} s${result.interrupted ? ', interrupted' : ''}`],
    ['throughput', `${humanRate(result.events_per_second)} events/s, durable`],
    ['CPU', `${result.daemon_cpu_seconds_per_million.toFixed(2)} s per million events, the daemon`],
    ['memory', `${humanBytes(result.daemon_rss_bytes_max)} resident at most`],
    ['durable', latency(result.sync_seconds)],
    ['visible', latency(result.visible_seconds)],
    ['query', latency(result.query_seconds)],
    ['ledger', `${humanCount(result.sent)} sent, ${humanCount(result.accepted)} accepted`],
    [
      'checks',
      result.wrong.length === 0
        ? colors.green('counts and sums are those of what was sent')
        : colors.red(result.wrong.join('\n')),
    ],
  ];
  return renderFacts(facts, colors);
}

/** @returns at most `width` columns */
export function progressText(done: number, seconds: number, eventsPerSecond: number, width: number): string {
  const share = Math.min(1, done / seconds);
  const filled = Math.floor(share * BAR_COLUMNS);
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_COLUMNS - filled)}]`;
  const text = `${Math.min(done, seconds).toFixed(0)} of ${seconds} s  ${humanRate(eventsPerSecond)} events/s`;
  return shorten(width < BAR_COLUMNS + text.length + 4 ? text : `${bar}  ${text}`, width);
}
